"""Cassettes in other layouts: as vcrpy itself writes them, or as this package does, with what can be known of their origin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from mockbifrost.cassette.answers import source_of
from mockbifrost.cassette.interaction import Headers, Interaction

_VERSION: Final = 1
_OF_A_CODING: Final = ("content-encoding", "transfer-encoding")


def vcr_text(interactions: Iterable[Interaction]) -> str:
    """A cassette as vcrpy writes it: format 1, keys sorted, bodies as they came, nothing of ours."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    rows = [_vcr_item(interaction) for interaction in interactions]
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
            "headers": _lists(_uncoded(response.headers, len(response.body))),
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


def _uncoded(headers: Headers, size: int) -> Headers:
    """The headers of a body that is neither compressed nor cut."""
    kept = [pair for pair in headers if pair[0] not in _OF_A_CODING]
    return tuple([(name, str(size) if name == "content-length" else text) for name, text in kept])


def with_origin(interactions: Iterable[Interaction]) -> list[Interaction]:
    """The interactions, each saying whether a gateway or a provider answered; known by its body where the file does not say."""
    return [replace(one, about=replace(one.about, source=source_of(one))) for one in interactions]


def ours_text(interactions: Sequence[Interaction]) -> str:
    """A cassette as this package records it."""
    from mockbifrost.cassette.writing import HEAD, interaction_text

    return HEAD + "".join([interaction_text(one) for one in with_origin(interactions)])
