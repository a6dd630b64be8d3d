"""The servers of a run: the one that tests share, in this process or elsewhere, and those that record."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mockbifrost.api import MockBifrost, RemoteBifrost, connect
from mockbifrost.pytest_plugin.settings import Options
from mockbifrost.serve.addresses import CONTROL_TOKEN
from mockbifrost.serve.upstream_settings import key_from_environment, upstream_of

if TYPE_CHECKING:
    from mockbifrost.pytest_plugin.marker import Marked


def shared_server(options: Options) -> MockBifrost | RemoteBifrost:
    """The server of a worker: its own, or the running one, which has files of its own."""
    if options.url is None:
        return MockBifrost(options.scenarios, seed=options.seed)
    return connect(options.url, os.environ.get(CONTROL_TOKEN) or None)


def recording_server(options: Options, marked: Marked, cassette: Path) -> MockBifrost:
    """A server for one test alone, which records into its cassette and brings that into order when it stops.

    One server has one recorder, and starting one takes milliseconds where asking the upstream takes seconds.
    """
    assert options.upstream is not None  # nobody records without one
    return MockBifrost(
        options.scenarios,
        seed=options.seed,
        ignore=marked.ignore or (),
        exact=bool(marked.exact),
        upstream=upstream_of(options.upstream, options.upstream_kind, key=key_from_environment()),
        record_mode=options.record,
        cassette=cassette,
        record_errors=options.record_errors,
    )
