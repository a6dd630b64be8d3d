"""Where a request goes: the provider and the model of a text, and the fallbacks after them."""

import pytest

from mockbifrost.gateway.configuration import Gateway, ProviderRules, default_key
from mockbifrost.gateway.targets import Target, fallbacks_of, parse_model
from mockbifrost.wire.profiles import DOCUMENTED
from tests.harness import ask, chat, stubs

KNOWN = ("openai", "anthropic", "mockoai")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("gpt-4o", Target("openai", "gpt-4o")),
        ("openai/gpt-4o", Target("openai", "gpt-4o")),
        ("anthropic/claude/x", Target("anthropic", "claude/x")),
        ("mockoai/mimo", Target("mockoai", "mimo")),
        ("meta-llama/Llama-3", Target("openai", "meta-llama/Llama-3")),
        ("OpenAI/gpt-4o", Target("openai", "OpenAI/gpt-4o")),
        ("openai/", Target("openai", "")),
        ("/gpt-4o", Target("openai", "/gpt-4o")),
        ("", Target("", "")),
    ],
)
def test_a_model_is_split_only_after_a_known_provider(text: str, target: Target) -> None:
    assert parse_model(text, KNOWN) == target


def test_without_openai_a_bare_model_has_no_provider() -> None:
    assert parse_model("gpt-4o", ("anthropic",)) == Target("", "gpt-4o")


def test_fallbacks_without_a_known_provider_are_dropped() -> None:
    texts = ["anthropic/claude", "claude", "nobody/x", "openai/", "openai/gpt-4o"]

    gateway = Gateway(DOCUMENTED, dict.fromkeys(KNOWN, ProviderRules()))

    found = fallbacks_of(texts, Target("openai", "x"), gateway)
    assert found == (Target("anthropic", "claude"), Target("openai", "gpt-4o"))


@pytest.mark.parametrize(
    ("wanted", "model", "found"),
    [
        (None, "gpt-4o", ["anthropic/claude"]),
        ([], "gpt-4o", ["anthropic/claude"]),
        (["mockoai/mimo"], "gpt-4o", ["mockoai/mimo"]),
        (["nobody/x"], "gpt-4o", []),
        (None, "gpt-5", ["mockoai/mimo", "anthropic/claude"]),
        (None, "gpt-4o-mini", []),
        (None, "o4-mini", []),
    ],
)
def test_fallbacks_of_the_settings_serve_where_the_request_names_none(
    wanted: list[str] | None, model: str, found: list[str]
) -> None:
    settings = {
        "openai/gpt-*": ("mockoai/mimo", "anthropic/claude"),
        "openai/gpt-4o": ("anthropic/claude",),
        "openai/gpt-4o-mini": (),
    }
    gateway = Gateway(DOCUMENTED, dict.fromkeys(KNOWN, ProviderRules()), fallbacks=settings)

    targets = fallbacks_of(wanted, Target("openai", model), gateway)
    assert [f"{target.provider}/{target.model}" for target in targets] == found


def test_a_provider_that_nobody_has_configured_is_named() -> None:
    scenario = stubs("- reply: hi", before="gateway: {providers: {openai: {}}}")
    body = chat(model="anthropic/claude")

    refused = ask(scenario, body)
    assert (refused.status, refused.error["message"]) == (
        400,
        "failed to get config for provider anthropic: not found",
    )
    assert ask(scenario, {**body, "fallbacks": ["openai/gpt-4o"]}).text == "hi"


def test_each_provider_has_one_key() -> None:
    assert default_key("openai") == "openai-key-1"


@pytest.mark.parametrize(
    ("version", "model", "status", "message"),
    [
        (
            "documented",
            "",
            400,
            "could not auto resolve a provider for the request, please specify a provider explicitly",
        ),
        ("1.6", "", 500, "provider is required"),
        ("2.2", "", 400, "could not auto resolve a provider for the request, please specify a provider explicitly"),
        (
            "documented",
            "openai/",
            400,
            "could not auto resolve a model for the request, please specify a model explicitly",
        ),
        ("1.6", "openai/", 500, "model is required"),
    ],
)
def test_a_request_without_a_target_is_the_gateways_own_error(
    version: str, model: str, status: int, message: str
) -> None:
    """No stub is asked: it is no miss."""
    response = ask(stubs("- reply: x", before=f'gateway: {{version: "{version}"}}'), chat(model=model))

    assert (response.status, response.error) == (status, {"message": message})
    assert response.entry.error is None


def test_an_empty_body_is_a_request_without_a_target() -> None:
    assert ask(stubs("- reply: x", before='gateway: {version: "1.6"}'), b"").error == {
        "message": "provider is required"
    }


def test_a_provider_of_ones_own_is_configured_by_name() -> None:
    scenario = stubs("- reply: '{{ provider }} {{ model }}'", before="gateway: {providers: {mockoai: {}}}")

    assert ask(scenario, chat(model="mockoai/mimo")).text == "mockoai mimo"
    assert ask(scenario, chat(model="openai/gpt-4o")).status == 400
