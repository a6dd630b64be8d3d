"""`mockbifrost convert`: cassettes and other tools' files into scenarios and other layouts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mockbifrost.errors import CassetteError

if TYPE_CHECKING:
    from mockbifrost.convert.converted import Converted

Layout = Literal["scenario", "vcr", "mockbifrost"]


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write into this file; else to the standard output."
)
@click.option(
    "--to",
    "layout",
    default="scenario",
    show_default=True,
    type=click.Choice(["scenario", "vcr", "mockbifrost"]),
    help="A scenario to edit, or a cassette: plain as vcrpy writes it, or as `record` does.",
)
@click.option("--ids", is_flag=True, help="Keep ids, times and fingerprints of the answers in a scenario.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def convert(source: Path, output: Path | None, layout: Layout, ids: bool, force: bool) -> None:
    """Convert a cassette, a file of aimock's fixtures, or a folder of them.

    Exit 0: converted, with a warning on stderr for what had no place; 1: it can't be, and nothing is written; 2: wrong usage.
    """
    if output is not None and output.exists() and not force:
        raise click.UsageError(f"{output} exists; name another file, or overwrite it with --force")
    try:
        converted = _converted(source, layout, ids=ids)
    except CassetteError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    for finding in converted.findings:
        click.echo(str(finding), err=True)
    if output is None:
        click.echo(converted.text, nl=False)
        return
    from mockbifrost.cassette.writing import replace_file

    try:
        replace_file(output, [converted.text.encode()])
    except OSError as error:
        click.echo(f"{output} can't be written: {error.strerror or error}; choose another --output.", err=True)
        sys.exit(2)


def _converted(path: Path, layout: Layout, *, ids: bool) -> Converted:
    from mockbifrost.convert.aimock import from_aimock
    from mockbifrost.convert.cassettes import ours_text, vcr_text
    from mockbifrost.convert.converted import Converted
    from mockbifrost.convert.reading import read_source
    from mockbifrost.convert.to_scenario import convert_cassette

    source = read_source(path)
    if source.cassette is None:
        if layout != "scenario":
            raise click.UsageError(
                f"fixtures of aimock hold no requests, so they become a scenario and no cassette: {path}"
            )
        converted = from_aimock(source.fixtures, source.name)
    elif layout == "scenario":
        converted = convert_cassette(source.cassette, ids=ids)
    else:
        write = vcr_text if layout == "vcr" else ours_text
        converted = Converted(write(source.cassette.interactions), source.cassette.warnings)
    return Converted(converted.text, (*source.warnings, *converted.findings))
