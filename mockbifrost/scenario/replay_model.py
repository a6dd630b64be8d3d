"""`replay`: a recording as the answer of a stub, as it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, PlainValidator

from mockbifrost.scenario.fields import AtLeastOne, Name, OneOrMoreNames, Switch
from mockbifrost.scenario.reply_model import ReplyModel
from mockbifrost.vocabulary.node import Node, Problem, described, refusal

MATCH: Final = "match"
_OF_A_MATCH: Final = ("ignore", "exact", "on_end")


def _interaction(value: object) -> int | str:
    if (isinstance(value, int) and not isinstance(value, bool) and value >= 1) or (isinstance(value, str) and value):
        return value
    raise refusal(f"must be the number of an interaction from 1 on, its name, or `match`, got {described(value)}")


class ReplayModel(Node):
    """Which interaction of which cassette; `with` lays keys of `reply` over what was recorded."""

    place: ClassVar[str] = "replay"
    wanted: ClassVar[str] = "the file of a cassette, or a mapping such as {cassette: refund.yaml, interaction: 2}"
    takes_text: ClassVar[bool] = True
    short_for: ClassVar[str] = "cassette"

    cassette: Name
    interaction: Annotated[int | str, PlainValidator(_interaction, json_schema_input_type=AtLeastOne | Name)] = MATCH
    with_: ReplyModel | None = Field(default=None, alias="with")
    ignore: OneOrMoreNames | None = None
    exact: Switch = False
    on_end: Literal["miss", "repeat"] = "miss"

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Settings of matching beside an interaction that is named."""
        if given.get("interaction", MATCH) != MATCH:
            for key in _OF_A_MATCH:
                if key in given:
                    yield Problem(
                        f"`{key}` is about matching, and the interaction is named",
                        "remove it, or write `interaction: match`",
                        (key,),
                    )
