"""`mockbifrost drift`: what an upstream answers otherwise than a cassette recorded."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockbifrost.errors import CassetteError, UsageError

if TYPE_CHECKING:
    from mockbifrost.cassette.drift import Severity
    from mockbifrost.cassette.interaction import Interaction
    from mockbifrost.serve.upstream_settings import Kind


@click.command(context_settings={"auto_envvar_prefix": "MOCKBIFROST"})
@click.argument("cassette", type=click.Path(path_type=Path))
@click.option(
    "--upstream", required=True, metavar="URL", help="Whom to ask: http://HOST:PORT, or the base URL of clients."
)
@click.option(
    "--upstream-kind",
    type=click.Choice(["gateway", "provider"]),
    help="What the upstream is, where its address does not tell.",
)
@click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds that it may be silent.",
)
@click.option(
    "--fail-on",
    default="error",
    show_default=True,
    type=click.Choice(["error", "warning", "info"]),
    help="The least difference that makes the exit code 1.",
)
@click.option("--format", "form", default="text", show_default=True, type=click.Choice(["text", "json"]))
def drift(
    cassette: Path, upstream: str, upstream_kind: Kind | None, timeout: float, fail_on: Severity, form: str
) -> None:
    """Ask an upstream again what CASSETTE recorded, and report what has changed in the structure of its answers.

    The key for it comes from MOCKBIFROST_UPSTREAM_KEY. Exit 0: nothing of weight has changed; 1: something has; 2: wrong usage.
    """
    from mockbifrost.cassette.drift import fails, report_json, report_text
    from mockbifrost.cassette.format import read_cassette
    from mockbifrost.serve.asking_again import ask_again
    from mockbifrost.serve.upstream_settings import key_from_environment, upstream_of

    try:
        settings = upstream_of(upstream, upstream_kind, timeout_s=timeout, key=key_from_environment())
        interactions = [one for one in read_cassette(cassette).interactions if one.request.is_chat]
    except UsageError as error:
        raise click.UsageError(str(error)) from None
    except CassetteError as error:
        click.echo(str(error), err=True)
        sys.exit(1)

    def told(interaction: Interaction) -> None:
        click.echo(f"asking {interaction.number} of {len(interactions)} …", err=True)

    report = asyncio.run(ask_again(interactions, settings, told))
    click.echo(report_json(report) if form == "json" else report_text(report))
    sys.exit(1 if fails(report, fail_on) else 0)
