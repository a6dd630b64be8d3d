"""A cassette as a scenario that people can edit: one stub per turn, which answers what was recorded with what was recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final

import orjson

from mockbifrost.cassette.interaction import Cassette, Interaction
from mockbifrost.cassette.spoken import Spoken, Unspoken
from mockbifrost.convert.asked_again import Differs, asked_again
from mockbifrost.convert.conditions import When, told_apart
from mockbifrost.convert.converted import Converted
from mockbifrost.convert.naming import LONGEST, Names, short_name
from mockbifrost.convert.turns import Group, Turn, grouped, paced, slow, strangers, turn_of, with_fallbacks
from mockbifrost.convert.yaml_text import HEADER, block, comment, indented
from mockbifrost.errors import CassetteError, Finding
from mockbifrost.vocabulary.durations import format_duration
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from mockbifrost.vocabulary.gateway_errors import gateway_error
from mockbifrost.vocabulary.node import counted
from mockbifrost.vocabulary.settings import Version
from mockbifrost.wire.request import InvalidBody

_LONGEST_KEY: Final = 200
_SAID_AS_IT_IS: Final = re.compile(r"\{\{ '(.+?)' \}\}")


def to_scenario(cassette: Cassette, *, ids: bool = False) -> str:
    """The text of a scenario. `ids`: with the ids, times and fingerprints of the answers, which differ each time.

    Raises CassetteError for a cassette without any turn, and names the interaction that can't be told apart from another.
    """
    return convert_cassette(cassette, ids=ids).text


def convert_cassette(cassette: Cassette, *, ids: bool = False) -> Converted:
    """The same, with a finding for each interaction that is left out."""
    findings: list[Finding] = list(cassette.warnings)
    turns: list[Turn] = []
    providers = strangers(cassette.interactions)
    for interaction in cassette.interactions:
        if not interaction.request.is_chat:
            why = f"it asks {interaction.request.method} {interaction.request.path}"
            findings.append(_left_out(interaction, why))
            continue
        try:
            turns.append(turn_of(interaction, providers, ids=ids))
        except (Unspoken, InvalidBody) as error:
            findings.append(_left_out(interaction, str(error)))
    if not turns:
        message = "holds no interaction that a scenario could say"
        raise CassetteError([*findings, Finding(cassette.file, 0, 0, "", message, "record a chat completion into it")])
    return Converted(_verified(cassette, turns, providers), tuple(findings))


def _left_out(interaction: Interaction, why: str) -> Finding:
    message = f"interaction {interaction.number} is left out: {why}"
    return Finding(interaction.file, interaction.line, 1 if interaction.line else 0, "", message, severity="warning")


def _verified(cassette: Cassette, turns: Sequence[Turn], providers: Sequence[str]) -> str:
    """The text, once it has been asked all that was recorded. The provider's own checks are turned off only where they get in the way."""
    turns, fallbacks = with_fallbacks(turns)
    groups = grouped(turns)
    stubs = list(_stubs(groups))
    differs: Differs | None = None
    for validate in (True, False):
        text = _text(cassette, turns, stubs, _gateway(turns, providers, fallbacks, validate=validate))
        differs = asked_again(text, turns)
        if differs is None:
            return text
        if not differs.unasked:
            break
    assert differs is not None
    interaction = differs.turn.interaction
    message = f"interaction {interaction.number} can't be said by a scenario: {differs.why}"
    hint = "remove it from the cassette, or replay the cassette itself"
    raise CassetteError([Finding(interaction.file, interaction.line, 1 if interaction.line else 0, "", message, hint)])


@dataclass(slots=True)
class _StubText:
    """A stub as it is written, with what is said above it."""

    origin: str
    keys: dict[str, Any] = field(default_factory=dict)

    def lines(self) -> list[str]:
        return [self.origin, *block([self.keys])]


def _stubs(groups: Sequence[Group]) -> Iterator[_StubText]:
    names = Names()
    told = told_apart([group.asked for group in groups])
    for group, apart in zip(groups, told, strict=True):
        when = apart.when
        if apart.left:
            raise _not_apart(group, next(other for other in groups if any(apart.left[0] is one for one in other.asked)))
        origin = comment(f"from {_origins(group)}")
        hop = _hop(group)
        if hop:
            name = names.unique(f"{group.turns[0].asked.attempt.provider} fails")
            keys = {
                "name": name,
                "when": {**when, "fallback": 0 if hop == 1 else f"0..{hop - 1}"},
                "error": "unavailable",
            }
            yield _StubText(f"{origin}, which does not say how", keys)
        yield _StubText(origin, _stub(group, when, names))


def _not_apart(group: Group, other: Group) -> CassetteError:
    interaction = other.turns[0].interaction
    message = (
        f"interaction {interaction.number} can't be told apart from interaction {group.turns[0].interaction.number}"
    )
    hint = "their requests differ in nothing that a scenario can name: remove one of the two"
    return CassetteError([Finding(interaction.file, interaction.line, 1 if interaction.line else 0, "", message, hint)])


def _origins(group: Group) -> str:
    """`refund.yaml#2, #5`: each file named where it first comes."""
    texts: list[str] = []
    file = ""
    for turn in group.turns:
        interaction = turn.interaction
        texts.append(
            f"#{interaction.number}" if interaction.file == file else f"{interaction.file}#{interaction.number}"
        )
        file = interaction.file
    return ", ".join(texts)


def _hop(group: Group) -> int:
    """The fallback that gave all the answers."""
    hops = {turn.hop for turn in group.turns}
    return hops.pop() if len(hops) == 1 else 0


def _stub(group: Group, when: When, names: Names) -> dict[str, Any]:
    group = paced(group)
    steps = group.steps
    first = steps[0]
    keys: dict[str, Any] = {"name": names.unique(first.interaction.about.name or _called(first.said))}
    if when:
        keys["when"] = when
    if len(steps) == 1:
        return keys | _step(first)
    keys["sequence"] = [_short_step(_step(turn)) for turn in steps]
    keys["on_end"] = "repeat"
    if any("reply" not in turn.said and turn.fallbacks for turn in steps):
        keys["per"] = "call"  # else each fallback would take a step
    return keys


def _short_step(step: Spoken) -> Any:
    return step["reply"] if list(step) == ["reply"] and isinstance(step["reply"], str) else step


def _called(said: Spoken) -> str:
    """What a stub is called after: what it says, or how it fails."""
    if "gateway_error" in said:
        return f"refuses: {said['gateway_error'].get('name') or said['gateway_error']['message'][:LONGEST]}"
    if "error" in said:
        return f"fails with {said['error']['status']} {said['error'].get('code') or said['error'].get('type') or ''}".rstrip()
    reply = said["reply"]
    first = reply["choices"][0] if reply.get("choices") else reply
    if first.get("tool_calls"):
        return "calls " + ", ".join(dict.fromkeys([call["name"] for call in first["tool_calls"]]))
    text = first.get("content") or first.get("refusal") or first.get("reasoning")
    return short_name(_SAID_AS_IT_IS.sub(r"\1", text) if isinstance(text, str) else None) or "says nothing"


def _step(turn: Turn) -> Spoken:
    said = dict(turn.said)
    if "reply" in said:
        said["reply"] = _short_reply(said["reply"], turn)
    elif "error" in said:
        said["error"] = _short_error(said["error"])
    elif "gateway_error" in said:
        said["gateway_error"] = _short_refusal(said["gateway_error"], _version(turn.interaction))
    return said | ({"pace": turn.pace} if turn.pace else {})


def _short_reply(reply: Spoken, turn: Turn) -> Any:
    """The reply without what it would say by itself."""
    found = _short_choice(reply)
    if "choices" in found:
        found["choices"] = [_short_choice(choice) for choice in found["choices"]]
    if found.get("model") == (turn.served[1] if turn.hop and turn.served else turn.asked.attempt.model):
        del found["model"]
    usage = found.get("usage")
    if usage is not None and usage.get("total_tokens") == usage.get("prompt_tokens", 0) + usage.get(
        "completion_tokens", 0
    ):
        found["usage"] = {key: item for key, item in usage.items() if key != "total_tokens"}
    return found["content"] if list(found) == ["content"] and isinstance(found["content"], str) else found


def _short_choice(choice: Spoken) -> Spoken:
    found = dict(choice)
    calls = found.get("tool_calls")
    if found.get("finish_reason") == ("tool_calls" if calls else "stop"):
        del found["finish_reason"]
    if calls:
        found["tool_calls"] = [_short_call(call) for call in calls]
    return found


def _short_call(call: Spoken) -> Spoken:
    """Arguments as a mapping, where that says the same to the byte."""
    text = call["arguments"]
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError:
        return call
    if not isinstance(arguments, dict) or orjson.dumps(arguments).decode() != text or not _is_sayable(arguments):
        return call
    if "id" not in call:
        return {call["name"]: arguments}
    return {"name": call["name"], **({"arguments": arguments} if arguments else {}), "id": call["id"]}


def _is_sayable(item: Any) -> bool:
    """Whether YAML holds it as it is, and no template is in it."""
    if isinstance(item, dict):
        return all(len(key) <= _LONGEST_KEY and _is_sayable(inner) for key, inner in item.items())
    if isinstance(item, list):
        return all(_is_sayable(inner) for inner in item)
    return not isinstance(item, int) or -(2**63) <= item < 2**64


def _short_error(error: Spoken) -> Any:
    """The error by its name, where it has one, with what it says otherwise."""
    if "shape" in error:
        return error
    named = (error["status"], error.get("type"), error.get("code"))
    for row in PROVIDER_ERRORS.values():
        if named != (row.status, row.type, row.code):
            continue
        found: Spoken = {"name": row.name}
        if error["message"] != row.message:
            found["message"] = error["message"]
        if error.get("param") != row.param:
            found["param"] = error.get("param")
        if "headers" in error:
            found["headers"] = error["headers"]
        return row.name if list(found) == ["name"] else found
    return error


def _short_refusal(refusal: Spoken, version: Version) -> Any:
    name = refusal.get("name")
    if name is not None and refusal["message"] == gateway_error(name, version).message:
        return name
    return refusal


def _version(interaction: Interaction) -> Version:
    """The profile of the release that answered."""
    release = interaction.about.gateway or ""
    number = release.removeprefix("v")
    return "1.6" if number.startswith("1.") else "2.2" if number.startswith("2.") else "documented"


def _gateway(
    turns: Sequence[Turn], providers: Sequence[str], fallbacks: Mapping[str, Sequence[str]], *, validate: bool
) -> Mapping[str, Any]:
    """Settings of the gateway that was recorded, as far as the answers need them."""
    found: dict[str, Any] = {}
    versions = [version for turn in turns if (version := _version(turn.interaction)) != "documented"]
    if versions:
        found["version"] = max(dict.fromkeys(versions), key=versions.count)
    if fallbacks:
        found["fallbacks"] = fallbacks
    longest_s = slow(turns)
    if providers or longest_s or not validate:
        settings: dict[str, Any] = {}
        if longest_s:
            settings["timeout"] = settings["stream_idle_timeout"] = format_duration(-(-longest_s // 60) * 60 + 60)
        if not validate:
            settings["validate"] = False
        found["providers"] = {name: dict(settings) for name in _providers(turns)}
    return found


def _providers(turns: Sequence[Turn]) -> Sequence[str]:
    names: dict[str, None] = {}
    for turn in turns:
        names[turn.asked.attempt.provider or "openai"] = None
        if turn.served is not None:
            names[turn.served[0]] = None
        for fallback in turn.fallbacks:
            prefix, slash, _model = fallback.partition("/")
            if slash and prefix:
                names[prefix] = None
    return list(names)


def _text(cassette: Cassette, turns: Sequence[Turn], stubs: Sequence[_StubText], gateway: Mapping[str, Any]) -> str:
    stem = PurePath(cassette.file.replace("\\", "/")).stem
    count = counted(len(turns), "interaction")
    lines = [HEADER, comment(f"Converted from {cassette.file}, {count}. Edit it: nothing reads the cassette any more.")]
    head: dict[str, Any] = {"version": 1}
    if stem:
        head["name"] = stem
    if gateway:
        head["gateway"] = gateway
    lines += [*block(head), "stubs:"]
    for number, stub in enumerate(stubs):
        lines += [""] if number else []
        lines += indented(stub.lines())
    return "\n".join(lines) + "\n"
