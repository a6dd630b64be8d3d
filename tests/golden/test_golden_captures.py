"""Bytes that released gateways sent: the encoder must give the same for the same values, and so must a whole scenario.

The captures lie beside a checkout of the project, in `../shared`; elsewhere `test_golden_own` holds the layout.
What is taken off before comparing: the cache's own object (`cache_debug`), until there is a cache; latencies, and from
heads the date, the ids and what belongs to the connection. Key names can't be configured yet, so a scenario's answer
is compared with the captured key renamed to the one it has, `<provider>-key-1`.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from mockbifrost.wire import chunk, completion, sse
from mockbifrost.wire.chunk import CallDelta, Delta
from mockbifrost.wire.completion import Choice, Extras, Message, ToolCall
from mockbifrost.wire.extra_fields import Route, answer_fields
from mockbifrost.wire.jsontypes import Json, encode
from mockbifrost.wire.mold import Mold
from mockbifrost.wire.profiles import V1_6, V2_2
from mockbifrost.wire.usage import Usage, usage_json
from tests.harness import Response, ask, chat

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "reference" / "captures"
pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captures lie only beside the project's own checkout")

PLAIN_TEXT = "KAIRO_086_UPSTREAM_CHAT seq=026 cell=control_chat_then_chat run=01"
STREAM_TEXT = "KAIRO_086_UPSTREAM_CHAT seq=017 cell=chat_stream_then_responses_stream run=02"
KAIRO = ("openai", "gpt-4o-mini", "gpt-4o-mini", "kairo-synthetic")
USAGE_2_2 = Usage(12, 8, 20)

STREAM_1_6 = """\
version: 1
gateway: {version: "1.6", providers: {mockoai: {}}}
stubs:
  - reply:
      id: chatcmpl-repro6123
      created: 0
      system_fingerprint: ""
      usage: {prompt_tokens: 20, completion_tokens: 12}
      chunks:
        - {role: assistant, content: I will check the time.}
        - {tool_calls: [{index: 0, id: call_gt1, function: {name: get_time, arguments: ""}}]}
        - {tool_calls: [{index: 0, function: {arguments: "{}"}}]}
        - {finish_reason: tool_calls}
"""
PLAIN_2_2 = f"""\
version: 1
gateway: {{version: "2.2", providers: {{openai: {{}}}}}}
stubs:
  - reply:
      content: {PLAIN_TEXT}
      id: chatcmpl-086-026
      created: 1790000000
      system_fingerprint: ""
      usage: {{prompt_tokens: 12, completion_tokens: 8}}
"""
STREAM_2_2 = f"""\
version: 1
gateway: {{version: "2.2", providers: {{openai: {{}}}}}}
defaults: {{pace: {{chunk: whole}}}}
stubs:
  - reply:
      content: {STREAM_TEXT}
      id: chatcmpl-086-017
      created: 1790000000
      system_fingerprint: ""
      usage: {{prompt_tokens: 12, completion_tokens: 8}}
"""


@dataclass(frozen=True, slots=True)
class Capture:
    head: list[tuple[str, str]]
    body: bytes


def capture(name: str) -> Capture:
    """A captured response: status line, head in order with lower-case names, body."""
    raw = (CAPTURES / name).read_bytes()
    if not name.endswith(".http"):
        return Capture([], raw)
    head, _empty, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = [line.partition(": ") for line in head.decode().split("\n")[1:]]
    return Capture([(key.rstrip(":").lower(), value.rstrip()) for key, _colon, value in lines], body)


def filled(value: Json, id: str, created: int) -> bytes:
    return Mold.of(encode(value)).fill([encode(id), b"%d" % created])


def without_cache(body: bytes) -> bytes:
    return re.sub(rb',"cache_debug":\{[^{}]*\}', b"", body)


def without_latency(body: bytes) -> bytes:
    return re.sub(rb'latency":\d+', b'latency":0', body)


def event(value: Json, id: str, created: int) -> bytes:
    return sse.encode_data(filled(value, id, created))


def cache_debug(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(body.rsplit(b"data: ", 2)[-2] if body.startswith(b"data") else body)
    return {"cache_debug": found["extra_fields"]["cache_debug"]}


@pytest.mark.parametrize("name", ["2.2.3-plain-cache-miss.http", "2.2.3-plain-cache-hit.http"])
def test_the_plain_body_of_2_2_is_encoded_byte_for_byte(name: str) -> None:
    """With the cache's object as an addition, given by hand, even it is in its place."""
    body = capture(name).body
    route = Route("chat_completion", *KAIRO)

    got = completion.completion_json(
        V2_2,
        [Choice(0, Message(PLAIN_TEXT), "stop")],
        Extras("gpt-4o-mini"),
        usage=usage_json(V2_2, USAGE_2_2),
        extra_fields=answer_fields(V2_2, route, latency_ms=0, upstream_latency=True, additions=cache_debug(body)),
    )

    assert filled(got, "chatcmpl-086-026", 1790000000) + b"\n" == body


def test_the_stream_of_2_2_is_encoded_byte_for_byte() -> None:
    body = capture("2.2.3-stream-cache-miss.http").body
    route, extras = Route("chat_completion_stream", *KAIRO), Extras("gpt-4o-mini")
    deltas = [Delta({"role": "assistant", "content": ""}), Delta({"content": STREAM_TEXT})]
    found = [
        chunk.chunk_json(V2_2, delta, extras, extra_fields=answer_fields(V2_2, route, latency_ms=0, chunk_index=index))
        for index, delta in enumerate(deltas)
    ]
    fields = answer_fields(V2_2, route, latency_ms=0, chunk_index=2, upstream_latency=True, additions=cache_debug(body))
    usage = usage_json(V2_2, USAGE_2_2)
    found.append(chunk.last_chunk_json(V2_2, {0: "stop"}, extras, usage=usage, extra_fields=fields))

    assert b"".join([event(one, "chatcmpl-086-017", 1790000000) for one in found]) + sse.DONE == body


def test_the_stream_of_1_6_is_encoded_byte_for_byte() -> None:
    route = Route("chat_completion_stream", "mockoai", "mimo-v2.5", "mimo-v2.5", "k1")
    extras = Extras("mimo-v2.5")
    deltas = [
        Delta({"role": "assistant", "content": "I will check the time."}),
        Delta({}, (CallDelta(0, "", ToolCall("get_time", "{}", "call_gt1")),)),
        Delta({}, (CallDelta(0, "{}"),)),
    ]
    found = [
        chunk.chunk_json(V1_6, delta, extras, extra_fields=answer_fields(V1_6, route, latency_ms=0, chunk_index=index))
        for index, delta in enumerate(deltas)
    ]
    last = answer_fields(V1_6, route, latency_ms=1, chunk_index=3)
    usage = usage_json(V1_6, Usage(20, 12, 32))
    found.append(chunk.last_chunk_json(V1_6, {0: "tool_calls"}, extras, usage=usage, extra_fields=last))

    got = b"".join([event(one, "chatcmpl-repro6123", 0) for one in found]) + sse.DONE
    assert got == capture("1.6.11-stream-text-and-tool.sse").body


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    scenario: str
    model: str
    stream: bool
    captured: str
    keys: tuple[bytes, bytes]

    def ask(self) -> Response:
        return ask(self.scenario, chat(model=self.model, stream=self.stream))


KAIRO_KEY = (b"kairo-synthetic", b"openai-key-1")
CASES = (
    Case(
        "1.6 stream",
        STREAM_1_6,
        "mockoai/mimo-v2.5",
        True,
        "1.6.11-stream-text-and-tool.sse",
        (b"k1", b"mockoai-key-1"),
    ),
    Case("2.2 plain", PLAIN_2_2, "openai/gpt-4o-mini", False, "2.2.3-plain-cache-miss.http", KAIRO_KEY),
    Case("2.2 stream", STREAM_2_2, "openai/gpt-4o-mini", True, "2.2.3-stream-cache-miss.http", KAIRO_KEY),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_scenario_gives_the_captured_body(case: Case) -> None:
    captured, renamed = case.keys
    wanted = capture(case.captured).body.replace(b'"key":"%s"' % captured, b'"key":"%s"' % renamed)

    assert without_latency(case.ask().body) == without_latency(without_cache(wanted))


OF_THE_CONNECTION = {"date", "content-length", "transfer-encoding"}
VARYING = {"x-request-id", "x-bifrost-trace-id", "x-bifrost-upstream-latency-ms"}


@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: case.id)
def test_a_scenario_gives_the_captured_head(case: Case) -> None:
    captured, renamed = [key.decode() for key in case.keys]
    wanted = [(name, renamed if value == captured else value) for name, value in capture(case.captured).head]
    got = case.ask()

    assert {name for name, _value in got.headers} == {name for name, _value in wanted} - OF_THE_CONNECTION
    assert sorted(pair for pair in got.headers if pair[0] not in VARYING) == sorted(
        pair for pair in wanted if pair[0] not in VARYING | OF_THE_CONNECTION
    )


@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: case.id)
def test_ids_and_latency_in_heads_have_the_captured_form(case: Case) -> None:
    captured = dict(capture(case.captured).head)
    got = case.ask()

    for name in sorted(VARYING):
        assert re.sub("[0-9a-f]", "0", got.header(name) or "") == re.sub("[0-9a-f]", "0", captured[name])
