"""What an answer costs: whose price it is, and the parts that follow from it."""

import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import localcontext
from fractions import Fraction
from typing import Any

import genai_prices
import pytest
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.gateway.configuration import Price
from mockbifrost.gateway.pricing import parts_of, price_of
from mockbifrost.vocabulary.providers import KNOWN_PROVIDERS
from mockbifrost.wire.cost import Parts
from mockbifrost.wire.usage import Usage
from tests.strategies import JSON, NAMES, TEXTS

NOON = datetime(9999, 12, 31, 12, tzinfo=UTC)

# -- whose price


def test_the_scenarios_own_price_comes_first() -> None:
    own, rest, all_ = Price(1.0), Price(2.0), Price(3.0)
    pricing = {"openai/*": rest, "openai/gpt-4o": own, "*": all_}

    assert price_of(pricing, "openai", "gpt-4o") is own
    assert price_of(pricing, "openai", "gpt-4o-mini") is rest
    assert price_of(pricing, "openai", "a/b") is rest
    assert price_of(pricing, "nobody", "x") is all_
    assert price_of({"nobody/gpt-4?": rest, "nobody/[g]pt-4o": rest}, "nobody", "gpt-4o") is None


def test_of_two_patterns_the_first_one_counts() -> None:
    pricing = {"*/gpt-4o": Price(1.0), "openai/*": Price(2.0)}

    assert price_of(pricing, "openai", "gpt-4o") == Price(1.0)
    assert price_of(dict(reversed(pricing.items())), "openai", "gpt-4o") == Price(2.0)


@dataclass(frozen=True, slots=True)
class Model:
    id: str
    provider: str
    catalogue: str
    model: str


MODELS = (
    Model("the same name", "openai", "openai", "gpt-4o"),
    Model("a dated model", "openai", "openai", "gpt-4o-2024-08-06"),
    Model("cache writes", "anthropic", "anthropic", "claude-sonnet-4-5"),
    Model("bedrock is aws", "bedrock", "aws", "anthropic.claude-3-haiku-20240307-v1:0"),
    Model("mantle too", "bedrock_mantle", "aws", "anthropic.claude-3-haiku-20240307-v1:0"),
    Model("gemini is google", "gemini", "google", "gemini-2.5-pro"),
    Model("vertex too", "vertex", "google", "gemini-2.5-flash"),
    Model("xai has a hyphen", "xai", "x-ai", "grok-4"),
    Model("azure sells others' models", "azure", "azure", "gpt-4o"),
    Model("cheaper at night", "deepseek", "deepseek", "deepseek-chat"),
    Model("a price for each request", "perplexity", "perplexity", "sonar"),
    Model("a provider of one's own", "together", "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
)


@pytest.mark.parametrize("case", MODELS, ids=lambda case: case.id)
@given(
    prompt=st.integers(0, 1_000_000), completion=st.integers(0, 100_000), reads=st.integers(0, 10**6), data=st.data()
)
def test_an_answer_costs_what_the_catalogue_itself_works_out(
    case: Model, prompt: int, completion: int, reads: int, data: st.DataObject
) -> None:
    """The catalogue's own calculator is the oracle, tiers and prices that change with time included."""
    reads = min(reads, prompt)
    writes = data.draw(st.integers(0, prompt - reads)) if case.catalogue == "anthropic" else 0
    price = price_of({}, case.provider, case.model, prompt_tokens=prompt)
    assert price is not None
    usage = Usage(
        prompt,
        completion,
        prompt + completion,
        {"cached_read_tokens": reads, "cached_write_tokens": writes},
    )
    counted = genai_prices.Usage(
        input_tokens=prompt, output_tokens=completion, cache_read_tokens=reads, cache_write_tokens=writes
    )
    wanted = genai_prices.calc_price(
        counted, case.model, provider_id=case.catalogue, genai_request_timestamp=NOON
    ).total_price

    assert parts_of(usage, price).total == pytest.approx(float(wanted), rel=1e-12)


def test_a_price_is_the_number_that_stands_in_the_catalogue() -> None:
    """Dollars for a million tokens are moved by six places, whatever precision the program calculates with."""
    with localcontext() as context:
        context.prec = 1
        price = price_of({}, "openai", "gpt-4.1-mini-2025-04-14")

    assert price is not None
    assert (price.input, price.output, price.cache_read, price.cache_write) == (4e-07, 1.6e-06, 1e-07, None)


def test_a_longer_prompt_may_have_another_price() -> None:
    short, edge, long = [
        price_of({}, "gemini", "gemini-2.5-pro", prompt_tokens=tokens) for tokens in (0, 200_000, 200_001)
    ]

    assert short is not None
    assert long is not None
    assert short == edge == price_of({}, "gemini", "gemini-2.5-pro")
    assert (short.input, short.output) == (1.25e-06, 1e-05)
    assert (long.input, long.output) == (2.5e-06, 1.5e-05)


def test_a_price_of_its_own_for_reasoning_citations_and_searches_is_read() -> None:
    price = price_of({}, "perplexity", "sonar-deep-research")

    assert price == Price(2e-06, 8e-06, reasoning=3e-06, citation=2e-06, search=0.005)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        pytest.param("openai", "no-such-model", id="an unknown model"),
        pytest.param("openai", "", id="no model"),
        pytest.param("nobody", "gpt-4o", id="an unknown provider"),
        pytest.param("my-openai", "gpt-4o", id="a provider that is only called like one"),
        pytest.param("ollama", "llama3", id="a provider without prices"),
        pytest.param("", "gpt-4o", id="no provider"),
        pytest.param("openai", "whisper-1", id="a model that is not sold by tokens"),
    ],
)
def test_a_model_that_nobody_has_a_price_for_has_none(provider: str, model: str) -> None:
    assert price_of({}, provider, model) is None


def test_a_name_that_is_far_too_long_is_not_looked_up() -> None:
    assert price_of({}, "anthropic", f"claude-sonnet-4-5-{'x' * 100}") is not None
    assert price_of({}, "anthropic", f"claude-sonnet-4-5-{'x' * 200}") is None


@given(st.sampled_from(KNOWN_PROVIDERS) | NAMES | TEXTS, TEXTS, st.integers())
def test_whatever_is_asked_for_is_no_error(provider: str, model: str, prompt_tokens: int) -> None:
    price_of({}, provider, model, prompt_tokens=prompt_tokens)


def test_an_answer_of_the_catalogue_is_remembered() -> None:
    assert price_of({}, "openai", "gpt-4.1") is price_of({}, "openai", "gpt-4.1")


def test_prices_that_the_program_has_fetched_elsewhere_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the same process lets genai-prices update itself; and nothing here asks the network."""
    monkeypatch.setattr(socket, "socket", None)
    set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=True))
    try:
        assert price_of({}, "openai", "gpt-4o-2024-11-20") is not None
    finally:
        set_custom_snapshot(None)


def test_the_catalogue_is_not_loaded_for_a_model_that_the_scenario_has_a_price_for() -> None:
    program = (
        "import sys\n"
        "from mockbifrost.gateway.configuration import Price\n"
        "from mockbifrost.gateway.pricing import price_of\n"
        "price_of({'openai/*': Price()}, 'openai', 'gpt-4o'); price_of({}, 'ollama', 'x')\n"
        "print('genai_prices' in sys.modules)\n"
        "price_of({}, 'openai', 'gpt-4o')\n"
        "print('genai_prices' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True"]


# -- the parts

DOLLARS = st.floats(0, 0.01)
PRICES = st.builds(
    Price,
    input=DOLLARS,
    output=DOLLARS,
    cache_read=st.none() | DOLLARS,
    cache_write=st.none() | DOLLARS,
    reasoning=st.none() | DOLLARS,
    citation=st.none() | DOLLARS,
    search=DOLLARS,
    request=DOLLARS,
)
FEW = st.integers(0, 12)
PROMPT_DETAILS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["cached_read_tokens", "cached_write_tokens", "audio_tokens", "image_tokens"], FEW)
)
COMPLETION_DETAILS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ["reasoning_tokens", "citation_tokens", "audio_tokens", "image_tokens", "num_search_queries"], FEW
    ),
)
USAGES = st.builds(
    Usage,
    prompt_tokens=st.integers(0, 30),
    completion_tokens=st.integers(0, 30),
    total_tokens=st.just(0),
    prompt_details=st.none() | PROMPT_DETAILS,
    completion_details=st.none() | COMPLETION_DETAILS,
)


def naive_total(usage: Usage, price: Price) -> Fraction:
    """Token by token: the first ones of a prompt were read from the cache, the next written to it, and so on."""

    def first(names: list[str], details: dict[str, Any], count: int, rest: float, prices: dict[str, float]) -> Fraction:
        tokens = [prices[name] for name in names for _ in range(details.get(name, 0))][:count]
        return sum([Fraction(one) for one in [*tokens, *[rest] * (count - len(tokens))]], Fraction(0))

    read, write = [price.input if each is None else each for each in (price.cache_read, price.cache_write)]
    known = {"reasoning_tokens": price.reasoning, "citation_tokens": price.citation}
    apart = {name: each for name, each in known.items() if each is not None}
    cached = {"cached_read_tokens": read, "cached_write_tokens": write}
    completion: dict[str, Any] = dict(usage.completion_details or {})
    searches: int = completion.get("num_search_queries", 0)
    return (
        Fraction(price.request)
        + first(list(cached), dict(usage.prompt_details or {}), usage.prompt_tokens, price.input, cached)
        + first(list(apart), completion, usage.completion_tokens, price.output, apart)
        + searches * Fraction(price.search)
    )


@given(USAGES, PRICES)
def test_the_total_is_what_each_token_costs(usage: Usage, price: Price) -> None:
    assert parts_of(usage, price).total == pytest.approx(float(naive_total(usage, price)), rel=1e-9)


@given(USAGES, PRICES)
def test_one_token_or_search_more_never_costs_less(usage: Usage, price: Price) -> None:
    details: dict[str, Any] = dict(usage.completion_details or {})
    more = {**details, "num_search_queries": details.get("num_search_queries", 0) + 1}
    before = parts_of(usage, price).total

    assert parts_of(replace(usage, prompt_tokens=usage.prompt_tokens + 1), price).total >= before
    assert parts_of(replace(usage, completion_tokens=usage.completion_tokens + 1), price).total >= before
    assert parts_of(replace(usage, completion_details=more), price).total >= before


@given(PRICES)
def test_an_answer_without_tokens_costs_the_request_alone(price: Price) -> None:
    assert parts_of(Usage(0, 0, 0), price) == Parts(request=price.request)


@given(st.integers(), st.integers(), st.dictionaries(TEXTS, JSON), JSON, JSON, JSON, PRICES)
def test_odd_counts_are_no_error_and_never_a_gain(
    prompt: int, completion: int, further: dict[str, Any], reads: Any, reasoning: Any, searches: Any, price: Price
) -> None:
    usage = Usage(
        prompt,
        completion,
        0,
        {**further, "cached_read_tokens": reads},
        {**further, "reasoning_tokens": reasoning, "num_search_queries": searches},
    )

    assert parts_of(usage, price).total >= price.request


def test_a_count_beyond_all_measure_is_no_error() -> None:
    assert parts_of(Usage(10**400, 10**400, 0), Price(1e-06, 1e-06)).total > 0


def test_the_real_prompt_takes_the_place_of_a_computed_ones() -> None:
    computed, counted = Usage(1, 2, 3, {"image_tokens": 7}, computed=True), Usage(10, 2, 12)

    assert parts_of(computed, Price(2.0), prompt_tokens=10) == Parts(text_input=6.0, image_input=14.0)
    assert parts_of(counted, Price(2.0), prompt_tokens=99) == Parts(text_input=20.0)


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    usage: Usage
    price: Price
    wanted: Parts


CASES = (
    Case("text", Usage(10, 4, 14), Price(2.0, 8.0), Parts(text_input=20.0, text_output=32.0)),
    Case(
        "cached tokens have a price of their own",
        Usage(10, 0, 10, {"cached_read_tokens": 3, "cached_write_tokens": 2}),
        Price(2.0, cache_read=0.5, cache_write=4.0),
        Parts(text_input=10.0, cached_read=1.5, cached_write=8.0),
    ),
    Case(
        "or that of the others",
        Usage(10, 0, 10, {"cached_read_tokens": 3, "cached_write_tokens": 2}),
        Price(2.0),
        Parts(text_input=10.0, cached_read=6.0, cached_write=4.0),
    ),
    Case(
        "OpenAI's names of them",
        Usage(10, 0, 10, {"cached_tokens": 3, "cache_write_tokens": 2}),
        Price(2.0, cache_read=0.0, cache_write=1.0),
        Parts(text_input=10.0, cached_write=2.0),
    ),
    Case(
        "no more are cached than there are, reads first",
        Usage(4, 0, 4, {"cached_read_tokens": 3, "cached_write_tokens": 2}),
        Price(2.0, cache_read=0.5, cache_write=4.0),
        Parts(cached_read=1.5, cached_write=4.0),
    ),
    Case(
        "audio and images are told apart",
        Usage(10, 10, 20, {"audio_tokens": 1, "image_tokens": 2}, {"audio_tokens": 3, "image_tokens": 4}),
        Price(1.0, 2.0),
        Parts(text_input=7.0, audio_input=1.0, image_input=2.0, text_output=6.0, audio_output=6.0, image_output=8.0),
    ),
    Case(
        "reasoning and citations apart where they have a price",
        Usage(0, 10, 10, None, {"reasoning_tokens": 3, "citation_tokens": 2}),
        Price(0.0, 2.0, reasoning=4.0, citation=1.0),
        Parts(text_output=10.0, reasoning=12.0, citation=2.0),
    ),
    Case(
        "else as output",
        Usage(0, 10, 10, None, {"reasoning_tokens": 3, "citation_tokens": 2}),
        Price(0.0, 2.0),
        Parts(text_output=20.0),
    ),
    Case(
        "searches and the request",
        Usage(0, 0, 0, None, {"num_search_queries": 3}),
        Price(search=0.5, request=0.25),
        Parts(search=1.5, request=0.25),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_parts(case: Case) -> None:
    assert parts_of(case.usage, case.price) == case.wanted


@given(USAGES, PRICES)
def test_with_the_quirk_cached_tokens_cost_as_much_as_others(usage: Usage, price: Price) -> None:
    details = {key: count for key, count in (usage.prompt_details or {}).items() if not key.startswith("cached")}

    found = parts_of(usage, price, quirks=frozenset({"cached_at_full_price"}))

    assert found == parts_of(replace(usage, prompt_details=details), price)
    assert found.input == pytest.approx(usage.prompt_tokens * price.input)
    assert parts_of(usage, price, quirks=frozenset({"no_usage_chunk"})) == parts_of(usage, price)
