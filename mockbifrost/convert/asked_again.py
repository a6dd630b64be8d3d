"""A converted scenario is asked what was recorded, in process: does it answer the same?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from mockbifrost.cassette.interaction import About, Interaction, RecordedResponse
from mockbifrost.cassette.spoken import Spoken, Unspoken, behaviour_of
from mockbifrost.clock import Clock
from mockbifrost.convert.turns import Turn
from mockbifrost.playback.player import WHOLE
from mockbifrost.playback.timeline import timeline_of
from mockbifrost.provider.tokens import BuiltInTokens
from mockbifrost.scenario.fake import FakeData
from mockbifrost.scenario.load import load_text
from mockbifrost.scenario.scripts import Tools
from mockbifrost.scenario.stubs import Stubs
from mockbifrost.session.assembly import assemble
from mockbifrost.session.providers import Providers
from mockbifrost.session.session import Exchange, Received, Session
from mockbifrost.values import value

_PATH: Final = "/pydanticai/v1/chat/completions"
_COUNTS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")


@value
class Differs:
    """The first turn that is answered otherwise, and how. `unasked`: no stub was asked, the simulated provider refused the request."""

    turn: Turn
    why: str
    unasked: bool


def asked_again(text: str, turns: Sequence[Turn]) -> Differs | None:
    """Ask each recorded request, in order; None where all are answered as they were. Raises ScenarioError for no scenario."""
    blueprint = assemble([load_text(text, "converted.yaml")]).common
    tools = Tools(BuiltInTokens(), FakeData())
    session = Session("convert", Providers(Stubs(blueprint.files, tools)), blueprint.gateway, clock=Clock("fixed"))
    for turn in turns:
        exchange = session.ask(Received("POST", _PATH, (), turn.interaction.request.body))
        session.finish(exchange, WHOLE)
        why = next(_differences(turn, exchange), None)
        if why is not None:
            outcome = exchange.outcome
            unasked = outcome.stub is None and outcome.broken is None
            return Differs(turn, (outcome.message or why).partition("\n")[0], unasked)
    return None


def answered(exchange: Exchange, turn: Turn) -> Interaction:
    """The answer as a recording of a gateway."""
    timeline = timeline_of(exchange.outcome, 0)
    body = timeline.body + b"".join([frame.mold.fill(timeline.values) for frame in timeline.frames])
    headers = tuple([(name.decode("latin-1").lower(), item.decode("latin-1")) for name, item in timeline.headers])
    response = RecordedResponse(timeline.status, "", headers, body)
    return Interaction(turn.interaction.request, response, About(source="gateway"))


def _differences(turn: Turn, exchange: Exchange) -> Iterator[str]:
    """How an answer differs from the recorded one, in words."""
    wanted, got = turn.interaction.response, exchange.outcome
    if got.broken is not None:
        yield "no stub answers it"
    elif wanted.status != got.status:
        yield f"its status was {wanted.status} and would be {got.status}"
    elif "upstream" not in turn.said:
        try:
            said = behaviour_of(answered(exchange, turn))
        except Unspoken as error:
            yield str(error)
            return
        yield from _other_words(turn.said, said)


def _other_words(wanted: Spoken, got: Spoken) -> Iterator[str]:
    if "reply" in wanted and "reply" in got:
        yield from _other_reply(wanted["reply"], got["reply"])
        return
    if "shape" in wanted.get("error", {}):
        return  # the gateway says it in its own words
    for key in ("message", "type", "code"):
        before, now = _error(wanted).get(key), _error(got).get(key)
        if before != now:
            yield f"the {key} of its error was {before!r} and would be {now!r}"


def _error(said: Spoken) -> Spoken:
    found = said.get("error") or said.get("gateway_error")
    return found if isinstance(found, dict) else {}


def _other_reply(wanted: Spoken, got: Spoken) -> Iterator[str]:
    befores, nows = _choices(wanted), _choices(got)
    for before, now in zip(befores, nows, strict=False):
        for key in ("content", "reasoning", "refusal"):
            text = before.get(key) or None
            if text != (now.get(key) or None) and isinstance(text, str | None):
                yield f"its {key} was {text!r} and would be {now.get(key)!r}"
        calls = _calls(before)
        if calls != _calls(now, like=calls):
            yield f"its tool calls were {calls} and would be {_calls(now)}"
        reason = before.get("finish_reason")
        if reason is not None and reason != now.get("finish_reason"):
            yield f"its finish reason was {reason!r} and would be {now.get('finish_reason')!r}"
    if len(nows) < len(befores):
        yield f"it had {len(befores)} choices and would have {len(nows)}"
    usage, counted = wanted.get("usage"), got.get("usage") or {}
    if usage is not None:
        for key in _COUNTS:
            if usage.get(key, 0) != counted.get(key, 0):
                yield f"its {key} were {usage.get(key, 0)} and would be {counted.get(key, 0)}"


def _choices(reply: Spoken) -> Sequence[Spoken]:
    choices = reply.get("choices")
    return choices if isinstance(choices, list) else [reply]


def _calls(choice: Spoken, like: Sequence[tuple[Any, ...]] | None = None) -> list[tuple[Any, ...]]:
    """Names, arguments and ids; without the id of a call that has none in `like`."""
    found = [(call["name"], call["arguments"], call.get("id")) for call in choice.get("tool_calls", ())]
    if like is None or len(like) != len(found):
        return found
    return [(name, said, id_ if wanted[2] else None) for (name, said, id_), wanted in zip(found, like, strict=True)]
