"""Secrets taken out of an interaction before it reaches a file, and found in files that have some."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mockbifrost.cassette.interaction import About, Headers, Interaction, Piece, RecordedRequest, RecordedResponse
from mockbifrost.cassette.secret_spans import PLACEHOLDER, Span, spans
from mockbifrost.cassette.split_secrets import cuts
from mockbifrost.errors import UsageError
from mockbifrost.values import value
from mockbifrost.wire.redact import SECRET_HEADERS, SHORT, hinted

_ALWAYS_SECRET: Final = frozenset({"cookie", "set-cookie"})
_KEPT: Final = {
    "request": (
        frozenset(
            {
                "accept", "content-type", "openai-beta", "user-agent", "x-request-id", "x-stainless-lang",
                "x-stainless-package-version", "x-stainless-retry-count",
            }
        ),
        ("x-bf-",),
    ),
    "response": (
        frozenset(
            {
                "cache-control", "content-security-policy", "content-type", "openai-processing-ms", "openai-version",
                "permissions-policy", "referrer-policy", "retry-after", "retry-after-ms", "x-content-type-options",
                "x-frame-options", "x-request-id", "x-should-retry",
            }
        ),
        ("anthropic-ratelimit-", "x-bifrost-", "x-ratelimit-"),
    ),
}  # fmt: skip
"""The headers that replaying, matching or reading needs: names, and beginnings of names."""
_NEVER: Final = "x-bf-eh-"
"""Headers that the gateway hands on to the provider under another name: they may hold its keys."""
_USER_INFO: Final = re.compile(r"(?<=://)[^/?#@]*(?:@[^/?#@]*)*@")


@value
class Found:
    """A secret in an interaction: where (`request header authorization`, `response body`), of what kind, and how it begins."""

    where: str
    kind: str
    hint: str


class Redactor:
    """Takes out what looks like a secret. `patterns` are further regular expressions of what is one.

    The same secret gets the same placeholder, in every file. Redacting twice is redacting once. Raises UsageError for a
    pattern that is no regular expression.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._patterns = tuple([_compiled(pattern) for pattern in patterns])

    def redacted(self, interaction: Interaction) -> tuple[Interaction, Counter[str]]:
        """The interaction without secrets, and what was taken out, by kind: `header date` is a header that was left out as a whole.

        Headers are kept when replaying, matching or reading needs them.
        """
        counts: Counter[str] = Counter()
        request, response, about = interaction.request, interaction.response, interaction.about
        clean_request = RecordedRequest(
            request.method,
            self._address(request.uri, counts),
            self._headers(request.headers, "request", counts),
            self._body(request.body, (), counts, stream=False)[0],
        )
        body, pieces = self._body(response.body, response.pieces, counts, stream=response.is_stream)
        headers = self._headers(response.headers, "response", counts)
        reason = self._text(response.reason, counts)
        clean_response = RecordedResponse(response.status, reason, headers, body, pieces)
        return replace(
            interaction, request=clean_request, response=clean_response, about=self._about(about, counts)
        ), counts

    def redacted_text(self, text: str) -> str:
        """A text without what looks like a secret, also in addresses that it holds."""
        return self._text(text, Counter(), address=True)

    def redacted_body(self, body: bytes) -> bytes:
        """The body of a request as it is written to a file: to be compared with those that were."""
        return self._body(body, (), Counter(), stream=False)[0]

    def secrets_in(self, interaction: Interaction) -> tuple[Found, ...]:
        """The secrets that stand in an interaction, in the order of its parts."""
        request, response = interaction.request, interaction.response
        found: list[Found] = []
        user = _USER_INFO.search(request.uri)
        if user is not None:
            found.append(Found("request uri", "userinfo", "…@"))
        found += self._found("request uri", spans(request.uri, self._patterns, address=True))
        found += self._found_in_headers("request", request.headers)
        found += self._found_in_body("request body", request.body, stream=False)
        found += self._found_in_headers("response", response.headers)
        found += self._found_in_body("response body", response.body, stream=response.is_stream)
        return tuple(found)

    def _found(self, where: str, secrets: Sequence[Span]) -> list[Found]:
        return [Found(where, span.kind, _hint(span.secret)) for span in secrets]

    def _found_in_headers(self, side: str, headers: Headers) -> list[Found]:
        found = []
        for name, text in headers:
            where = f"{side} header {name}"
            if name in SECRET_HEADERS:
                bare = PLACEHOLDER.sub("", text)
                if (name in _ALWAYS_SECRET and bare.strip()) or any(len(word) > SHORT for word in bare.split()):
                    found.append(Found(where, "header", _hint(max(bare.split(), key=len))))
            else:
                found += self._found(where, spans(text, self._patterns))
        return found

    def _found_in_body(self, where: str, body: bytes, *, stream: bool) -> list[Found]:
        text, _codec = _decoded(body)
        split = {cut.span.secret: cut.span for cut in cuts(text, self._patterns)} if stream else {}
        whole = spans(text, self._patterns)
        rest = [span for span in split.values() if not any(span.secret == it.secret for it in whole)]
        return self._found(where, [*[span for span in whole if not _is_part(span, rest)], *rest])

    def _headers(self, headers: Headers, side: str, counts: Counter[str]) -> Headers:
        kept = []
        for name, text in headers:
            if _is_kept(name, side):
                kept.append((name, self._text(text, counts)))
            else:
                counts[f"header {name}"] += 1
        return tuple(kept)

    def _about(self, about: About, counts: Counter[str]) -> About:
        if about.client is None and about.upstream is None and about.name is None:
            return about
        return replace(
            about,
            client=about.client and self._text(about.client, counts),
            upstream=about.upstream and self._address(about.upstream, counts),
            name=about.name and self._text(about.name, counts),
        )

    def _address(self, uri: str, counts: Counter[str]) -> str:
        uri = self._text(_without_user(uri, counts), counts, address=True)
        return _without_user(uri, counts)  # a secret that held a slash may have hidden it

    def _text(self, text: str, counts: Counter[str], *, address: bool = False) -> str:
        while secrets := spans(text, self._patterns, address=address):
            counts.update([span.kind for span in secrets])
            text = _edited(text, [_edit(span) for span in secrets])
        return text

    def _body(
        self, body: bytes, pieces: tuple[Piece, ...], counts: Counter[str], *, stream: bool
    ) -> tuple[bytes, tuple[Piece, ...]]:
        """A body without secrets, and its pieces with the borders where they belong then."""
        text, codec = _decoded(body)
        borders = _Borders(pieces, codec)
        while stream and (parts := cuts(text, self._patterns)):
            counts.update([cut.span.kind for cut in parts if cut.replacement])
            text = borders.moved(text, [(cut.start, cut.end, cut.replacement) for cut in parts])
        while secrets := spans(text, self._patterns):
            counts.update([span.kind for span in secrets])
            text = borders.moved(text, [_edit(span) for span in secrets])
        return (text.encode(codec), borders.pieces()) if borders.changed else (body, pieces)


_Edit = tuple[int, int, str]


class _Borders:
    """The borders of a body's pieces while its text is edited. One inside a secret goes to the end of its placeholder."""

    def __init__(self, pieces: tuple[Piece, ...], codec: str) -> None:
        self._codec = codec
        self._times = [piece.at_ms for piece in pieces]
        self._ends: list[int] = []
        self.changed = False
        for piece in pieces:
            self._ends.append((self._ends[-1] if self._ends else 0) + piece.size)

    def moved(self, text: str, edits: Sequence[_Edit]) -> str:
        """The text after edits that are in order and do not overlap; the borders go with it."""
        self.changed = True
        if self._ends:
            self._move(text, edits)
        return _edited(text, edits)

    def _move(self, text: str, edits: Sequence[_Edit]) -> None:
        moved: list[int] = []
        left = iter(self._ends)
        border = next(left, None)
        at = old = new = 0
        for start, end, replacement in edits:
            kept = len(text[at:start].encode(self._codec))
            old, new = old + kept, new + kept
            while border is not None and border <= old:
                moved.append(border + new - old)
                border = next(left, None)
            old += len(text[start:end].encode(self._codec))
            new += len(replacement.encode(self._codec))
            while border is not None and border < old:
                moved.append(new)
                border = next(left, None)
            at = end
        while border is not None:
            moved.append(border + new - old)
            border = next(left, None)
        self._ends = moved

    def pieces(self) -> tuple[Piece, ...]:
        """The pieces as they are then, without those of which nothing is left."""
        starts = [0, *self._ends[:-1]]
        sizes = [end - start for start, end in zip(starts, self._ends, strict=True)] if self._ends else []
        return tuple([Piece(at, size) for at, size in zip(self._times, sizes, strict=True) if size])


def _without_user(uri: str, counts: Counter[str]) -> str:
    bare, times = _USER_INFO.subn("", uri, count=1)
    if times:
        counts["userinfo"] += times
    return bare


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"redact: {pattern!r} is no regular expression: {error}; mend it, or leave it out") from None


def _is_kept(name: str, side: str) -> bool:
    names, beginnings = _KEPT[side]
    return (name in names or name.startswith(beginnings)) and name not in SECRET_HEADERS and not name.startswith(_NEVER)


def _edit(span: Span) -> _Edit:
    return span.start, span.end, span.placeholder


def _edited(text: str, edits: Sequence[_Edit]) -> str:
    parts: list[str] = []
    at = 0
    for start, end, replacement in edits:
        parts += (text[at:start], replacement)
        at = end
    return "".join([*parts, text[at:]])


def _is_part(span: Span, wholes: Sequence[Span]) -> bool:
    return any(span.secret in whole.secret for whole in wholes)


def _hint(secret: str) -> str:
    """How a secret begins, if that is less than half of it."""
    return hinted(secret.split()[0]) if len(secret) > SHORT and len(secret.split()[0]) > SHORT else "…"


def _decoded(body: bytes) -> tuple[str, str]:
    """A body as text, and the codec that gives it back."""
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return body.decode("latin-1"), "latin-1"
