"""An interaction as it stands in a file, whatever tool wrote it: vcrpy, pydantic-ai's `parsed_body`, cassetter, or ours."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mockbifrost.cassette.compression import UndecodableError, decoded
from mockbifrost.cassette.interaction import (
    SOURCES,
    About,
    Headers,
    Interaction,
    Piece,
    RecordedRequest,
    RecordedResponse,
)
from mockbifrost.cassette.json_layout import LAYOUTS, compact, restored
from mockbifrost.cassette.writing import ABOUT, EXTRAS
from mockbifrost.errors import Finding
from mockbifrost.vocabulary.node import described

_KNOWN: Final = frozenset({*ABOUT, "request_layout", "layout", "pieces", "replaces"})
_DEEPEST: Final = 200
_MOST: Final = 64 * 1024 * 1024
"""Characters that one JSON body may hold when its aliases are written out."""
_VALUE: Final = 8
"""What a value that is no text counts there."""


class _WrongError(Exception):
    """What is wrong at a place of an interaction."""

    def __init__(self, path: str, message: str, hint: str) -> None:
        self.path, self.message, self.hint = path, message, hint
        super().__init__(message)


@dataclass(slots=True)
class Read:
    """What stands in a file for one interaction: the interaction itself, or what is wrong with it."""

    interaction: Interaction | None
    replaces: int | None = None
    findings: list[Finding] = field(default_factory=list)
    """Warnings beside an interaction; errors in its place."""


def is_complete(item: object) -> bool:
    """Whether an item reaches up to the code of its status, which is written last."""
    response = item.get("response") if isinstance(item, Mapping) else None
    if not isinstance(response, Mapping):
        return False
    status = response.get("status")
    code = status.get("code") if isinstance(status, Mapping) else status
    return isinstance(code, int) and 100 <= code <= 599


def read_item(item: object, file: str, number: int, line: int) -> Read:
    """The interaction that an item of the list `interactions` is. Its number counts from 1."""
    reader = _Item(file, number, line)
    try:
        interaction, replaces = reader.read(item)
    except _WrongError as wrong:
        return Read(None, None, [reader.finding(wrong.path, wrong.message, wrong.hint)])
    return Read(interaction, replaces, reader.warnings)


class _Item:
    def __init__(self, file: str, number: int, line: int) -> None:
        self._file, self._number, self._line = file, number, line
        self.warnings: list[Finding] = []

    def finding(self, path: str, message: str, hint: str, *, warning: bool = False) -> Finding:
        """A finding that names the interaction."""
        where = f"interactions[{self._number - 1}]" + (f".{path}" if path else "")
        column = 1 if self._line else 0
        text = f"in interaction {self._number} {message}"
        return Finding(self._file, self._line, column, where, text, hint, "warning" if warning else "error")

    def read(self, item: object) -> tuple[Interaction, int | None]:
        if not isinstance(item, Mapping):
            raise _WrongError("", f"is no request and response, but {described(item)}", "remove it")
        asked = self._part(item, "request")
        answered = self._part(item, "response")
        extras = self._extras(answered)
        request = self._request(asked, extras)
        response = self._response(answered, extras)
        about = self._about(item, extras)
        replaces = self._number_of(extras.get("replaces"))
        return Interaction(request, response, about, self._file, self._number, self._line), replaces

    def _part(self, item: Mapping[Any, Any], name: str) -> Mapping[Any, Any]:
        part = item.get(name)
        if isinstance(part, Mapping):
            return part
        if part is None:
            raise _WrongError("", f"there is no {name}", "complete the interaction, or remove it")
        raise _WrongError(name, f"the {name} must be a mapping, got {described(part)}", "write its keys below it")

    def _extras(self, answered: Mapping[Any, Any]) -> Mapping[Any, Any]:
        extras = answered.get(EXTRAS)
        if extras is None:
            return {}
        path = f"response.{EXTRAS}"
        if not isinstance(extras, Mapping):
            raise _WrongError(path, f"`{EXTRAS}` must be a mapping, got {described(extras)}", "write its keys below it")
        for name in extras:
            if name not in _KNOWN:
                text = f"the key '{name}' of `{EXTRAS}` is unknown, and is left out"
                hint = "known are " + ", ".join(sorted(_KNOWN))
                self.warnings.append(self.finding(f"{path}.{name}", text, hint, warning=True))
        return extras

    def _request(self, asked: Mapping[Any, Any], extras: Mapping[Any, Any]) -> RecordedRequest:
        uri = asked.get("uri")
        if not isinstance(uri, str) or not uri:
            raise _WrongError("request", f"the request has no uri that is text, but {described(uri)}", "write it there")
        method = asked.get("method", "POST")
        if not isinstance(method, str):
            raise _WrongError("request.method", f"the method must be text, got {described(method)}", "write POST")
        headers = self._headers(asked, "request")
        body, headers = self._body(asked, "request", headers)
        return RecordedRequest(method, uri, headers, self._restored(body, extras, "request_layout", "request"))

    def _response(self, answered: Mapping[Any, Any], extras: Mapping[Any, Any]) -> RecordedResponse:
        status = answered.get("status")
        message: object = None
        code: object = status
        if isinstance(status, Mapping):
            code, message = status.get("code"), status.get("message")
        if not isinstance(code, int) or isinstance(code, bool) or not 100 <= code <= 599:
            text = f"the response has no status between 100 and 599, but {described(code)}"
            raise _WrongError("response.status", text, "write `status: {code: 200, message: OK}`")
        if message is not None and not isinstance(message, str):
            text = f"the message of the status must be text, got {described(message)}"
            raise _WrongError("response.status.message", text, "put it in quotes")
        headers = self._headers(answered, "response")
        body, headers = self._body(answered, "response", headers)
        body = self._restored(body, extras, "layout", "response")
        return RecordedResponse(code, message or "", headers, body, self._pieces(extras.get("pieces"), len(body)))

    def _headers(self, part: Mapping[Any, Any], side: str) -> Headers:
        found = part.get("headers")
        if found is None:
            return ()
        path = f"{side}.headers"
        if not isinstance(found, Mapping):
            text = f"the headers of the {side} must be a mapping, got {described(found)}"
            raise _WrongError(path, text, "write `name: [value]` for each")
        headers: list[tuple[str, str]] = []
        for name, values in found.items():
            for value in values if isinstance(values, list | tuple) else (values,):
                if isinstance(value, bytes):
                    value = value.decode("latin-1")
                elif value is None or isinstance(value, list | tuple | Mapping):
                    text = f"the header {name} of the {side} must be text or a list of texts, got {described(value)}"
                    raise _WrongError(f"{path}.{name}", text, "put it in quotes")
                headers.append((str(name).lower(), value if isinstance(value, str) else str(value)))
        return tuple(headers)

    def _body(self, part: Mapping[Any, Any], side: str, headers: Headers) -> tuple[bytes, Headers]:
        """The body, decoded, and the headers that are true of it."""
        if "parsed_body" in part:
            return self._json(part["parsed_body"], f"{side}.parsed_body", side), headers
        body, path = part.get("body"), f"{side}.body"
        if isinstance(body, Mapping):
            if "string" in body:
                body, path = body["string"], f"{path}.string"
            else:
                return self._typed(body, path, side), headers
        if isinstance(body, bytes):
            return self._decoded(body, path, side, headers)
        return self._text(body, path, side), headers

    def _text(self, body: object, path: str, side: str) -> bytes:
        if body is None:
            return b""
        if isinstance(body, bytes):
            return body
        if isinstance(body, str):
            return body.encode("utf-8", "replace")
        text = f"the body of the {side} must be text or !!binary, got {described(body)}"
        raise _WrongError(path, text, "put it in quotes, or write it as a block below `|-`")

    def _typed(self, body: Mapping[Any, Any], path: str, side: str) -> bytes:
        """A body in cassetter's form, `{type: …, content: …}`."""
        kind, found = body.get("type"), body.get("content")
        if kind == "json":
            return self._json(found, f"{path}.content", side)
        if kind == "none" or (kind is None and not body):
            return b""
        if kind == "text":
            return self._text(found, f"{path}.content", side)
        if kind == "binary":
            try:
                return base64.b64decode("".join(str(found).split()), validate=True)
            except (ValueError, binascii.Error) as error:
                text = f"the body of the {side} is no base64: {error}"
                raise _WrongError(f"{path}.content", text, "record it again") from None
        text = f"the body of the {side} is of an unknown kind: {described(kind)}"
        raise _WrongError(path, text, "write `{string: …}`, or `{type: json|text|binary|none, content: …}`")

    def _json(self, found: object, path: str, side: str) -> bytes:
        try:
            _check_size(found)
            return compact(found)
        except (TypeError, ValueError) as error:
            raise _WrongError(path, f"the body of the {side} can't be JSON: {error}", "record it again") from None

    def _decoded(self, raw: bytes, path: str, side: str, headers: Headers) -> tuple[bytes, Headers]:
        encoding = ", ".join([text for name, text in headers if name == "content-encoding"])
        if not encoding:
            return raw, headers
        try:
            body = decoded(raw, encoding)
        except UndecodableError as error:
            raise _WrongError(path, f"the body of the {side} {error}", "record it again") from None
        if body is not raw:  # what these say is true no more
            headers = tuple([pair for pair in headers if pair[0] not in ("content-encoding", "content-length")])
        return body, headers

    def _restored(self, body: bytes, extras: Mapping[Any, Any], name: str, side: str) -> bytes:
        layout = extras.get(name)
        if layout is None:
            return body
        path = f"response.{EXTRAS}.{name}"
        if layout not in LAYOUTS:
            text = f"`{name}` must be one of {', '.join(LAYOUTS)}, got {described(layout)}"
            raise _WrongError(path, text, "remove it: the body is then taken as it stands")
        try:
            return restored(body, layout)
        except ValueError as error:
            text = f"the body of the {side} is no JSON, though `{name}` says so: {error}"
            raise _WrongError(path, text, f"mend the body, or remove `{name}`") from None

    def _pieces(self, found: object, size: int) -> tuple[Piece, ...]:
        if found is None:
            return ()
        path, hint = f"response.{EXTRAS}.pieces", "write a list of [milliseconds, bytes]"
        if not isinstance(found, list):
            raise _WrongError(path, f"`pieces` must be a list, got {described(found)}", hint)
        pieces = []
        for pair in found:
            if not (isinstance(pair, list) and len(pair) == 2 and all(type(it) is int and it >= 0 for it in pair)):
                raise _WrongError(path, f"a piece must be two whole numbers, got {described(pair)}", hint)
            pieces.append(Piece(*pair))
        total = sum([piece.size for piece in pieces])
        if total != size:
            text = f"the pieces add up to {total} bytes, but the body has {size}: it comes an event at a time, as long as it took"
            hint = "this is so after an edit of the body: let it be, or remove `pieces`"
            self.warnings.append(self.finding(path, text, hint, warning=True))
        return tuple(pieces)

    def _about(self, item: Mapping[Any, Any], extras: Mapping[Any, Any]) -> About:
        texts: dict[str, str | None] = {}
        for name in ABOUT:
            text = extras.get(name, item.get(name) if name == "recorded_at" else None)  # cassetter's stands there
            if text is not None and not isinstance(text, str):
                path = f"response.{EXTRAS}.{name}"
                raise _WrongError(path, f"`{name}` must be text, got {described(text)}", "put it in quotes")
            texts[name] = text
        source = texts.pop("source")
        if source is not None and source not in SOURCES:
            path = f"response.{EXTRAS}.source"
            raise _WrongError(path, f"`source` must be gateway or provider, got {source!r}", "write one of the two")
        return About(source=source, **texts)

    def _number_of(self, replaces: object) -> int | None:
        if replaces is None or (type(replaces) is int and replaces > 0):
            return replaces
        path = f"response.{EXTRAS}.replaces"
        raise _WrongError(
            path, f"`replaces` must be the number of an interaction, got {described(replaces)}", "remove it"
        )


def _check_size(found: object) -> None:
    """Refuse what aliases make too large or endless before it is written out. Raises ValueError."""
    stack, left = [(found, 0)], _MOST
    while stack:
        value, depth = stack.pop()
        inner: Sequence[Any] = ()
        if isinstance(value, Mapping):
            inner = list(value.values())
        elif isinstance(value, list):
            inner = value
        left -= len(value) if isinstance(value, str) else _VALUE * (1 + len(inner))
        if left < 0:
            raise ValueError("it is larger than 64 MB when its aliases are written out")
        if depth > _DEEPEST:
            raise ValueError(f"more than {_DEEPEST} lists and mappings stand inside one another")
        stack.extend([(part, depth + 1) for part in inner])
