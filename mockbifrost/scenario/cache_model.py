"""`cache`: the outcome of the gateway's cache as a stub decides it, as it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from mockbifrost.scenario.fields import Switch
from mockbifrost.vocabulary.node import Node, Problem
from mockbifrost.vocabulary.rules import belong, one_of_these

NAMES: Final = ("hit", "miss")
"""What a text alone may be."""


class CacheModel(Node):
    """A hit of one kind, or a miss. `similarity` is that of a semantic hit."""

    place: ClassVar[str] = "cache"
    wanted: ClassVar[str] = "hit, miss, or a mapping such as {hit: semantic, similarity: 0.93}"
    rules: ClassVar[Mapping[str, object]] = one_of_these(NAMES) | belong({"similarity": "hit"})

    hit: Literal["direct", "semantic"] | None = None
    miss: Switch = False
    similarity: Annotated[float, Field(ge=0, le=1)] | None = None

    @classmethod
    def spelled_out(cls, value: object) -> object:
        """`hit` alone is a direct one."""
        if value == "hit":
            return {"hit": "direct"}
        return {"miss": True} if value == "miss" else value

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Neither or both; a similarity of what has none."""
        if "hit" not in given and "miss" not in given:
            yield Problem("says nothing", "write `cache: hit` or `cache: miss`")
        if "hit" in given and "miss" in given:
            yield Problem("can't be a hit and a miss", "keep one", ("miss",))
        if "similarity" in given and given.get("hit") != "semantic":
            yield Problem("only a semantic hit has a `similarity`", "write `hit: semantic`", ("similarity",))
