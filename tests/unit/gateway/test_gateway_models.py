"""The models listing: what the configured providers offer, in OpenAI's form."""

from mockbifrost.clock import EPOCH_S
from mockbifrost.gateway.configuration import ProviderRules
from mockbifrost.gateway.models import models_json
from mockbifrost.scenario.load import load_text
from mockbifrost.session.assembly import assemble
from mockbifrost.vocabulary.providers import KNOWN_PROVIDERS
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

    assert dict(everything.providers) == dict.fromkeys(KNOWN_PROVIDERS, ProviderRules())
    assert dict(one.common.gateway.providers) == {"a": ProviderRules(models=("m",))}
