"""What a stub or a step of a sequence does: the behaviours of the scenario language as methods, with its keys as parameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, overload

from mockbifrost.errors import UsageError
from mockbifrost.scenario.upstream_model import answerless

if TYPE_CHECKING:  # what annotations name is not needed at run time
    from typing import Unpack

    from mockbifrost.api.words import (
        CacheDict,
        Content,
        CutDict,
        ErrorDict,
        ErrorEventDict,
        FaultName,
        GatewayErrorDict,
        GatewayErrorName,
        HtmlDict,
        PaceDict,
        PaceName,
        PlacedDict,
        ProviderErrorName,
        RawDict,
        ReplayParameters,
        ReplyDict,
        StallParameters,
        UpstreamDict,
    )


class Behaviour:
    """One behaviour, and what may go with it. Wrong keys and values raise ScenarioError when the stub is added."""

    def _said(self, keys: Mapping[str, object], *, behaviour: bool) -> Self:
        """The same with these keys; `behaviour`: now it is known what is done."""
        raise NotImplementedError

    def reply(self, content: Content | None = None, /, **keys: Unpack[ReplyDict]) -> Self:
        """The provider answers: a text, or the keys of `reply`. Written by its key, `content=None` is null."""
        value = content if content is not None and not keys else _with_short("reply", "content", content, keys)
        return self._said({"reply": value}, behaviour=True)

    def error(self, name: ProviderErrorName | str | None = None, /, **keys: Unpack[ErrorDict]) -> Self:
        """The provider fails: the name of an error, or the keys of `error`."""
        return self._said({"error": _with_short("error", "name", name, keys)}, behaviour=True)

    def gateway_error(self, name: GatewayErrorName | str | None = None, /, **keys: Unpack[GatewayErrorDict]) -> Self:
        """The gateway refuses: the name of its error, or the keys of `gateway_error`."""
        return self._said({"gateway_error": _with_short("gateway_error", "name", name, keys)}, behaviour=True)

    def auto(self) -> Self:
        """An answer made from the request: tools called, formats honoured."""
        return self._said({"auto": True}, behaviour=True)

    def echo(self) -> Self:
        """The last user message comes back."""
        return self._said({"echo": True}, behaviour=True)

    def replay(
        self, cassette: str | Path, interaction: int | str | None = None, **keys: Unpack[ReplayParameters]
    ) -> Self:
        """A recording answers: its file, seen from this one; `with_` stands for `with`. Raises ScenarioError where there is none."""
        named = {"cassette": str(cassette), **({"interaction": interaction} if interaction is not None else {})}
        return self._said({"replay": {**named, **_bare(keys)}}, behaviour=True)

    def forward(self) -> Self:
        """The server's upstream answers."""
        return self._said({"forward": True}, behaviour=True)

    def raw(self, **keys: Unpack[RawDict]) -> Self:
        """An HTTP answer written out."""
        return self._said({"raw": keys}, behaviour=True)

    def pace(self, name: PaceName | str | None = None, /, **keys: Unpack[PaceDict]) -> Self:
        """When the provider says what: the name of a pace, or the keys of `pace`."""
        return self._said({"pace": _with_short("pace", "name", name, keys)}, behaviour=False)

    @overload
    def upstream(self, fault: FaultName | str, /) -> Self: ...
    @overload
    def upstream(self, fault: Literal["html"], /, **settings: Unpack[HtmlDict]) -> Self: ...
    @overload
    def upstream(self, fault: Literal["cut"], /, **settings: Unpack[CutDict]) -> Self: ...
    @overload
    def upstream(self, fault: Literal["stall"], /, **settings: Unpack[StallParameters]) -> Self: ...
    @overload
    def upstream(self, fault: Literal["malformed"], /, **settings: Unpack[PlacedDict]) -> Self: ...
    @overload
    def upstream(self, fault: Literal["error_event"], /, **settings: Unpack[ErrorEventDict]) -> Self: ...
    @overload
    def upstream(self, /, **fault: Unpack[UpstreamDict]) -> Self: ...

    def upstream(self, fault: str | None = None, /, **settings: object) -> Self:
        """The provider's connection fails: a fault's name with its settings, or the keys of `upstream`; `for_` stands for `for`."""
        keys = _bare(settings)
        value: object = keys if fault is None else {fault: keys} if keys else fault
        return self._said({"upstream": value}, behaviour=answerless(value) is None)

    def cache(self, outcome: Literal["hit", "miss"] | None = None, /, **keys: Unpack[CacheDict]) -> Self:
        """What the gateway's cache makes of it: `hit`, `miss`, or the keys of `cache`."""
        value: object = keys
        if outcome is not None:
            value = {outcome: True, **keys} if keys else outcome
        return self._said({"cache": value}, behaviour=False)


def _with_short(what: str, key: str, short: object, keys: Mapping[str, object]) -> dict[str, object]:
    """The keys with the one that was given by position."""
    if short is None:
        return dict(keys)
    if key in keys:
        raise UsageError(f"{what}: `{key}` is given twice, by position and by name; keep one")
    return {key: short, **keys}


def _bare(keys: Mapping[str, object]) -> dict[str, object]:
    """The keys of the language: an underscore follows those that Python has taken."""
    return {key.removesuffix("_"): value for key, value in keys.items()}
