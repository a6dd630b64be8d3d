"""Bytes that released gateways sent: the encoder must give the same for the same values, and so must a whole scenario.

The captures lie beside a checkout of the project, in `../shared`; elsewhere `test_golden_own` holds the layout.
A scenario is served whole, over a socket, without the mock's own headers. Left aside are latencies, dates, the ids of the
request and the id of the cache's entry, of which the form is compared.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from mockbifrost import MockBifrost
from mockbifrost.wire import chunk, completion, sse
from mockbifrost.wire.chunk import CallDelta, Delta
from mockbifrost.wire.completion import Choice, Extras, Message, ToolCall
from mockbifrost.wire.extra_fields import Route, answer_fields
from mockbifrost.wire.jsontypes import Json, encode
from mockbifrost.wire.mold import Mold
from mockbifrost.wire.profiles import V1_6, V2_2
from mockbifrost.wire.usage import Usage, usage_json
from tests.socket.raw_http import Connection, Response

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "reference" / "captures"
pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captures lie only beside the project's own checkout")

PLAIN_TEXT = "KAIRO_086_UPSTREAM_CHAT seq=026 cell=control_chat_then_chat run=01"
STREAM_TEXT = "KAIRO_086_UPSTREAM_CHAT seq=017 cell=chat_stream_then_responses_stream run=02"
KAIRO = ("openai", "gpt-4o-mini", "gpt-4o-mini", "kairo-synthetic")
USAGE_2_2 = Usage(12, 8, 20)

STREAM_1_6 = """\
version: 1
gateway: {version: "1.6", providers: {mockoai: {keys: [{name: k1}]}}}
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
gateway: {{version: "2.2", cost: none, providers: {{openai: {{keys: [{{name: kairo-synthetic}}]}}}}}}
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
gateway: {{version: "2.2", cost: none, providers: {{openai: {{keys: [{{name: kairo-synthetic}}]}}}}}}
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
    """A request that is sent so many times; the last answer is what was captured."""

    id: str
    scenario: str
    model: str
    stream: bool
    captured: str
    times: int = 1
    cached: bool = True

    def served(self) -> Response:
        """The answer of a server, with nothing in it that says it is a mock's."""
        headers = {"x-bf-cache-key": self.id} if self.cached else None
        with MockBifrost([self.scenario], mock_headers=False) as server, Connection(server.port) as connection:
            answers = [
                connection.chat("hi", model=self.model, stream=self.stream, headers=headers)
                for _time in range(self.times)
            ]
        return answers[-1]


CASES = (
    Case("1.6 stream", STREAM_1_6, "mockoai/mimo-v2.5", True, "1.6.11-stream-text-and-tool.sse", cached=False),
    Case("2.2 plain miss", PLAIN_2_2, "openai/gpt-4o-mini", False, "2.2.3-plain-cache-miss.http"),
    Case("2.2 plain hit", PLAIN_2_2, "openai/gpt-4o-mini", False, "2.2.3-plain-cache-hit.http", times=2),
    Case("2.2 stream miss", STREAM_2_2, "openai/gpt-4o-mini", True, "2.2.3-stream-cache-miss.http"),
)
VARYING = {"date", "x-request-id", "x-bifrost-trace-id", "x-bifrost-upstream-latency-ms"}
CACHE_ID = re.compile(rb'(?<="cache_id":")[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}')
"""A UUIDv5: its hash is not the gateway's, its form is."""


def comparable(body: bytes) -> bytes:
    """A body without what differs from run to run."""
    return CACHE_ID.sub(b"", re.sub(rb'latency":\d+', b'latency":0', body))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_scenario_gives_the_captured_body(case: Case) -> None:
    """Byte for byte, chunk by chunk."""
    assert comparable(case.served().body) == comparable(capture(case.captured).body)


@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: case.id)
def test_a_scenario_gives_the_captured_head(case: Case) -> None:
    """All names, and all values but those that differ from run to run, each as often."""
    wanted, got = capture(case.captured).head, case.served().headers

    assert sorted(name for name, _value in got) == sorted(name for name, _value in wanted)
    assert sorted(pair for pair in got if pair[0] not in VARYING) == sorted(
        pair for pair in wanted if pair[0] not in VARYING
    )


@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: case.id)
def test_what_varies_in_heads_has_the_captured_form(case: Case) -> None:
    captured = dict(capture(case.captured).head)
    got = case.served()

    for name in sorted(VARYING):
        assert form(got.header(name) or "") == form(captured[name])


def form(text: str) -> str:
    """Digits, days and months as they stand in a date or an id, without which ones they are."""
    return re.sub("[0-9a-f]", "0", re.sub(r"\b[A-Z][a-z]{2}\b(?!$)", "Abc", text))


def test_only_the_id_of_an_entry_is_left_aside() -> None:
    """The two captures of one request, a miss and its hit, have the same id and differ in the cache's object alone."""
    miss, hit = [capture(f"2.2.3-plain-cache-{kind}.http").body for kind in ("miss", "hit")]

    assert comparable(miss) != comparable(hit)
    assert miss.partition(b'"cache_debug"')[0] == hit.partition(b'"cache_debug"')[0]
    assert len(CACHE_ID.findall(miss)) == 1
    assert CACHE_ID.findall(miss) == CACHE_ID.findall(hit)
