"""Steps of a sequence, written as stubs are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from mockbifrost.api.behaviour import Behaviour


@dataclass(frozen=True)
class Step(Behaviour):
    """One step: a behaviour, with its pace and what is wrong with the connection. Each method gives another step."""

    written: Mapping[str, object]

    def mapping(self) -> dict[str, object]:
        """The step as a scenario file would have it."""
        return dict(self.written)

    def _said(self, keys: Mapping[str, object], *, behaviour: bool) -> Self:
        return type(self)({**self.written, **keys})


step: Final = Step({})
"""Where every step begins: `step.reply("Wait.").pace("slow")`."""
