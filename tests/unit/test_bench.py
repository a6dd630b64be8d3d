"""The benchmark's arithmetic: statistics, verdicts, the table, the load client's checks. Nothing is timed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from bench import bare_app, captured, load, report, scenarios
from bench.report import Row, Target


@dataclass(frozen=True, slots=True)
class Verdict:
    id: str
    row: Row
    verdict: str


def row(ours: Sequence[float], against: Sequence[float] = (), target: Target | None = None, unit: str = "µs") -> Row:
    return Row("plain", "CPU per request", unit, tuple(ours), tuple(against), target=target)


@pytest.mark.parametrize(("percent", "value"), [(1, 1.0), (50, 3.0), (60, 3.0), (61, 4.0), (99, 5.0), (100, 5.0)])
def test_percentiles_are_of_the_nearest_rank(percent: float, value: float) -> None:
    assert report.percentile([5.0, 1.0, 4.0, 2.0, 3.0], percent) == value


def test_statistics_of_nothing_are_zero() -> None:
    assert (report.percentile([], 99), report.median([])) == (0.0, 0.0)


def test_a_ratio_is_of_the_medians_and_its_range_of_single_rounds() -> None:
    measured = row([30.0, 90.0, 40.0], [20.0, 30.0, 25.0])
    assert report.ratio(measured) == 40.0 / 25.0
    assert report.ratio_range(measured) == (1.5, 3.0)


def test_there_is_no_ratio_without_a_yardstick() -> None:
    assert report.ratio(row([30.0])) is None
    assert report.ratio(row([0.0], [0.0])) is None
    assert report.ratio_range(row([30.0], [20.0])) is None


@pytest.mark.parametrize(
    "case",
    [
        Verdict("ratio-met", row([40.0], [20.0], Target("ratio", 2.0)), "met"),
        Verdict("ratio-missed", row([41.0], [20.0], Target("ratio", 2.0)), "**missed**"),
        Verdict("at-least-met", row([8.0], [20.0], Target("ratio", 0.4, "at least")), "met"),
        Verdict("at-least-missed", row([7.0], [20.0], Target("ratio", 0.4, "at least")), "**missed**"),
        Verdict("figure-met", row([60.0], [30.0], Target("figure", 60)), "met"),
        Verdict("figure-missed", row([61.0], (), Target("figure", 60)), "**missed**"),
        Verdict("zero-met", row([0.0], [0.0], Target("figure", 0)), "met"),
        Verdict("no-target", row([1.0], [1.0]), "-"),
        Verdict("not-measured", row([], [], Target("figure", 60)), "-"),
        Verdict("no-yardstick", row([1.0], [], Target("ratio", 2.0)), "-"),
    ],
    ids=lambda case: case.id,
)
def test_a_verdict_follows_from_the_target(case: Verdict) -> None:
    assert report.verdict(case.row) == case.verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00 ms"), (0.1234, "0.12 ms"), (3.21, "3.21 ms"), (42.34, "42.3 ms"), (41987.4, "41,987 ms")],
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert report.figure(value, "ms") == text


def test_the_table_groups_its_rows() -> None:
    rows = [
        row([40.0, 44.0], [20.0, 20.0], Target("ratio", 2.0)),
        Row("cold start", "idle memory", "MB", (50.0,), target=Target("figure", 60)),
        Row("cold start", "to the first right answer", "ms", ()),
    ]
    assert report.table(rows).splitlines() == [
        "| what | mockbifrost | yardstick | ratio | of rounds | target | verdict |",
        "|---|--:|--:|--:|--:|--:|---|",
        "| **plain** | | | | | | |",
        "| CPU per request | 42.0 µs | 20.0 µs (bare uvicorn) | 2.10 | 2.00 to 2.20 | ≤ 2 x | **missed** |",
        "| **cold start** | | | | | | |",
        "| idle memory | 50.0 MB | - | - | - | ≤ 60 MB | met |",
        "| to the first right answer | not measured | - | - | - | - | - |",
    ]


@pytest.mark.parametrize("count", [3, 10, 1000])
def test_a_scenario_answers_at_its_first_middle_and_last_stub(count: int) -> None:
    loaded = yaml.safe_load(scenarios.scenario(count))
    answering = [number for number, stub in enumerate(loaded["stubs"]) if stub["reply"] == scenarios.ANSWER]
    assert answering == [0, count // 2, count - 1]
    assert len(loaded["stubs"]) == count
    assert loaded["stubs"][-1]["when"] == {"user": scenarios.prompt("last")}


def test_a_paced_scenario_says_its_pace() -> None:
    loaded = yaml.safe_load(scenarios.scenario(10, scenarios.Pace(0.02, 250.0)))
    assert loaded["defaults"]["pace"] == {"chunk": 20, "ttft": "20ms", "tokens_per_second": 250}


def test_a_long_prompt_has_22_kilobytes_and_ends_with_the_words_of_its_stub() -> None:
    text = scenarios.long_prompt("middle")
    assert len(text.encode()) == 22 * 1024
    assert text.endswith(scenarios.prompt("middle"))
    assert "bench-" not in text.removesuffix(scenarios.prompt("middle"))


def plain_response(text: str) -> bytes:
    body = json.dumps({"content": text}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nx-call: 1\r\n\r\n%s" % (len(body), body)


def event(text: str) -> bytes:
    return b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % text.encode()


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ROLE = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
FINISH = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
FRAMES = [ROLE + event("one "), event("two "), event("three"), FINISH + load.DONE]
STREAM = HEAD + b"".join([http_chunk(frame) for frame in FRAMES]) + b"0\r\n\r\n"


def test_a_plain_answer_is_complete_at_its_length_and_right_with_its_text() -> None:
    data = plain_response("hello")
    assert load.plain_complete(data)
    assert not any(load.plain_complete(data[:end]) for end in range(len(data)))
    assert load.plain_right(data, b"hello")
    assert not load.plain_right(data, b"other")
    assert not load.plain_right(data.replace(b"200", b"400"), b"hello")


def test_a_stream_is_right_only_with_every_text_in_order_and_done() -> None:
    assert load.stream_complete(STREAM)
    assert not any(load.stream_complete(STREAM[:end]) for end in range(len(STREAM)))
    assert load.stream_right(STREAM, b"one two three")
    assert not load.stream_right(STREAM.replace(b"two", b"too"), b"one two three")
    assert not load.stream_right(STREAM.replace(load.DONE, b""), b"one two three")
    assert not load.stream_right(HEAD + b"".join([*reversed(FRAMES[:3]), load.DONE]), b"one two three")


def paced_job() -> load.Job:
    return load.Job("paced", [], [], "", "one two three", interval_s=0.02)


def test_a_paced_stream_is_judged_by_the_arrival_of_its_texts() -> None:
    run = load.PacedRun()
    pieces = [HEAD, *[http_chunk(frame) for frame in FRAMES], b"0\r\n\r\n"]
    times = [0.0, 1.0, 1.021, 1.045, 1.5, 1.6]
    load.judge(list(zip(times, pieces, strict=True)), paced_job(), run)
    assert run.gap_errors_ms == pytest.approx([1.0, 4.0])
    assert run.drifts_ms == pytest.approx([5.0])
    assert run.dropped == 0


def test_texts_that_arrive_together_are_a_gap_of_nothing() -> None:
    run = load.PacedRun()
    load.judge([(1.0, STREAM[:-1]), (1.1, STREAM[-1:])], paced_job(), run)
    assert run.gap_errors_ms == pytest.approx([20.0, 20.0])


def test_a_stream_that_breaks_off_is_dropped() -> None:
    run = load.PacedRun()
    load.judge([(1.0, STREAM[:200]), (1.1, b"")], paced_job(), run)
    load.judge([], paced_job(), run)
    assert (run.dropped, run.drifts_ms) == (2, [])
    assert run.first_wrong == STREAM[:200].decode()


def test_the_bare_app_is_given_the_same_bytes_in_paced_writes(tmp_path: Path) -> None:
    body = captured.dechunked(STREAM.removeprefix(HEAD))
    assert body == b"".join(FRAMES)
    writes = captured.paced_writes(body, 0.02, 0.5)
    assert "".join(text for _, text in writes).encode() == body
    assert [at_s for at_s, _ in writes] == [0.02, 0.52, 1.02]
    assert writes[0][1].encode() == FRAMES[0]
    path = captured.write_answer(tmp_path / "answer.json", captured.Captured("text/event-stream", body), writes)
    assert json.loads(path.read_text()) == {"content_type": "text/event-stream", "writes": [list(w) for w in writes]}
    assert callable(bare_app.app_of(path))
