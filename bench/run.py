"""Run the benchmark: `python bench/run.py [--quick] [--only plain,streams] [--repeat 5] [--json out.json]`."""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the script runs from any folder

from bench.measures import MEASURES, Bounds, say
from bench.report import Row, ratio, table, verdict
from bench.servers import BenchError


def names(text: str) -> list[str]:
    """The measures named in `text`, in the order of the table."""
    asked = {name.strip() for name in text.split(",")}
    unknown = asked - MEASURES.keys()
    if unknown:
        raise argparse.ArgumentTypeError(f"no measure is named {sorted(unknown)}; there are {', '.join(MEASURES)}")
    return [name for name in MEASURES if name in asked]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="mockbifrost beside a bare uvicorn app that sends the same bytes")
    parser.add_argument("--only", type=names, default=list(MEASURES), help=f"some of {','.join(MEASURES)}")
    parser.add_argument("--repeat", type=int, default=5, help="rounds; the table has their medians (default 5)")
    parser.add_argument("--quick", action="store_true", help="one short round of each, to see that all works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures to FILE as well")
    return parser.parse_args(argv)


def bounds_of(options: argparse.Namespace, folder: Path) -> Bounds:
    """How much to measure."""
    if options.quick:
        return Bounds(folder, repeat=1, seconds=0.5, streams=200, starts=1)
    return Bounds(folder, repeat=options.repeat)


def machine() -> str:
    """What was measured on what, in one line."""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, "
        f"uvicorn {version('uvicorn')}"
    )


def measured(bounds: Bounds, only: Sequence[str]) -> list[Row]:
    """The rows of all measures; one that fails is told on stderr, and the others still run."""
    rows: list[Row] = []
    for name in only:
        say(f"{name} …")
        try:
            rows.extend(MEASURES[name](bounds))
        except (BenchError, ImportError, OSError) as error:
            say(f"{name} failed: {error}")
    return rows


def as_json(rows: Sequence[Row]) -> str:
    """Everything that the table says, and each round's figures."""
    listed = [{**asdict(row), "ratio": ratio(row), "verdict": verdict(row).strip("*")} for row in rows]
    return json.dumps({"machine": machine(), "rows": listed}, indent=1, ensure_ascii=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, return 1 only when something could not be measured."""
    options = arguments(argv)
    with tempfile.TemporaryDirectory(prefix="mockbifrost-bench-") as folder:
        rows = measured(bounds_of(options, Path(folder)), options.only)
    print(f"{machine()}; medians of the rounds\n\n{table(rows)}")
    if options.json:
        options.json.write_text(as_json(rows), encoding="utf-8")
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
