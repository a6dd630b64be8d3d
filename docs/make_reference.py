"""Writes docs/reference.md, and the tables of docs/profiles.md and docs/quirks.md, from the code and from vocabulary/words.yaml.

Run `python docs/make_reference.py` after a change to the language; a test fails while the pages are behind the code.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import click
import pytest
from pydantic import JsonValue
from pydantic.fields import FieldInfo

from mockbifrost import api, clients, pytest_plugin
from mockbifrost.cli import main as command_line
from mockbifrost.gateway.configuration import ProviderRules
from mockbifrost.gateway.upstream import Broke, Cuts, NoChunks, hears
from mockbifrost.provider.answer import Answer, Draft
from mockbifrost.provider.connection import FAULTS, HALF, START, ConnectionFault, FaultKind, Place
from mockbifrost.pytest_plugin.marker import Marked
from mockbifrost.pytest_plugin.options import add_options
from mockbifrost.scenario import fields as kinds
from mockbifrost.scenario.model import ScenarioModel
from mockbifrost.scenario.templates import NAMES
from mockbifrost.serve.control import ROOT, description
from mockbifrost.vocabulary.durations import UNITS_MS, Duration, format_duration
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS, ProviderError
from mockbifrost.vocabulary.gateway_errors import GATEWAY_ERRORS, gateway_error
from mockbifrost.vocabulary.node import Node
from mockbifrost.vocabulary.paces import PACES
from mockbifrost.vocabulary.quirks import QUIRKS
from mockbifrost.vocabulary.settings import Dollars, Positive, Resets, Share
from mockbifrost.vocabulary.words import sections
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.envelope import http_status
from mockbifrost.wire.profiles import PROFILES, Profile, ProfileName

DOCS: Final = Path(__file__).resolve().parent
BEGIN: Final = "<!-- made by make_reference.py: -->\n"
END: Final = "<!-- until here -->\n"
ISSUES: Final = "https://github.com/maximhq/bifrost/issues/"

FRAGMENTS: Final = {
    "openai": "as OpenAI does: the name first, then the arguments in pieces",
    "one_chunk": "each call whole, in one chunk",
    "per_char": "the arguments character by character",
    "split_escape": "cut inside the escapes of JSON",
    "interleaved": "the pieces of several calls in turns",
    "name_repeated": "the name again on every piece, as some providers do",
}
TEMPLATES: Final = {
    "user": "text of the user message that the conversation ends with, else `task`",
    "task": "text of the last user message",
    "system": "text of the system and developer messages",
    "messages": "all messages, as they were sent",
    "model": "the model of this attempt, without its provider",
    "provider": "the provider of this attempt",
    "turn": "how many assistant messages there are",
    "attempt": "which try at this target",
    "params": "the body of the request",
    "headers": "the headers of the request, names in lower case",
    "tool": "`tool.NAME`: the latest result of that tool, read as JSON where it is JSON",
    "results": "all results that the conversation ends with",
    "fake": "[Faker](https://faker.readthedocs.io), seeded",
    "occurrence": "how often this session was asked the same before",
}


def control_addresses() -> Iterator[tuple[str, str, str]]:
    """The control API, as its own description has it."""
    for path, item in description()["paths"].items():
        shown = path.replace("{id}", "NAME").replace("{n}", "N").replace("{name}", "GATE").replace("{stub}", "STUB")
        for method in ("get", "post", "put", "delete"):
            if method in item:
                yield method.upper(), ROOT + shown, item[method]["summary"]


ADDRESSES: Final = (
    (
        "POST",
        "/pydanticai/v1/chat/completions",
        "the endpoint; also under `/v1`, `/openai`, `/langchain` and `/litellm`",
    ),
    ("GET", "/pydanticai/v1/models", "the models of the configured providers"),
    ("GET", "/health", "200 while the server runs"),
    ("DELETE", "/api/cache/clear/ID", "one entry of the cache, by its `cache_id`"),
    ("DELETE", "/api/cache/clear-by-key/KEY", "all entries of a cache key"),
    ("any", "/s/NAME/…", "each of the above inside the session NAME, which is made if there is none"),
    *control_addresses(),
)
HEADERS: Final = (
    ("x-mockbifrost-session", "the session that answered"),
    ("x-mockbifrost-call", "which call of the session; a client's retries share one"),
    ("x-mockbifrost-stub", "the stub that answered"),
    ("x-mockbifrost-error", "the mock itself could not answer: `no_match`, `sequence_exhausted`, `template`"),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a profile's field is about, in words, and where the values come from."""

    what: str
    source: str


PAGE: Final = "page"
BYTES: Final = "bytes"
CODE: Final = "code"
CLIENTS: Final = "clients"
OURS: Final = "ours"
CLAIMS: Final[Mapping[str, Claim]] = {
    "documented_model_names": Claim(
        "`extra_fields` name the models `model_requested`, `model_deployment`; else `original_model_requested`, "
        "`resolved_model_used`",
        f"{PAGE}, {BYTES}",
    ),
    "routing_info": Claim("`extra_fields.routing_info`", BYTES),
    "null_logprobs": Claim("`logprobs: null` where there are none; else left out", f"{CODE}, {BYTES}"),
    "log_probs_twin": Claim("`log_probs` beside `logprobs`, when they were asked for", f"{PAGE}, {CLIENTS}"),
    "null_finish_reason": Claim("chunks on the way say `finish_reason: null`; else they leave it out", BYTES),
    "role_only_chunk": Claim("the first chunk, with a role and no content, is sent", BYTES),
    "body_newline": Claim("a plain answer ends with a line end", BYTES),
    "upstream_latency_plain": Claim("`extra_fields.upstream_latency` in plain answers", BYTES),
    "upstream_latency_last_chunk": Claim("the same in the last chunk of a stream", BYTES),
    "null_continuation_name": Claim(
        "later pieces of a tool call say `function.name: null`", f"{BYTES} for 1.6, {OURS} for 2.2"
    ),
    "refusal_deltas": Claim("chunks of a refusal or of annotations are sent; else they are lost", CODE),
    "reasoning_content": Claim("`reasoning` is sent again as `reasoning_content`", CODE),
    "request_id_headers": Claim("headers `x-request-id`, `x-bifrost-trace-id`", BYTES),
    "security_headers": Claim("headers such as `x-frame-options`", BYTES),
    "empty_allow_origin": Claim(
        "without an Origin: an empty `access-control-allow-origin`; else `*` on streams", f"{BYTES}, {CODE}"
    ),
    "routing_headers": Claim("headers `x-bifrost-routing-info-…`, `x-bifrost-upstream-latency-ms`", BYTES),
    "zero_tokens": Claim("counts of zero tokens are sent; else left out", f"{CODE}, {CLIENTS}"),
    "cached_tokens_twin": Claim("`cached_tokens` beside `cached_read_tokens`", f"{CODE}, {CLIENTS}"),
    "cache_write_tokens": Claim("`cache_write_tokens` in the details of the prompt", CODE),
    "error_type": Claim("errors are classified in `extra_fields.error_type`", CODE),
    "error_latency": Claim("errors say `extra_fields.latency`", CODE),
    "local_error_status": Claim("status of an error of the gateway that has none of its own", CODE),
    "local_stream_error_status": Claim("the same when a stream was asked for", CODE),
    "close_on_invalid_json": Claim("the connection is closed after a body that is no JSON", CODE),
}


def models() -> dict[str, type[Node]]:
    """Every mapping of the language by the name of its model, found from the file down."""
    found: dict[str, type[Node]] = {}
    waiting: list[Any] = [ScenarioModel]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, Node):
            if kind.__name__ not in found:
                found[kind.__name__] = kind
                waiting += get_type_hints(kind, include_extras=True).values()
        else:
            waiting += get_args(kind)
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; a bar inside a cell does not end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in lines)


def anchor(title: str) -> str:
    """The anchor of a heading."""
    return "#" + title.lower().replace(" ", "-")


class Words:
    """Types of the models in words, with links to the sections that explain them."""

    def __init__(self, titles: Mapping[str, str]) -> None:
        self._titles = titles
        self._known: list[tuple[Any, str]] = [
            (Duration, "[duration](#durations)"),
            (Positive, "[duration](#durations)"),
            (Dollars, "dollars"),
            (Share, "number from 0 to 1"),
            (kinds.Numbers, "number, list or range"),
            (kinds.Names, "text or list"),
            (kinds.OneOrMoreNames, "text or list"),
            (kinds.Template, "text ([template](#templates))"),
            (kinds.HeaderTemplate, "text ([template](#templates))"),
            (kinds.Count, "number from 0"),
            (kinds.AtLeastOne, "number from 1"),
            (JsonValue, "any value"),
            (bool, "true or false"),
            (int, "whole number"),
            (float, "number"),
            (str, "text"),
        ]

    def of(self, hint: Any) -> str:
        """One type."""
        for kind, said in self._known:
            if hint == kind:
                return said
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self.of(arguments[0])
        if origin is Literal:
            return ", ".join(f"`{value}`" for value in arguments)
        if origin in (Union, types.UnionType):
            return " or ".join(self.of(argument) for argument in arguments if argument is not type(None))
        if origin is tuple:
            return f"list of {self.of(arguments[0])}"
        if isinstance(hint, type) and issubclass(hint, Node):
            title = self._titles[hint.__name__]
            return f"[{title.lower()}]({anchor(title)})"
        if origin is not None and issubclass(origin, Mapping):
            return "mapping"
        raise TypeError(f"{hint} has no words: give it `types` in words.yaml")


def default_of(field: FieldInfo, hint: Any) -> str:
    """The default as it would be written; nothing where leaving the key out means leaving it out."""
    value = field.default
    if field.is_required() or value in (None, (), "") or field.default_factory is not None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if hint == Resets:
        return f"`{value[1]}`"
    if hint in (Duration, Positive):
        return f"`{format_duration(value)}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def key_tables() -> Iterator[str]:
    """One section for each mapping. Raises ValueError where words and keys differ."""
    found = models()
    written = sections()
    titles = {section["model"]: section["title"] for section in written}
    words = Words({**titles, "BodyCheckModel": ""})
    missing = set(found) - set(titles) - {"BodyCheckModel"}
    if missing:
        raise ValueError(f"words.yaml has no section for {sorted(missing)}")
    for section in written:
        model = found[section["model"]]
        keys = section["keys"]
        if list(keys) != list(model.known_keys()):
            wrong = set(keys) ^ set(model.known_keys()) or "their order"
            raise ValueError(f"words.yaml and {section['model']} differ in {wrong}")
        hints = get_type_hints(model, include_extras=True)
        rows = []
        for name, field in model.model_fields.items():
            key = field.alias or name
            said = section.get("types", {}).get(key) or words.of(hints[name])
            rows.append([f"`{key}`", said, default_of(field, hints[name]), keys[key]])
        yield f"## {section['title']}\n\n{section['intro']}\n\n{table(['key', 'value', 'default', ''], rows)}"


def name_tables() -> Iterator[str]:
    """What has a name: paces, errors, ways to cut, template variables, durations."""
    rows = [
        [
            f"`{pace.name}`",
            format_duration(pace.ttft_s),
            f"{pace.tokens_per_second:g}" if pace.tokens_per_second else "all at once",
            f"{pace.jitter:g}",
            f"`{pace.chunk}`",
        ]
        for pace in PACES.values()
    ]
    yield "## Named paces\n\n" + table(["name", "ttft", "tokens per second", "jitter", "chunk"], rows)
    rows = [
        [f"`{row.name}`", str(row.status), code(row.type), code(row.code), code(row.param), row.message]
        for row in PROVIDER_ERRORS.values()
    ]
    intro = "Of a provider: `error: NAME`. `{model}` is the model that was asked.\n\n"
    yield "## Names of errors\n\n" + intro + table(["name", "status", "type", "code", "param", "message"], rows)
    yield (
        "## Names of gateway errors\n\n"
        + GATEWAY_INTRO
        + table(GATEWAY_HEAD, [gateway_row(name) for name in GATEWAY_ERRORS])
    )
    yield "## Faults of the provider's connection\n\n" + FAULTS_INTRO + table(FAULTS_HEAD, [*map(fault_row, FAULTS)])
    yield "## Fragments\n\n" + table(
        ["`fragments`", "a stream cuts tool calls"], [[f"`{name}`", text] for name, text in FRAGMENTS.items()]
    )
    rows = [[f"`{name}`", TEMPLATES[name]] for name in NAMES]
    yield "## Templates\n\nWhat `{{ … }}` may name, in Jinja's syntax:\n\n" + table(["name", ""], rows)
    rows = [[f"`{unit}`", f"{milliseconds:,} ms"] for unit, milliseconds in UNITS_MS.items()]
    yield "## Durations\n\nA number and a unit, or several, as in `1m30s`. Only `0` needs none.\n\n" + table(
        ["unit", ""], rows
    )


GATEWAY_INTRO: Final = (
    "Of the gateway: `gateway_error: NAME`. Those of a *request* end it; those of a *target* fail one target, so that "
    "fallbacks follow. A status in brackets is not in the body: the release gives it to errors without one.\n\n"
)
GATEWAY_HEAD: Final = ("name", "of", "documented", "1.6", "2.2", "type", "message")


def gateway_row(name: str) -> list[str]:
    """One row: the status in each profile, and the words of the documented one."""
    row = gateway_error(name, "documented")
    statuses = [status_of(name, profile) for profile in PROFILES.values()]
    kind = row.type or (f"error.type {row.error_type}" if row.error_type else row.code)
    return [f"`{name}`", row.scope, *statuses, code(kind), row.message]


def status_of(name: str, profile: Profile) -> str:
    """The status; in brackets where the error has none of its own."""
    status = gateway_error(name, profile.name).status
    return str(status) if status is not None else f"({profile.local_error_status})"


FAULTS_INTRO: Final = (
    "What a client sees of `upstream`, where nothing is retried and no fallback is asked. Those that have a place stand after "
    "the first chunk here. A stream that has not begun fails as a plain answer does, with a status.\n\n"
)
FAULTS_HEAD: Final = ("name", "the provider …", "a plain answer", "a stream", "in 1.6")
_SAID: Final = (
    Delta({"role": "assistant", "content": ""}),
    Delta({"content": "One,"}),
    Delta({"content": " two."}),
    Delta({}, finish_reason="stop"),
)


def fault_row(name: str) -> list[str]:
    """One kind, and what becomes of an answer that it happens to; of none where it needs none."""
    kind = FAULTS[name]
    shown = [heard_in_words(kind, "documented", stream=stream) for stream in (False, True)]
    older = [heard_in_words(kind, "1.6", stream=stream) for stream in (False, True)]
    forms = zip(("plain", "stream"), shown, older, strict=True)
    return [f"`{name}`", kind.what, *shown, "; ".join([f"{form}: {old}" for form, new, old in forms if new != old])]


def heard_in_words(kind: FaultKind, version: ProfileName, *, stream: bool) -> str:
    """What a client is sent."""
    profile = PROFILES[version]
    place = HALF if kind.name == "truncated" else Place("after_chunks", 1) if kind.placed else START
    error = ProviderError("", 500, None, None, "the error") if kind.name == "error_event" else None
    fault = ConnectionFault(kind.name, place, error=error)
    answer = Answer(Draft(deltas=_SAID), "", 0, "", "", fault=fault)
    heard = hears(profile, ProviderRules(), frozenset(), answer, stream=stream)
    if isinstance(heard, Broke):
        return f"{http_status(profile, heard.error, stream=stream)} {heard.error.message}"
    if isinstance(heard, Cuts):
        return f"the chunks, then the error: {heard.error.message}" if heard.error else "the chunks, then a good end"
    return "`[DONE]` alone" if isinstance(heard, NoChunks) else "nothing, ever" if heard else "the answer"


def code(text: str | None) -> str:
    """A name in the type of code; nothing for none."""
    return f"`{text}`" if text else ""


def command_tables() -> Iterator[str]:
    """The command line, from the commands themselves."""
    yield "## Command line\n\nEach option of `serve` may also be set in the environment.\n"
    for name, command in sorted(command_line.commands.items()):
        context = click.Context(command, info_name=name, **command.context_settings)
        arguments = [part.make_metavar(context) for part in command.params if isinstance(part, click.Argument)]
        rows = [option_row(option, context) for option in command.params if isinstance(option, click.Option)]
        said = inspect.cleandoc(command.help or "").replace("\n", " ")
        yield f"### mockbifrost {name}\n\n`mockbifrost {' '.join([name, *arguments])}`: {said}\n" + (
            "\n" + table(["option", "environment", "default", ""], rows) if rows else ""
        )


def option_row(option: click.Option, context: click.Context) -> list[str]:
    """One option."""
    variable = f"{context.auto_envvar_prefix}_{(option.name or '').upper()}" if context.auto_envvar_prefix else ""
    values = f" {'|'.join(option.type.choices)}" if isinstance(option.type, click.Choice) else ""
    shown = f"`{option.default}`" if option.show_default and option.default is not None else ""
    return [f"`{option.opts[0]}{values}`", code(variable), shown, option.help or ""]


def server_tables() -> Iterator[str]:
    """What the server answers besides completions."""
    rows = [[method, f"`{path}`", text] for method, path, text in ADDRESSES]
    yield "## Addresses\n\n" + table(["method", "path", ""], rows)
    rows = [[f"`{name}`", text] for name, text in HEADERS]
    yield "## Headers\n\nOn every answer, unless `--no-mock-headers` is given (but for the last):\n\n" + table(
        ["header", ""], rows
    )


PYTHON: Final = (
    api.MockBifrost, api.MockBifrostProcess, api.RemoteBifrost, api.AnyServer, api.Session, api.When, api.Step,
    api.Snapshot, api.SessionClock, api.Gate, api.Call, api.Request, api.Try, api.Answered, api.Message, api.ToolCall,
    api.NearMiss, api.Mismatch, api.Place, api.StubState, api.Row,
)  # fmt: skip
"""What users hold, in the order of the page."""


def python_tables() -> Iterator[str]:
    """The public names of the Python API, with the first sentence of each."""
    yield (
        "## Python\n\nThe fixture `mockbifrost` of pytest is a `Session`, fresh for each test; `mockbifrost_server` is "
        "the `MockBifrost` behind it, one for each worker.\n"
    )
    yield table(["", ""], [member_row("connect", api.connect)])
    built = (api.MockBifrost, api.MockBifrostProcess)
    for kind in PYTHON:
        rows = [member_row(name, member) for name, member in members(kind).items() if is_public(name, member, kind)]
        constructor = f"`{kind.__name__}{signature(kind)}`\n\n" if kind in built else ""
        said = first_sentence(kind) + values_of(kind)
        shown = [row for row in rows if row]
        yield f"### {kind.__name__}\n\n{constructor}{said}\n" + (f"\n{table(['', ''], shown)}" if shown else "")


def pytest_tables() -> Iterator[str]:
    """The fixtures, options and settings of the plugin, and the ready clients."""
    parser = pytest.Parser(_ispytest=True)
    add_options(parser)
    options = [
        [f"`{name}`", str(option.attrs()["help"])]
        for option in parser.getgroup("mockbifrost").options
        for name in option.names()
    ]
    settings = [[f"`{name}`", str(kind), str(said)] for name, (said, kind, _default) in parser._inidict.items()]
    fixtures = [[f"`{name}`", first_sentence(getattr(pytest_plugin, name))] for name in FIXTURES]
    arguments = ", ".join([f"`{field.name}`" for field in fields(Marked)])
    yield (
        "## pytest\n\n"
        + table(["fixture", ""], fixtures)
        + f"\nThe marker `mockbifrost` takes {arguments}; so does `mockbifrost_sessions(…)`.\n\n"
        + table(["option", ""], options)
        + "\n"
        + table(["setting", "", ""], settings)
    )
    rows = [
        [f"`clients.{module.__name__.rpartition('.')[2]}.{name}{signature(made)}`", first_sentence(made)]
        for module in (clients.openai, clients.pydantic_ai, clients.langchain)
        for name, made in vars(module).items()
        if getattr(made, "__module__", "") == module.__name__
    ]
    yield "## Ready clients\n\nIn `mockbifrost.clients`.\n\n" + table(["", ""], rows)


FIXTURES: Final = (
    "mockbifrost",
    "mockbifrost_sessions",
    "mockbifrost_env",
    "mockbifrost_server",
)


def is_public(name: str, member: object, kind: type) -> bool:
    """Whether users are meant to use it; of a stub in the making that is what can be chained."""
    chained = "Self" in getattr(member, "__annotations__", {}).values()
    return (
        not name.startswith("_")
        and (kind not in (api.When, api.Step) or chained)
        and not isinstance(member, classmethod)
    )


def values_of(kind: type) -> str:
    """The values that it holds."""
    if kind is api.Step or not is_dataclass(kind):
        return ""
    return " It has " + ", ".join([f"`{one.name}`" for one in fields(kind)]) + "."


def members(kind: type) -> dict[str, object]:
    """What it has, what it inherits from the package first."""
    own = [one for one in reversed(kind.__mro__) if one.__module__.startswith("mockbifrost.")]
    return {name: member for one in own for name, member in vars(one).items()}


def member_row(name: str, member: object) -> list[str]:
    """A method with its signature, a property or an attribute by name; nothing for what has no docstring."""
    said = first_sentence(member)
    if not said or isinstance(member, types.MemberDescriptorType):
        return []
    return [f"`{name}{signature(member) if callable(member) else ''}`", said]


def signature(member: Any) -> str:
    """Its parameters without types and without self."""
    parameters = inspect.signature(member).parameters.values()
    bare = [part.replace(annotation=inspect.Parameter.empty) for part in parameters if part.name != "self"]
    return str(inspect.Signature(bare)).replace("'", '"')


def first_sentence(member: object) -> str:
    """The first sentence of a docstring that is its own."""
    text = inspect.cleandoc(getattr(member, "__doc__", None) or "").replace("\n", " ")
    return text.split(". ")[0].rstrip(".") + "." if text else ""


def reference() -> str:
    """The whole of reference.md."""
    head = (
        "# Reference\n\nMade from the code by `docs/make_reference.py`. "
        "[The scenario language](scenario-language.md) explains the same with examples.\n"
    )
    parts = [*key_tables(), *name_tables(), *command_tables(), *server_tables(), *python_tables(), *pytest_tables()]
    return "\n".join([head, *parts])


def profile_table() -> str:
    """The rows in which the profiles differ. Raises ValueError where a field has no claim."""
    names = {field.name for field in fields(Profile)} - {"name"}
    if names != set(CLAIMS):
        raise ValueError(f"CLAIMS and Profile differ in {sorted(names ^ set(CLAIMS))}")
    rows = [
        [claim.what, *[yes_or_no(getattr(profile, name)) for profile in PROFILES.values()], claim.source]
        for name, claim in CLAIMS.items()
    ]
    return table(["", *PROFILES, "source"], rows)


def quirk_table() -> str:
    """All quirks, with the releases that had them."""
    rows = [[f"`{quirk.name}`", quirk.effect, quirk.releases, source_of(quirk.source)] for quirk in QUIRKS.values()]
    return table(["name", "what happens", "releases", "source"], rows)


def source_of(text: str) -> str:
    """An issue of the gateway as a link, anything else as it is."""
    return f"[{text}]({ISSUES}{text[1:]})" if text.startswith("#") else text


def yes_or_no(value: object) -> str:
    """A cell."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def with_table(page: str, made: str) -> str:
    """The page with what stands between the two marks made anew."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "\n" + made + "\n" + END + rest.partition(END)[2]


def pages() -> dict[Path, str]:
    """Each page that is made, as it should be."""
    with_tables = {DOCS / "profiles.md": profile_table(), DOCS / "quirks.md": quirk_table()}
    return {
        DOCS / "reference.md": reference(),
        **{path: with_table(path.read_text(encoding="utf-8"), made) for path, made in with_tables.items()},
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
