"""What is wrong with scenarios that load all the same: stubs that never answer, words that have no effect.

Only what is certain from the files is said. A stub that a test adds, a gate or the clock may change what is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from mockbifrost.errors import Finding, ScenarioError
from mockbifrost.scenario.document import Document, path_text
from mockbifrost.scenario.failure_model import ErrorModel, GatewayErrorModel
from mockbifrost.scenario.implication import apart, contradictions, given_keys, implies, plain_texts
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.scenario.model import ActiveModel, StepModel, StubModel
from mockbifrost.scenario.reply_model import ReplyModel, ToolCallModel
from mockbifrost.scenario.templates import NAMES, is_template, unknown_names
from mockbifrost.scenario.upstream_model import ErrorEventModel, UpstreamModel
from mockbifrost.session.assembly import assemble
from mockbifrost.session.settings_review import without_effect
from mockbifrost.vocabulary.node import Node, Problem, did_you_mean, shortened

Path = tuple[str | int, ...]

_FILLED_IN: Final[Mapping[type[Node], tuple[str, ...]]] = {
    StubModel: ("reply", "error", "gateway_error", "sequence", "upstream"),
    StepModel: ("reply", "error", "gateway_error", "upstream"),
    ReplyModel: ("content", "reasoning", "refusal", "tool_calls", "choices", "headers"),
    ToolCallModel: ("arguments",),
    ErrorModel: ("message", "headers"),
    GatewayErrorModel: ("type", "code", "message", "error_type"),
    UpstreamModel: ("error_event",),
    ErrorEventModel: ("message",),
}
"""Where templates are filled in."""

_OF_A_CHOICE: Final = (
    "content", "faker", "reasoning", "reasoning_details", "refusal", "tool_calls", "annotations", "audio", "logprobs",
    "finish_reason", "message",
)  # fmt: skip
_PACED: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    "raw": (frozenset({"speed"}), "of a `raw` say `delay`, and `sleep` between events"),
    "error": (frozenset({"name", "ttft", "jitter", "speed"}), "an error comes whole: say `ttft`"),
    "gateway_error": (frozenset({"name", "ttft", "jitter", "speed"}), "an error comes whole: say `ttft`"),
    "upstream": (frozenset({"name", "ttft", "jitter", "speed"}), "nothing comes of it: say `ttft`"),
}
"""Behaviours that use only a part of a pace: which, and what to do."""


@dataclass(slots=True)
class _File:
    """A scenario whose parts can be pointed at."""

    scenario: LoadedScenario
    document: Document

    def finding(self, path: Path, problem: Problem, severity: Literal["error", "warning"] = "warning") -> Finding:
        """A finding at the key that a path of the model leads to."""
        found, at = self.document.located((*path, *problem.at))
        line, column = at.key.line + 1, at.key.column + 1
        return Finding(
            self.scenario.source, line, column, path_text(found), problem.text, problem.hint, severity=severity
        )


@dataclass(slots=True)
class _Placed:
    """A stub in its file. `why` it never answers, where that is known."""

    file: _File
    number: int
    model: StubModel
    why: Problem | None = None
    keys: frozenset[str] = field(init=False)
    plain: Mapping[str, tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = given_keys(self.model.when)
        self.plain = plain_texts(self.model.when)

    @property
    def path(self) -> Path:
        return ("stubs", self.number)

    @property
    def label(self) -> str:
        place = f"{self.file.scenario.source}:{self.file.scenario.stub_lines[self.number]}"
        return f'"{self.model.name}" ({place})' if self.model.name else f"the stub at {place}"


def review(files: Sequence[tuple[LoadedScenario, Document]]) -> list[Finding]:
    """Everything that is surely not as its author meant it, by file and line. Errors are what fails when it is used."""
    try:
        assembly = assemble([scenario for scenario, _document in files])
    except ScenarioError as error:
        return list(error.findings)
    rows = [_File(scenario, document) for scenario, document in files]
    stubs = [_Placed(row, number, stub) for row in rows for number, stub in enumerate(row.scenario.model.stubs)]
    findings = [found for placed in stubs for found in _templates(placed)]
    providers: dict[str | None, Iterable[str]] = {None: assembly.common.gateway.providers}
    providers |= {name: blueprint.gateway.providers for name, blueprint in assembly.named.items()}
    for placed in stubs:
        placed.why = _never(placed, providers)
    for session in providers:
        _find_shadows(stubs, session)
    for placed in stubs:
        if placed.why is not None:
            severity: Literal["error", "warning"] = "error" if placed.model.required else "warning"
            findings.append(placed.file.finding(placed.path, placed.why, severity))
        findings += _of_a_stub(placed)
    for row in rows:
        findings += _of_a_file(row)
        own = row.scenario.model
        blueprint = assembly.named[own.session] if own.session is not None else assembly.common
        if own.gateway is not None:
            for path, problem in without_effect(own.gateway, blueprint.gateway.settings):
                findings.append(row.finding(("gateway", *path), problem))
    order = {row.scenario.source: number for number, row in enumerate(rows)}
    return sorted(findings, key=lambda finding: (order[finding.source], finding.line, finding.column))


def _templates(placed: _Placed) -> Iterator[Finding]:
    """Templates that will fail, whatever is asked."""
    for path, text in _texts(placed.model, placed.path):
        for name in unknown_names(text):
            problem = Problem(
                f"the template {shortened(text)!r} names {name!r}, which nothing defines",
                did_you_mean(name, NAMES) or f"there are {', '.join(NAMES)}",
            )
            yield placed.file.finding(path, problem, "error")


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Each template that is filled in, with its path."""
    if isinstance(value, str):
        if is_template(value):
            yield path, value
    elif isinstance(value, Node):
        for key in _FILLED_IN.get(type(value), ()):
            yield from _texts(getattr(value, key), (*path, key))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _never(placed: _Placed, providers: Mapping[str | None, Iterable[str]]) -> Problem | None:
    """Why a stub answers nothing, whatever is asked and whenever."""
    model = placed.model
    for problem in contradictions(model.when):
        return _never_answers(problem, "when")
    own = placed.file.scenario.model.session
    known = {name for session in providers if own in (None, session) for name in providers[session]}
    wanted = model.when.provider
    if wanted is not None and not any(fnmatchcase(name, pattern) for name in known for pattern in wanted):
        text = f"no provider that is configured fits {' or '.join([repr(name) for name in wanted])}"
        near = did_you_mean(wanted[0], sorted(known))
        hint = f"{near} Else add it to `gateway.providers`" if near else "add it to `gateway.providers`"
        return _never_answers(Problem(text, hint, ("provider",)), "when")
    if model.active is not None:
        if model.active.probability == 0:
            return _never_answers(Problem("its probability is 0", "raise it", ("probability",)), "active")
        if model.active.until == 0:
            return _never_answers(Problem("its window ends as it begins", "raise `until`", ("until",)), "active")
        if _uses(model) == 0:
            return _never_answers(Problem(_no_number(model, model.active), "raise the limit"), "active")
    return None


def _never_answers(problem: Problem, key: str) -> Problem:
    return Problem(f"never answers: {problem.text}", problem.hint, (key, *problem.at))


def _limit(model: StubModel) -> int | None:
    return model.times if model.active is None or model.active.first is None else model.active.first


def _uses(model: StubModel) -> int | None:
    """How many attempts it can answer at the most; None: any number."""
    limit = _limit(model)
    if limit is None:
        return None
    after, every = (model.active.after or 0, model.active.every or 1) if model.active is not None else (0, 1)
    return max(0, limit // every - after // every)


def _no_number(model: StubModel, active: ActiveModel) -> str:
    parts = [f"after the first {active.after}"] if active.after else []
    if active.every is not None:
        parts.append(f"every {active.every}")
    return f"of the first {_limit(model)} attempts it takes none ({', '.join(parts)})"


def _find_shadows(stubs: Sequence[_Placed], session: str | None) -> None:
    """Note each stub of a session that another one leaves nothing to."""
    own = [placed for placed in stubs if placed.file.scenario.model.session == session]
    shared = [placed for placed in stubs if placed.file.scenario.model.session is None] if session is not None else []
    takers: list[_Placed] = []
    for placed in sorted([*own, *shared], key=lambda placed: -placed.model.priority):
        if placed.why is None and placed.file.scenario.model.session == session:
            taker = next((one for one in takers if _takes_all_of(one, placed)), None)
            if taker is not None:
                text = f"never answers: {taker.label} is asked before it, fits whatever this one fits, and has no limit"
                up = "raise its `priority`" if taker.model.priority > placed.model.priority else "move this one up"
                placed.why = Problem(text, f"{up}, narrow the `when` of the other, or give that `times`")
        if placed.why is None and _is_unlimited(placed.model):
            takers.append(placed)


def _takes_all_of(taker: _Placed, placed: _Placed) -> bool:
    if not taker.keys <= placed.keys or apart(placed.plain, taker.plain):
        return False
    return implies(placed.model.when, taker.model.when)


def _is_unlimited(model: StubModel) -> bool:
    """Whether nothing that fits passes a stub by. A sequence that has ended fails loudly, unless it says `pass`."""
    if model.times is not None or (model.sequence is not None and model.on_end == "pass"):
        return False
    active = model.active
    return active is None or (
        active.first is None
        and not active.after
        and active.every in (None, 1)
        and not active.from_
        and active.until is None
        and active.probability in (None, 1)
        and active.gate is None
    )


def _of_a_stub(placed: _Placed) -> Iterator[Finding]:
    """What a stub says without effect, or against itself."""
    model, file, path = placed.model, placed.file, placed.path
    uses = _uses(model) if placed.why is None else None
    if uses is not None:
        if not isinstance(model.required, bool) and model.required > uses:
            text = f"{_times(model.required)} are required, and the stub answers {_times(uses)} at the most"
            yield file.finding(path, Problem(text, "raise the limit, or lower `required`", ("required",)), "error")
        if model.sequence is not None:
            yield from _sequence_ends(placed, model.sequence, uses)
    for problem in _unused(model):
        yield file.finding(path, problem)
    for number, step in enumerate(model.sequence or ()):
        for problem in _unused(step):
            yield file.finding((*path, "sequence", number), problem)


def _times(count: int) -> str:
    return f"{count} {'use' if count == 1 else 'uses'}"


def _sequence_ends(placed: _Placed, steps: Sequence[StepModel], uses: int) -> Iterator[Finding]:
    count = len(steps)
    if uses < count:
        text = f"step {uses + 1} of {count} is never reached: the stub has {_times(uses)} at the most"
        hint = "raise the limit, or remove the steps from here on"
        yield placed.file.finding(placed.path, Problem(text, hint, ("sequence", uses)))
    elif uses == count and "on_end" in placed.model.model_fields_set:
        text = f"`on_end` is never reached: the stub has {_times(uses)} at the most, and as many steps"
        yield placed.file.finding(placed.path, Problem(text, "raise the limit, or remove it", ("on_end",)))


def _unused(model: StubModel | StepModel) -> Iterator[Problem]:
    """Keys of a behaviour that change nothing."""
    answers = model.reply is not None or model.auto or model.echo
    for key, (used, hint) in _PACED.items():
        if getattr(model, key) is not None and model.pace is not None and not answers:
            for unused in sorted(model.pace.model_fields_set - used):
                yield Problem(f"`pace.{unused}` has no effect on `{key}`", hint, ("pace", unused))
    if model.reply is not None:
        for problem in _unused_of_a_reply(model.reply):
            yield Problem(problem.text, problem.hint, ("reply", *problem.at))


def _unused_of_a_reply(reply: ReplyModel) -> Iterator[Problem]:
    if reply.choices is not None:
        for key in _OF_A_CHOICE:
            if key in reply.model_fields_set:
                yield Problem(f"`{key}` has no effect beside `choices`", "move it into each choice", (key,))
    calls = [choice.tool_calls for choice in reply.choices or (reply,)]
    if "fragments" in reply.model_fields_set and not any(calls):
        yield Problem("`fragments` has no effect: no tool is called", "remove it, or add `tool_calls`", ("fragments",))


def _of_a_file(file: _File) -> Iterator[Finding]:
    """What a file says as a whole without effect, and names that it gives twice."""
    model = file.scenario.model
    if not model.stubs and model.gateway is None and model.session is None:
        yield file.finding((), Problem("the file has neither stubs nor settings", "add `stubs`, or remove the file"))
    if "defaults" in model.model_fields_set:
        behaviours: list[StubModel | StepModel] = [step for stub in model.stubs for step in stub.sequence or (stub,)]
        if not behaviours:
            yield file.finding(("defaults",), Problem("`defaults` has no stubs to serve", "remove it"))
        elif model.defaults.model is not None and not any(_reports_default(one) for one in behaviours):
            text = "`defaults.model` has no effect: no stub answers without a `model` of its own"
            yield file.finding(("defaults", "model"), Problem(text, "remove it"))
    lines: dict[str, Any] = {}
    for number, (stub, line) in enumerate(zip(model.stubs, file.scenario.stub_lines, strict=True)):
        if stub.name is None:
            continue
        if stub.name in lines:
            text = f"the name {shortened(stub.name)!r} is that of the stub on line {lines[stub.name]}, too"
            hint = "give it a name of its own: messages and the journal go by it"
            yield file.finding(("stubs", number, "name"), Problem(text, hint))
        else:
            lines[stub.name] = line


def _reports_default(model: StubModel | StepModel) -> bool:
    return model.auto or model.echo or (model.reply is not None and model.reply.model is None)
