"""`mockbifrost schema`: what it prints."""

from __future__ import annotations

import json

from click.testing import CliRunner

from mockbifrost.cli import main
from mockbifrost.scenario.published_schema import scenario_schema


def test_the_schema_is_printed_and_nothing_else() -> None:
    result = CliRunner().invoke(main, ["schema"])

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == scenario_schema()
