"""Rows, their statistics and the table: everything that can be right or wrong without a server."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

BARE = "bare uvicorn"


@dataclass(frozen=True, slots=True)
class Target:
    """A bound from the product's targets, on the ratio or on our own figure."""

    on: Literal["ratio", "figure"]
    bound: float
    sense: Literal["at most", "at least"] = "at most"

    def met_by(self, value: float) -> bool:
        """Whether `value` keeps the bound."""
        return value <= self.bound if self.sense == "at most" else value >= self.bound


@dataclass(frozen=True, slots=True)
class Row:
    """One measured thing: our figures and the yardstick's, one of each per round. No yardstick: `against` is empty."""

    group: str
    what: str
    unit: str
    ours: tuple[float, ...]
    against: tuple[float, ...] = ()
    yardstick: str = BARE
    target: Target | None = None


def median(values: Sequence[float]) -> float:
    """The median; 0 of nothing."""
    return statistics.median(values) if values else 0.0


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    if not values:
        return 0.0
    rank = max(1, -(-len(values) * percent // 100))
    return sorted(values)[int(rank) - 1]


def ratio(row: Row) -> float | None:
    """Median of ours over median of the yardstick, where there is one."""
    below = median(row.against)
    return median(row.ours) / below if below else None


def ratio_range(row: Row) -> tuple[float, float] | None:
    """The lowest and the highest ratio of a single round: how far the machine's noise reaches."""
    rounds = [ours / against for ours, against in zip(row.ours, row.against, strict=False) if against]
    return (min(rounds), max(rounds)) if len(rounds) > 1 else None


def verdict(row: Row) -> str:
    """`met`, `missed`, or `-` where no target is set or nothing was measured."""
    if row.target is None or not row.ours:
        return "-"
    value = ratio(row) if row.target.on == "ratio" else median(row.ours)
    if value is None:
        return "-"
    return "met" if row.target.met_by(value) else "**missed**"


def figure(value: float, unit: str) -> str:
    """A figure with three significant digits and its unit."""
    digits = max(0, 3 - len(str(int(abs(value)))))
    return f"{value:,.{digits}f} {unit}".rstrip()


def target_text(target: Target | None, unit: str) -> str:
    """A target as it stands in the table."""
    if target is None:
        return "-"
    sign = "≤" if target.sense == "at most" else "≥"
    return f"{sign} {target.bound:g}" + (" x" if target.on == "ratio" else f" {unit}".rstrip())


def cells(row: Row) -> list[str]:
    """The cells of one row."""
    times, spread = ratio(row), ratio_range(row)
    return [
        row.what,
        figure(median(row.ours), row.unit) if row.ours else "not measured",
        f"{figure(median(row.against), row.unit)} ({row.yardstick})" if row.against else "-",
        "-" if times is None else f"{times:.2f}",
        "-" if spread is None else f"{spread[0]:.2f} to {spread[1]:.2f}",
        target_text(row.target, row.unit),
        verdict(row),
    ]


HEADINGS = ["what", "mockbifrost", "yardstick", "ratio", "of rounds", "target", "verdict"]


def table(rows: Sequence[Row]) -> str:
    """All rows as one markdown table, a line in bold where a group begins."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---|--:|--:|--:|--:|--:|---|"]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append(f"| **{group}** |" + " |" * (len(HEADINGS) - 1))
        lines.append("| " + " | ".join(cells(row)) + " |")
    return "\n".join(lines)
