"""What a recorded response says: a provider's answer or failure, or a gateway's bytes as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson

from mockbifrost.cassette.interaction import Headers, Interaction, RecordedResponse, Source
from mockbifrost.provider.answer import Failure, RawAnswer, Shape
from mockbifrost.provider.connection import START, ConnectionFault, Place
from mockbifrost.provider.transcript import NoAnswer, StreamReader, Transcript, plain_transcript
from mockbifrost.values import value
from mockbifrost.vocabulary.error_names import ProviderError
from mockbifrost.wire.headers import HOP_BY_HOP
from mockbifrost.wire.sse import DONE_DATA, Decoder, Event

_NOT_REPLAYED: Final = HOP_BY_HOP - {"content-type", "server"}
"""Headers that belong to the connection on which a response came."""
_MARKS: Final = (b'"extra_fields"', b'"is_bifrost_error"')


def source_of(interaction: Interaction) -> Source:
    """Who answered: as the file says, else by what only a gateway sends."""
    if interaction.about.source is not None:
        return interaction.about.source
    response = interaction.response
    if any(name.startswith("x-bifrost-") for name, _text in response.headers):
        return "gateway"
    return "gateway" if any(mark in response.body for mark in _MARKS) else "provider"


@value
class Heard:
    """A provider's answer over its connection: what it said, and the fault that ended it, if one did."""

    transcript: Transcript
    fault: ConnectionFault | None = None


def replayed(response: RecordedResponse) -> RawAnswer:
    """The response as it was: its bytes with their borders and times."""
    return RawAnswer(response.status, handed_on(response.headers), tuple(timed_pieces(response)))


def handed_on(headers: Headers) -> Headers:
    """The headers of a response without those of the connection on which it came."""
    return tuple([pair for pair in headers if pair[0] not in _NOT_REPLAYED])


def timed_pieces(response: RecordedResponse) -> Sequence[tuple[float, bytes]]:
    """The body in its pieces, each with the seconds after which it came.

    Where the borders no longer fit the body, because somebody edited it, an event at a time: at the times of the pieces where
    there are as many of them, else evenly over the time that it took.
    """
    body = response.body
    if sum([piece.size for piece in response.pieces]) == len(body):
        found: list[tuple[float, bytes]] = []
        start = 0
        for piece in response.pieces:
            found.append((piece.at_ms / 1000, body[start : start + piece.size]))
            start += piece.size
        return found or [(0.0, b"")]
    took_s = response.took_ms / 1000
    if not response.is_stream:
        return [(took_s, body)]
    ends = [event.end for event in Decoder().feed(body)]
    if not ends or ends[-1] < len(body):
        ends.append(len(body))
    starts = [0, *ends[:-1]]
    if len(ends) == len(response.pieces):
        return [
            (piece.at_ms / 1000, body[start:end])
            for piece, start, end in zip(response.pieces, starts, ends, strict=True)
        ]
    first_s = response.pieces[0].at_ms / 1000 if response.pieces else 0.0
    gap_s = (took_s - first_s) / max(1, len(ends) - 1)
    return [
        (first_s + number * gap_s, body[start:end])
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def heard(interaction: Interaction) -> Heard | Failure | ConnectionFault:
    """The response as a provider's: whoever answered, what only a gateway adds is left out."""
    response = interaction.response
    gateway = source_of(interaction) == "gateway"
    if response.status >= 400:
        return _failure(response)
    if response.is_stream:
        return _streamed(response, gateway)
    took_s = response.took_ms / 1000
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return ConnectionFault(_unreadable(response.body), took_s=took_s)
    if not isinstance(body, dict):
        return ConnectionFault("not_json", took_s=took_s)
    try:
        return Heard(plain_transcript(body, took_s, gateway=gateway))
    except NoAnswer:
        return ConnectionFault("not_json", took_s=took_s)


def _unreadable(body: bytes) -> Any:
    """What kind of body it is that is no JSON."""
    if not body.strip():
        return "empty"
    return "html" if body.lstrip()[:1] == b"<" else "not_json"


def _streamed(response: RecordedResponse, gateway: bool) -> Heard | ConnectionFault:
    reader = StreamReader(gateway=gateway)
    events = timed_events(response)
    took_s = response.took_ms / 1000
    done = ended = False
    fault: ConnectionFault | None = None
    content = 0
    for at_s, event in events:
        if event.data == DONE_DATA:
            done = True
            break
        try:
            chunk = orjson.loads(event.data)
            if not isinstance(chunk, dict):
                raise NoAnswer("an event is no object")
            if error_in(chunk) is not None or event.event == "error":
                fault = ConnectionFault("error_event", _place(content), error=event_error(chunk), took_s=at_s)
                break
            deltas = reader.take(chunk, at_s)
        except (orjson.JSONDecodeError, NoAnswer):
            fault = ConnectionFault("malformed", _place(content), took_s=at_s)
            break
        content += sum([delta.is_content for delta in deltas])
        ended = ended or any(delta.finish_reason is not None for delta in deltas)
    transcript = reader.transcript(took_s)
    if fault is None and not done:
        if not transcript.deltas:
            return ConnectionFault("empty" if not response.body.strip() else "not_sse", took_s=took_s)
        fault = ConnectionFault("no_done") if ended else ConnectionFault("cut", _place(content), took_s=took_s)
    if fault is not None and not transcript.deltas:
        return fault
    return Heard(transcript, fault)


def timed_events(response: RecordedResponse) -> list[tuple[float, Event]]:
    """The events of a stream, each with the seconds after which its last byte came."""
    decoder = Decoder()
    return [(at_s, event) for at_s, data in timed_pieces(response) for event in decoder.feed(data)]


def _place(content: int) -> Place:
    return Place("after_chunks", content) if content else START


def error_in(body: Mapping[str, Any]) -> Mapping[str, Any] | str | None:
    """The error that a body tells of, in OpenAI's shape or as bare text."""
    error = body.get("error")
    return error if isinstance(error, Mapping) or (isinstance(error, str) and error) else None


def event_error(chunk: Mapping[str, Any]) -> ProviderError:
    """The error that an event of a stream tells of."""
    error = error_in(chunk) or chunk
    if isinstance(error, str):
        return ProviderError("", 500, None, None, error)
    status = next((one for one in (error.get("code"), chunk.get("status_code")) if isinstance(one, int)), 500)
    return ProviderError(
        "",
        status if 400 <= status <= 599 else 500,
        _maybe(error.get("type")),
        _maybe(error.get("code")),
        str(error.get("message") or ""),
        _maybe(error.get("param")),
    )


def _failure(response: RecordedResponse) -> Failure:
    """An error of a provider with the headers that are its own; retries read them."""
    took_s = response.took_ms / 1000
    headers = {name: text for name, text in response.headers if name not in HOP_BY_HOP}
    body: object = None
    with suppress(orjson.JSONDecodeError):
        body = orjson.loads(response.body)
    error = error_in(body) if isinstance(body, Mapping) else None
    if isinstance(error, Mapping):
        code = error.get("code")
        return Failure(
            response.status,
            str(error.get("message") or ""),
            _maybe(error.get("type")),
            str(code) if isinstance(code, str | int) else None,
            error.get("param"),
            headers=headers,
            took_s=took_s,
        )
    text = response.body.decode("utf-8", "replace").strip()
    shape: Shape = "plain_text"
    if isinstance(error, str):
        shape, text = "string", error
    elif not text:
        shape = "empty"
    elif text.startswith("<"):
        shape = "html"
    return Failure(response.status, text, shape=shape, headers=headers, took_s=took_s)


def _maybe(raw: object) -> str | None:
    return raw if isinstance(raw, str) and raw else None
