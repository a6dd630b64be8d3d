"""What the markers of a test say of its session; the nearer one wins."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from mockbifrost.cassette.recordings import OnEnd
from mockbifrost.clock import CLOCK_MODES, ClockMode
from mockbifrost.errors import UsageError
from mockbifrost.pytest_plugin.settings import Options
from mockbifrost.serve.settings import checked_speed
from mockbifrost.vocabulary.node import did_you_mean
from mockbifrost.wire.profiles import PROFILES, ProfileName

Given = str | os.PathLike[str]
_ENDINGS: Final = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Marked:
    """What the markers of a test say; None: nothing."""

    scenario: Given | Sequence[Given] | None = None
    cassette: Given | None = None
    seed: int | None = None
    speed: float | None = None
    version: ProfileName | None = None
    clock: ClockMode | None = None
    verify: bool | None = None
    ignore: Sequence[str] | None = None
    exact: bool | None = None
    on_end: OnEnd | None = None

    @property
    def scenarios(self) -> tuple[Given, ...]:
        """The scenarios, in the order given."""
        given = self.scenario
        if given is None:
            return ()
        return (given,) if isinstance(given, str | os.PathLike) else tuple(given)


def marked(item: pytest.Item) -> Marked:
    """What the markers of a test say together. Raises UsageError for what they can't say."""
    found: dict[str, Any] = {}
    for mark in item.iter_markers("mockbifrost"):  # the nearest first
        if mark.args:
            raise UsageError(
                f"mockbifrost marker of {item.nodeid}: {mark.args[0]!r} has no name; "
                f"say which it is: scenario={mark.args[0]!r} or cassette={mark.args[0]!r}"
            )
        found = {**mark.kwargs, **found}
    return checked(found, f"mockbifrost marker of {item.nodeid}")


def checked(given: Mapping[str, Any], where: str) -> Marked:
    """The same from arguments of a call; `where` is what messages begin with. Raises UsageError."""
    for name, value in given.items():
        check = _CHECKS.get(name)
        if check is None:
            known = [field.name for field in fields(Marked)]
            hint = did_you_mean(name, known) or f"it has {', '.join(known)}"
            raise UsageError(f"{where}: there is no argument {name!r}; {hint}")
        fault = None if value is None else check(value)
        if fault:
            raise UsageError(f"{where}: {name}={value!r} {fault}")
    return Marked(**given)


def has_own_cassette(item: pytest.Item) -> bool:
    """Whether the cassette of a test's markers is for this test alone: not of its class or module, nor for all of its parameters."""
    mine: Sequence[pytest.Mark] = item.own_markers
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        mine = callspec.marks
    for mark in item.iter_markers("mockbifrost"):
        if mark.kwargs.get("cassette") is not None:
            return any(mark is one for one in mine)
    return True


def found_file(given: Given, what: str, item: pytest.Item, options: Options) -> Path:
    """A file or folder that a marker names: beside the test, else in the folders of the settings. Raises UsageError."""
    folders = _folders(what, item, options)
    for folder in folders:
        path = folder / given
        if path.exists():
            return path
    names = [file.name for folder in folders if folder.is_dir() for file in folder.iterdir() if file.suffix in _ENDINGS]
    near = get_close_matches(Path(given).name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    do = "" if what == "scenario" else ", or record it: pytest --mockbifrost-record=once --mockbifrost-upstream URL"
    looked = " and ".join([str(folder) for folder in folders])
    raise UsageError(
        f"mockbifrost marker of {item.nodeid}: {what}={str(given)!r} is not there.{hint}\n"
        f"  looked in {looked}\n  do: name it as it is seen from the file of the test{do}"
    )


def place_to_record(given: Given, item: pytest.Item, options: Options) -> Path:
    """Where a cassette that a marker names is, or will be: in the folder of the settings, else beside the test."""
    folders = _folders("cassette", item, options)
    for folder in folders:
        if (folder / given).exists():
            return folder / given
    return folders[-1] / given


def _folders(what: str, item: pytest.Item, options: Options) -> list[Path]:
    own = options.scenarios if what == "scenario" else (options.cassettes,) if options.cassettes else ()
    return list(
        dict.fromkeys(
            [item.path.parent, *[path if path.is_dir() or what == "cassette" else path.parent for path in own]]
        )
    )


def _is(kinds: type | tuple[type, ...], wanted: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        fits = isinstance(value, kinds) and (kinds is bool or not isinstance(value, bool))
        return "" if fits else f"must be {wanted}"

    return check


def _one_of(known: Sequence[str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value in known:
            return ""
        hint = did_you_mean(value, known)
        return f"must be one of {', '.join(known)}" + (f"; {hint}" if hint else "")

    return check


def _texts(value: Any) -> str:
    fits = isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, str) for one in value)
    return "" if fits else "must be a list of texts"


def _files(value: Any) -> str:
    many = value if isinstance(value, list | tuple) else [value]
    return "" if all(isinstance(one, str | os.PathLike) for one in many) else "must be a path, or a list of paths"


def _speed(value: Any) -> str:
    try:
        checked_speed(value)
    except UsageError as error:
        return f"can't be used: {error}"
    return ""


_CHECKS: Final[Mapping[str, Callable[[Any], str]]] = {
    "scenario": _files,
    "cassette": _is((str, os.PathLike), "the path of one file"),
    "seed": _is(int, "a whole number"),
    "speed": _speed,
    "version": _one_of(tuple(PROFILES)),
    "clock": _one_of(CLOCK_MODES),
    "verify": _is(bool, "True or False"),
    "ignore": _texts,
    "exact": _is(bool, "True or False"),
    "on_end": _one_of(get_args(OnEnd)),
}
