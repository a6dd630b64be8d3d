"""`pace`: when a provider says what, as it is written."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from mockbifrost.scenario.fields import AtLeastOne, one_of
from mockbifrost.vocabulary.durations import Duration
from mockbifrost.vocabulary.node import Node, described, did_you_mean, refusal
from mockbifrost.vocabulary.paces import PACES
from mockbifrost.vocabulary.rules import names

Cut = Literal["token", "word", "char", "whole"]
Chunk = Cut | int

_CHUNKS: Final = get_args(Cut)
_NAMES: Final = tuple(PACES)


def _chunk(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and value in _CHUNKS:
        return value
    near = did_you_mean(value, _CHUNKS) if isinstance(value, str) else ""
    raise refusal(f"must be token, word, char, whole or a number of characters from 1 on, got {described(value)}", near)


def _name(value: object) -> str:
    return one_of(value, _NAMES, "a pace")


class PaceModel(Node):
    """A named pace, numbers, or a name with numbers laid over it; None is what was not written."""

    place: ClassVar[str] = "pace"
    wanted: ClassVar[str] = f"a name ({', '.join(_NAMES)}) or a mapping such as {{ttft: 200ms, tokens_per_second: 60}}"
    short_for: ClassVar[str] = "name"

    name: Annotated[str, BeforeValidator(_name), WithJsonSchema(names(_NAMES))] | None = None
    ttft: Duration | None = None
    tokens_per_second: Annotated[float, Field(gt=0)] | None = None
    jitter: Annotated[float, Field(ge=0, le=1)] | None = None
    chunk: Annotated[Chunk, PlainValidator(_chunk, json_schema_input_type=Cut | AtLeastOne)] | None = None
    speed: Annotated[float, Field(ge=0)] | None = None
