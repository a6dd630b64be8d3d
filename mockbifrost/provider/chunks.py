"""How a provider streams what it says: the same words as the plain answer, cut and timed. Joined, the increments are the message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mockbifrost.provider.fragments import Fragments, cut_calls
from mockbifrost.provider.pace import Cut, Pace
from mockbifrost.provider.tokens import split_tokens, split_words
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.completion import Choice, Message
from mockbifrost.wire.jsontypes import Json

_AUDIO_PIECE = 4096


def split_text(text: str, how: Cut) -> list[str]:
    """Pieces of a text; joined they are the text. An empty text has none."""
    if not text:
        return []
    if isinstance(how, int):
        return [text[start : start + how] for start in range(0, len(text), how)]
    if how == "whole":
        return [text]
    if how == "char":
        return list(text)
    return split_words(text) if how == "word" else split_tokens(text)


def cut_choices(
    choices: Sequence[Choice], pace: Pace, fragments: Fragments, units: Iterator[float]
) -> tuple[Delta, ...]:
    """The increments of all choices with their times; choices of `n` > 1 come in turns, as they do from a provider."""
    calls_before = 0
    rows: list[list[Delta]] = []
    for choice in choices:
        rows.append(timed(_cut_choice(choice, pace.chunk, fragments, calls_before), pace, units))
        calls_before += len(choice.message.tool_calls)
    if len(rows) == 1:
        return tuple(rows[0])
    numbered = [(delta.at_s, place, delta.choice, delta) for row in rows for place, delta in enumerate(row)]
    return tuple([entry[3] for entry in sorted(numbered, key=lambda entry: entry[:3])])


def timed(deltas: Sequence[Delta], pace: Pace, units: Iterator[float]) -> list[Delta]:
    """The increments with their times: the first content at the ttft, each further one when its tokens have been said."""
    at_s = pace.first_s(units)
    found: list[Delta] = []
    begun = False
    for delta in deltas:
        if delta.is_content:
            if begun:
                at_s += pace.gap_s(_tokens(delta), units)
            begun = True
        found.append(replace(delta, at_s=at_s) if at_s else delta)
    return found


def _tokens(delta: Delta) -> int:
    texts = [value for key, value in delta.fields.items() if key != "role" and isinstance(value, str)]
    texts += [call.arguments or (call.start.name if call.start else "") for call in delta.calls]
    return max(1, sum([len(split_tokens(text)) for text in texts]))


def _cut_choice(choice: Choice, how: Cut, fragments: Fragments, calls_before: int) -> list[Delta]:
    message = choice.message
    index = choice.index
    found: list[Delta] = []
    pieces = cut_calls(message.tool_calls, fragments, calls_before)
    text = _parts_text(message.content)
    says_nothing = not (text or message.refusal or message.reasoning or message.audio)
    if pieces and says_nothing:
        found.append(Delta({"role": message.role}, (pieces[0],), index))
        pieces = pieces[1:]
    else:
        found.append(Delta({"role": message.role, "content": ""}, choice=index))
    found += _reasoning(message, how, index)
    logprobs = dict(choice.logprobs or {})
    for key, said in (("content", text), ("refusal", message.refusal or "")):
        deltas = [Delta({key: piece}, choice=index) for piece in split_text(said, how)]
        found += _with_logprobs(deltas, key, logprobs.pop(key, None)) if deltas else ()
    found += _audio(message.audio, how, index)
    if message.annotations is not None:
        found.append(Delta({"annotations": message.annotations}, choice=index))
    if message.extra:
        found.append(Delta(message.extra, choice=index))
    found += [Delta({}, (piece,), index) for piece in pieces]
    rest = {key: value for key, value in logprobs.items() if value}  # of other shapes, which can't be cut
    if rest:
        found[-1] = replace(found[-1], logprobs={**(found[-1].logprobs or {}), **rest})
    found.append(Delta({}, (), index, finish_reason=choice.finish_reason))
    return found


def _parts_text(content: str | Sequence[Json] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    texts = [part.get("text") for part in content if isinstance(part, Mapping)]
    return "\n\n".join([text for text in texts if isinstance(text, str)])


def _reasoning(message: Message, how: Cut, index: int) -> list[Delta]:
    """Reasoning in pieces; scripted details can't be cut, so they come whole with the text."""
    if message.reasoning_details is not None:
        fields: dict[str, Json] = {"reasoning": message.reasoning} if message.reasoning else {}
        return [Delta({**fields, "reasoning_details": message.reasoning_details}, choice=index)]
    return [Delta({"reasoning": piece}, choice=index) for piece in split_text(message.reasoning or "", how)]


def _audio(audio: Mapping[str, Json] | None, how: Cut, index: int) -> list[Delta]:
    """Audio as OpenAI streams it: the id with the transcript, then the data, then when it expires."""
    if audio is None:
        return []
    pieces: list[dict[str, Json]] = []
    transcript, data = audio.get("transcript"), audio.get("data")
    if isinstance(transcript, str):
        pieces += [{"transcript": piece} for piece in split_text(transcript, how)]
    if isinstance(data, str):
        pieces += [{"data": data[start : start + _AUDIO_PIECE]} for start in range(0, len(data), _AUDIO_PIECE)]
    if "expires_at" in audio:
        pieces.append({"expires_at": audio["expires_at"]})
    if "id" in audio:
        pieces = [{"id": audio["id"], **(pieces[0] if pieces else {})}, *pieces[1:]]
    return [Delta({"audio": piece}, choice=index) for piece in pieces]


def _with_logprobs(deltas: list[Delta], key: str, entries: Json) -> list[Delta]:
    """Each increment with the log probabilities of the tokens that end in it; what is left over goes to the last."""
    if not isinstance(entries, (list, tuple)):
        return deltas
    found: list[Delta] = []
    start, read, said = 0, 0, 0
    for number, delta in enumerate(deltas):
        said += len(str(delta.fields[key]))
        end = start
        while end < len(entries):
            entry = entries[end]
            length = len(str(entry.get("token", ""))) if isinstance(entry, Mapping) else 0
            if read + length > said and number + 1 < len(deltas):
                break
            read += length
            end += 1
        found.append(replace(delta, logprobs={key: list(entries[start:end])}))
        start = end
    return found
