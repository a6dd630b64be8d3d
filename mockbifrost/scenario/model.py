"""A scenario file and its stubs, as they are written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from mockbifrost.scenario.cache_model import CacheModel
from mockbifrost.scenario.failure_model import ErrorModel, GatewayErrorModel
from mockbifrost.scenario.fields import AtLeastOne, Count, Name, Switch
from mockbifrost.scenario.pace_model import PaceModel
from mockbifrost.scenario.raw_model import RawModel
from mockbifrost.scenario.replay_model import ReplayModel
from mockbifrost.scenario.reply_model import ReplyModel
from mockbifrost.scenario.upstream_model import ALONE, UpstreamModel, answerless
from mockbifrost.scenario.when_model import WhenModel
from mockbifrost.vocabulary.durations import Duration, parse_duration
from mockbifrost.vocabulary.node import Many, Node, Problem, described, refusal, shortened
from mockbifrost.vocabulary.rules import NOT_EMPTY, Rule, any_of_these, belong, excluded, one_of_these
from mockbifrost.vocabulary.settings import GatewaySettings

VERSION: Final = 1
_SESSION: Final = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SESSION_NAME: Final = {"type": "string", "pattern": f"^{_SESSION.pattern}$"}
STEP_BEHAVIOURS: Final = ("reply", "error", "gateway_error", "auto", "echo", "replay", "raw", "forward")
BEHAVIOURS: Final = (*STEP_BEHAVIOURS, "sequence")
ANSWERS: Final = ("reply", "auto", "echo")
"""The behaviours in which the provider answers."""


def _required(value: object) -> bool | int:
    if isinstance(value, bool) or (isinstance(value, int) and value >= 1):
        return value
    raise refusal(f"must be true, false or a number of uses from 1 on, got {described(value)}")


def _behaviour_rules(known: tuple[str, ...]) -> Rule:
    """Exactly one behaviour, or alone a fault that leaves nothing of an answer; such faults only where there may be one."""
    alone = {"required": ["upstream"], "properties": {"upstream": ALONE}, "not": any_of_these(known)}
    rules: dict[str, object] = {"oneOf": [*one_of_these(known)["oneOf"], alone]}
    return rules | excluded({key: [other for other in known if other not in ANSWERS] for key in ("upstream", "cache")})


def _behaviour_problems(node: type[Node], given: Mapping[str, object], known: tuple[str, ...]) -> Iterator[Problem]:
    """Exactly one behaviour; a key that this release or the language does not know is reported as such instead."""
    found = [key for key in known if key in given]
    for key in found[1:]:
        yield Problem(f"has the behaviour `{found[0]}` already, so `{key}` has no place", "keep one", (key,))
    if "cache" in given and not any(key in ANSWERS for key in found):
        hint = "give it to the steps" if "sequence" in given else "add `reply`, `auto` or `echo`"
        yield Problem("`cache` is about an answer, and there is none", hint, ("cache",))
    if "upstream" in given:
        yield from _upstream_problems(found, given["upstream"])
    elif not found and all(key in node.known_keys() for key in given):
        yield Problem("does nothing", f"give it one of {', '.join(known)}")


def _upstream_problems(found: Sequence[str], upstream: object) -> Iterator[Problem]:
    """A fault of an answer without one; any fault beside what is no answer."""
    others = [key for key in found if key not in ANSWERS]
    if others:
        hint = "give it to the steps" if others[0] == "sequence" else "keep one of the two"
        text = f"`upstream` is about the connection that an answer comes over, and `{others[0]}` is none"
        yield Problem(text, hint, ("upstream",))
    kind = answerless(upstream)
    if kind is not None and not found:
        hint = "add `reply`, `auto` or `echo`" + (", or let it come first" if kind == "error_event" else "")
        yield Problem(f"`{kind}` happens to an answer, and there is none", hint, ("upstream",))


def _seconds(value: object) -> float | None:
    """The duration, or None where there is none or it is refused elsewhere."""
    try:
        return parse_duration(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None


class ActiveModel(Node):
    """When a stub is active: all must hold. Numbers count attempts that reach it, durations are the session's time."""

    place: ClassVar[str] = "active"
    rules: ClassVar[Mapping[str, object]] = NOT_EMPTY | {
        "dependentSchemas": {"period": any_of_these(("from", "until"))}
    }

    first: AtLeastOne | None = None
    after: Count | None = None
    every: AtLeastOne | None = None
    from_: Duration | None = Field(default=None, alias="from")
    until: Duration | None = None
    period: Annotated[Duration, Field(gt=0)] | None = None
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    gate: Name | None = None

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """An empty mapping; a period without a window; a window or a row of uses that never comes."""
        if not given:
            yield Problem("says nothing", f"give it one of {', '.join(cls.known_keys())}")
        if "period" in given and "from" not in given and "until" not in given:
            yield Problem("`period` repeats a window", "give it `from`, `until` or both", ("period",))
        first, after = given.get("first"), given.get("after")
        if isinstance(first, int) and isinstance(after, int) and first <= after:
            yield Problem(
                f"never active: after the first {after}, and only the first {first}", "raise `first`", ("first",)
            )
        start, until, period = [_seconds(given.get(key)) for key in ("from", "until", "period")]
        if start is not None and until is not None and until <= start:
            yield Problem("never active: `until` is not after `from`", "raise `until`", ("until",))
        if period is not None and period <= max(start or 0.0, until or 0.0) and period < (until or math.inf):
            yield Problem("`period` ends before its window does", "raise `period`", ("period",))


class StepModel(Node):
    """One step of a sequence: a behaviour and its pace. A text is a reply."""

    place: ClassVar[str] = "sequence step"
    wanted: ClassVar[str] = "text (a reply) or a mapping of one behaviour"
    takes_text: ClassVar[bool] = True
    short_for: ClassVar[str] = "reply"
    rules: ClassVar[Mapping[str, object]] = _behaviour_rules(STEP_BEHAVIOURS)

    reply: ReplyModel | None = None
    error: ErrorModel | None = None
    gateway_error: GatewayErrorModel | None = None
    auto: Switch = False
    echo: Switch = False
    replay: ReplayModel | None = None
    raw: RawModel | None = None
    forward: Switch = False
    pace: PaceModel | None = None
    upstream: UpstreamModel | None = None
    cache: CacheModel | None = None

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Exactly one behaviour."""
        yield from _behaviour_problems(cls, given, STEP_BEHAVIOURS)


class StubModel(Node):
    """One stub: what it waits for, how often, and the one thing that it does. A text is a reply."""

    place: ClassVar[str] = "stub"
    wanted: ClassVar[str] = "text (a reply) or a mapping such as {when: …, reply: …}"
    takes_text: ClassVar[bool] = True
    short_for: ClassVar[str] = "reply"
    rules: ClassVar[Mapping[str, object]] = _behaviour_rules(BEHAVIOURS) | belong(
        {"on_end": "sequence", "scope": "sequence"}
    )

    name: Name | None = None
    when: WhenModel = Field(default_factory=WhenModel)
    active: ActiveModel | None = None
    times: AtLeastOne | None = None
    per: Literal["call", "attempt"] | None = None
    priority: int = 0
    required: Annotated[bool | int, PlainValidator(_required, json_schema_input_type=bool | AtLeastOne)] = False
    reply: ReplyModel | None = None
    error: ErrorModel | None = None
    gateway_error: GatewayErrorModel | None = None
    sequence: Annotated[Many[StepModel], Field(min_length=1)] | None = None
    auto: Switch = False
    echo: Switch = False
    replay: ReplayModel | None = None
    raw: RawModel | None = None
    forward: Switch = False
    on_end: Literal["miss", "pass", "repeat", "cycle"] = "miss"
    scope: Literal["conversation"] | None = None
    pace: PaceModel | None = None
    upstream: UpstreamModel | None = None
    cache: CacheModel | None = None

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Exactly one behaviour; what belongs to a sequence only beside one; one way to say how often."""
        yield from _behaviour_problems(cls, given, BEHAVIOURS)
        if "sequence" not in given:
            for key in ("on_end", "scope"):
                if key in given:
                    yield Problem(
                        f"`{key}` belongs to `sequence`", "remove it, or write the steps of a sequence", (key,)
                    )
        active = given.get("active")
        if "times" in given and isinstance(active, Mapping) and "first" in active:
            yield Problem("`times` and `active.first` say the same", "keep one", ("times",))


class DefaultsModel(Node):
    """What holds for the stubs of its file that do not say otherwise."""

    place: ClassVar[str] = "defaults"

    pace: PaceModel | None = None
    model: Name | None = None


def _version(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value == VERSION:
        return value
    if isinstance(value, str) and value.strip() == str(VERSION):
        raise refusal(f"must be the number {VERSION}, got {described(value)}", "remove the quotes")
    raise refusal(f"this release reads version {VERSION} of the language, got {described(value)}")


def _session(value: object) -> object:
    if isinstance(value, str) and not _SESSION.fullmatch(value):
        text = f"the session {shortened(value)!r} can't stand in an address"
        raise refusal(text, "use letters, digits, dots, dashes and underscores, 64 at most")
    return value


class ScenarioModel(Node):
    """One file."""

    place: ClassVar[str] = "file"
    wanted: ClassVar[str] = "a mapping with `version: 1` and `stubs`"

    version: Annotated[Literal[1], BeforeValidator(_version)]
    name: Name | None = None
    description: str | None = None
    seed: int | None = None
    session: Annotated[str, BeforeValidator(_session), WithJsonSchema(_SESSION_NAME)] | None = None
    gateway: GatewaySettings | None = None
    defaults: DefaultsModel = Field(default_factory=DefaultsModel)
    stubs: Many[StubModel] = ()
