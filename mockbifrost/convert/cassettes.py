"""Cassettes in other layouts: as vcrpy itself writes them, or as this package does, with what can be known of their origin. Redacted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from mockbifrost.cassette.answers import source_of
from mockbifrost.cassette.interaction import Headers, Interaction

_VERSION: Final = 1


def vcr_text(interactions: Iterable[Interaction]) -> str:
    """A cassette as vcrpy writes it: format 1, keys sorted, bodies as they came, nothing of ours; without secrets."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    rows = [_vcr_item(interaction) for interaction in _redacted(interactions)]
    text = yaml.dump({"interactions": rows, "version": _VERSION}, Dumper=dumper, allow_unicode=False)
    assert isinstance(text, str)  # without a stream and an encoding
    return text


def _vcr_item(interaction: Interaction) -> dict[str, Any]:
    request, response = interaction.request, interaction.response
    return {
        "request": {
            "body": _body(request.body) if request.body else None,
            "headers": _lists(request.headers),
            "method": request.method,
            "uri": request.uri,
        },
        "response": {
            "body": {"string": _body(response.body)},
            "headers": _lists(response.headers),
            "status": {"code": response.status, "message": response.reason},
        },
    }


def _body(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


def _lists(headers: Headers) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, text in headers:
        found.setdefault(name, []).append(text)
    return found


def ours_text(interactions: Iterable[Interaction]) -> str:
    """A cassette as this package records it: each interaction says who answered, known by its body where the file does not say."""
    from mockbifrost.cassette.writing import HEAD, interaction_text

    items = [interaction_text(_with_origin(one)) for one in _redacted(interactions)]
    return HEAD + "".join(items) if items else HEAD.replace("interactions:", "interactions: []")


def _with_origin(interaction: Interaction) -> Interaction:
    return replace(interaction, about=replace(interaction.about, source=source_of(interaction)))


def _redacted(interactions: Iterable[Interaction]) -> Iterator[Interaction]:
    """The interactions without secrets, as nothing with one is to reach the disk."""
    from mockbifrost.cassette.redact import Redactor

    redactor = Redactor()
    for interaction in interactions:
        yield redactor.redacted(interaction)[0]
