"""The scenario language as types: what an editor completes and a type checker checks. The models check again, and say what is wrong.

A name in `…Dict` is a mapping of the language; the `…Parameters` are the same where Python has taken a key, with an underscore after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Required, TypeAlias

from typing_extensions import TypedDict

Json: TypeAlias = object
"""Any plain value that JSON can hold. What it can't hold is refused when the stub is added."""
JsonMapping: TypeAlias = Mapping[str, Json]
"""Beside a `…Dict`: the same mapping from a variable that a type checker knows less of."""
Duration: TypeAlias = str | Literal[0]
"""A number and a unit: `350ms`, `1.5s`, `1m30s`."""
On: TypeAlias = Literal[True]
"""What is only ever turned on."""
Names: TypeAlias = str | Sequence[str]
Numbers: TypeAlias = int | str | Sequence[int | str]
"""A number, a range such as `"1.."` or `"0..2"`, or a list of them."""

ProviderErrorName: TypeAlias = Literal[
    "bad_request", "context_length", "content_filter", "unauthorized", "forbidden", "model_not_found", "request_timeout",
    "conflict", "too_large", "unprocessable", "rate_limited", "insufficient_quota", "server_error", "bad_gateway",
    "unavailable", "gateway_timeout", "overloaded",
]  # fmt: skip
GatewayErrorName: TypeAlias = Literal[
    "virtual_key_required", "virtual_key_not_found", "virtual_key_inactive", "virtual_key_expired",
    "missing_required_headers", "invalid_json", "no_provider", "no_model", "unsupported_operation", "request_cancelled",
    "queue_full", "shutting_down", "internal", "provider_blocked", "model_blocked", "budget_exceeded", "token_limited",
    "request_limited", "rate_limited", "no_keys", "no_key_for_model", "no_eligible_keys", "credentials_exhausted",
    "provider_timeout", "connection_failed",
]  # fmt: skip
QuirkName: TypeAlias = Literal[
    "no_role_delta", "no_finish_reason", "no_middle_finish_reason", "split_last_chunk", "empty_last_chunk",
    "no_usage_chunk", "tool_index_zero", "fused_tool_names", "no_reasoning_deltas", "reasoning_dropped", "drop_chunks",
    "content_blocks", "response_format_rejected", "finish_reason_error", "nested_error_event", "upstream_death_is_success",
    "skips_malformed_chunks", "silent_upstream_hangs", "timeout_is_500", "no_retry_of_streams", "header_leak_on_fallback",
    "no_fallback_on_caller_fault", "no_settings_fallback_on_refusal", "usage_inconsistent", "cached_at_full_price",
    "cache_never_hits", "no_cache_debug_on_streams", "pinned_key_breaks_semantic_cache", "null_body_on_cache_hit",
    "done_then_open",
]  # fmt: skip
PaceName: TypeAlias = Literal["instant", "typing", "slow"]
Chunk: TypeAlias = Literal["token", "word", "char", "whole"] | int
"""What a chunk of a stream holds; a number is of characters."""
PlaceName: TypeAlias = Literal["tool_arguments", "reasoning", "finish", "usage", "done"]
Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]
Fragments: TypeAlias = Literal["openai", "one_chunk", "per_char", "split_escape", "interleaved", "name_repeated"]
FaultAlone: TypeAlias = Literal["reset", "no_response", "empty", "not_json", "truncated", "not_sse", "no_done"]
"""Faults that have no settings."""
FaultName: TypeAlias = FaultAlone | Literal["html", "cut", "stall", "malformed"]
"""Faults that their name alone stands for."""
OnEnd: TypeAlias = Literal["miss", "pass", "repeat", "cycle"]
Scope: TypeAlias = Literal["conversation"]
Per: TypeAlias = Literal["call", "attempt"]


_Not = TypedDict("_Not", {"not": "Text"}, total=False)


class TextDict(_Not, total=False):
    """Tests of a text, all of which must hold."""

    equals: str
    contains: str
    starts_with: str
    ends_with: str
    regex: str
    flags: str
    glob: str
    ignore_case: bool
    any: Sequence[Text]
    all: Sequence[Text]


Text: TypeAlias = str | TextDict | JsonMapping
"""A text that is contained, `/a regular expression/`, or tests."""


class LastDict(TypedDict, total=False):
    """The last message."""

    role: Role
    text: Text


class ToolResultDict(TypedDict, total=False):
    """The result of a tool."""

    name: str
    id: str
    text: Text
    json: Json


class MessageDict(TypedDict, total=False):
    """One message of the end of the conversation."""

    role: Role
    text: Text
    tool_call: Names
    tool_result: str | ToolResultDict | JsonMapping


class WhenDict(TypedDict, total=False):
    """What a stub waits for: every key given must hold."""

    provider: Names
    model: Names
    key: Text
    attempt: Numbers
    fallback: Numbers
    user: Text
    task: Text
    system: Text
    last: Text | LastDict | JsonMapping
    messages: Sequence[Text | MessageDict | JsonMapping]
    turn: Numbers
    tools: Names
    tool_result: str | ToolResultDict | JsonMapping | Sequence[str | ToolResultDict | JsonMapping]
    stream: bool
    n: int
    response_format: Text
    virtual_key: Text
    headers: Mapping[str, Text | None]
    body: JsonMapping


class Sought(WhenDict, total=False):
    """What a request must be: the keys of `when`, each as a stub takes it, then what became of the request.

    `status`: of the response, or one of some. `streamed`: whether the response was a stream. `error`: the name of the mock's own error, or
    type or code of the error that the client got; True for any, False for none.
    """

    status: int | Sequence[int]
    streamed: bool
    error: str | bool


class ToolCallDict(TypedDict, total=False):
    """A call of a tool, written out. Short is `{name: {arguments}}`, or just the name."""

    name: Required[str]
    arguments: str | JsonMapping
    id: str


ToolCall: TypeAlias = str | ToolCallDict | JsonMapping


class CachedWriteDict(TypedDict, total=False):
    """`cached_write_token_details`."""

    cached_write_tokens_5m: int
    cached_write_tokens_1h: int


class PromptDetailsDict(TypedDict, total=False):
    """`usage.prompt_tokens_details`."""

    text_tokens: int
    audio_tokens: int
    image_tokens: int
    cached_tokens: int
    cached_read_tokens: int
    cached_write_tokens: int
    cache_write_tokens: int
    cached_write_token_details: CachedWriteDict | JsonMapping


class CompletionDetailsDict(TypedDict, total=False):
    """`usage.completion_tokens_details`."""

    text_tokens: int
    accepted_prediction_tokens: int
    audio_tokens: int
    citation_tokens: int
    num_search_queries: int
    reasoning_tokens: int
    image_tokens: int
    rejected_prediction_tokens: int


class UsageDict(TypedDict, total=False):
    """What the provider counted."""

    prompt_tokens: int
    prompt_tokens_details: PromptDetailsDict | JsonMapping
    completion_tokens: int
    completion_tokens_details: CompletionDetailsDict | JsonMapping
    total_tokens: int
    audio_seconds: float
    search_units: int
    cost_in_usd_ticks: int


Content: TypeAlias = str | Sequence[str | JsonMapping]
"""A text, or the parts of a content."""


class ReplyDict(TypedDict, total=False):
    """What the provider answers."""

    content: Content | None
    faker: str | JsonMapping
    reasoning: str
    reasoning_details: Sequence[JsonMapping]
    tool_calls: Sequence[ToolCall]
    fragments: Fragments
    refusal: str
    annotations: Sequence[JsonMapping]
    audio: JsonMapping
    citations: Sequence[str]
    search_results: Sequence[JsonMapping]
    videos: Sequence[JsonMapping]
    choices: Sequence[str | ReplyDict | JsonMapping]
    logprobs: bool | JsonMapping
    finish_reason: str
    usage: UsageDict | JsonMapping | None
    cost: float | JsonMapping | None
    model: str
    id: str
    created: int
    system_fingerprint: str
    service_tier: str
    message: JsonMapping
    latency: Duration
    headers: Mapping[str, str]
    chunks: Sequence[str | JsonMapping]
    body: JsonMapping


class ErrorDict(TypedDict, total=False):
    """How the provider fails."""

    name: ProviderErrorName | str
    status: int
    type: str | None
    code: str | None
    message: str
    param: Json
    headers: Mapping[str, str]
    retry_after: Duration
    shape: Literal["openai", "string", "html", "empty", "plain_text"]


class GatewayErrorDict(TypedDict, total=False):
    """How the gateway refuses."""

    name: GatewayErrorName | str
    status: int | None
    type: str | None
    code: str | None
    message: str
    error_type: str | None


class ReplayParameters(TypedDict, total=False):
    """How a recording is found, and what is laid over it; beside its cassette and interaction."""

    with_: str | ReplyDict | JsonMapping
    ignore: Names
    exact: On
    on_end: Literal["miss", "repeat"]


_With = TypedDict("_With", {"with": "str | ReplyDict | JsonMapping"}, total=False)


class ReplayDict(_With, total=False):
    """A recording."""

    cassette: Required[str]
    interaction: int | str
    ignore: Names
    exact: On
    on_end: Literal["miss", "repeat"]


class EventDict(TypedDict, total=False):
    """A server-sent event, text as it is, or a pause."""

    data: Json
    event: str
    id: str
    comment: str
    raw: str
    sleep: Duration


class RawDict(TypedDict, total=False):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    delay: Duration
    json: Json
    text: str
    base64: str
    events: Sequence[EventDict | JsonMapping]
    done: bool
    eol: Literal["lf", "crlf", "cr"]
    split: int
    one_write: bool
    end: Literal["clean", "close"]


class PaceDict(TypedDict, total=False):
    """When the provider says what."""

    name: PaceName | str
    ttft: Duration
    tokens_per_second: float
    jitter: float
    chunk: Chunk
    speed: float


Pace: TypeAlias = PaceName | str | PaceDict | JsonMapping


class AtDict(TypedDict, total=False):
    """A place in an answer: one of the three."""

    name: PlaceName
    text: str
    bytes: int


class PlacedDict(TypedDict, total=False):
    """Where in the answer."""

    after_chunks: int
    at: PlaceName | AtDict | JsonMapping


class CutDict(PlacedDict, total=False):
    """The answer breaks off."""

    how: Literal["fin", "reset"]


class StallParameters(PlacedDict, total=False):
    """The provider falls silent."""

    for_: Duration


_For = TypedDict("_For", {"for": Duration}, total=False)


class StallDict(PlacedDict, _For, total=False):
    """The provider falls silent."""


class ErrorEventDict(PlacedDict, total=False):
    """An error inside the stream."""

    name: ProviderErrorName | str
    message: str
    type: str | None
    code: str | None


class HtmlDict(TypedDict, total=False):
    """An error page."""

    status: int


class UpstreamDict(TypedDict, total=False):
    """One fault of the provider's connection."""

    reset: On
    no_response: On
    empty: On
    html: HtmlDict | JsonMapping
    not_json: On
    truncated: On
    not_sse: On
    slow: Duration
    cut: CutDict | JsonMapping
    stall: StallDict | JsonMapping
    malformed: PlacedDict | JsonMapping
    no_done: On
    error_event: ProviderErrorName | str | ErrorEventDict | JsonMapping


Upstream: TypeAlias = FaultName | UpstreamDict | JsonMapping


class CacheDict(TypedDict, total=False):
    """What the gateway's cache makes of the request."""

    hit: Literal["direct", "semantic"]
    miss: On
    similarity: float


Cache: TypeAlias = Literal["hit", "miss"] | CacheDict | JsonMapping


class ActiveParameters(TypedDict, total=False):
    """When a stub answers: all must hold."""

    first: int
    after: int
    every: int
    from_: Duration
    until: Duration
    period: Duration
    probability: float
    gate: str


_From = TypedDict("_From", {"from": Duration}, total=False)


class ActiveDict(_From, total=False):
    """When a stub answers: all must hold."""

    first: int
    after: int
    every: int
    until: Duration
    period: Duration
    probability: float
    gate: str


class StepDict(TypedDict, total=False):
    """A step of a sequence: one behaviour, with its pace."""

    reply: str | ReplyDict | JsonMapping
    error: ProviderErrorName | str | ErrorDict | JsonMapping
    gateway_error: GatewayErrorName | str | GatewayErrorDict | JsonMapping
    auto: On
    echo: On
    replay: str | ReplayDict | JsonMapping
    raw: RawDict | JsonMapping
    forward: On
    pace: Pace
    upstream: Upstream
    cache: Cache


class StubDict(StepDict, total=False):
    """A stub."""

    name: str
    when: WhenDict | JsonMapping
    active: ActiveDict | JsonMapping
    times: int
    per: Per
    priority: int
    required: bool | int
    sequence: Sequence[str | StepDict | JsonMapping]
    on_end: OnEnd
    scope: Scope


class DefaultsDict(TypedDict, total=False):
    """What holds for stubs that do not say otherwise."""

    pace: Pace
    model: str


class BackoffDict(TypedDict, total=False):
    """How long a retry waits."""

    initial: Duration
    max: Duration


class KeyDict(TypedDict, total=False):
    """A key of a provider."""

    name: Required[str]
    weight: float
    models: Sequence[str]
    aliases: Mapping[str, str]


class ProviderDict(TypedDict, total=False):
    """What is configured for a provider."""

    validate: bool
    models: Sequence[str]
    max_retries: int
    retry_backoff: BackoffDict | JsonMapping
    timeout: Duration
    stream_idle_timeout: Duration
    keys: Sequence[KeyDict | JsonMapping]


class GatewayCacheDict(TypedDict, total=False):
    """The simulated cache."""

    enabled: bool
    ttl: Duration
    threshold: float
    semantic: bool
    default_key: str | None
    conversation_history_threshold: int
    similar: Sequence[tuple[str, str, float]]
    by_model: bool
    by_provider: bool
    exclude_system_prompt: bool


class BudgetDict(TypedDict, total=False):
    """Dollars in a time."""

    limit: Required[float]
    resets: str


class RateLimitDict(TypedDict, total=False):
    """Requests and tokens in a time: `10/1m`."""

    requests: str
    tokens: str


class VirtualKeyDict(TypedDict, total=False):
    """A virtual key."""

    name: str
    active: bool
    expires: str | None
    providers: Mapping[str, Sequence[str]]
    budgets: Sequence[BudgetDict | JsonMapping]
    rate_limit: RateLimitDict | JsonMapping


class PriceDict(TypedDict, total=False):
    """Dollars for a million tokens; `search` and `request` for one each."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    reasoning: float
    citation: float
    search: float
    request: float


class RawSettingsDict(TypedDict, total=False):
    """Whether answers show what went to the provider and what came back."""

    request: bool
    response: bool


class GatewayDict(TypedDict, total=False):
    """Settings of the gateway."""

    version: Literal["documented", "1.6", "2.2"]
    providers: Mapping[str, ProviderDict | JsonMapping]
    fallbacks: Mapping[str, Sequence[str]]
    cache: GatewayCacheDict | JsonMapping
    require_virtual_key: bool
    required_headers: Sequence[str]
    virtual_keys: Mapping[str, VirtualKeyDict | JsonMapping]
    pricing: Mapping[str, PriceDict | JsonMapping]
    cost: Literal["computed", "from_provider", "none"] | None
    tokens: Literal["built-in", "exact"]
    raw: RawSettingsDict | JsonMapping
    quirks: Sequence[QuirkName | str]


class ScenarioDict(TypedDict, total=False):
    """A scenario."""

    version: Required[Literal[1]]
    name: str
    description: str
    seed: int
    session: str
    gateway: GatewayDict | JsonMapping
    defaults: DefaultsDict | JsonMapping
    stubs: Sequence[str | StubDict | JsonMapping]
