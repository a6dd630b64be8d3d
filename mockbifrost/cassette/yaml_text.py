"""Text and bytes as YAML that every reader reads back the same, in lines that can be read and compared."""

from __future__ import annotations

import base64
import re
from typing import Final

_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_PLAIN: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9_/.;=+\-@ ]*[A-Za-z0-9_/.;=+\-@])?")
_PLAIN_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9_/.:=+\-@?&%]*[A-Za-z0-9_/]")
_NO_LITERAL: Final = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What a literal block can't hold: other line ends than LF, which readers make LF of, and what is not printable."""
_ESCAPED: Final = re.compile('[\\\\"]|' + _NO_LITERAL.pattern.replace("\t\n", ""))
_NAMED: Final = {
    "\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0", "\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_LONGEST_KEY: Final = 500
"""Characters: a longer key of a mapping has to be announced with `? `, its readers look no further than a kilobyte."""
_BASE64_LINE: Final = 76


def scalar(text: str) -> str:
    """A text on one line: without quotes where every reader takes it for a text."""
    if (_PLAIN.fullmatch(text) or _PLAIN_URI.fullmatch(text)) and text.lower() not in _WORDS:
        return text
    if "\n" in text or _NO_LITERAL.search(text):
        return f'"{_ESCAPED.sub(_escape, text)}"'
    return "'" + text.replace("'", "''") + "'"


def in_flow(text: str) -> str:
    """A text on one line, as an item of a list in brackets."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else _quoted(text)


def key(text: str, indent: int) -> str:
    """A text as the key of a mapping at `indent`, up to where its value begins."""
    quoted = in_flow(text)
    return f"? {quoted}\n{' ' * indent}: " if len(quoted) > _LONGEST_KEY else f"{quoted}: "


def block(text: str, indent: int) -> str:
    """A text of many lines as what follows `key: `, its lines at `indent`, which is two more than the key's; ends without a line end.

    A literal block where one can hold it, else in double quotes, each line on a line of its own.
    """
    if _NO_LITERAL.search(text):
        return _double_quoted(text, indent)
    if not text.strip("\n"):  # a block of empty lines alone is read in more than one way
        return f'"{_ESCAPED.sub(_escape, text)}"' if text else "''"
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    keep = ("-", "")[ends] if ends < 2 else "+"
    # Readers take the indentation from the first line, unless it is told.
    told = "2" if body[0] in " \t\n" else ""
    margin = "\n" + " " * indent
    lines = "".join([margin + line if line else "\n" for line in body.split("\n")])
    return f"|{told}{keep}{lines}" + "\n" * max(ends - 1, 0)


def binary(raw: bytes, indent: int) -> str:
    """Bytes as what follows `key: `, in base64."""
    encoded = base64.b64encode(raw).decode("ascii")
    margin = "\n" + " " * indent
    lines = [margin + encoded[at : at + _BASE64_LINE] for at in range(0, len(encoded), _BASE64_LINE)]
    return "!!binary |" + "".join(lines) if lines else "!!binary ''"


def content(raw: bytes, indent: int) -> str:
    """Bytes as what follows `key: `: as text where they are UTF-8."""
    try:
        return block(raw.decode("utf-8"), indent)
    except UnicodeDecodeError:
        return binary(raw, indent)


def _quoted(text: str) -> str:
    quoted = scalar(text)
    return quoted if quoted[0] in "'\"" else f"'{quoted}'"


def _double_quoted(text: str, indent: int) -> str:
    margin = "\\\n" + " " * indent
    lines = [_ESCAPED.sub(_escape, line) for line in _LINE.findall(text)]
    # A line that begins with a blank would lose it.
    return '"' + margin.join(["\\" + line if at and line[0] == " " else line for at, line in enumerate(lines)]) + '"'


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if char in _NAMED:
        return _NAMED[char]
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:  # half a surrogate pair: no reader takes it
        return "\\uFFFD"
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}"
