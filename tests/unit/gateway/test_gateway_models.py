"""The models listing: what the configured providers offer, in OpenAI's form."""

from __future__ import annotations

from mockbifrost.clock import EPOCH_S
from mockbifrost.gateway.configuration import Key, ProviderRules
from mockbifrost.gateway.models import listing, models_json
from mockbifrost.scenario.load import load_text
from mockbifrost.session.assembly import assemble
from mockbifrost.vocabulary.providers import KNOWN_PROVIDERS
from mockbifrost.wire.envelope import WireError
from mockbifrost.wire.headers import RequestHeaders
from mockbifrost.wire.jsontypes import JsonObject
from tests.harness import stubs


def ids(providers: dict[str, tuple[str, ...]]) -> list[str]:
    return [row["id"] for row in models_json(providers)["data"]]  # type: ignore[union-attr,misc,call-overload,index]


def test_a_model_is_listed_with_its_provider() -> None:
    assert models_json({"mockoai": ("mimo",)}) == {
        "object": "list",
        "data": [{"id": "mockoai/mimo", "object": "model", "owned_by": "mockoai", "created": EPOCH_S}],
    }


def test_a_star_is_what_the_provider_is_known_for() -> None:
    found = ids({"openai": ("*",), "mockoai": ("*",)})

    assert "openai/gpt-4o" in found
    assert not any(id.startswith("mockoai") for id in found)


def test_patterns_are_no_models_and_none_is_listed_twice() -> None:
    assert ids({"openai": ("gpt-9", "gpt-*", "o?", "gpt-9"), "groq": ("gpt-9",)}) == ["openai/gpt-9", "groq/gpt-9"]


def test_every_known_provider_is_there_unless_some_are_configured() -> None:
    everything = assemble([load_text(stubs("- reply: x"), "a.yaml")]).common.gateway
    one = assemble([load_text(stubs("- reply: x", before="gateway: {providers: {a: {models: [m]}}}"), "a.yaml")])

    assert dict(everything.providers) == {name: ProviderRules(keys=(Key(f"{name}-key-1"),)) for name in KNOWN_PROVIDERS}
    assert dict(one.common.gateway.providers) == {"a": ProviderRules(models=("m",), keys=(Key("a-key-1"),))}


KEYS = """
gateway:
  providers: {openai: {models: [gpt-4o, gpt-4o-mini]}, anthropic: {models: [claude]}, mistral: {models: [large]}}
  virtual_keys: {sk-bf-a: {name: team-a, providers: {openai: [gpt-4o], mistral: []}}}
"""


def listed(headers: dict[str, str], provider: str | None = None) -> JsonObject | WireError:
    gateway = assemble([load_text(stubs("- reply: x", before=KEYS), "a.yaml")]).common.gateway
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return listing(gateway, RequestHeaders(raw), provider)


def listed_ids(found: JsonObject | WireError) -> list[str]:
    assert isinstance(found, dict)
    return [row["id"] for row in found["data"]]  # type: ignore[union-attr,misc,call-overload,index]


def test_a_virtual_key_lists_what_it_allows() -> None:
    everything = ["openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude", "mistral/large"]

    assert listed_ids(listed({})) == everything
    assert listed_ids(listed({"x-bf-vk": "sk-bf-a"})) == ["openai/gpt-4o"]
    assert listed_ids(listed({"authorization": "Bearer sk-bf-a"}, "openai")) == ["openai/gpt-4o"]
    assert listed_ids(listed({}, "anthropic")) == ["anthropic/claude"]


def test_a_listing_is_refused_as_a_request_is() -> None:
    unknown, blocked = listed({"x-bf-vk": "sk-bf-z"}), listed({"x-bf-vk": "sk-bf-a"}, "anthropic")

    assert isinstance(unknown, WireError)
    assert isinstance(blocked, WireError)
    assert (unknown.status_code, unknown.type) == (401, "virtual_key_not_found")
    assert (blocked.status_code, blocked.type) == (403, "provider_blocked")
