"""The options of commands that ask an upstream, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from mockbifrost.serve.recorder import RecordSettings
    from mockbifrost.serve.upstream_settings import UpstreamSettings

Command = TypeVar("Command", bound=Callable[..., Any])
MODES: Final = ("none", "once", "new_episodes", "all")


def upstream_options(command: Command) -> Command:
    """Adds what the commands have in common that ask an upstream."""
    options = (
        click.option(
            "--upstream-kind",
            type=click.Choice(["gateway", "provider"]),
            help="What the upstream is, where its address does not tell: a Bifrost, or a provider that speaks chat completions.",
        ),
        click.option(
            "--timeout",
            "timeout_s",
            default=60.0,
            show_default=True,
            type=click.FloatRange(min=0, min_open=True),
            help="Seconds that a gateway upstream may be silent; a provider may as long as the settings of the gateway say.",
        ),
        click.option(
            "--record-errors",
            is_flag=True,
            help="Record answers that ended badly with the rest; else into FILE.errors.yaml.",
        ),
        click.option(
            "--redact",
            multiple=True,
            metavar="REGEX",
            help="What else is a secret, and is taken out before anything is written down.",
        ),
        click.option(
            "--record-on-any-address",
            "any_address",
            is_flag=True,
            help="Record also where others than this machine can reach the server, and use the keys that pass through.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def upstream_from(address: str | None, given: Mapping[str, Any]) -> UpstreamSettings | None:
    """The upstream that the options name. Raises UsageError."""
    from mockbifrost.serve.upstream_settings import key_from_environment, upstream_of

    if address is None:
        return None
    return upstream_of(address, given["upstream_kind"], timeout_s=given["timeout_s"], key=key_from_environment())


def recording_from(
    cassette: Path | None, mode: Any, ignore: tuple[str, ...], given: Mapping[str, Any]
) -> RecordSettings:
    """What the options say about recording."""
    from mockbifrost.serve.recorder import RecordSettings

    return RecordSettings(cassette, mode, given["redact"], ignore, given["record_errors"], given["any_address"])
