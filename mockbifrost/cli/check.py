"""`mockbifrost check`: are these files usable, and is all that they say of use?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockbifrost.errors import Finding, ScenarioError, UsageError

if TYPE_CHECKING:
    from mockbifrost.scenario.loaded import LoadedScenario


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    default="text",
    show_default=True,
    type=click.Choice(["text", "json", "github"]),
    help="`github` marks the lines of a pull request.",
)
@click.option(
    "--redact", multiple=True, metavar="REGEX", help="What is a secret in a cassette, beside all that looks like a key."
)
def check(paths: tuple[Path, ...], form: str, redact: tuple[str, ...]) -> None:
    """Find mistakes, stubs that never answer and words without effect in scenarios; in cassettes secrets, age and what is never played.

    Exit 0: all are usable; 1: findings, one a line; 2: wrong usage.
    """
    findings, what = _reviewed(paths, redact)
    if form == "json":
        click.echo(as_json(findings))
    elif form == "github":
        for finding in findings:
            click.echo(as_command(finding))
    else:
        for finding in findings:
            click.echo(str(finding), err=True)
    if form != "json":
        count = f"{len(findings)} {'finding' if len(findings) == 1 else 'findings'}."
        click.echo(count if findings else f"{what}: all usable.", err=bool(findings))
    sys.exit(1 if findings else 0)


def _reviewed(paths: Sequence[Path], redact: Sequence[str]) -> tuple[list[Finding], str]:
    """All that is wrong, and what was looked at, in words."""
    from mockbifrost.cassette.redact import Redactor
    from mockbifrost.clock import utc_now
    from mockbifrost.scenario.load import load_documents
    from mockbifrost.session.cassette_review import review_cassettes
    from mockbifrost.session.review import review
    from mockbifrost.session.sources import read_cassettes, told_apart

    try:
        redactor = Redactor(redact)
    except UsageError as error:
        raise click.UsageError(str(error)) from None
    scenario_files, cassette_files = told_apart(paths)
    cassettes, broken = read_cassettes(cassette_files)
    findings = [*broken]
    scenarios: list[LoadedScenario] = []
    try:
        documents = load_documents(scenario_files)
    except ScenarioError as error:
        findings += error.findings
    else:
        findings += review(documents)
        scenarios = [scenario for scenario, _document in documents]
    usable = not any(finding.severity == "error" for finding in findings)
    findings += review_cassettes(cassettes, scenarios if usable else (), utc_now(), redactor)
    files = len(scenarios) + len(cassettes)
    stubs = sum([len(scenario.model.stubs) for scenario in scenarios])
    recordings = sum([len(cassette.interactions) for cassette in cassettes])
    what = f"{files} {'file' if files == 1 else 'files'}, {stubs} stubs" + (
        f", {recordings} recordings" if cassettes else ""
    )
    return findings, what


def as_json(findings: Sequence[Finding]) -> str:
    """A list of objects; `line` and `column` are 0 for a file as a whole."""
    import orjson

    rows = [
        {
            "severity": finding.severity,
            "file": finding.source,
            "line": finding.line,
            "column": finding.column,
            "path": finding.key_path,
            "message": finding.message,
            "hint": finding.hint,
        }
        for finding in findings
    ]
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode()


def as_command(finding: Finding) -> str:
    """A workflow command of GitHub Actions. Source: actions/toolkit, packages/core/src/command.ts."""
    place = f",line={finding.line},col={finding.column}" if finding.line else ""
    said = f"{finding.key_path}: {finding.advice}" if finding.key_path else finding.advice
    file = _escaped(finding.source).replace(":", "%3A").replace(",", "%2C")
    return f"::{finding.severity} file={file}{place}::{_escaped(said)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
