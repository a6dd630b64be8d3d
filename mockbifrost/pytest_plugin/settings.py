"""What a run of tests is told: on the command line, and in the settings of the project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

import pytest

from mockbifrost.errors import MockBifrostError, UsageError

Mode = Literal["none", "once", "new_episodes", "all"]
_NO: Final = ("", "0", "false", "no")
_SOON_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """The options and settings of a run. `cassettes` None: a folder `cassettes` beside each file of tests."""

    record: Mode
    upstream: str | None
    upstream_kind: Literal["gateway", "provider"] | None
    url: str | None
    seed: int | None
    verify: bool
    strict: bool
    scenarios: tuple[Path, ...]
    cassettes: Path | None
    record_errors: bool
    record_in_ci: bool
    root: Path


_OPTIONS: Final[pytest.StashKey[Options]] = pytest.StashKey()


def options_of(config: pytest.Config) -> Options:
    """What this run was told."""
    found = config.stash.get(_OPTIONS, None)
    if found is None:
        found = config.stash[_OPTIONS] = _read(config)
    return found


def _read(config: pytest.Config) -> Options:
    base = config.inipath.parent if config.inipath is not None else config.invocation_params.dir
    cassettes = str(config.getini("mockbifrost_cassettes")).strip()
    return Options(
        record=cast(Mode, config.getoption("mockbifrost_record")),
        upstream=config.getoption("mockbifrost_upstream"),
        upstream_kind=config.getoption("mockbifrost_upstream_kind"),
        url=config.getoption("mockbifrost_url"),
        seed=config.getoption("mockbifrost_seed"),
        verify=not config.getoption("no_mockbifrost_verify"),
        strict=bool(config.getini("mockbifrost_strict")),
        scenarios=tuple(config.getini("mockbifrost_scenarios")),
        cassettes=base / cassettes if cassettes else None,
        record_errors=bool(config.getini("mockbifrost_record_errors")),
        record_in_ci=bool(config.getoption("mockbifrost_record_in_ci")),
        root=config.rootpath,
    )


def check(config: pytest.Config) -> None:
    """Refuse what can't work. Raises pytest.UsageError, which ends the run."""
    options = options_of(config)
    try:
        _check_recording(options)
        if options.url is not None:
            _check_running(options.url)
    except MockBifrostError as error:
        raise pytest.UsageError(str(error)) from None


def _check_recording(options: Options) -> None:
    mode = options.record
    if mode == "none":
        if options.upstream is not None:
            raise UsageError(
                "--mockbifrost-upstream: nobody asks an upstream where nothing is recorded; "
                "add --mockbifrost-record=once, or leave it out"
            )
        return
    if options.url is not None:
        raise UsageError(
            f"--mockbifrost-record={mode}: tests are recorded by servers of their own, not by the one of --mockbifrost-url; "
            "leave one of the two out"
        )
    if options.upstream is None:
        raise UsageError(
            f"--mockbifrost-record={mode}: there is nobody to ask; say where answers come from with --mockbifrost-upstream URL"
        )
    if os.environ.get("CI", "").strip().lower() not in _NO and not options.record_in_ci:
        raise UsageError(
            f"--mockbifrost-record={mode}: the variable CI is set, and CI does not record by accident; record on your own "
            "machine, or add --mockbifrost-record-in-ci"
        )
    from mockbifrost.serve.upstream_settings import upstream_of

    upstream_of(options.upstream, options.upstream_kind)


def _check_running(url: str) -> None:
    """Raises UsageError where no server of ours answers there."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, build_opener

    do = "start one with `mockbifrost serve`, or correct the address"
    ready = url.rstrip("/") + "/__mockbifrost/ready"
    try:
        with build_opener(ProxyHandler({})).open(ready, timeout=_SOON_S) as answer:
            answer.read()
    except HTTPError as error:
        with error:
            raise UsageError(
                f"--mockbifrost-url: {url} is no mockbifrost: {ready} answers {error.code}; {do}"
            ) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UsageError(f"--mockbifrost-url: nothing answers at {url}: {reason}; {do}") from None


def header(options: Options) -> str | None:
    """A line for the head of the run; None: all is as always."""
    if options.url is not None:
        return f"mockbifrost: sessions of {options.url}"
    if options.record != "none":
        return f"mockbifrost: records ({options.record}) what {options.upstream} answers"
    return None
