"""One tree of exceptions. Each text says what happened to which thing, then the nearest alternative, then one thing to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


class MockBifrostError(Exception):
    """Everything this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong at one place of a file. Lines and columns count from 1; 0 means the file as a whole.

    With a warning the file can be used all the same; only `check` looks for those.
    """

    source: str
    line: int
    column: int
    key_path: str
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        place = self.source if not self.line else f"{self.source}:{self.line}:{self.column}"
        warning = " warning:" if self.severity == "warning" else ""
        path = f" {self.key_path}:" if self.key_path else ""
        return f"{place}:{warning}{path} {self.advice}"

    @property
    def advice(self) -> str:
        """What is wrong, and what to do."""
        return f"{self.message}; {self.hint}" if self.hint else self.message


class ScenarioError(MockBifrostError):
    """Scenario files that can't be used; `findings` holds all that is wrong with them, in the order of the lines."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class CassetteError(MockBifrostError):
    """Cassettes that can't be used; `findings` holds all that is wrong with them, each with its file and interaction."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class RecordRefusedError(MockBifrostError):
    """Recording would lose or leak something: the file can't be written, the address is not loopback, nothing to ask."""


class ServerStartError(MockBifrostError):
    """The server could not start: the port is taken, the address is not ours, or its thread died."""


class VerificationError(MockBifrostError, AssertionError):
    """What a session saw is not what it expected: unmatched requests, unused stubs. The text holds each explanation."""


class SessionFinishedError(MockBifrostError):
    """A session was used after it had been finished."""


class UsageError(MockBifrostError):
    """The Python API was called in a way that can't work; the text names the call and the way that does."""
