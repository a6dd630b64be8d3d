"""What a session was like at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:  # what annotations name is not needed at run time
    from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of a session that it can be rolled back to, and what it was like then. The state itself stays with the session.

    `requests` had come in, `elapsed_s` seconds had passed on its clock; `counters` are the session's own, by the ids of its stubs.
    """

    session: str
    number: int
    requests: int
    elapsed_s: float
    gates: Mapping[str, bool]
    counters: Mapping[str, int]

    def to_json(self) -> dict[str, JsonValue]:
        """As JSON holds it; `Snapshot.of` reads it again."""
        return asdict(self)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """From what `to_json` gave, or a server said."""
        return cls(
            said["session"],
            said["number"],
            said["requests"],
            said["elapsed_s"],
            dict(said["gates"]),
            dict(said["counters"]),
        )
