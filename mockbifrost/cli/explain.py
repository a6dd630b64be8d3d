"""`mockbifrost explain`: which stub answers a request, and why the others don't."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

import click

from mockbifrost.errors import ScenarioError


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("request_file", metavar="REQUEST.json", type=click.File("rb"))
@click.option(
    "--session", "name", default=None, help="The session whose stubs are asked; the default one if not given."
)
@click.option("--all", "whole", is_flag=True, help="Show every stub, not only the first twenty.")
def explain(path: Path, request_file: IO[bytes], name: str | None, whole: bool) -> None:
    """Explain a request body against a scenario file or folder. Exit 0: a stub answers; 1: none does; 2: wrong usage."""
    from mockbifrost.scenario.load import load_paths
    from mockbifrost.session.assembly import assemble
    from mockbifrost.session.explain import SHOWN
    from mockbifrost.session.explain import explain as explained
    from mockbifrost.session.registry import DEFAULT, Sessions
    from mockbifrost.wire.request import InvalidBody

    try:
        assembly = assemble(load_paths([path]))
        sessions = Sessions(assembly.common, assembly.named)
        session = sessions.find(name or DEFAULT)
        if session is None:
            known = ", ".join([DEFAULT, *sessions.names])
            raise click.UsageError(f"there is no session {name!r} in {path}; there are {known}")
        found = explained(session, request_file.read())
    except ScenarioError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except InvalidBody as error:
        raise click.UsageError(f"{request_file.name} is no request that the gateway can decode: {error}") from None
    click.echo(found.text(10**9 if whole else SHOWN))
    sys.exit(0 if found.answers is not None else 1)
