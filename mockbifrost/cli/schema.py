"""`mockbifrost schema`: the JSON Schema of scenario files."""

from __future__ import annotations

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of scenario files, for editors: completion, hover text, red lines."""
    from mockbifrost.scenario.published_schema import schema_text

    click.echo(schema_text(), nl=False)
