"""Texts in the formats that JSON Schemas name, drawn from a seed, and the words of which `auto` makes sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

WORDS: Final = (
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "indigo", "juniper", "koala", "lagoon", "maple", "nectar",
    "onyx", "pebble", "quartz", "river", "saffron", "tundra", "umber", "violet", "willow", "zephyr",
)  # fmt: skip


SHORTEST: Final[Mapping[str, str]] = {
    "email": "a@b.co", "idn-email": "a@b.co", "hostname": "b.co", "idn-hostname": "b.co", "uri": "a:b", "iri": "a:b", "url": "http://b.co",
    "uri-reference": "/", "iri-reference": "/", "uri-template": "/", "ipv4": "1.1.1.1", "ipv6": "::1", "json-pointer": "", "regex": ".",
}  # fmt: skip
"""For where the usual text has no room."""


def formed(form: str, units: Iterator[float]) -> str | None:
    """A text in a format; None for one that is not known. Formats beside the standard's are those that pydantic names."""

    def draw(low: int, high: int) -> int:
        return low + int(next(units) * (high - low + 1))

    day, hour, word = draw(1, 28), draw(0, 23), WORDS[draw(0, len(WORDS) - 1)]
    date = f"2026-{draw(1, 12):02}-{day:02}"
    clock = f"{hour:02}:{draw(0, 59):02}:{draw(0, 59):02}"
    digits = "".join([f"{draw(0, 15):x}" for _digit in range(32)])
    forms = {
        "date": date,
        "time": clock + "Z",
        "date-time": f"{date}T{clock}Z",
        "duration": f"PT{hour}H",
        "email": f"{word}@example.com",
        "idn-email": f"{word}@example.com",
        "name-email": f"{word.capitalize()} <{word}@example.com>",
        "hostname": f"{word}.example.com",
        "idn-hostname": f"{word}.example.com",
        "uri": f"https://example.com/{word}",
        "iri": f"https://example.com/{word}",
        "url": f"https://example.com/{word}",
        "multi-host-uri": f"https://{word}.example.com/",
        "uri-reference": f"/{word}",
        "iri-reference": f"/{word}",
        "uri-template": f"/{word}/{{id}}",
        "ipv4": f"192.0.2.{day}",
        "ipv4interface": f"192.0.2.{day}/24",
        "ipv4network": "192.0.2.0/24",
        "ipv6": f"2001:db8::{day:x}",
        "ipv6interface": f"2001:db8::{day:x}/32",
        "ipv6network": "2001:db8::/32",
        "ipvanyaddress": f"192.0.2.{day}",
        "ipvanyinterface": f"192.0.2.{day}/24",
        "ipvanynetwork": "192.0.2.0/24",
        "json-pointer": f"/{word}",
        "relative-json-pointer": f"0/{word}",
        "regex": f"^{word}$",
        "byte": "YW1iZXI=",
        "base64": "YW1iZXI=",
        "base64url": "YW1iZXI=",
        "binary": word,
        "password": f"{word}-{day}",
        "json-string": f'"{word}"',
        "color": f"#{digits[:6]}",
    }
    for version in "145678":
        forms[f"uuid{version}"] = f"{digits[:8]}-{digits[8:12]}-{version}{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
    forms["uuid"] = forms["uuid4"]
    for version in "35":
        forms[f"uuid{version}"] = forms["uuid4"].replace("-4", f"-{version}", 1)
    return forms.get(form)
