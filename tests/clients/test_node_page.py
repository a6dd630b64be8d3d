"""What docs/how-to/clients.md shows for Node runs as it stands there. The lane `node` of .ci/noxfile.py installs the clients."""

from __future__ import annotations

import os
import subprocess

import pytest

from mockbifrost import Session
from tests.clients.test_node import FOLDER, NODE, missing
from tests.clients.this_machine import is_setting
from tests.docs.pages import Block, blocks_of
from tests.docs.reader import ROOT, WRITTEN

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

PAGE = "docs/how-to/clients.md"
BLOCKS = [block for block in blocks_of(ROOT / PAGE, PAGE) if block.language == "js"]


def test_the_page_shows_clients_for_node() -> None:
    assert len(BLOCKS) == 4


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_a_client_gets_its_answer(mockbifrost: Session, block: Block) -> None:
    mockbifrost.when(user="hello").reply("Hello, Node!")
    assert NODE is not None
    assert block.text.count(f"{WRITTEN}/pydanticai/v1") == 1

    done = subprocess.run(
        [NODE, "--input-type=module", "-"],
        input=block.text.replace(f"{WRITTEN}/pydanticai/v1", mockbifrost.base_url),
        cwd=FOLDER,  # where the clients are
        env={name: value for name, value in os.environ.items() if not is_setting(name)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("Hello, Node!\n", "")
