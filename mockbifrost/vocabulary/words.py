"""The words of the language: what each key is good for, in one line. Read by the reference and by the JSON Schema."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

FILE = "words.yaml"


@cache
def sections() -> tuple[dict[str, Any], ...]:
    """Each mapping of the language: `title`, `model`, `intro`, `keys` with a line each, and `types` where a table needs one."""
    loaded: list[dict[str, Any]] = yaml.safe_load(files(__package__).joinpath(FILE).read_text(encoding="utf-8"))
    return tuple(loaded)
