"""Usage objects of every dialect become quantities by unit."""

import json
from decimal import Decimal, Inexact, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.usage import Usage
from otel_costs.usage.keys import KEYS, SOURCES, Beside, Kind, Part, is_free
from otel_costs.usage.reported import read, read_given
from otel_costs.usage.units import UNITS

CHAT = {
    "prompt_tokens": 1500,
    "completion_tokens": 800,
    "total_tokens": 2300,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 64,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


_TOOLS_DETAILS = ("tool_use_prompt_tokens_details.token_count",)


def quantities(usage: object, provider: str | None = None) -> dict[str, Any]:
    found = read(usage, provider)
    assert found is not None
    assert (found.invalid, found.unknown) == ((), ())
    return dict(found.quantities)


def test_chat() -> None:
    """Everything that chat reports has its unit; a zero that was reported is a known zero."""
    assert quantities(CHAT) == {
        "input_tokens": 1500,
        "output_tokens": 800,
        "cache_read_tokens": 1024,
        "input_audio_tokens": 0,
        "output_reasoning_tokens": 64,
        "output_audio_tokens": 0,
    }


def test_audio_chat() -> None:
    """The text, audio and image parts of spoken chats are kept apart."""
    usage = {
        "prompt_tokens": 120,
        "completion_tokens": 91,
        "total_tokens": 211,
        "prompt_tokens_details": {"audio_tokens": 80, "cached_tokens": 0, "text_tokens": 30, "image_tokens": 10},
        "completion_tokens_details": {"audio_tokens": 70, "text_tokens": 21, "reasoning_tokens": 0},
    }
    assert quantities(usage) == {
        "input_tokens": 120,
        "output_tokens": 91,
        "input_audio_tokens": 80,
        "cache_read_tokens": 0,
        "input_text_tokens": 30,
        "input_image_tokens": 10,
        "output_audio_tokens": 70,
        "output_text_tokens": 21,
        "output_reasoning_tokens": 0,
    }


def test_responses() -> None:
    """What was written to the cache is told from what was read."""
    usage = {
        "input_tokens": 2000,
        "input_tokens_details": {
            "cached_tokens": 128,
            "cache_write_tokens": 1024,
            "cache_write_tokens_details": {"ttl_30m_tokens": 1024, "ttl_12h_tokens": 0},
        },
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 2050,
    }
    assert quantities(usage) == {
        "input_tokens": 2000,
        "cache_read_tokens": 128,
        "cache_write_tokens": 1024,
        "cache_write_12h_tokens": 0,
        "output_tokens": 50,
        "output_reasoning_tokens": 30,
    }


def test_realtime() -> None:
    """Cached audio is told from cached text."""
    usage = {
        "total_tokens": 253,
        "input_tokens": 132,
        "output_tokens": 121,
        "input_token_details": {
            "text_tokens": 119,
            "audio_tokens": 13,
            "image_tokens": 0,
            "cached_tokens": 64,
            "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
    }
    assert quantities(usage) == {
        "input_tokens": 132,
        "output_tokens": 121,
        "input_text_tokens": 119,
        "input_audio_tokens": 13,
        "input_image_tokens": 0,
        "cache_read_tokens": 64,
        "cache_text_read_tokens": 64,
        "cache_audio_read_tokens": 0,
        "cache_image_read_tokens": 0,
        "output_text_tokens": 30,
        "output_audio_tokens": 91,
    }


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 120,
                "prompt_cache_hit_tokens": 64,
                "prompt_cache_miss_tokens": 36,
            },
            {"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 64},
            id="deepseek",
        ),
        pytest.param(
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 620,
                "completion_tokens_details": {"reasoning_tokens": 500},
            },
            {"input_tokens": 100, "output_tokens": 520, "output_reasoning_tokens": 500},
            id="xai-counts-thoughts-beside",
        ),
        pytest.param(
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 15},
            },
            {"input_tokens": 100, "output_tokens": 35, "output_reasoning_tokens": 15},
            id="xai-counts-a-thought-beside-that-would-fit-in",
        ),
        pytest.param(
            {
                "prompt_audio_seconds": 27,
                "prompt_tokens": 3,
                "audio_tokens": 375,
                "completion_tokens": 1,
                "total_tokens": 379,
                "prompt_tokens_details": {"cached_tokens": 0},
            },
            {
                "input_audio_seconds": 27,
                "input_tokens": 378,
                "input_audio_tokens": 375,
                "output_tokens": 1,
                "cache_read_tokens": 0,
            },
            id="mistral-counts-sound-beside",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "num_cached_tokens": 64},
            {"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 64},
            id="mistral-cached",
        ),
        pytest.param(
            {
                "prompt_token_count": 100,
                "candidates_token_count": 20,
                "thoughts_token_count": 30,
                "tool_use_prompt_token_count": 7,
                "total_token_count": 157,
                "prompt_tokens_details": [
                    {"modality": "TEXT", "token_count": 60},
                    {"modality": "AUDIO", "token_count": 40},
                ],
            },
            {
                "input_tokens": 107,
                "output_tokens": 50,
                "output_reasoning_tokens": 30,
                "input_tool_tokens": 7,
                "input_text_tokens": 60,
                "input_audio_tokens": 40,
            },
            id="gemini",
        ),
        pytest.param(
            {
                "inputTokens": 3,
                "outputTokens": 288,
                "totalTokens": 2365,
                "cacheWriteInputTokens": 2074,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 2074}],
            },
            {"input_tokens": 2077, "output_tokens": 288, "cache_write_tokens": 2074, "cache_write_1h_tokens": 2074},
            id="bedrock",
        ),
        pytest.param(
            {
                "billed_units": {"input_tokens": 377, "output_tokens": 113},
                "tokens": {"input_tokens": 577, "output_tokens": 113},
                "cached_tokens": 576,
            },
            {"input_tokens": 377, "output_tokens": 113},
            id="cohere",
        ),
        pytest.param(
            {
                "prompt_tokens": 10,
                "completion_tokens": 20,
                "total_tokens": 30,
                "citation_tokens": 7,
                "reasoning_tokens": 5,
                "num_search_queries": 3,
                "search_context_size": "low",
            },
            {
                "input_tokens": 10,
                "output_tokens": 32,
                "output_citation_tokens": 7,
                "output_reasoning_tokens": 5,
                "web_searches": 3,
            },
            id="perplexity-deep-research",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "cached_tokens": 64},
            {"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 64},
            id="moonshot",
        ),
        pytest.param(
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 120,
                "prompt_tokens_details": {"cached_tokens": 10},
                "cache_read_input_tokens": 10,
                "cache_creation_input_tokens": 30,
            },
            {"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 10, "cache_write_tokens": 30},
            id="litellm",
        ),
        pytest.param(
            {"prompt_tokens": 4, "completion_tokens": 20, "total_tokens": 24, "prompt_audio_seconds": 203},
            {"input_tokens": 4, "output_tokens": 20, "input_audio_seconds": 203},
            id="mistral-voxtral",
        ),
    ],
)
def test_dialects(usage: dict[str, Any], expected: dict[str, Any]) -> None:
    """Other providers' fields become the same units, and all output is in `output_tokens`."""
    assert quantities(usage) == expected
    assert quantities(usage, "x_ai") == expected


@pytest.mark.parametrize("provider", ["gcp.gemini", "x_ai"])
def test_thoughts_that_only_the_total_knows_are_an_estimate(provider: str) -> None:
    """Who is known to leave thoughts out of the completion, and of the details, has them in the rest of the total."""
    found = read({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 90}, provider)
    assert found == Usage.of({"input_tokens": 10, "output_tokens": 80, "output_reasoning_tokens": 60}, estimated=True)


@pytest.mark.parametrize("provider", ["openai", "mistral_ai", "unknown", None])
@pytest.mark.parametrize("details", [{}, {"completion_tokens_details": {"reasoning_tokens": 3}}])
def test_the_rest_of_a_total_is_no_thought_of_others(provider: str | None, details: dict[str, Any]) -> None:
    """What the parts do not explain is not known, and is said; the counts stay as they were reported."""
    found = read({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 90, **details}, provider)
    assert found is not None
    assert found.unknown == ("total_tokens",)
    assert (found.quantities["input_tokens"], found.quantities["output_tokens"]) == (10, 20)
    assert found.quantities.get("output_reasoning_tokens", 0) == (3 if details else 0)


def test_a_smaller_total_changes_nothing() -> None:
    """All that is said is counted, whatever the total leaves out."""
    smaller = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 5}
    assert quantities(smaller) == {"input_tokens": 10, "output_tokens": 20}


def test_a_total_alone_is_not_taken_for_anything() -> None:
    """Nobody knows whether it was read or written."""
    assert read({"total_tokens": 90}, "x_ai") == Usage({}, unknown=("total_tokens",))


PROMPT = {"prompt_tokens": 1000, "completion_tokens": 50}


@pytest.mark.parametrize(
    ("said", "entered", "estimated"),
    [
        pytest.param({"cache_creation_input_tokens": 800}, 1000, False, id="fits, so it is in it"),
        pytest.param({"cache_creation_input_tokens": 1200}, 2200, True, id="does not fit, so it is beside"),
        pytest.param(
            {"cache_read_input_tokens": 700, "cache_creation_input_tokens": 800}, 1800, True, id="both do not"
        ),
        pytest.param({"cache_creation_input_tokens": 800, "total_tokens": 1850}, 1800, False, id="the total has it"),
        pytest.param({"cache_read_input_tokens": 9000, "total_tokens": 10050}, 10000, False, id="the total has reads"),
        pytest.param({"cache_read_input_tokens": 9000, "total_tokens": 1050}, 10000, True, id="the total has none"),
        pytest.param({"audio_tokens": 3000, "total_tokens": 4050}, 4000, False, id="the total has sound"),
    ],
)
def test_what_was_cached_is_in_the_prompt_or_beside_it(said: dict[str, Any], entered: int, estimated: bool) -> None:
    """The total tells; else what fits in is in, and what does not is beside, which is an estimate."""
    found = read({**PROMPT, **said}, "unknown")
    assert found is not None
    assert (found.quantities["input_tokens"], found.quantities["output_tokens"]) == (entered, 50)
    assert (found.estimated, found.invalid, found.unknown) == (estimated, (), ())


def test_messages_of_anthropic_count_what_was_cached_apart() -> None:
    """Its own protocol says the input without what was cached, and no total; also where it would fit in."""
    usage = {
        "input_tokens": 1000,
        "output_tokens": 5,
        "cache_read_input_tokens": 300,
        "cache_creation_input_tokens": 40,
    }
    found = read(usage, "anthropic")
    assert found == Usage.of(
        {"input_tokens": 1340, "output_tokens": 5, "cache_read_tokens": 300, "cache_write_tokens": 40}
    )


_WRITES = {"prompt_tokens": 10_000, "completion_tokens": 1, "total_tokens": 10_001}


@pytest.mark.parametrize(
    ("said", "units"),
    [
        ({"cache_creation_input_tokens": 80}, {}),
        ({"cache_creation_tokens": 80}, {}),
        ({"cached_write_tokens": 80}, {}),
        ({"cache_write_tokens": 80}, {}),
        ({"prompt_tokens_details": {"cache_write_tokens": 80}}, {}),
        ({"prompt_tokens_details": {"cache_creation_tokens": 80}}, {}),
        ({"prompt_tokens_details": {"cache_creation_input_tokens": 80}}, {}),
        ({"input_tokens_details": {"cached_write_tokens": 80}}, {}),
        (
            {"prompt_tokens_details": {"cache_creation": {"ephemeral_1h_input_tokens": 80}}},
            {"cache_write_1h_tokens": 80},
        ),
        (
            {"cache_write_tokens": 80, "cache_write_tokens_details": {"ttl_12h_tokens": 80, "ttl_30m_tokens": 0}},
            {"cache_write_12h_tokens": 80},
        ),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 80}}, {"cache_write_1h_tokens": 80}),
        ({"cache_creation": {"ephemeral_5m_input_tokens": 80}}, {"cache_write_5m_tokens": 80}),
        (
            {
                "cache_creation_input_tokens": 80,
                "prompt_tokens_details": {"cache_creation_token_details": {"ephemeral_1h_input_tokens": 80}},
            },
            {"cache_write_1h_tokens": 80},
        ),
        (
            {
                "input_tokens_details": {
                    "cache_write_tokens": 80,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 50, "ttl_12h_tokens": 30},
                }
            },
            {"cache_write_12h_tokens": 30},
        ),
        # A zero beside a true number hides nothing, wherever it stands.
        ({"cache_creation_input_tokens": 0, "prompt_tokens_details": {"cache_creation_tokens": 80}}, {}),
        ({"prompt_tokens_details": {"cache_write_tokens": 80}, "cache_creation_input_tokens": 0}, {}),
    ],
)
def test_writes_to_a_cache_by_all_their_names(said: dict[str, Any], units: dict[str, int]) -> None:
    """In the details or beside them, as a sum or by how long they are kept, they are one quantity."""
    assert quantities({**_WRITES, **said}) == {
        "input_tokens": 10_000,
        "output_tokens": 1,
        "cache_write_tokens": 80,
        **units,
    }


def test_searches_of_a_gateway() -> None:
    """What a server did for the model: a search has its price, a fetch is free."""
    usage = {**CHAT, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 3}}
    assert quantities(usage)["web_searches"] == 2
    found = read({**CHAT, "server_tool_use": {"code_execution_requests": 2}})
    assert found is not None
    assert found.unknown == ("server_tool_use.code_execution_requests",)


def test_a_unit_that_is_said_twice_is_taken_once_and_doubted() -> None:
    """Equal numbers are one; of two that differ the larger has all, and the cost is an estimate."""
    found = read({"prompt_tokens": 90, "input_tokens": 100, "completion_tokens": 5, "output_tokens": 5})
    assert found == Usage({"input_tokens": 100, "output_tokens": 5}, ("input_tokens",))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {"seconds": 3600, "active_seconds": 120, "paused_seconds": 3480},
            {"audio_seconds": 3600, "paused_seconds": 3480},
        ),
        ({"active_seconds": 120, "paused_seconds": 3480}, {"audio_seconds": 3600, "paused_seconds": 3480}),
        ({"type": "duration", "seconds": 12.5}, {"audio_seconds": Decimal("12.5")}),
    ],
)
def test_seconds(usage: dict[str, Any], expected: dict[str, Any]) -> None:
    """A session's seconds are active or paused; the one that is missing follows from the others."""
    assert quantities(usage) == expected


@pytest.mark.parametrize(
    "free",
    [
        {"queue_time": 0.1, "prompt_time": 0.2, "completion_time": 0.3, "total_time": 0.6},  # Groq
        {"cost": 0.1, "cost_details": {"upstream_inference_cost": 0.1, "upstream_inference_prompt_cost": 0.2}},
        {"cost": {"input_tokens_cost": 0.1, "request_cost": 0.005, "total_cost": 0.1}, "search_context_size": "low"},
        {"cost_in_usd_ticks": 5_000_000, "estimated_cost": 0.1, "market_cost": "0.2", "is_byok": True},
        {"completion_tokens_per_sec": 90.5, "time_to_first_token": 0.2, "total_latency": 1.5},  # SambaNova
        {"service_tier": "standard", "inference_geo": "global", "type": "tokens"},
        {"prompt_cache_miss_tokens": 476, "invocation_count": 3},
        {"completion_tokens_details": {"accepted_prediction_tokens": 5, "rejected_prediction_tokens": 7}},
        {"iterations": [{"type": "message", "input_tokens": 1500, "output_tokens": 800}]},
        {"prompt_audio_seconds": {}, "num_cached_tokens": [], "prompt_tokens_details": None},
        {"holographic_tokens": 0, "gravity": {"waves": None, "sent": 0, "kept": []}, "odd": ""},
    ],
    ids=str,
)
def test_what_costs_nothing_changes_nothing(free: dict[str, Any]) -> None:
    """Times, rates, details of a cost, labels, parts of what is counted, and zeros are no reason for a doubt."""
    found, before = read({**CHAT, **free}), read(CHAT)
    assert found is not None
    assert before is not None
    assert found.quantities.items() <= before.quantities.items()
    assert (found.invalid, found.unknown, found.estimated) == ((), (), False)


def test_parts_account_for_no_more_than_their_whole_together() -> None:
    """Each of two parts may fit where both do not: then one of them at least is counted nowhere. Twice said is once."""
    predicted = {"accepted_prediction_tokens": 500, "rejected_prediction_tokens": 400}
    found = read({**CHAT, "completion_tokens_details": predicted})
    assert found is not None
    assert found.unknown == tuple(f"completion_tokens_details.{name}" for name in predicted)
    once = {"accepted_prediction_tokens": 500}
    found = read({**CHAT, "completion_tokens_details": once, "output_tokens_details": once})
    assert found is not None
    assert found.unknown == ()


def test_a_part_accounts_for_nothing_without_its_whole() -> None:
    """A number that is said to be part of what is not there is one that nobody counts."""
    found = read({"input_tokens": 5, "output_tokens_details": {"rejected_prediction_tokens": 7}})
    assert found == Usage({"input_tokens": 5}, unknown=("output_tokens_details.rejected_prediction_tokens",))


def test_rounds_of_another_kind_are_not_in_the_totals() -> None:
    """Anthropic sums up its messages; what a compaction or an adviser used comes on top."""
    rounds = [{"type": "message", "input_tokens": 9}, {"type": "compaction", "input_tokens": 500}]
    found = read({"input_tokens": 9, "output_tokens": 1, "iterations": rounds})
    assert found is not None
    assert found.unknown == ("iterations.input_tokens",)


@pytest.mark.parametrize(
    "key",
    [
        *("queue_time", "queueTime", "total_latency_ms", "latency", "elapsed_ms", "time_to_first_token_ms", "ttft"),
        *("tokens_per_second", "tokensPerSecond", "tokens_per_minute", "cache_hit_rate", "throughput"),
        *("cost", "totalCost", "cost_usd", "input_cost_usd", "cost_in_usd_ticks", "price"),
        *("id", "request_id", "requestId", "created", "createdAt", "finished_at", "timestamp"),
    ],
)
@pytest.mark.parametrize("value", [12345, 0.5, "12345"])
def test_a_key_that_is_free_by_its_words(key: str, value: object) -> None:
    """Times, moments, rates, details of a cost and ids, whoever invents them, are no reason for a doubt."""
    assert read({**CHAT, key: value}) == read(CHAT)
    assert read_given({"input_tokens": 5, key: value}) == Usage.of({"input_tokens": 5})


@pytest.mark.parametrize(
    "key",
    [
        *("gpu_seconds", "session_minutes", "audio_ms", "duration_ms", "audio_duration", "credits", "paid", "grid"),
        *("overtime", "crate", "holographicTokens", "time_units", "x" * 200 + "_time"),
    ],
)
def test_a_key_that_only_looks_like_a_free_one(key: str) -> None:
    """What is used for a time is billed by it, and a part of a word is no word."""
    assert not is_free(key)
    found = read({**CHAT, key: 5})
    assert found is not None
    assert found.unknown == (key[:64],)


@pytest.mark.parametrize(
    ("more", "unknown"),
    [
        ({"tool_usage": {"image_gen": {"output_tokens": 9}}}, ("tool_usage.image_gen.output_tokens",)),  # read nowhere
        ({"tokens": {"input_tokens": 9000}}, ("tokens.input_tokens",)),  # no `billed_units` say what of it is billed
        ({"invocation_count": {"gold": 4}}, ("invocation_count.gold",)),
        ({"server_tool_use": {"web_fetch_requests": [3]}}, ("server_tool_use.web_fetch_requests",)),
        ({"total_token_count": 9000}, ("total_token_count",)),  # the larger of two totals
        ({"tool_use_prompt_tokens_details": [{"modality": "AUDIO", "token_count": 5}]}, _TOOLS_DETAILS),
        ({"tool_use_prompt_tokens_details": [{"modality": "TEXT", "token_count": 5}]}, _TOOLS_DETAILS),
        ({"crystals": "1,000"}, ("crystals",)),
        ({"crystals": "1_0"}, ("crystals",)),
        ({"prompt_cache_miss_tokens": "1_0"}, ("prompt_cache_miss_tokens",)),
        ({"total_token_count": "1_0"}, ("total_token_count",)),
        ({"total_token_count": float("inf")}, ("total_token_count",)),
    ],
    ids=str,
)
def test_what_is_free_elsewhere_is_said_where_it_is_not(more: dict[str, Any], unknown: tuple[str, ...]) -> None:
    """A number is free by its place and its form, not by its name alone."""
    found, before = read({**CHAT, **more}), read(CHAT)
    assert found is not None
    assert before is not None
    assert (found.quantities, found.unknown) == (before.quantities, unknown)


def test_details_of_what_tools_entered_are_part_of_it() -> None:
    """Text is counted in its number; the total of Gemini has it beside the prompt."""
    details = [{"modality": "TEXT", "token_count": 5}]
    usage = {"prompt_token_count": 10, "tool_use_prompt_token_count": 5, "total_token_count": 15}
    assert quantities({**usage, "tool_use_prompt_tokens_details": details}) == {
        "input_tokens": 15,
        "input_tool_tokens": 5,
    }


DEEP: Any = st.recursive(
    st.just(0) | st.none() | st.just(""),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2) | st.lists(inner, max_size=2),
    max_leaves=5,
)
NUMBERS = st.integers(1, 2**40) | st.integers(-5, -1) | st.floats(0.001, 1e9) | st.just("40") | st.just(float("nan"))
PLACES = (
    *("prompt_cache_miss_tokens", "total_tokens", "iterations", "cacheDetails", "candidates_tokens_details"),
    *("prompt_tokens_details", "cache_creation", "holograms"),
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [{"light": {"waves": 3}}, [{"light": [{"waves": 3}]}]], ids=["group", "list"])
def test_a_number_in_a_group_that_should_be_none_is_said(place: str, value: object) -> None:
    """Whatever a key is known to be, what stands in it in another form than that is not taken for it."""
    usage = {"prompt_tokens": 1500, "completion_tokens": 800, place: value}
    found = read(usage)
    assert found is not None
    assert [key for key in found.unknown if key.endswith("light.waves")] == list(found.unknown) != []


GROUPS = (
    (),
    ("prompt_tokens_details",),
    ("completion_tokens_details",),
    ("input_tokens_details", "cache_write_tokens_details"),
    ("input_token_details", "cached_tokens_details"),
    ("cache_creation",),
    ("server_tool_use",),
    ("cost_details",),
    ("new_details", "newer_details", "newest_details"),
)


def placed(usage: dict[str, Any], path: tuple[str, ...], key: str, value: object) -> dict[str, Any]:
    """Return a copy of `usage` with `key` in the group at `path`."""
    found = json.loads(json.dumps(usage))
    group = found
    for name in path:
        group = group.setdefault(name, {})
    group[key] = value
    return dict(found)


@given(st.sampled_from(GROUPS), NUMBERS, st.sampled_from(["openai", "x_ai", "anthropic", "unknown", None]))
def test_an_invented_key_is_said_at_any_depth(path: tuple[str, ...], value: object, provider: str | None) -> None:
    """A number that nobody knows is named by its path, and changes no quantity; a zero is not named."""
    found, before = read(placed(CHAT, path, "holographic_tokens", value), provider), read(CHAT, provider)
    assert found is not None
    assert before is not None
    assert found.unknown == (".".join((*path, "holographic_tokens"))[:64],)
    assert found.quantities == before.quantities
    nothings: tuple[object, ...] = (0, 0.0, None, "", {}, [])
    for nothing in nothings:
        assert read(placed(CHAT, path, "holographic_tokens", nothing), provider) == before


@given(DEEP)
def test_nothing_in_an_invented_group_is_nothing(group: object) -> None:
    """Zeros, nulls and empty groups of any shape are no numbers."""
    assert read({**CHAT, "holograms": group}) == read(CHAT)


@given(st.dictionaries(st.text(), st.integers(1), min_size=1, max_size=40), st.integers(0, 12))
def test_names_are_bounded_and_printable(keys: dict[str, int], depth: int) -> None:
    """The keys are the provider's: at most 16 of 64 characters that can be printed, whatever they are."""
    group: Any = keys
    for _ in range(depth):
        group = {"further": [group]}
    found = read({"holograms": group})
    assert found is not None
    assert 1 <= len(found.unknown) <= 16
    assert all(len(key) <= 64 and key.isprintable() and key.isascii() for key in found.unknown)


def test_a_usage_without_an_end_is_read_to_an_end() -> None:
    """A group that is too deep or too large to be looked at is named as a whole."""
    deep: Any = 1
    for _ in range(5_000):
        deep = {"a": deep}
    found = read({"deep": deep, "large": [{"b": number} for number in range(100_000)]})
    assert found is not None
    assert 1 <= len(found.unknown) <= 16


@pytest.mark.parametrize("provider", ["openai", "unknown"])
def test_an_application_may_give_units_or_a_usage_as_it_was_reported(provider: str) -> None:
    """Both are the same usage; a unit of the application's own stays one, for which a price file may have a price."""
    units = {"input_tokens": 1500, "output_tokens": 800, "cache_read_tokens": 1024, "gpu_seconds": Decimal("2.5")}
    assert read_given(units, provider) == Usage.of(units)
    found = read_given({**CHAT, "gpu_seconds": Decimal("2.5"), "service_tier": "standard", "queue_time": 0.2}, provider)
    assert units.items() <= found.quantities.items()
    assert (found.invalid, found.unknown) == ((), ())
    nested = read_given({**units, "details": {"holographic_tokens": 40}}, provider)
    assert nested == Usage.of(units, unknown=("details.holographic_tokens",))


@pytest.mark.parametrize("key", [key for group in SOURCES.values() for key in group])
def test_every_key_of_the_table_has_a_meaning_that_exists(key: str) -> None:
    """A unit is one that can be priced, and a part has a whole that is one."""
    meaning = next(group[key] for group in SOURCES.values() if key in group)
    unit = meaning.unit if isinstance(meaning, Part) else meaning
    assert isinstance(unit, Kind) or (unit.group in KEYS if isinstance(unit, Beside) else unit in UNITS)


@pytest.mark.parametrize(
    ("usage", "known", "invalid"),
    [
        ({**CHAT, "prompt_tokens": -1}, {"output_tokens": 800}, ("input_tokens",)),
        ({**CHAT, "prompt_tokens": 2**70}, {"output_tokens": 800}, ("input_tokens",)),
        ({**CHAT, "prompt_tokens": True}, {"output_tokens": 800}, ("input_tokens",)),
        (
            {**CHAT, "prompt_tokens": "1500", "completion_tokens": 800.0},
            {"input_tokens": 1500, "output_tokens": 800},
            (),
        ),
        ({**CHAT, "prompt_tokens_details": "none"}, {"input_tokens": 1500}, ("prompt_tokens_details",)),
        (
            {**CHAT, "prompt_tokens_details": {"cached_tokens": 9999}},
            {"cache_read_tokens": 1500},
            ("cache_read_tokens",),
        ),
        ({**CHAT, "prompt_tokens": 2**70, "cache_creation_input_tokens": 5}, {}, ("input_tokens",)),
    ],
)
def test_malformed_counts_are_refused_and_named(
    usage: dict[str, Any], known: dict[str, int], invalid: tuple[str, ...]
) -> None:
    """A count that cannot be is left out, or cut to its whole, and named; the others stay."""
    found = read(usage, "openai")
    assert found is not None
    assert found.invalid == invalid
    assert known.items() <= dict(found.quantities).items()


@pytest.mark.parametrize("usage", ["many", 12, [1], True])
def test_a_usage_that_is_no_object_is_named(usage: object) -> None:
    """A usage of another type is not taken for no usage."""
    assert read(usage) == Usage({}, ("usage",))


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": None}, {"queue_time": 0.1}])
def test_a_usage_that_says_nothing_is_unknown(usage: object) -> None:
    """Without a count that we know there is no usage, not a usage of zero."""
    assert read(usage) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from([*CHAT, "input_token_details", "citation_tokens", "cached_tokens"]), json_values)
)
def test_nothing_raises(usage: dict[str, Any]) -> None:
    """Whatever stands in a usage, what is read from it are quantities: finite, not negative, below 10**15."""
    found = read(usage)
    for quantity in found.quantities.values() if found else ():
        assert isinstance(quantity, (int, Decimal))
        assert 0 <= quantity < 10**15


@pytest.mark.parametrize(
    ("usage", "invalid"),
    [
        ({"seconds": 600, "active_seconds": 500, "paused_seconds": 480}, ("audio_seconds",)),
        ({"seconds": 600, "active_seconds": 500, "paused_seconds": 100}, ()),
        ({"active_seconds": 500, "paused_seconds": 480}, ()),
        (
            {
                **CHAT,
                "prompt_tokens_details": {
                    "cache_write_tokens": 50,
                    "cache_write_tokens_details": {"ttl_30m_tokens": 50, "ttl_12h_tokens": 50},
                },
            },
            ("cache_write_tokens",),
        ),
    ],
)
def test_parts_and_units_that_exclude_one_another(usage: dict[str, Any], invalid: tuple[str, ...]) -> None:
    """Seconds are active or paused, and writes are kept for 30 minutes or for 12 hours."""
    found = read(usage)
    assert found is not None
    assert (found.invalid, found.unknown) == (invalid, ())


def test_parts_add_up_in_every_context() -> None:
    """The application's own Decimal context neither rounds the sum of parts nor refuses it."""
    details = {"accepted_prediction_tokens": 1001, "rejected_prediction_tokens": 1002}
    for most in (2002, 2003):
        with localcontext() as context:
            context.prec = 3
            context.traps[Inexact] = most % 2 == 0
            usage = {"prompt_tokens": 9, "completion_tokens": most, "completion_tokens_details": details}
            found = read(usage)
        assert found is not None
        assert bool(found.unknown) == (most == 2002)
        assert found.invalid == ()


@pytest.mark.parametrize(
    "key",
    ["billed_time", "billable_time", "billingTime", "compute_time", "gpu_time", "computeTimeMs", "talk_time",
     "call_time_ms", "total_audio_time", "session_elapsed", "cpu_time_us"],
)  # fmt: skip
def test_a_time_that_may_be_billed(key: str) -> None:
    """It is a quantity, not how long somebody waited."""
    found = read({**CHAT, key: 3})
    assert found is not None
    assert found.unknown == (key,)


def by_modality(**counts: int) -> list[dict[str, object]]:
    return [{"modality": modality, "token_count": count} for modality, count in counts.items()]


@pytest.mark.parametrize(
    ("group", "details", "more"),
    [
        (
            "cache_tokens_details",
            by_modality(TEXT=40, AUDIO=10),
            {"cache_text_read_tokens": 40, "cache_audio_read_tokens": 10},
        ),
        (
            "prompt_tokens_details",
            by_modality(TEXT=40, DOCUMENT=60),
            {"input_text_tokens": 40, "input_image_tokens": 60},
        ),
        ("prompt_tokens_details", by_modality(DOCUMENT=60, IMAGE=40), {"input_image_tokens": 100}),
    ],
)
def test_what_gemini_counts_by_modality(group: str, details: object, more: dict[str, int]) -> None:
    """What was cached, and documents, which are read as images: all of it is in what is counted."""
    said = {"prompt_token_count": 100, "candidates_token_count": 5, "total_token_count": 105}
    found = read({**said, "cached_content_token_count": 50, group: details}, "gcp.gemini")
    assert found is not None
    wanted = {"input_tokens": 100, "output_tokens": 5, "cache_read_tokens": 50, **more}
    assert (found.quantities, found.unknown, found.invalid, found.estimated) == (wanted, (), (), False)


@pytest.mark.parametrize("provider", ["gcp.gemini", "groq", "x_ai", "openai", None])
@pytest.mark.parametrize("total", [{}, {"total_tokens": 1100}])
def test_what_was_cached_may_be_sound(provider: str | None, total: dict[str, int]) -> None:
    """Both are in the prompt, and the total leaves nothing over."""
    said = {"prompt_tokens": 1000, "completion_tokens": 100, **total}
    found = read({**said, "prompt_tokens_details": {"audio_tokens": 1000, "cached_tokens": 500}}, provider)
    assert found is not None
    assert found.quantities["input_tokens"] == 1000
    assert not found.estimated


def test_pages_of_documents() -> None:
    """Mistral's OCR counts them; how large the document is costs nothing."""
    found = read({"pages_processed": 29, "doc_size_bytes": 3002783}, "mistral_ai")
    assert found is not None
    assert (found.quantities, found.unknown) == ({"input_document_pages": 29}, ())
