"""What tells two requests apart: the canonical body, without what varies. One predicate for recording, playing and explaining.

Left out always: `stream` and `stream_options`, keys that are null, the order of keys; ids of tool calls count by their order only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from mockbifrost.cassette.interaction import Source
from mockbifrost.errors import UsageError
from mockbifrost.wire.upstream import raw_request_json

_FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
_REGEX: Final = re.compile(r"/(.+)/([ims]*)", re.DOTALL)
_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\*|[0-9]+)\]")
_APART: Final = ("stream", "stream_options", "model", "fallbacks")
"""Keys that a digest does not hold: the first two don't matter, the others stand beside it."""


class Key(NamedTuple):
    """What a request is found by."""

    digest: bytes
    model: str
    fallbacks: tuple[str, ...] = ()


class Ignore:
    """What of a body does not count. Raises UsageError for an entry that is neither of these:

    a path (`metadata`, `messages[*].name`, `messages[0].content`), or `/…/` with flags `ims`, a regular expression whose matches
    count in no text.
    """

    def __init__(self, entries: Sequence[str] = ()) -> None:
        self.entries = tuple(entries)
        self._paths: list[tuple[str | int, ...]] = []
        self._patterns: list[re.Pattern[str]] = []
        for entry in entries:
            regex = _REGEX.fullmatch(entry)
            if regex is None:
                self._paths.append(_path(entry))
                continue
            try:
                self._patterns.append(re.compile(regex[1], sum([_FLAGS[flag] for flag in set(regex[2])])))
            except re.error as error:
                raise UsageError(f"{entry!r} can't be ignored: it is no regular expression: {error}") from None

    def __bool__(self) -> bool:
        return bool(self.entries)

    def without(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of the body without what is ignored."""
        found: Any = _copied(body)
        for path in self._paths:
            _remove(found, path)
        if self._patterns:
            found = self._struck(found)
        return found  # type: ignore[no-any-return]

    def _struck(self, item: Any) -> Any:
        if isinstance(item, str):
            for pattern in self._patterns:
                item = pattern.sub("", item)
            return item
        if isinstance(item, dict):
            return {key: self._struck(inner) for key, inner in item.items()}
        return [self._struck(inner) for inner in item] if isinstance(item, list) else item


NOTHING: Final = Ignore()


def _path(text: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        at += steps != [] and text[at] == "."
        step = _STEP.match(text, at)
        if step is None:
            break
        steps.append(step[1] if step[1] is not None else "*" if step[2] == "*" else int(step[2]))
        at = step.end()
    if not steps or at < len(text):
        raise UsageError(
            f"{text!r} can't be ignored: it is no path; write one as `metadata` or `messages[*].name`, or a regular expression as `/…/`"
        )
    return tuple(steps)


def _copied(item: Any) -> Any:
    if isinstance(item, Mapping):
        return {key: _copied(inner) for key, inner in item.items()}
    return [_copied(inner) for inner in item] if isinstance(item, list) else item


def _remove(item: Any, path: tuple[str | int, ...]) -> None:
    step, rest = path[0], path[1:]
    if step == "*" and isinstance(item, list):
        for inner in item:
            if rest:
                _remove(inner, rest)
        if not rest:
            item.clear()
        return
    held = isinstance(item, dict) and step in item
    if not held and not (isinstance(item, list) and isinstance(step, int) and step < len(item)):
        return
    if rest:
        _remove(item[step], rest)
    elif isinstance(item, dict):
        del item[step]
    else:
        item[step] = None  # the others keep their places


def normalised(body: Mapping[str, Any], ignore: Ignore = NOTHING) -> dict[str, Any]:
    """The body as it is compared, with the model and the fallbacks."""
    found: dict[str, Any] = {key: item for key, item in body.items() if item is not None}
    for key in ("stream", "stream_options"):
        found.pop(key, None)
    messages = found.get("messages")
    if isinstance(messages, list):
        found["messages"] = _with_plain_ids(messages)
    return ignore.without(found) if ignore else found


def _with_plain_ids(messages: Sequence[Any]) -> list[Any]:
    """Messages whose tool calls are numbered in the order in which their ids appear."""
    if not any(isinstance(one, Mapping) and (one.get("tool_calls") or "tool_call_id" in one) for one in messages):
        return list(messages)
    names: dict[Any, str] = {}

    def plain(id_: Any) -> Any:
        return names.setdefault(id_, f"call-{len(names)}") if isinstance(id_, str) else id_

    found: list[Any] = []
    for message in messages:
        if isinstance(message, Mapping):
            calls = message.get("tool_calls")
            if isinstance(calls, list):
                renamed = [
                    {**call, "id": plain(call.get("id"))} if isinstance(call, Mapping) else call for call in calls
                ]
                message = {**message, "tool_calls": renamed}
            if "tool_call_id" in message:
                message = {**message, "tool_call_id": plain(message["tool_call_id"])}
        found.append(message)
    return found


def digest_of(normal: Mapping[str, Any]) -> bytes:
    """The digest of a normalised body, without what stands beside it in a key."""
    kept = {key: item for key, item in normal.items() if key not in _APART}
    return blake2b(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


class Asked:
    """A body as it is looked up: as a client's request of a gateway, or as what a gateway sends to a provider."""

    def __init__(self, body: Mapping[str, Any], ignore: Ignore = NOTHING) -> None:
        model = body.get("model")
        self.model = model if isinstance(model, str) else ""
        self._body = body
        self._ignore = ignore
        self._of_gateway: bytes | None = None
        self._of_provider: bytes | None = None

    def normal(self, source: Source) -> dict[str, Any]:
        """The body as it is compared with what a gateway or a provider was asked."""
        body = self._body if source == "gateway" else raw_request_json(self._body, "", stream=False)
        return normalised(body, self._ignore)

    def of_gateway(self) -> Key:
        """What a recording of a gateway is found by."""
        if self._of_gateway is None:
            self._of_gateway = digest_of(self.normal("gateway"))
        found = self._counted({"model": self.model, "fallbacks": self._body.get("fallbacks")})
        fallbacks = found.get("fallbacks")
        return Key(
            self._of_gateway,
            found.get("model", ""),
            tuple([str(one) for one in fallbacks]) if isinstance(fallbacks, list) else (),
        )

    def of_provider(self, model: str) -> Key:
        """What a recording of a provider is found by that was asked for this model. Keys that no gateway sends on don't count."""
        if self._of_provider is None:
            self._of_provider = digest_of(self.normal("provider"))
        return Key(self._of_provider, self._counted({"model": model}).get("model", ""))

    def _counted(self, apart: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._ignore.without(apart) if self._ignore else apart


Redact = Callable[[bytes], bytes]
"""What is done to a request's body before it is written down."""
