"""YAML and JSON as plain values, with the few tags that vcrpy's files have. Nothing in a file is ever run."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import yaml

_TAG: Final = "tag:yaml.org,2002:"
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Base: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UnreadableError(Exception):
    """A text that is no YAML; the line counts from 1, 0 where there is none."""

    def __init__(self, line: int, column: int, message: str, hint: str) -> None:
        self.line, self.column, self.message, self.hint = line, column, message, hint
        super().__init__(message)


class _Loader(_Base):  # type: ignore[misc]  # C's or the pure one
    """A safe loader. Times stay texts; merge keys are refused, for they can make a small file endless."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        for key, _value in node.value:
            if key.tag == f"{_TAG}merge":
                raise yaml.constructor.ConstructorError(
                    None, None, "merge keys (`<<`) are not read in cassettes", key.start_mark
                )


def _text(loader: Any, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


def _sequence(loader: Any, node: yaml.SequenceNode) -> list[Any]:
    return list(loader.construct_sequence(node, deep=True))


def _file(loader: Any, node: yaml.MappingNode) -> bytes:
    """The bytes of a file-like body, as older releases of vcrpy wrote it."""
    state = loader.construct_mapping(node, deep=True).get("state") or (b"",)
    found = state[0] if isinstance(state, list | tuple) else b""
    return found.encode("utf-8") if isinstance(found, str) else bytes(found or b"")


_Loader.add_constructor(f"{_TAG}timestamp", _text)
_Loader.add_constructor(f"{_TAG}value", _text)
_Loader.add_constructor(f"{_TAG}python/str", _text)
_Loader.add_constructor(f"{_TAG}python/unicode", _text)
_Loader.add_constructor(f"{_TAG}python/tuple", _sequence)
_Loader.add_constructor(f"{_TAG}python/object/new:_io.BytesIO", _file)


def load(text: str) -> Any:
    """What a text says. Raises UnreadableError."""
    if text[:1] == "{":  # JSON is YAML but for some escapes
        with suppress(ValueError, RecursionError):
            return json.loads(text)
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error) from None
    except yaml.reader.ReaderError as error:
        raise _unprintable(text, error) from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise UnreadableError(0, 0, f"is not YAML: {str(error).splitlines()[0]}", "") from None
    except RecursionError:
        raise UnreadableError(0, 0, "holds too many lists and mappings inside one another", "record it again") from None


@contextmanager
def no_collection() -> Iterator[None]:
    """A time without garbage collection: it walks all that was read again and again, and none of it is garbage yet."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _unprintable(text: str, error: yaml.reader.ReaderError) -> UnreadableError:
    bad = _UNPRINTABLE.search(text)
    if bad is None:
        return UnreadableError(0, 0, f"is not YAML: {error.reason}", "")
    line = text.count("\n", 0, bad.start()) + 1
    column = bad.start() - text.rfind("\n", 0, bad.start())
    message = f"holds the character U+{ord(bad[0]):04X}, which is not allowed in YAML"
    return UnreadableError(line, column, message, "remove it, or escape it in double quotes")


def _unreadable(error: yaml.MarkedYAMLError) -> UnreadableError:
    at = error.problem_mark or error.context_mark
    line, column = (at.line + 1, at.column + 1) if at else (0, 0)
    problem = error.problem or "it can't be read"
    if isinstance(error, yaml.constructor.ConstructorError):
        if problem.startswith("could not determine a constructor"):
            tag = problem.rpartition("tag ")[2].strip("'\"")
            message = f"holds the tag {tag.replace(_TAG, '!!')}, which is not read"
            return UnreadableError(line, column, message, "put a plain value there, or record it again")
        if "base64" in problem:
            return UnreadableError(line, column, f"holds wrong base64: {problem}", "record it again")
        if "merge keys" in problem:
            return UnreadableError(line, column, problem.replace("merge", "holds merge", 1), "write the keys out")
    where = f" {error.context}" if error.context and error.context.startswith("while") else ""
    return UnreadableError(line, column, f"is not YAML: {problem}{where}", "")
