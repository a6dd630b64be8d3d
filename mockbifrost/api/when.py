"""A stub in the making: the scenario language as methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from mockbifrost.scenario.upstream_model import answerless


class When:
    """A stub in the making. It counts from its behaviour on; what follows (`times`, `active`, …) changes it in place."""

    def __init__(
        self, put: Callable[[When], None], id: str, expected: Mapping[str, Any], source: str, line: int
    ) -> None:
        self._put = put
        self._written: dict[str, Any] = {"when": dict(expected)} if expected else {}
        self.id = id
        self.source = source
        self.line = line
        self.complete = False

    @property
    def place(self) -> str:
        """Where it was written."""
        return f"{self.source}:{self.line}"

    @property
    def needed(self) -> bool:
        """Whether the test fails when nothing uses it."""
        return self._written.get("required") is not False

    def mapping(self) -> dict[str, Any]:
        """The stub as a scenario file would have it."""
        return dict(self._written)

    def _with(self, key: str, value: Any, *, behaviour: bool = False) -> Self:
        return self._with_all({key: value}, behaviour=behaviour)

    def _with_all(self, keys: Mapping[str, Any], *, behaviour: bool) -> Self:
        before, complete = self._written, self.complete
        self._written = {**before, **keys}
        if behaviour:
            self.complete = True
        if self.complete:
            try:
                self._put(self)
            except BaseException:
                self._written, self.complete = before, complete
                raise
        return self

    def reply(self, content: Any = None, **keys: Any) -> Self:
        """The provider answers: a text, or the keys of `reply`."""
        value = {**({"content": content} if content is not None else {}), **keys}
        return self._with("reply", value if keys or content is None else content, behaviour=True)

    def error(self, name: str | None = None, **keys: Any) -> Self:
        """The provider fails: the name of an error, or the keys of `error`."""
        return self._with("error", {**({"name": name} if name is not None else {}), **keys}, behaviour=True)

    def gateway_error(self, name: str | None = None, **keys: Any) -> Self:
        """The gateway refuses: the name of its error, or the keys of `gateway_error`."""
        return self._with("gateway_error", {**({"name": name} if name is not None else {}), **keys}, behaviour=True)

    def sequence(self, *steps: Any, on_end: str | None = None, scope: str | None = None) -> Self:
        """One step after another; each a text (a reply) or a mapping of one behaviour."""
        more = {key: value for key, value in (("on_end", on_end), ("scope", scope)) if value is not None}
        return self._with_all({"sequence": list(steps), **more}, behaviour=True)

    def auto(self) -> Self:
        """An answer made from the request: tools called, formats honoured."""
        return self._with("auto", True, behaviour=True)

    def echo(self) -> Self:
        """The last user message comes back."""
        return self._with("echo", True, behaviour=True)

    def replay(self, cassette: str | Path, interaction: int | str | None = None, **keys: Any) -> Self:
        """A recording answers: its file, seen from this one; `with_` stands for `with`. Raises ScenarioError where there is none."""
        named = {"cassette": str(cassette), **({"interaction": interaction} if interaction is not None else {})}
        return self._with("replay", {**named, **{key.rstrip("_"): item for key, item in keys.items()}}, behaviour=True)

    def forward(self) -> Self:
        """The server's upstream answers."""
        return self._with("forward", True, behaviour=True)

    def raw(self, **keys: Any) -> Self:
        """An HTTP answer written out."""
        return self._with("raw", keys, behaviour=True)

    def times(self, count: int) -> Self:
        """It answers so often at the most."""
        return self._with("times", count)

    def active(self, **conditions: Any) -> Self:
        """When it answers; `from_` stands for `from`, which Python has taken."""
        return self._with("active", {key.rstrip("_"): value for key, value in conditions.items()})

    def per(self, what: str) -> Self:
        """What spends a use: `call` or `attempt`."""
        return self._with("per", what)

    def priority(self, number: int) -> Self:
        """Higher goes first; 0 is the default."""
        return self._with("priority", number)

    def required(self, uses: bool | int = True) -> Self:
        """It must be used: at least once, or exactly so often. False: it need not, though the test added it."""
        return self._with("required", uses)

    def pace(self, name: str | None = None, **keys: Any) -> Self:
        """When the provider says what."""
        return self._with("pace", {**({"name": name} if name is not None else {}), **keys})

    def upstream(self, fault: str | None = None, **settings: Any) -> Self:
        """The provider's connection fails: a fault's name with its settings, or the keys of `upstream`; `for_` stands for `for`."""
        keys = {key.rstrip("_"): value for key, value in settings.items()}
        value = keys if fault is None else {fault: keys} if keys else fault
        return self._with("upstream", value, behaviour=answerless(value) is None)

    def cache(self, outcome: str | None = None, **keys: Any) -> Self:
        """What the gateway's cache makes of it: `hit`, `miss`, or the keys of `cache`."""
        return self._with("cache", keys if outcome is None else {outcome: True, **keys} if keys else outcome)

    def name(self, text: str) -> Self:
        """What messages and headers call it."""
        return self._with("name", text)
