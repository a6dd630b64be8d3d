"""`when` for requests that were recorded: readable conditions first, and no more of them than tell the requests apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from mockbifrost.clock import EPOCH_S
from mockbifrost.gateway.targets import parse_model
from mockbifrost.match.attempt import Attempt, Moment
from mockbifrost.match.conversation import Conversation
from mockbifrost.match.expectation import Expectation
from mockbifrost.match.index import Index
from mockbifrost.scenario.expect import expectation_of
from mockbifrost.scenario.when_model import WhenModel
from mockbifrost.seeds import Draws
from mockbifrost.vocabulary.providers import KNOWN_PROVIDERS
from mockbifrost.wire.headers import RequestHeaders
from mockbifrost.wire.request import fingerprint, validate

When = dict[str, Any]
_EXCERPT: Final = 60
_PASSAGES: Final = 24
_WILD: Final = frozenset("*?[")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Asking:
    """One request as it is compared; `plain` is its body without what varies from run to run, to find differences in."""

    attempt: Attempt
    plain: Mapping[str, Any]


def asking(body: Mapping[str, Any], plain: Mapping[str, Any], providers: Sequence[str] = ()) -> Asking:
    """A request to the first target that it names. Raises InvalidBody."""
    target = parse_model(str(body.get("model") or ""), {*KNOWN_PROVIDERS, *providers})
    attempt = Attempt(
        Conversation(validate(body), body),
        RequestHeaders([]),
        target.provider,
        target.model,
        Moment(0.0, EPOCH_S, 0, 0),
        Draws(0, fingerprint(body), 0, target.provider),
    )
    return Asking(attempt, plain)


@dataclass(slots=True)
class _Chosen:
    """The conditions so far, and those requests of others that they still let through."""

    own: Sequence[Asking]
    others: list[Asking]
    when: When = field(default_factory=dict)

    def add(self, condition: When, left: Sequence[Asking]) -> None:
        body = {**self.when.get("body", {}), **condition.get("body", {})}
        self.when |= condition
        if body:
            self.when["body"] = body
        self.others = list(left)

    def left_by(self, condition: When) -> list[Asking] | None:
        """Whom a condition still lets through; None for one that is no condition, or that its own requests don't meet."""
        expectation = _compiled(condition)
        if expectation is None or not all(expectation.holds(one.attempt) for one in self.own):
            return None
        return [other for other in self.others if expectation.holds(other.attempt)]


def _compiled(condition: When) -> Expectation | None:
    try:
        return expectation_of(WhenModel.model_validate(condition))
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class ToldApart:
    """`when` of one stub, and those requests of later stubs that it could not keep out."""

    when: When
    left: Sequence[Asking]


def told_apart(groups: Sequence[Sequence[Asking]]) -> list[ToldApart]:
    """A `when` for each group of requests that ask the same: it holds for them and for none of a later group."""
    chosen = [_begun(own) for own in groups]
    expectations = [_compiled(one.when) or Expectation() for one in chosen]
    index = Index([expectation.key for expectation in expectations])
    for place, own in enumerate(groups):
        for one in own:
            for number in index.candidates(one.attempt.conversation):
                if number < place and expectations[number].holds(one.attempt):
                    chosen[number].others.append(one)
    return [_refined(one) for one in chosen]


def _begun(own: Sequence[Asking]) -> _Chosen:
    """The conditions that a person would begin with."""
    chosen = _Chosen(own, [])
    for condition in _base(own[0].attempt.conversation):
        if chosen.left_by(condition) is not None:
            chosen.add(condition, [])
    return chosen


def _refined(chosen: _Chosen) -> ToldApart:
    """As many conditions more as keep all others out."""
    own = chosen.own[0]
    readable = list(_readable(own.attempt)) if chosen.others else []
    while chosen.others:
        best = _best(chosen, readable) or _best(chosen, _in_the_body(own.plain, chosen.others[0].plain))
        if best is None:
            break
        chosen.add(*best)
    return ToldApart(chosen.when, chosen.others)


def _best(chosen: _Chosen, candidates: Iterator[When] | Sequence[When]) -> tuple[When, list[Asking]] | None:
    """The first that keeps all others out, else the one that keeps out most; None where none keeps out any."""
    best: tuple[When, list[Asking]] | None = None
    for condition in candidates:
        left = chosen.left_by(condition)
        if left is None or len(left) >= len(best[1] if best else chosen.others):
            continue
        best = condition, left
        if not left:
            break
    return best


def excerpt(text: str) -> str | None:
    """The beginning of a text that tells it apart from most others: its first line, whole words, 60 characters at the most."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if len(line) > _EXCERPT:
        cut = line[: _EXCERPT + 1].rpartition(" ")[0]
        line = (cut if len(cut) >= _EXCERPT // 2 else line[:_EXCERPT]).rstrip()
    return line or None


def passages(text: str) -> list[str]:
    """The first parts of a text, each of whole words of one line and at most 60 characters long."""
    found: list[str] = []
    for line in text.splitlines():
        start = end = 0
        for word in re.finditer(r"\S+", line):
            if end and word.end() - start > _EXCERPT:
                found.append(line[start:end])
                start = word.start()
            start, end = (start if end else word.start()), word.end()
        if end:
            found.append(line[start:end])
        if len(found) >= _PASSAGES:
            break
    return [passage for passage in found[:_PASSAGES] if len(passage) <= _EXCERPT]


def contains(text: str) -> str | When:
    """A matcher of texts that hold this one; what looks like a regular expression is written out."""
    return {"contains": text} if re.fullmatch(r"/.+/[ims]*", text, re.DOTALL) else text


def _base(conversation: Conversation) -> Iterator[When]:
    """What a person would say of the request: the last thing the user said, the tool whose result it brings."""
    if conversation.user is not None:
        yield from _excerpts("user", conversation.user)
        return
    if conversation.task is not None:
        yield from _excerpts("task", conversation.task)
    if conversation.results:
        names = [name for name in dict.fromkeys([result.name for result in conversation.results]) if name]
        yield {"tool_result": one_or_all(names)} if names else {"last": {"role": "tool"}}
    elif conversation.last is not None:
        yield {"last": {"role": conversation.last.role}}


def one_or_all(names: Sequence[str]) -> str | list[str]:
    """A list, or the only name in it."""
    return names[0] if len(names) == 1 else list(names)


def _excerpts(key: str, text: str) -> Iterator[When]:
    part = excerpt(text)
    if part is not None:
        yield {key: contains(part)}


def _readable(attempt: Attempt) -> Iterator[When]:
    """Further conditions, the plainest first."""
    conversation = attempt.conversation
    yield {"turn": conversation.turn}
    yield {"tools": one_or_all(conversation.tools)}
    for key, text in (("user", conversation.user), ("task", conversation.task if conversation.user is None else None)):
        if text is not None:
            yield from [{key: contains(passage)} for passage in passages(text)]
            yield {key: {"equals": text}}
    model = conversation.body.get("model")
    if isinstance(model, str) and model and not _WILD & set(model):
        yield {"model": model}
    if conversation.system is not None:
        yield from [{"system": contains(passage)} for passage in passages(conversation.system)]
        yield {"system": {"equals": conversation.system}}
    yield {"stream": attempt.stream}
    if conversation.response_format is not None:
        yield {"response_format": {"equals": conversation.response_format}}
    yield {"n": attempt.request.n or 1}
    if conversation.results:
        yield {"tool_result": [_result(result.name, result.text, result.value) for result in conversation.results]}


def _result(name: str | None, text: str, value: object) -> When:
    found: When = {"name": name} if name else {}
    return found | ({"json": value} if isinstance(value, dict | list) else {"text": {"equals": text}})


def _in_the_body(own: Any, other: Any, path: str = "") -> Iterator[When]:
    """Expressions into the body that find something else in `other`: each leads to one value."""
    if own == other and type(own) is type(other):
        return
    if isinstance(own, Mapping) and isinstance(other, Mapping):
        for key in [*own, *[key for key in other if key not in own]]:
            yield from _in_the_body(own.get(key), other.get(key), f"{path}.{_step(key)}" if path else _step(key))
    elif isinstance(own, list) and isinstance(other, list) and len(own) == len(other):
        for index, (mine, theirs) in enumerate(zip(own, other, strict=True)):
            yield from _in_the_body(mine, theirs, f"{path}[{index}]")
    elif isinstance(own, list) and isinstance(other, list):
        yield {"body": {f"length({path})": len(own)}}
    elif isinstance(own, Mapping | list):
        yield {"body": {f"type({path})": {"equals": "object" if isinstance(own, Mapping) else "array"}}}
    elif isinstance(own, str):
        yield {"body": {path: {"equals": own}}}
    else:
        yield {"body": {path: own}}


def _step(key: str) -> str:
    return key if _IDENTIFIER.fullmatch(key) else json.dumps(key)
