"""Usage objects of every dialect become quantities by unit."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.providers.openai.token_usage import read_tokens
from otel_costs.usage import Usage

CLAMPED = ("cache_read_tokens",)
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


def quantities(usage: object) -> dict[str, Any]:
    found = read_tokens(usage)
    assert found is not None
    assert found.invalid == ()
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


def test_thoughts_that_only_the_total_knows_are_an_estimate() -> None:
    """Gemini leaves thoughts out of the completion and out of the details: the rest of its total is output."""
    found = read_tokens({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 90})
    assert found == Usage.of({"input_tokens": 10, "output_tokens": 80, "output_reasoning_tokens": 60}, estimated=True)


def test_a_total_that_does_not_add_up_changes_nothing() -> None:
    """A smaller total, or one that the thoughts do not explain, leaves the counts as they were reported."""
    smaller = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 5}
    assert quantities(smaller) == {"input_tokens": 10, "output_tokens": 20}
    other = {
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "total_tokens": 100,
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert quantities(other) == {"input_tokens": 10, "output_tokens": 20, "output_reasoning_tokens": 3}


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
    ],
)
def test_malformed_counts_are_refused_and_named(
    usage: dict[str, Any], known: dict[str, int], invalid: tuple[str, ...]
) -> None:
    """A count that cannot be is left out, or cut to its whole, and named; the others stay."""
    found = read_tokens(usage)
    assert found is not None
    assert found.invalid == invalid
    assert known.items() <= dict(found.quantities).items()


@pytest.mark.parametrize("usage", ["many", 12, [1], True])
def test_a_usage_that_is_no_object_is_named(usage: object) -> None:
    """A usage of another type is not taken for no usage."""
    assert read_tokens(usage) == Usage({}, ("usage",))


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": None}, {"queue_time": 0.1}])
def test_a_usage_that_says_nothing_is_unknown(usage: object) -> None:
    """Without a count that we know there is no usage, not a usage of zero."""
    assert read_tokens(usage) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from([*CHAT, "input_token_details", "citation_tokens", "cached_tokens"]), json_values)
)
def test_nothing_raises(usage: dict[str, Any]) -> None:
    """Whatever stands in a usage, what is read from it are quantities: finite, not negative, below 2**63."""
    found = read_tokens(usage)
    for quantity in found.quantities.values() if found else ():
        assert isinstance(quantity, (int, Decimal))
        assert 0 <= quantity < 2**63
