"""The same scenario, seed and request give the same bytes: in every process, whatever else arrives, streamed or not."""

from __future__ import annotations

import json
import random  # noqa: TID251 - to shuffle what a test sends
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mockbifrost import MockBifrost
from tests.socket.process import serving
from tests.socket.raw_http import PATH, Response, ask

SCENARIO = """
version: 1
seed: 11
defaults: {pace: {ttft: 20ms, tokens_per_second: 50, jitter: 0.4}}
stubs:
  - {when: {user: template}, reply: "{{ user }} at turn {{ turn }} for {{ model }}: {{ fake.name() }}, {{ fake.city() }}"}
  - {when: {user: faker}, reply: {faker: {paragraphs: 3}}}
  - {when: {user: chances}, reply: {content: "It may be so.", logprobs: true}}
  - {when: {user: tool}, reply: {tool_calls: [{look: {at: "{{ user }}"}}, {find: {x: 1}}]}}
  - {when: {user: thinking}, reply: {content: "{{ fake.sentence() }}", reasoning: "{{ fake.text() }}"}}
  - {when: {user: error}, error: {status: 503, message: "{{ fake.sentence() }}"}}
  - {when: {user: perhaps}, active: {probability: 0.5}, reply: Yes.}
  - {when: {user: perhaps}, reply: No.}
  - {when: {provider: anthropic}, reply: "{{ fake.company() }}"}
  - {reply: {faker: {sentence: {}}}}
"""
KINDS = ["template", "faker", "chances", "tool", "thinking", "error", "perhaps", "other"]
VOLATILE = ("date", "x-mockbifrost-")


def questions() -> list[dict[str, Any]]:
    """Fifty different requests of all kinds."""
    found: list[dict[str, Any]] = []
    for number in range(50):
        kind = KINDS[number % len(KINDS)]
        body: dict[str, Any] = {
            "model": "anthropic/claude-sonnet-4-5" if kind == "other" and number % 3 else "gpt-4o",
            "messages": [{"role": "user", "content": f"{kind} {number}"}],
        }
        if number % 2:
            body["stream"] = True
        if number % 5 == 0:
            body["n"] = 3
        if number % 7 == 0:
            body |= {"logprobs": True, "top_logprobs": 4}
        found.append(body)
    return found


QUESTIONS = questions()
Told = tuple[int, tuple[tuple[str, str], ...], bytes]


def told(response: Response) -> Told:
    """All of a response but the date and what says who answered."""
    headers = tuple([pair for pair in response.headers if not pair[0].startswith(VOLATILE)])
    return response.status, headers, response.body


def told_all(port: int, order: int, *, prefix: str = "") -> list[Told]:
    """The answers to the fifty, asked side by side in an order of their own."""
    numbers = list(range(len(QUESTIONS)))
    random.Random(order).shuffle(numbers)
    with ThreadPoolExecutor(12) as pool:
        answers = pool.map(
            lambda number: told(ask(port, "POST", prefix + PATH, json.dumps(QUESTIONS[number]).encode())), numbers
        )
        found = dict(zip(numbers, answers, strict=True))
    return [found[number] for number in range(len(QUESTIONS))]


@pytest.fixture(scope="module")
def expected() -> Iterator[list[Told]]:
    with MockBifrost(SCENARIO) as server:
        yield told_all(server.port, 0)


def test_the_fifty_are_as_different_as_they_should_be(expected: list[Told]) -> None:
    assert len({body for _, _, body in expected}) == 50
    assert {status for status, _, _ in expected} == {200, 503}
    streams = [
        status == 200 and dict(headers)["content-type"] == "text/event-stream" for status, headers, _ in expected
    ]
    assert 15 < sum(streams) < 30
    said = {body for question, (_, _, body) in zip(QUESTIONS, expected, strict=True) if "perhaps" in str(question)}
    assert {b"Yes." in body for body in said} == {True, False}


def test_processes_with_other_hash_seeds_give_the_same_bytes(tmp_path: Path, expected: list[Told]) -> None:
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(
                serving(tmp_path, SCENARIO, "--speed", "0", env={"PYTHONHASHSEED": seed}, name=f"hash-{seed}")
            )
            for seed in ("1", "4242")
        )

        assert told_all(first.port, 1) == expected
        assert told_all(second.port, 2) == expected


def test_no_other_request_changes_an_answer(expected: list[Told]) -> None:
    with MockBifrost(SCENARIO) as server:
        for noise in (b"{", b"", b'{"model":"gpt-4o","messages":[{"role":"user","content":"noise"}]}'):
            ask(server.port, "POST", PATH, noise)
        in_default = told_all(server.port, 3)
        elsewhere = told_all(server.port, 4, prefix="/s/elsewhere")

    assert in_default == elsewhere == expected


def test_the_pace_changes_no_byte(expected: list[Told]) -> None:
    with MockBifrost(SCENARIO, speed=10_000) as server:
        assert told_all(server.port, 5) == expected


def test_a_request_that_comes_again_is_drawn_anew_and_the_same_each_time() -> None:
    rounds = []
    for order in (6, 7):
        with MockBifrost(SCENARIO) as server:
            rounds.append([told_all(server.port, order + turn) for turn in range(2)])

    assert rounds[0] == rounds[1]
    first, second = rounds[0]
    assert [one == other for one, other in zip(first, second, strict=True)].count(True) <= 7  # the errors have no id


def text_of(response: Response) -> list[str]:
    """What each choice says."""
    if response.header("content-type") != "text/event-stream":
        return [str(choice["message"]["content"] or "") for choice in response.json()["choices"]]
    texts: dict[int, str] = {}
    for event in response.events():
        for choice in event["choices"]:
            texts[choice["index"]] = texts.get(choice["index"], "") + (choice["delta"].get("content") or "")
    return [texts[index] for index in sorted(texts)]


def test_streamed_and_plain_have_the_same_words() -> None:
    with MockBifrost(SCENARIO) as server:
        for number, question in enumerate(QUESTIONS):
            if "error" in str(question):
                continue
            path = f"/s/s{number}{PATH}"
            plain, streamed = (
                ask(server.port, "POST", path, json.dumps({**question, "stream": stream}).encode())
                for stream in (False, True)
            )
            assert text_of(plain) == text_of(streamed)
            assert plain.json()["id"] == streamed.events()[0]["id"]


def ids(server: MockBifrost) -> list[str]:
    answers = [ask(server.port, "POST", PATH, json.dumps({**body, "stream": False}).encode()) for body in QUESTIONS[:5]]
    return [answer.json()["id"] for answer in answers]


def with_seed(seed: int | None) -> str:
    return SCENARIO.replace("seed: 11\n", "" if seed is None else f"seed: {seed}\n")


def test_another_seed_draws_other_ids_and_words() -> None:
    found = {}
    for seed in (11, 12, None):
        with MockBifrost(with_seed(seed)) as server:
            found[seed] = ids(server)

    assert len({id for row in found.values() for id in row}) == 15


def test_a_seed_of_the_server_beats_that_of_its_files(tmp_path: Path) -> None:
    with MockBifrost(with_seed(None), seed=99) as server:
        of_server = ids(server)
    with MockBifrost(with_seed(11), seed=99) as server:
        over_file = ids(server)
    with serving(tmp_path, with_seed(11), "--seed", "99", "--speed", "0") as process:
        over_flag = [
            ask(process.port, "POST", PATH, json.dumps({**body, "stream": False}).encode()).json()["id"]
            for body in QUESTIONS[:5]
        ]

    assert of_server == over_file == over_flag


def test_a_seed_holds_for_its_own_file() -> None:
    one, two = (
        f"version: 1\nseed: {seed}\nstubs: [{{when: {{user: {name}}}, reply: Yes.}}]\n"
        for seed, name in ((1, "a"), (2, "b"))
    )
    with MockBifrost([one]) as server, server.session() as session:
        alone = ask(server.port, "POST", f"/s/{session.id}{PATH}", _asking("a")).body
    with MockBifrost([two, one]) as server, server.session() as session:
        beside = ask(server.port, "POST", f"/s/{session.id}{PATH}", _asking("a")).body

    assert alone == beside


def test_a_seed_of_a_session_beats_all_others() -> None:
    found = []
    for scenario, seed in ((with_seed(11), 1), (with_seed(12), 2), (with_seed(13), None), (with_seed(None), None)):
        with MockBifrost(scenario, seed=seed) as server, server.session(seed=7) as session:
            found.append(ask(server.port, "POST", f"/s/{session.id}{PATH}", _asking("faker")).body)

    assert len(set(found)) == 1


def _asking(said: str) -> bytes:
    return json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": said}]}).encode()
