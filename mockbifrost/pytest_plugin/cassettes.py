"""Where the cassette of a test is: named after it, safe for file systems, and the same in every run."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path
from typing import Final

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.,=+@\[\]-]")
_LONGEST: Final = 100


def file_name(test: str) -> str:
    """The name of a test's file, `TestRefund.test_asked[gpt-4o].yaml`. Two tests never share one, also where case does not count.

    What file systems don't like becomes `_`; where that, the length or capitals of a parameter could make two names one, a short
    hash of the whole name follows.
    """
    safe = _UNSAFE.sub("_", test)
    _function, bracket, parameters = test.partition("[")
    if safe == test and len(safe) <= _LONGEST and not (bracket and parameters != parameters.lower()):
        return f"{safe}.yaml"
    return f"{safe[:_LONGEST]}-{blake2b(test.encode(), digest_size=4).hexdigest()}.yaml"


def own_file(module: Path, test: str, folder: Path | None, root: Path) -> Path:
    """The cassette of a test: `cassettes/MODULE/TEST.yaml` beside its file; in the folder of the settings by the path of its file."""
    if folder is None:
        return module.parent / "cassettes" / module.stem / file_name(test)
    try:
        where = module.relative_to(root).with_suffix("")
    except ValueError:  # the tests lie elsewhere
        where = Path(module.stem)
    return folder / where / file_name(test)
