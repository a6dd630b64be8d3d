"""The command line: one module per command."""

from __future__ import annotations

import click

from mockbifrost import __version__
from mockbifrost.cli.check import check
from mockbifrost.cli.convert import convert
from mockbifrost.cli.drift import drift
from mockbifrost.cli.explain import explain
from mockbifrost.cli.record import record
from mockbifrost.cli.schema import schema
from mockbifrost.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mockbifrost")
def main() -> None:
    """A stand-in for the Bifrost AI gateway in tests, CI and demos."""


main.add_command(serve)
main.add_command(record)
main.add_command(check)
main.add_command(drift)
main.add_command(explain)
main.add_command(schema)
main.add_command(convert)
