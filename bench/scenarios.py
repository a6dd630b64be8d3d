"""The scenario files and requests of the benchmark, and the one answer that every measured stub gives."""

import json
from dataclasses import dataclass
from pathlib import Path

from mockbifrost.cassette.interaction import About, Interaction, Piece, RecordedRequest, RecordedResponse
from mockbifrost.cassette.writing import write_cassette

PATH = "/pydanticai/v1/chat/completions"
MODEL = "openai/gpt-4o"
CHUNK_COUNT = 50
CHUNK_CHARS = 20
INTERVAL_S = 0.02
CHUNKS = [f"chunk {number:03d} of answer " for number in range(CHUNK_COUNT)]
ANSWER = "".join(CHUNKS)
PLACES = ("first", "middle", "last")
LONG_PROMPT_BYTES = 22 * 1024


@dataclass(frozen=True, slots=True)
class Pace:
    """How a scenario spaces its chunks: the wait before the first, and the provider's rate."""

    ttft_s: float
    tokens_per_second: float


def prompt(place: str) -> str:
    """The prompt that the first, middle or last stub of a file waits for."""
    return f"bench-{place}"


def long_prompt(place: str) -> str:
    """The same in 22 KB: numbered sentences that no stub waits for, then the words that one does."""
    sentences: list[str] = []
    size = 0
    while size < LONG_PROMPT_BYTES:
        sentence = f"Paragraph {len(sentences)} tells what the customer wrote before, at some length and to no end. "
        sentences.append(sentence)
        size += len(sentence)
    return "".join(sentences)[: LONG_PROMPT_BYTES - len(prompt(place))] + prompt(place)


def request_bytes(text: str, *, stream: bool) -> bytes:
    """One keep-alive HTTP/1.1 request with `text` as its only message."""
    asked: dict[str, object] = {"model": MODEL, "messages": [{"role": "user", "content": text}]}
    if stream:
        asked["stream"] = True
    body = json.dumps(asked, separators=(",", ":")).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer bench\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def scenario(stub_count: int, pace: Pace | None = None) -> str:
    """A scenario of `stub_count` stubs; its first, middle and last give the answer, the others are never asked."""
    settings = {"chunk": str(CHUNK_CHARS)}
    if pace is not None:
        settings |= {"ttft": f"{pace.ttft_s * 1000:g}ms", "tokens_per_second": f"{pace.tokens_per_second:g}"}
    listed = ", ".join(f"{key}: {value}" for key, value in settings.items())
    price = f"gateway: {{pricing: {{{MODEL}: {{input: 2.5, output: 10}}}}}}"  # as shipped files have it
    lines = ["version: 1", price, "defaults:", f"  pace: {{{listed}}}", "stubs:"]
    measured = dict(zip((0, stub_count // 2, stub_count - 1), PLACES, strict=True))
    for number in range(stub_count):
        place = measured.get(number)
        user = prompt(place) if place else f"question number {number:06d} of the suite"
        reply = ANSWER if place else f"answer {number}"
        lines += [f"  - when: {{user: {user}}}", f'    reply: "{reply}"']
    return "\n".join(lines) + "\n"


def write_scenario(folder: Path, name: str, stub_count: int, pace: Pace | None = None) -> Path:
    """Write a scenario to `folder` and return its path."""
    path = folder / f"{name}.yaml"
    path.write_text(scenario(stub_count, pace), encoding="utf-8")
    return path


def write_tape(folder: Path, name: str, count: int) -> Path:
    """Write a cassette of `count` recordings of a provider; its first, middle and last give the answer. Return its path."""
    measured = dict(zip((0, count // 2, count - 1), PLACES, strict=True))
    path = folder / f"{name}.yaml"
    write_cassette(path, [_recorded(number, measured.get(number)) for number in range(count)])
    return path


def _recorded(number: int, place: str | None) -> Interaction:
    """One recording; those that are never asked are as long as the others."""
    user = prompt(place) if place else f"question number {number:06d} of the suite"
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": user}]}
    text = ANSWER if place else ANSWER.replace("chunk", f"{number:05d}")
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 250, "total_tokens": 259}
    said = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [choice],
        "usage": usage,
    }
    body = json.dumps(said, separators=(",", ":")).encode()
    kind = (("content-type", "application/json"),)
    return Interaction(
        RecordedRequest("POST", "https://provider.test/v1/chat/completions", kind, json.dumps(asked).encode()),
        RecordedResponse(200, "OK", kind, body, (Piece(0, len(body)),)),
        About("2026-01-01T00:00:00Z", "provider"),
    )
