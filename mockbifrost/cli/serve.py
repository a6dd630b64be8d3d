"""`mockbifrost serve`: answers from scenarios until it is stopped."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mockbifrost.cli.upstream import MODES, recording_from, upstream_from, upstream_options
from mockbifrost.clock import CLOCK_MODES, ClockMode
from mockbifrost.errors import CassetteError, MockBifrostError, ScenarioError
from mockbifrost.serve.addresses import BASE, CONTROL_TOKEN, session_path

if TYPE_CHECKING:
    from mockbifrost.cassette.interaction import Cassette
    from mockbifrost.cassette.record_mode import RecordMode
    from mockbifrost.cassette.recordings import OnEnd, Recordings
    from mockbifrost.scenario.loaded import LoadedScenario
    from mockbifrost.serve.recorder import Recorder
    from mockbifrost.serve.server import Server
    from mockbifrost.serve.upstream_settings import UpstreamSettings
    from mockbifrost.wire.profiles import ProfileName


AUTO: Final = "version: 1\nstubs: [{name: auto, auto: true}]\n"
"""What is served where no scenario is given."""
NO_SCENARIO: Final = "no scenario: every answer is made from its request (`auto`)"
GC_THRESHOLDS: Final = (20_000, 20, 50)
"""Requests leave no cycles behind, so the collector may come seldom; this process serves and does nothing else."""


@click.command(context_settings={"auto_envvar_prefix": "MOCKBIFROST"})
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; anything else than loopback is reachable by others.",
)
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
@click.option("--seed", type=int, help="Beats the seeds of the files.")
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="0 waits for nothing, 1 as written, 2 twice as fast.",
)
@click.option(
    "--clock", default="flow", show_default=True, type=click.Choice(CLOCK_MODES), help="The clock of the sessions."
)
@click.option(
    "--gateway-version", type=click.Choice(["documented", "1.6", "2.2"]), help="Whose bytes to send; beats the files."
)
@click.option(
    "--exact", is_flag=True, help="A recorded stream answers only a request for a stream, and the other way round."
)
@click.option(
    "--on-end",
    default="repeat",
    show_default=True,
    type=click.Choice(["repeat", "miss"]),
    help="After the last recording of a request: the last again, or a loud error.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATH",
    help="What of a request does not count when it is matched with recordings: `metadata`, `messages[*].name`, or /a regular expression/.",
)
@click.option(
    "--upstream",
    metavar="URL",
    help="Whom to ask what nothing else answers: http://HOST:PORT, or the base URL of clients.",
)
@click.option(
    "--cassette", type=click.Path(path_type=Path), metavar="FILE", help="The file to record to, and to play from."
)
@click.option(
    "--record-mode",
    default="none",
    show_default=True,
    type=click.Choice(MODES),
    help="What of the upstream's answers is recorded: none; all, if the file holds nothing; what it does not hold; all anew.",
)
@upstream_options
@click.option("--lenient", is_flag=True, help="Let `auto` answer what no stub does; the journal still says so.")
@click.option("--no-mock-headers", is_flag=True, help="Leave out the x-mockbifrost-* headers.")
@click.option(
    "--until-stdin-ends", is_flag=True, hidden=True, help="Stop when stdin ends: whoever started this has gone."
)
def serve(
    paths: tuple[Path, ...],
    host: str,
    port: int,
    port_file: Path | None,
    seed: int | None,
    speed: float,
    clock: ClockMode,
    gateway_version: ProfileName | None,
    exact: bool,
    on_end: OnEnd,
    ignore: tuple[str, ...],
    upstream: str | None,
    cassette: Path | None,
    record_mode: RecordMode,
    lenient: bool,
    no_mock_headers: bool,
    until_stdin_ends: bool,
    **given: Any,
) -> None:
    """Serve scenarios and cassettes, files and folders; without any, and without an upstream, every request is answered as `auto` does."""
    from mockbifrost.cassette.keys import Ignore
    from mockbifrost.cassette.recordings import Matching, Recordings
    from mockbifrost.cassette.redact import Redactor
    from mockbifrost.scenario.load import load_text
    from mockbifrost.serve.recorder import prepare
    from mockbifrost.serve.server import Server
    from mockbifrost.serve.settings import ServerSettings
    from mockbifrost.session.assembly import assemble
    from mockbifrost.session.sources import read_sources

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        settings = ServerSettings(
            host=host,
            port=port,
            seed=seed,
            speed=speed,
            clock=clock,
            version=gateway_version,
            mock_headers=not no_mock_headers,
            lenient=lenient,
            control_token=os.environ.get(CONTROL_TOKEN) or None,
        )
        asked = upstream_from(upstream, given)
        recording = recording_from(cassette, record_mode, ignore, given)
        prepared = prepare(recording, asked, loopback=settings.loopback)
        plan = prepared.plan
        matching = Matching(
            Ignore(ignore), exact, "miss" if plan.ends else on_end, Redactor(recording.redact).redacted_body
        )
        sources = read_sources(paths)
        cassettes = _played(sources.cassettes, cassette, prepared.cassette)
        recordings = Recordings(cassettes, matching)
        for problem in (*sources.problems, *recordings.left_out):
            click.echo(str(problem), err=True)
        given_any = bool(paths or cassettes or asked)
        scenarios = sources.scenarios if given_any else (load_text(AUTO, "built-in"),)
        server = Server(
            assemble(scenarios, recordings, version=gateway_version, keep_seeds=seed is None),
            settings,
            asked if plan.asks else None,
            prepared.recorder,
            matching=matching,
        )
    except (ScenarioError, CassetteError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except MockBifrostError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    what = served(scenarios, recordings, len(cassettes), asked if plan.asks else None) if given_any else NO_SCENARIO

    if until_stdin_ends:
        threading.Thread(target=_stop_after_stdin, args=(server,), daemon=True).start()
    try:
        run_announced(server, port_file, lambda: welcome(server, what))
    finally:
        if prepared.recorder is not None:
            finish_recording(prepared.recorder)


def run_announced(server: Server, port_file: Path | None, text: Callable[[], str]) -> None:
    """Serve until stopped. Once requests are accepted, the port stands in its file, and the text is printed; else it ends with 2."""
    failures: list[OSError] = []

    def ready(_loop: object) -> None:
        try:
            if port_file is not None:
                _write_port(port_file, server.port)
        except OSError as error:
            failures.append(error)
            server.stop()
        else:
            _settle()
            click.echo(text())

    server.run(ready)
    if failures:
        why = failures[0].strerror or failures[0]
        click.echo(f"The port can't be written to {port_file}: {why}; choose another --port-file.", err=True)
        sys.exit(2)


def _stop_after_stdin(server: Server) -> None:
    """Wait for the end of stdin, which comes at the latest when the process that holds its other end dies."""
    while os.read(0, 4096):
        pass
    server.stop()


def _played(
    cassettes: Sequence[Cassette], recorded_to: Path | None, from_there: Cassette | None
) -> tuple[Cassette, ...]:
    """What is played: the file that is recorded to as its mode says, even where it lies in a folder that is served."""
    from mockbifrost.scenario.load import identity

    if recorded_to is None:
        return tuple(cassettes)
    others = [one for one in cassettes if identity(Path(one.file)) != identity(recorded_to)]
    return (*others, from_there) if from_there is not None else tuple(others)


def finish_recording(recorder: Recorder) -> None:
    """Bring the files into order, or say why not and end with 2."""
    try:
        recorder.close()
    except MockBifrostError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


def served(
    scenarios: Sequence[LoadedScenario],
    recordings: Recordings,
    cassettes: int,
    upstream: UpstreamSettings | None = None,
) -> str:
    """How much is served, in words."""
    from mockbifrost.vocabulary.node import counted

    parts: list[str] = []
    if scenarios:
        stubs = sum([len(scenario.model.stubs) for scenario in scenarios])
        parts.append(f"{stubs} stubs from {counted(len(scenarios), 'file')}")
    if cassettes:
        parts.append(f"{counted(len(recordings), 'recording')} from {counted(cassettes, 'cassette')}")
    if upstream is not None:
        parts.append(f"the {upstream.kind} {upstream.origin}")
    return " and ".join(parts)


def _settle() -> None:
    """What was loaded stays: the collector need not look at it again while requests are answered, which would make streams stutter."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _write_port(path: Path, port: int) -> None:
    """Whole or not at all, so that nobody reads half a number."""
    part = path.with_name(path.name + ".part")
    part.write_text(f"{port}\n")
    part.replace(path)


def welcome(server: Server, what: str) -> str:
    """What is served, and how each client is pointed at it."""
    lines = [
        f"mockbifrost serves {what} on {server.origin}",
        "",
        f"  base URL      {server.base_url}",
        f"  environment   OPENAI_BASE_URL={server.base_url} OPENAI_API_KEY=sk-bf-demo",
        f'  OpenAI        OpenAI(base_url="{server.base_url}", api_key="sk-bf-demo")',
        '  pydantic-ai   OpenAIChatModel("gpt-4o", provider='
        f'OpenAIProvider(base_url="{server.base_url}", api_key="sk-bf-demo"))',
        f'  LangChain     ChatOpenAI(model="gpt-4o", base_url="{server.base_url}", api_key="sk-bf-demo")',
        f"  journal       {server.origin}/__mockbifrost/sessions/default/journal",
    ]
    lines += [f"  session       {server.origin}{session_path(name)}{BASE}" for name in server.sessions.names]
    return "\n".join(lines)
