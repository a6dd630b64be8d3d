"""The measurements: each starts its servers, alternates between them in rounds, and yields rows of the table."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from bench import load, scenarios, servers
from bench.captured import ask, capture, paced_writes, write_answer
from bench.load import ClosedLoop, Job, PacedRun
from bench.process_stat import rss_mb
from bench.report import Row, Target, percentile
from bench.servers import ROOT, BenchError, Server

T = TypeVar("T")
QUIET_SHARE = 0.15
TRIES = 3
SETTLE_S = 0.5
TTFT_S = 0.02
MANY_STUBS = 10_000
CONNECTIONS = 16
SAME_CPU = Target("ratio", 1.1)
SAME_PER_SECOND = Target("ratio", 0.9, "at least")
AIMOCK_PER_SECOND = {1: 0.68, 16: 0.34, 64: 0.32}  # of a bare uvicorn app's, measured side by side: to be beaten


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how often everything is measured."""

    folder: Path
    repeat: int = 5
    seconds: float = 1.5
    streams: int = 1000
    starts: int = 5


@dataclass(slots=True)
class Figures:
    """The values of one server, a list per name, one value per round."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float | None) -> None:
        """Note a value; `None`, what this machine can't measure, leaves no trace."""
        if value is not None:
            self.values.setdefault(name, []).append(value)

    def of(self, name: str) -> tuple[float, ...]:
        """All values of `name`."""
        return tuple(self.values.get(name, ()))


def say(text: str) -> None:
    """Tell on stderr what is going on."""
    print(text, file=sys.stderr, flush=True)


def in_turn(number: int, sides: Sequence[T]) -> Sequence[T]:
    """The sides of round `number`: every other round begins at the other end."""
    return sides[::-1] if number % 2 else sides


def noise(*sides: Figures) -> str:
    """How much of the machine others took, at worst, for the heading of a group."""
    shares = [share for side in sides for share in side.of("others")]
    return f" (others took up to {max(shares):.0%} of the machine)" if shares else ""


# ---- the load client -------------------------------------------------------------------------------------------------


def job(
    kind: Literal["plain", "stream", "paced"],
    of: Sequence[Server],
    text: str,
    bounds: Bounds,
    connections: int = CONNECTIONS,
) -> Job:
    """A job that asks these servers with `text`."""
    request = scenarios.request_bytes(text, stream=kind != "plain").decode()
    ports, pids = [server.port for server in of], [server.pid for server in of]
    return Job(kind, ports, pids, request, scenarios.ANSWER, connections, bounds.seconds, bounds.streams)


def perform(work: Job) -> list[dict[str, Any]]:
    """Run a job in a load client of its own; `BenchError` when it fails."""
    bound_s = 2 * work.seconds * len(work.ports) + work.ramp_s + load.FINISH_GRACE_S + 30
    command = [sys.executable, "-m", "bench.load"]
    given = json.dumps(asdict(work))
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, timeout=bound_s)
    if done.returncode:
        raise BenchError(f"the load client failed:\n{done.stderr[-2000:]}")
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


def quietest(work: Job) -> list[dict[str, Any]]:
    """Run a job again, a few times at most, while others take too much of the machine; the quietest run counts."""
    runs: list[list[dict[str, Any]]] = []
    while len(runs) < TRIES and not (runs and (runs[-1][0]["others_share"] or 0) < QUIET_SHARE):
        runs.append(perform(work))
    return min(runs, key=lambda run: run[0]["others_share"] or 0)


def closed_loops(work: Job, sides: Sequence[Figures], name: str = "") -> None:
    """Run closed loops and note answers per second and the server's CPU of each side under `name`."""
    for figures, result in zip(sides, quietest(work), strict=True):
        loop_figures(ClosedLoop(**result), figures, name)


def loop_figures(result: ClosedLoop, figures: Figures, name: str) -> None:
    """Note what a closed loop counted of one server."""
    if result.wrong or not result.answers:
        raise BenchError(f"{result.wrong} wrong answers of {result.answers}, the first:\n{result.first_wrong}")
    figures.add(f"{name}rate", result.answers / result.seconds)
    figures.add("others", result.others_share)
    if result.server_cpu_s is not None:
        figures.add(f"{name}cpu", result.server_cpu_s / result.answers * 1e6)
        figures.add(f"{name}busy", result.server_cpu_s / result.seconds * 100)


def loop_rows(group: str, unit: str, our: Figures, other: Figures, cpu: float, rate: float) -> Iterator[Row]:
    """The rows of a closed loop of ours against the bare app's, with the bounds of their ratios."""
    say(f"  {group}: done")
    group += noise(our, other)
    yield Row(group, f"CPU per {unit}", "µs", our.of("cpu"), other.of("cpu"), target=Target("ratio", cpu))
    per_second = Target("ratio", rate, "at least")
    yield Row(group, f"{unit}s per second", "/s", our.of("rate"), other.of("rate"), target=per_second)
    yield Row(group, "server busy", "%", our.of("busy"), other.of("busy"))


# ---- the measures ----------------------------------------------------------------------------------------------------


def plain(bounds: Bounds) -> Iterator[Row]:
    """Plain requests with 10 stubs at 1, 16 and 64 connections."""
    with ExitStack() as stack:
        our = stack.enter_context(servers.ours(scenarios.write_scenario(bounds.folder, "plain", 10)))
        answer = write_answer(bounds.folder / "plain.json", capture(our.port, stream=False))
        other = stack.enter_context(servers.bare(answer))
        for connections, rate in AIMOCK_PER_SECOND.items():
            sides = Figures(), Figures()
            for _ in range(bounds.repeat):
                closed_loops(job("plain", (our, other), scenarios.prompt("first"), bounds, connections), sides)
            group = f"plain, 10 stubs, {connections} connection{'s' * (connections > 1)}"
            yield from loop_rows(group, "request", *sides, 2.0, rate)
        memory = Figures(), Figures()
        for server, figures in zip((our, other), memory, strict=True):
            figures.add("rss", rss_mb(server.pid))
        yield Row("plain, after all of these", "memory", "MB", memory[0].of("rss"), memory[1].of("rss"))


def stubs(bounds: Bounds) -> Iterator[Row]:
    """10,000 stubs against 10, mockbifrost against itself, for a short and a 22 KB prompt, whichever stub matches."""
    with ExitStack() as stack:
        begun = time.perf_counter()
        few = stack.enter_context(servers.ours(scenarios.write_scenario(bounds.folder, "few", 10)))
        few_started = time.perf_counter()
        many = stack.enter_context(servers.ours(scenarios.write_scenario(bounds.folder, "many", MANY_STUBS)))
        few_s, many_s = few_started - begun, time.perf_counter() - few_started
        yield Row(f"{MANY_STUBS:,} stubs", "from the start until it listens", "s", (many_s,), (few_s,), "10 stubs")
        for size, words in (("short prompt", scenarios.prompt), ("22 KB prompt", scenarios.long_prompt)):
            sides = Figures(), Figures()
            for _ in range(bounds.repeat):
                for place in scenarios.PLACES:
                    closed_loops(job("plain", (many, few), words(place), bounds), sides, f"{place} ")
            yield from stub_rows(f"{MANY_STUBS:,} stubs, {size}, {CONNECTIONS} connections", *sides)


def stub_rows(group: str, many: Figures, few: Figures, each: str = "stub") -> Iterator[Row]:
    """The rows for the first, the middle and the last stub, or recording."""
    say(f"  {group}: done")
    group += noise(many, few)
    for place in scenarios.PLACES:
        for what, name, unit, target in (
            ("CPU per request", f"{place} cpu", "µs", SAME_CPU),
            ("requests per second", f"{place} rate", "/s", SAME_PER_SECOND),
        ):
            yield Row(group, f"{what}, {place} {each}", unit, many.of(name), few.of(name), f"10 {each}s", target)


def recordings(bounds: Bounds) -> Iterator[Row]:
    """10,000 recordings against 10, mockbifrost against itself, and how long a server takes to load them."""
    with ExitStack() as stack:
        paths = [scenarios.write_tape(bounds.folder, f"tape-{count}", count) for count in (10, MANY_STUBS)]
        begun = time.perf_counter()
        few = stack.enter_context(servers.ours(paths[0]))
        few_started = time.perf_counter()
        many = stack.enter_context(servers.ours(paths[1]))
        few_s, many_s = few_started - begun, time.perf_counter() - few_started
        what, group = "from the start until it listens", f"{MANY_STUBS:,} recordings"
        yield Row(group, what, "s", (many_s,), (few_s,), "10 recordings", Target("figure", 10))
        yield Row(group, "idle memory", "MB", (rss_mb(many.pid) or 0.0,), (rss_mb(few.pid) or 0.0,), "10 recordings")
        sides = Figures(), Figures()
        for _ in range(bounds.repeat):
            for place in scenarios.PLACES:
                closed_loops(job("plain", (many, few), scenarios.prompt(place), bounds), sides, f"{place} ")
        yield from stub_rows(f"{MANY_STUBS:,} recordings, {CONNECTIONS} connections", *sides, "recording")


def streams(bounds: Bounds) -> Iterator[Row]:
    """Undelayed streams of 50 chunks at 16 connections, against the same bytes in one write."""
    with ExitStack() as stack:
        our = stack.enter_context(servers.ours(scenarios.write_scenario(bounds.folder, "streams", 10)))
        answer = write_answer(bounds.folder / "stream.json", capture(our.port, stream=True))
        other = stack.enter_context(servers.bare(answer))
        sides = Figures(), Figures()
        for _ in range(bounds.repeat):
            closed_loops(job("stream", (our, other), scenarios.prompt("first"), bounds), sides)
        group = f"undelayed streams of {scenarios.CHUNK_COUNT} chunks, {CONNECTIONS} connections"
        yield from loop_rows(group, "stream", *sides, 2.5, 0.4)


def tokens_per_chunk() -> int:
    """How many tokens the built-in splitter counts in one chunk: what makes a rate mean exactly 20 ms."""
    from mockbifrost.provider.tokens import split_tokens

    return len(split_tokens(scenarios.CHUNKS[0]))


def paced(bounds: Bounds) -> Iterator[Row]:
    """Many paced streams at once, against the bare app that sends the same chunks at the same times."""
    with ExitStack() as stack:
        pace = scenarios.Pace(TTFT_S, tokens_per_chunk() / scenarios.INTERVAL_S)
        our = stack.enter_context(servers.ours(scenarios.write_scenario(bounds.folder, "paced", 10, pace)))
        captured = capture(our.port, stream=True)
        writes = paced_writes(captured.body, TTFT_S, scenarios.INTERVAL_S)
        other = stack.enter_context(servers.bare(write_answer(bounds.folder / "paced.json", captured, writes)))
        sides = [(our, Figures()), (other, Figures())]
        for number in range(bounds.repeat):
            for server, figures in in_turn(number, sides):
                (result,) = quietest(job("paced", [server], scenarios.prompt("first"), bounds))
                paced_figures(PacedRun(**result), server, figures)
        yield from paced_rows(bounds, sides[0][1], sides[1][1])


def paced_figures(run: PacedRun, server: Server, figures: Figures) -> None:
    """Note what one paced run showed."""
    if run.dropped:
        say(f"  {run.dropped} streams were dropped or wrong, the first:\n{run.first_wrong}")
    drifts_ms = [abs(drift_ms) for drift_ms in run.drifts_ms]
    for name, values in (("drift", drifts_ms), ("gap", run.gap_errors_ms)):
        for percent in (50, 99):
            figures.add(f"{name} p{percent}", percentile(values, percent) if values else None)
    figures.add("dropped", run.dropped)
    figures.add("others", run.others_share)
    figures.add("rss", rss_mb(server.pid))
    chunks = len(run.drifts_ms) * scenarios.CHUNK_COUNT
    if run.server_cpu_s is not None and chunks:
        figures.add("cpu", run.server_cpu_s / chunks * 1e6)


PACED_ROWS: tuple[tuple[str, str, str, Target | None], ...] = (
    ("drift of a whole stream, median", "drift p50", "ms", Target("figure", 3.0)),
    ("drift of a whole stream, p99", "drift p99", "ms", None),
    ("error of a gap, median", "gap p50", "ms", None),
    ("error of a gap, p99", "gap p99", "ms", Target("ratio", 1.5)),
    ("dropped or wrong streams", "dropped", "", Target("figure", 0)),
    ("CPU per chunk", "cpu", "µs", None),
    ("memory afterwards", "rss", "MB", None),
)


def paced_rows(bounds: Bounds, our: Figures, other: Figures) -> Iterator[Row]:
    """The rows of the paced streams."""
    group = f"{bounds.streams:,} paced streams, 20 ms between chunks"
    say(f"  {group}: done")
    group += noise(our, other)
    for what, name, unit, target in PACED_ROWS:
        yield Row(group, what, unit, our.of(name), other.of(name), target=target)


def cold(bounds: Bounds) -> Iterator[Row]:
    """From the start of the process to the first right answer, and idle memory."""
    scenario = scenarios.write_scenario(bounds.folder, "cold", 10)
    with servers.ours(scenario) as warm:
        answer = write_answer(bounds.folder / "cold.json", capture(warm.port, stream=False))
    our, other = Figures(), Figures()
    for number in range(bounds.starts + 1):  # the first start fills the disk's cache and is not counted
        ports = servers.free_port(), servers.free_port()
        commands = servers.our_command(scenario, "--port", str(ports[0])), servers.bare_command(ports[1])
        sides = zip(commands, ports, (our, other) if number else (Figures(), Figures()), strict=True)
        for command, port, figures in in_turn(number, list(sides)):
            cold_start(command, port, answer, figures)
    say("  cold start: done")
    first = our.of("first"), other.of("first")
    yield Row("cold start", "to the first right answer", "ms", *first, target=Target("ratio", 2.5))
    yield Row("cold start", "idle memory", "MB", our.of("rss"), other.of("rss"), target=Target("figure", 60))


def cold_start(command: Sequence[str], port: int, answer: Path, figures: Figures) -> None:
    """Start a server once and note when it first answered, and its memory when it has settled."""
    request = scenarios.request_bytes(scenarios.prompt("first"), stream=False)
    with answer.with_suffix(".log").open("w+b") as log:
        begun = time.perf_counter()
        with servers.process(command, log, servers.bare_env(answer)) as child:
            servers.wait_ready(child, log, port=port)
            data = ask(port, request)
            figures.add("first", (time.perf_counter() - begun) * 1000)
            if not load.plain_right(data, scenarios.ANSWER.encode()):
                raise BenchError(f"the first answer is wrong:\n{data[:2000].decode(errors='replace')}")
            time.sleep(SETTLE_S)
            figures.add("rss", rss_mb(child.pid))


FIXTURE_ROWS: tuple[tuple[str, str, float | None], ...] = (
    ("import", "`import mockbifrost`", 100),
    ("name", "`from mockbifrost import MockBifrost` after that", None),
    ("start", "`MockBifrost()` after the imports, until it listens", 50),
    ("session", "a new session", 1),
    ("plugin", "added to a test run that does not use the plugin", 10),
    ("used", "added to a test that uses the fixture", 5),
    ("stub", "the same with a stub", None),
)


def fixture(bounds: Bounds) -> Iterator[Row]:
    """What a test run pays in its own process; each probe is a fresh process."""
    figures = Figures()
    for number in range(bounds.starts + 1):  # the first fills the disk's cache and is not counted
        for probe in ("import", "start", "plugin", "tests"):
            for name, value in probed(probe).items():
                figures.add(name, value if number else None)
    say("  fixture: done")
    for name, what, bound in FIXTURE_ROWS:
        target = None if bound is None else Target("figure", bound)
        yield Row("in a fixture", what, "ms", figures.of(name), target=target)


def probed(probe: str) -> dict[str, float]:
    """The figures of one probe; none, and a word about it, when it fails."""
    command = [sys.executable, "-m", "bench.fixture_probe", probe]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.returncode:
        say(f"  the probe {probe!r} failed: {done.stderr.strip().rpartition(chr(10))[2]}")
        return {}
    result: dict[str, float] = json.loads(done.stdout)
    return result


MEASURES: dict[str, Callable[[Bounds], Iterator[Row]]] = {
    "plain": plain,
    "stubs": stubs,
    "recordings": recordings,
    "streams": streams,
    "paced": paced,
    "cold": cold,
    "fixture": fixture,
}
