"""`mockbifrost check`: are these files usable, and is all that they say of use?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mockbifrost.errors import Finding, ScenarioError


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
def check(paths: tuple[Path, ...], form: str) -> None:
    """Find mistakes, stubs that never answer and words without effect in scenario files and folders.

    Exit 0: all are usable; 1: findings, one a line; 2: wrong usage.
    """
    from mockbifrost.scenario.load import load_documents
    from mockbifrost.session.review import review

    files, stubs = 0, 0
    try:
        documents = load_documents(paths)
    except ScenarioError as error:
        findings: Sequence[Finding] = error.findings
    else:
        findings = review(documents)
        files, stubs = len(documents), sum([len(scenario.model.stubs) for scenario, _document in documents])
    if form == "json":
        click.echo(as_json(findings))
    elif form == "github":
        for finding in findings:
            click.echo(as_command(finding))
    else:
        for finding in findings:
            click.echo(str(finding), err=True)
    if form != "json":
        clean = f"{files} {'file' if files == 1 else 'files'}, {stubs} stubs: all usable."
        count = f"{len(findings)} {'finding' if len(findings) == 1 else 'findings'}."
        click.echo(count if findings else clean, err=bool(findings))
    sys.exit(1 if findings else 0)


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
