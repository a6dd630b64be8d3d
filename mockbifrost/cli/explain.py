"""`mockbifrost explain`: which stub or recording answers a request, and why the others don't."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

import click

from mockbifrost.errors import CassetteError, ScenarioError, UsageError


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("request_file", metavar="REQUEST.json", type=click.File("rb"))
@click.option(
    "--session", "name", default=None, help="The session whose stubs are asked; the default one if not given."
)
@click.option("--exact", is_flag=True, help="As of `serve`: a recorded stream answers only a request for a stream.")
@click.option(
    "--ignore", multiple=True, metavar="PATH", help="As of `serve`: what of a request does not count for recordings."
)
@click.option("--all", "whole", is_flag=True, help="Show every stub, not only the first twenty.")
def explain(
    path: Path, request_file: IO[bytes], name: str | None, exact: bool, ignore: tuple[str, ...], whole: bool
) -> None:
    """Explain a request body against a scenario, a cassette or a folder of them.

    Exit 0: a stub or a recording answers; 1: none does; 2: wrong usage.
    """
    from mockbifrost.cassette.keys import Ignore
    from mockbifrost.cassette.recordings import Matching, Recordings
    from mockbifrost.cassette.redact import Redactor
    from mockbifrost.session.assembly import assemble
    from mockbifrost.session.explain import SHOWN
    from mockbifrost.session.explain import explain as explained
    from mockbifrost.session.registry import DEFAULT, Sessions
    from mockbifrost.session.sources import read_sources
    from mockbifrost.wire.request import InvalidBody

    try:
        sources = read_sources([path])
        recordings = Recordings(sources.cassettes, Matching(Ignore(ignore), exact, redact=Redactor().redacted_body))
        assembly = assemble(sources.scenarios, recordings)
        sessions = Sessions(assembly.common, assembly.named)
        session = sessions.find(name or DEFAULT)
        if session is None:
            known = ", ".join([DEFAULT, *sessions.names])
            raise click.UsageError(f"there is no session {name!r} in {path}; there are {known}")
        found = explained(session, request_file.read())
    except (ScenarioError, CassetteError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except UsageError as error:
        raise click.UsageError(str(error)) from None
    except InvalidBody as error:
        raise click.UsageError(f"{request_file.name} is no request that the gateway can decode: {error}") from None
    click.echo(found.text(10**9 if whole else SHOWN))
    sys.exit(0 if found.answered else 1)
