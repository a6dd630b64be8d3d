"""Keys of the language that this release does not implement yet: one row each, deleted when the key arrives."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_BEHAVIOURS: Final = {
    "wire": "`wire` (faults of the client's connection) is not in this version yet; use `raw` to send broken bytes",
}

LATER: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        **{("stub", key): sentence for key, sentence in _BEHAVIOURS.items()},
        **{("sequence step", key): sentence for key, sentence in _BEHAVIOURS.items()},
    }
)
"""(place of the mapping, key) → the sentence that refuses it."""

LATER_ENDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "fin": "`end: fin` (closed without the terminating chunk) is not in this version yet; use `clean` or `close`",
        "reset": "`end: reset` is not in this version yet; use `clean` or `close`",
        "half": "`end: half` (half of the body) is not in this version yet; use `clean` or `close`",
    }
)
"""Values of `raw.end` → the sentence that refuses each."""
