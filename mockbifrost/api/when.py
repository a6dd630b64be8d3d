"""A stub in the making: the scenario language as methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Self

from mockbifrost.api.behaviour import Behaviour
from mockbifrost.api.steps import Step

if TYPE_CHECKING:  # what annotations name is not needed at run time
    from typing import Unpack

    from mockbifrost.api.words import ActiveParameters, JsonMapping, OnEnd, Per, Scope, StepDict


class When(Behaviour):
    """A stub in the making. It counts from its behaviour on; what follows (`times`, `active`, …) changes it in place."""

    def __init__(
        self,
        put: Callable[[When], None],
        id: str,
        expected: Mapping[str, object],
        source: str,
        line: int,
        defaults: Mapping[str, object],
    ) -> None:
        self._put = put
        self._written: dict[str, object] = {"when": dict(expected)} if expected else {}
        self.id = id
        self.source = source
        self.line = line
        self.defaults = defaults
        self.complete = False

    @property
    def place(self) -> str:
        """Where it was written."""
        return f"{self.source}:{self.line}"

    @property
    def needed(self) -> bool:
        """Whether the test fails when nothing uses it."""
        return self._written.get("required") is not False

    def mapping(self) -> dict[str, object]:
        """The stub as a scenario file would have it."""
        return dict(self._written)

    def saved(self) -> Callable[[], None]:
        """What makes it what it is now again; it does not tell the session."""
        written, complete = self._written, self.complete

        def restore() -> None:
            self._written, self.complete = written, complete

        return restore

    def _said(self, keys: Mapping[str, object], *, behaviour: bool) -> Self:
        restore = self.saved()
        self._written = {**self._written, **keys}
        self.complete = self.complete or behaviour
        if self.complete:
            try:
                self._put(self)
            except BaseException:
                restore()
                raise
        return self

    def sequence(
        self, *steps: str | Step | StepDict | JsonMapping, on_end: OnEnd | None = None, scope: Scope | None = None
    ) -> Self:
        """One step after another; each a text (a reply), `step.…`, or a mapping of one behaviour."""
        said = [one.mapping() if isinstance(one, Step) else one for one in steps]
        more = {key: value for key, value in (("on_end", on_end), ("scope", scope)) if value is not None}
        return self._said({"sequence": said, **more}, behaviour=True)

    def times(self, count: int) -> Self:
        """It answers so often at the most."""
        return self._said({"times": count}, behaviour=False)

    def active(self, **conditions: Unpack[ActiveParameters]) -> Self:
        """When it answers; `from_` stands for `from`, which Python has taken."""
        return self._said(
            {"active": {key.removesuffix("_"): value for key, value in conditions.items()}}, behaviour=False
        )

    def per(self, what: Per) -> Self:
        """What spends a use: `call` or `attempt`."""
        return self._said({"per": what}, behaviour=False)

    def priority(self, number: int) -> Self:
        """Higher goes first; 0 is the default."""
        return self._said({"priority": number}, behaviour=False)

    def required(self, uses: bool | int = True) -> Self:
        """It must be used: at least once, or exactly so often. False: it need not, though the test added it."""
        return self._said({"required": uses}, behaviour=False)

    def name(self, text: str) -> Self:
        """What messages and headers call it."""
        return self._said({"name": text}, behaviour=False)
