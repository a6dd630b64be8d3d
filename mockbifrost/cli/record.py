"""`mockbifrost record`: asks an upstream, and writes down what it answers, until it is stopped."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mockbifrost.cli.serve import finish_recording, run_announced, welcome
from mockbifrost.cli.upstream import recording_from, upstream_from, upstream_options
from mockbifrost.errors import CassetteError, MockBifrostError

if TYPE_CHECKING:
    from mockbifrost.serve.recorder import Taken


@click.command(context_settings={"auto_envvar_prefix": "MOCKBIFROST"})
@click.option(
    "--upstream", required=True, metavar="URL", help="Whom to ask: http://HOST:PORT, or the base URL of clients."
)
@click.option(
    "--cassette", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The file to record to."
)
@click.option(
    "--record-mode",
    default="all",
    show_default=True,
    type=click.Choice(["all", "new_episodes", "once"]),
    help="Ask always and update what is recorded; play what is recorded and record the rest; or record a new file only.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--port-file", type=click.Path(path_type=Path), help="Write the port into this file once requests are accepted."
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATH",
    help="What of a request does not tell it from another: `metadata`, `messages[*].name`, or /a regular expression/.",
)
@upstream_options
def record(
    upstream: str,
    cassette: Path,
    record_mode: str,
    host: str,
    port: int,
    port_file: Path | None,
    ignore: tuple[str, ...],
    **given: Any,
) -> None:
    """Pass requests on to an upstream, and record what it answers into a cassette, until Ctrl-C or SIGTERM."""
    from mockbifrost.cassette.keys import Ignore
    from mockbifrost.cassette.recordings import Matching, Recordings
    from mockbifrost.cassette.redact import Redactor
    from mockbifrost.serve.recorder import prepare
    from mockbifrost.serve.server import Server
    from mockbifrost.serve.settings import ServerSettings
    from mockbifrost.session.assembly import assemble

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        asked = upstream_from(upstream, given)
        settings = ServerSettings(host=host, port=port, clock="real")
        recording = recording_from(cassette, record_mode, ignore, given)
        prepared = prepare(recording, asked, loopback=settings.loopback, report=_report)
        matching = Matching(Ignore(ignore), redact=Redactor(recording.redact).redacted_body)
        recordings = Recordings((prepared.cassette,) if prepared.cassette is not None else (), matching)
        server = Server(
            assemble((), recordings), settings, asked if prepared.plan.asks else None, recorder=prepared.recorder
        )
    except CassetteError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except MockBifrostError as error:
        click.echo(str(error), err=True)
        sys.exit(2)

    assert asked is not None  # the option is required
    what = f"what {asked.origin} answers, a {asked.kind}, and records it into {cassette}"
    if not prepared.plan.asks:
        what = f"the {len(recordings)} recordings of {cassette}, and asks nobody: record mode `once`"
    try:
        run_announced(server, port_file, lambda: welcome(server, what))
    finally:
        if prepared.recorder is not None:
            for line in prepared.recorder.summary():
                click.echo(line)
            finish_recording(prepared.recorder)


def _report(taken: Taken) -> None:
    """One line for each interaction."""
    number = f"#{taken.number} " if taken.kind in ("recorded", "replaced") else ""
    kind = "" if taken.kind == "recorded" else f" ({taken.kind})"
    click.echo(f"{number}{taken.said}{kind}")
