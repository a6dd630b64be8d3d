"""`mockbifrost check`: are these files usable?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mockbifrost.errors import ScenarioError


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """Validate scenario files and folders. Exit 0: all are usable; 1: findings, one a line; 2: wrong usage."""
    from mockbifrost.scenario.load import load_paths
    from mockbifrost.session.assembly import assemble

    try:
        scenarios = load_paths(paths)
        assemble(scenarios)
    except ScenarioError as error:
        for finding in error.findings:
            click.echo(str(finding), err=True)
        count = len(error.findings)
        click.echo(f"{count} {'finding' if count == 1 else 'findings'}.", err=True)
        sys.exit(1)
    stubs = sum([len(scenario.model.stubs) for scenario in scenarios])
    click.echo(f"{len(scenarios)} {'file' if len(scenarios) == 1 else 'files'}, {stubs} stubs: all usable.")
