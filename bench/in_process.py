"""What one request costs inside the server, without a socket: deciding, the timeline, the journal.

Prints microseconds of CPU, the best of many rounds. To compare two states of the code, run `python bench/in_process.py` in a checkout of
each on one machine.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from mockbifrost.clock import Clock
from mockbifrost.gateway.outcome import Outcome
from mockbifrost.gateway.pipeline import decide
from mockbifrost.playback.player import WHOLE
from mockbifrost.playback.timeline import timeline_of
from mockbifrost.provider.tokens import BuiltInTokens
from mockbifrost.scenario.fake import FakeData
from mockbifrost.scenario.load import load_text
from mockbifrost.scenario.scripts import Tools
from mockbifrost.scenario.stubs import Stubs
from mockbifrost.session import session as module
from mockbifrost.session.assembly import assemble
from mockbifrost.session.providers import Providers
from mockbifrost.session.session import Received, Session

SCENARIO = "version: 1\nstubs:\n" + "".join(
    [f"- {{when: {{user: topic {n}}}, reply: Answer {n}.}}\n" for n in range(10)]
)
PRICED = "gateway: {pricing: {openai/gpt-4o: {input: 2.5, output: 10}}}\n"
HEADERS = [
    (b"host", b"127.0.0.1:8080"),
    (b"accept", b"application/json"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"OpenAI/Python 3.57.0"),
    (b"x-stainless-lang", b"python"),
    (b"x-stainless-retry-count", b"0"),
    (b"authorization", b"Bearer sk-demo"),
    (b"content-length", b"99"),
]
REQUESTS = 2_000


def opened(scenario: str) -> Session:
    """A session of its own."""
    blueprint = assemble([load_text(scenario, "bench.yaml")]).common
    return Session(
        "bench", Providers(Stubs(blueprint.files, Tools(BuiltInTokens(), FakeData()))), blueprint.gateway, clock=Clock()
    )


def bodies(*, stream: bool, fresh: bool) -> Sequence[bytes]:
    """The same body again and again, or a new one each time."""
    return [
        json.dumps(
            {
                "model": "openai/gpt-4o",
                "stream": stream,
                "messages": [{"role": "user", "content": f"about topic 7{f', number {n}' if fresh else ''}"}],
            }
        ).encode()
        for n in range(REQUESTS)
    ]


def answers(session: Session, wanted: Sequence[bytes]) -> Callable[[], None]:
    """Answer them all."""

    def run() -> None:
        for body in wanted:
            exchange = session.ask(Received("POST", "/pydanticai/v1/chat/completions", HEADERS, body))
            timeline_of(exchange.outcome, 0.0)
            session.finish(exchange, WHOLE)

    return run


def decides(session: Session, body: bytes) -> Callable[[], None]:
    """Decide the same request again and again: the gateway's pipeline with its stubs, without journal, ledger and bytes."""
    asked: list[tuple[Any, ...]] = []

    def keep(*given: Any) -> Outcome:
        asked.append(given)
        return decide(*given)

    module.decide = keep  # type: ignore[assignment, attr-defined]
    session.ask(Received("POST", "/pydanticai/v1/chat/completions", HEADERS, body))
    module.decide = decide  # type: ignore[attr-defined]
    (given,) = asked

    def run() -> None:
        for _ in range(REQUESTS):
            decide(*given)

    return run


def best_us(run: Callable[[], None], rounds: int) -> float:
    """CPU of the best round, per request."""
    run()
    found: list[float] = []
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        started = time.process_time()
        run()
        found.append(time.process_time() - started)
        gc.enable()
    return min(found) / REQUESTS * 1e6


def main() -> None:
    """Print a row for each kind of request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    for name, head in (("no cost", "gateway: {cost: none}\n"), ("priced", PRICED)):
        scenario = SCENARIO.replace("stubs:", head + "stubs:", 1)
        body = bodies(stream=False, fresh=False)[0]
        print(f"{f'{name}, decided alone':36} {best_us(decides(opened(scenario), body), rounds):7.2f} µs")
        for stream in (False, True):
            for fresh in (False, True):
                run = answers(opened(scenario), bodies(stream=stream, fresh=fresh))
                what = f"{name}, {'stream' if stream else 'plain'}, {'new' if fresh else 'repeated'} body"
                print(f"{what:36} {best_us(run, rounds):7.2f} µs")


if __name__ == "__main__":
    main()
