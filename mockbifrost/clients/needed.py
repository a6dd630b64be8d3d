"""A library that a helper needs, or a sentence that says how to get it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mockbifrost.errors import UsageError


@contextmanager
def needed(helper: str, package: str, module: str) -> Iterator[None]:
    """Where `module` can't be imported inside the block. Raises UsageError that says what to install for `helper`."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = error.name or ""
        if name != module and not module.startswith(f"{name}."):  # it is there, and lacks something of its own
            raise
        raise UsageError(f"{helper} needs {module}, which is not installed: pip install '{package}'") from None
