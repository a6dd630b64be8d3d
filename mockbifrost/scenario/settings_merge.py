"""The settings of files that share a session, merged: each may say a part, two may not say different things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mockbifrost.errors import Finding
from mockbifrost.scenario.document import Document, path_text
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.vocabulary.node import Node, did_you_mean
from mockbifrost.vocabulary.providers import KNOWN_PROVIDERS
from mockbifrost.vocabulary.settings import GatewaySettings, Rate

Path = tuple[str, ...]
File = tuple[LoadedScenario, Document | None]
"""A file that was loaded, and where its parts stand, as long as that is known."""

NO_SETTINGS = GatewaySettings()


def settings_of(
    files: Sequence[File], base: GatewaySettings = NO_SETTINGS
) -> tuple[GatewaySettings, tuple[Finding, ...]]:
    """What files of one session say together, and what is wrong with it; `base` is what they are laid over.

    Wrong are contradictions, and names of providers that nobody has configured.
    """
    merged: GatewaySettings = NO_SETTINGS
    said: dict[Path, tuple[object, File]] = {}
    findings: list[Finding] = []
    for file in files:
        settings = file[0].model.gateway
        if settings is None:
            continue
        for path, value in _leaves(settings, ()):
            first, where = said.setdefault(path, (value, file))
            if first != value:
                findings.append(_contradiction(file, path, value, first, where))
        merged = _merge(merged, settings)
    if not findings:
        findings += _strangers(merged, merged.laid_over(base), said)
    return merged, tuple(findings)


def _merge(left: GatewaySettings, right: GatewaySettings) -> GatewaySettings:
    """Both, deep; of what both say the right one's."""
    found = _merged(left, right)
    assert isinstance(found, GatewaySettings)
    return found


def _merged(left: object, right: object) -> object:
    if isinstance(left, Node) and isinstance(right, Node) and type(left) is type(right):
        update = {
            key: _merged(getattr(left, key), getattr(right, key))
            if key in left.model_fields_set
            else getattr(right, key)
            for key in right.model_fields_set
        }
        return left.model_copy(update=update)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return {**left, **{key: _merged(left[key], value) if key in left else value for key, value in right.items()}}
    return right


def _leaves(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    """Each setting that was written, with its path."""
    if isinstance(value, Node):
        for name, field in type(value).model_fields.items():
            if name in value.model_fields_set:
                yield from _leaves(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    else:
        yield path, value


def _contradiction(file: File, path: Path, value: object, first: object, where: File) -> Finding:
    line, column = _place(file, path)
    there = _place(where, path)[0]
    here, before = _shown(_written(file, path, value)), _shown(_written(where, path, first))
    text = f"is {here} here and {before} at {where[0].source}{f':{there}' if there else ''}"
    hint = "files that share a session share its gateway: make them agree, or give one a `session` of its own"
    return Finding(file[0].source, line, column, path_text(["gateway", *path]), text, hint)


def _place(file: File, path: Path) -> tuple[int, int]:
    """Line and column of a setting, from 1; zeros where its file's places are no longer known."""
    if file[1] is None:
        return 0, 0
    mark = file[1].located(("gateway", *path))[1].key
    return mark.line + 1, mark.column + 1


def _written(file: File, path: Path, value: object) -> object:
    """The setting as it stands in its file, where that is known: a duration with its unit."""
    found: object = file[1].value if file[1] is not None else None
    for key in ("gateway", *path):
        if not isinstance(found, Mapping) or key not in found:
            return value
        found = found[key]
    return found


def _strangers(
    written: GatewaySettings, whole: GatewaySettings, said: Mapping[Path, tuple[object, File]]
) -> Iterator[Finding]:
    """Names of providers that these settings use and nobody has configured."""
    known = tuple(whole.providers) if whole.providers is not None else KNOWN_PROVIDERS
    for path, name in _named(written):
        if name in known:
            continue
        file = next((file for known_path, (_value, file) in said.items() if known_path[: len(path)] == path), None)
        if file is None:  # an empty mapping, whose path holds no value
            continue
        line, column = _place(file, path)
        text = f"names the provider {name!r}, which is not configured"
        hint = did_you_mean(name, known) or f"add it to `gateway.providers`, as in `{name}: {{}}`"
        if "*" in name or "?" in name:
            hint = "only the model may be a glob: write an entry for each provider, as in openai/*"
        yield Finding(file[0].source, line, column, path_text(["gateway", *path]), text, hint)


def _named(settings: GatewaySettings) -> Iterator[tuple[Path, str]]:
    for model, others in settings.fallbacks.items():
        for other in (model, *others):
            yield ("fallbacks", model), other.partition("/")[0]
    for model in settings.pricing:
        yield ("pricing", model), model.partition("/")[0]
    for value, key in (settings.virtual_keys or {}).items():
        for name in key.providers or {}:
            yield ("virtual_keys", value, "providers", name), name


def _shown(value: object) -> str:
    if isinstance(value, Rate):
        return f"{value.most}/{value.resets}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join([_shown(item) for item in value])}]"
    if isinstance(value, Node):
        value = {name: getattr(value, name) for name in type(value).model_fields if name in value.model_fields_set}
    if isinstance(value, Mapping):
        return f"{{{', '.join([f'{key}: {_shown(item)}' for key, item in value.items()])}}}"
    return "null" if value is None else str(value)
