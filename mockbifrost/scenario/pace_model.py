"""`pace`: when a provider says what, as it is written."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, PlainValidator

from mockbifrost.scenario.fields import one_of
from mockbifrost.vocabulary.durations import Duration
from mockbifrost.vocabulary.node import Node, described, did_you_mean, refusal
from mockbifrost.vocabulary.paces import PACES

Chunk = Literal["token", "word", "char", "whole"] | int

_CHUNKS: Final = ("token", "word", "char", "whole")
_NAMES: Final = tuple(PACES)


def _chunk(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and value in _CHUNKS:
        return value
    near = did_you_mean(value, _CHUNKS) if isinstance(value, str) else ""
    raise refusal(f"must be token, word, char, whole or a number of characters from 1 on, got {described(value)}", near)


class PaceModel(Node):
    """A named pace, numbers, or a name with numbers laid over it; None is what was not written."""

    place: ClassVar[str] = "pace"
    wanted: ClassVar[str] = f"a name ({', '.join(_NAMES)}) or a mapping such as {{ttft: 200ms, tokens_per_second: 60}}"

    name: Annotated[str, BeforeValidator(lambda value: one_of(value, _NAMES, "a pace"))] | None = None
    ttft: Duration | None = None
    tokens_per_second: Annotated[float, Field(gt=0)] | None = None
    jitter: Annotated[float, Field(ge=0, le=1)] | None = None
    chunk: Annotated[Chunk, PlainValidator(_chunk)] | None = None
    speed: Annotated[float, Field(ge=0)] | None = None

    @classmethod
    def spelled_out(cls, value: object) -> object:
        """A text is the name."""
        return {"name": value} if isinstance(value, str) else value
