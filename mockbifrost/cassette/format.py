"""Placeholder until the reader of files lands."""

from __future__ import annotations

from pathlib import Path

import yaml

from mockbifrost.cassette.interaction import Cassette, Interaction, Piece, RecordedRequest, RecordedResponse


def looks_like_cassette(raw: bytes) -> bool:
    """By its first key."""
    return b"interactions:" in raw


def read_cassette(path: Path) -> Cassette:
    """Plain format 1."""
    return read_text(path.read_bytes(), str(path))


def read_text(raw: bytes, source: str) -> Cassette:
    """Plain format 1."""
    found = []
    for number, item in enumerate(yaml.safe_load(raw)["interactions"] or [], 1):
        request, response = item["request"], item["response"]
        pieces = response.get("mockbifrost", {}).get("pieces", [])
        found.append(
            Interaction(
                RecordedRequest(request["method"], request["uri"], (), str(request["body"]).encode()),
                RecordedResponse(
                    response["status"]["code"],
                    "",
                    tuple([(name, text) for name, texts in response["headers"].items() for text in texts]),
                    str(response["body"]["string"]).encode(),
                    tuple([Piece(at, size) for at, size in pieces]),
                ),
                file=source,
                number=number,
            )
        )
    return Cassette(source, tuple(found))
