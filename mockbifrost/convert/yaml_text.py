"""YAML as people write it: block style, long texts as they read, quotes only where they are needed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

HEADER: Final = "# yaml-language-server: $schema=./scenario.schema.json"
"""The first line of a scenario: where editors find its schema."""
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
"""What stands for something else than text to one reader of YAML or another."""
_DURATION: Final = re.compile(r"(?:[0-9]+(?:ms|[smhd]))+")
_FLOW: Final = frozenset(",[]{}")
_LONG: Final = 100
_WIDTH: Final = 80
_ESCAPED: Final = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def block(value: Any) -> list[str]:
    """The lines of a mapping or a list in block style, not indented."""
    if isinstance(value, Mapping):
        return [line for key, item in value.items() for line in _entry(_key(key), item)]
    return [line for item in value for line in _item(item)]


def indented(lines: Sequence[str], by: int = 2) -> list[str]:
    """The lines moved to the right; empty ones stay empty."""
    return [" " * by + line if line else "" for line in lines]


def comment(text: str) -> str:
    """A text as a comment of one line."""
    return "# " + " ".join([word for word in re.split(r"\s+", text) if word and word.isprintable()])


def _entry(key: str, item: Any) -> list[str]:
    if isinstance(item, str) and _is_block(item):
        return [f"{key}: {_indicator(item)}", *indented(_text_lines(item))]
    if isinstance(item, Mapping | list | tuple) and item:
        short = _short(item)
        return [f"{key}: {short}"] if short is not None else [f"{key}:", *indented(block(item))]
    return [f"{key}: {_scalar(item)}"]


def _item(item: Any) -> list[str]:
    if isinstance(item, str) and _is_block(item):
        return [f"- {_indicator(item)}", *indented(_text_lines(item))]
    if isinstance(item, Mapping | list | tuple) and item:
        first, *rest = block(item)
        return [f"- {first}", *indented(rest)]
    return [f"- {_scalar(item)}"]


def _short(item: Mapping[str, Any] | Sequence[Any]) -> str | None:
    """A short list of scalars on one line."""
    if isinstance(item, Mapping) or any(isinstance(one, Mapping | list | tuple) for one in item):
        return None
    if any(isinstance(one, str) and _is_block(one) for one in item):
        return None
    text = "[" + ", ".join([_scalar(one, flow=True) for one in item]) + "]"
    return text if len(text) <= _WIDTH else None


def _scalar(item: Any, *, flow: bool = False) -> str:
    if isinstance(item, str):
        return item if _is_plain(item, flow=flow) else _quoted(item)
    if isinstance(item, Mapping):
        return "{}"
    if isinstance(item, list | tuple):
        return "[]"
    if isinstance(item, float) and "." not in (text := repr(item)):
        return text.replace("e", ".0e")  # YAML 1.1 takes 5e-324 for text
    return json.dumps(item)


def _key(text: str) -> str:
    return text if _KEY.fullmatch(text) and text.lower() not in _WORDS else _quoted(text)


def _is_plain(text: str, *, flow: bool) -> bool:
    """Whether the text is itself to every reader of YAML without quotes."""
    if _DURATION.fullmatch(text):
        return True
    if not text[:1].isalpha() or not text.isprintable() or text.endswith((" ", ":")):
        return False
    if ": " in text or " #" in text or text.lower() in _WORDS:
        return False
    return not (flow and _FLOW & set(text))


def _quoted(text: str) -> str:
    if '"' in text and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _is_block(text: str) -> bool:
    """Whether the text reads better as a literal block, and says the same there."""
    if "\n" not in text and (len(text) <= _LONG or not text.isprintable()):
        return False
    lines = text.split("\n")
    if text[:1].isspace() or any(line and not line.strip() for line in lines):
        return False
    return all(line.replace("\t", " ").isprintable() for line in lines)


def _indicator(text: str) -> str:
    return "|-" if not text.endswith("\n") else "|+" if text.endswith("\n\n") else "|"


def _text_lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if text.endswith("\n") else lines
