"""plan_of(): tokens whose modality is not told, at prices that differ by it."""

from typing import Any

import pytest

from otel_costs.pricing import Cost, price
from otel_costs.usage.reported import read

CHAT = {"prompt_tokens": 1000, "completion_tokens": 100}


def reported(usage: dict[str, Any], model: str, provider: str = "openai") -> Cost:
    """Return the price of a usage as a provider reports it."""
    found = read(usage, provider)
    assert found is not None
    return price(found, provider=provider, model=model)


def realtime(entered: dict[str, Any], made: dict[str, Any], cached: int = 0) -> dict[str, Any]:
    """Return a usage of 132 tokens in and 121 out."""
    return {
        "input_tokens": 132,
        "output_tokens": 121,
        "total_tokens": 253,
        "input_token_details": {"cached_tokens": cached, **entered},
        "output_token_details": made,
    }


IN = {"text_tokens": 119, "audio_tokens": 13}
OUT = {"text_tokens": 30, "audio_tokens": 91}


@pytest.mark.parametrize(
    ("usage", "model", "provider"),
    [
        (CHAT, "gpt-audio", "openai"),
        ({**CHAT, "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}}, "gpt-audio", "openai"),
        ({"prompt_tokens": 10, "completion_tokens": 1300}, "gemini-2.5-flash-image", "gcp.gemini"),
        (CHAT, "gemini-2.5-flash", "gcp.gemini"),
        (CHAT, "gpt-audio", "azure.ai.openai"),
        ({"input_tokens": 132, "output_tokens": 121}, "gpt-realtime", "openai"),
        (realtime(IN, {"text_tokens": 30}), "gpt-realtime", "openai"),  # 91 of what?
        (realtime({"text_tokens": 0, "audio_tokens": 0}, OUT), "gpt-realtime", "openai"),
        (realtime({"text_tokens": 100, "audio_tokens": 13}, OUT), "gpt-realtime", "openai"),
        (
            realtime({**IN, "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0}}, OUT, 64),
            "gpt-realtime",
            "openai",
        ),
    ],
    ids=str,
)
def test_tokens_of_no_modality(usage: dict[str, Any], model: str, provider: str) -> None:
    """What is not said to be text may be audio, or an image, which cost many times more."""
    found = reported(usage, model, provider)
    assert (found.status, found.reason) == ("estimated", "modalities_unknown")


@pytest.mark.parametrize(
    ("usage", "model", "provider"),
    [
        (CHAT, "gpt-4o", "openai"),  # one price for all
        (CHAT, "gpt-5.4", "openai"),
        (realtime(IN, OUT), "gpt-realtime", "openai"),
        (realtime(IN, {"text_tokens": 121, "audio_tokens": 0}), "gpt-realtime", "openai"),
        (
            realtime({**IN, "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4}}, OUT, 64),
            "gpt-realtime",
            "openai",
        ),
        (
            {
                **CHAT,
                "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 0},
                "completion_tokens_details": {"audio_tokens": 60, "reasoning_tokens": 0},
            },
            "gpt-audio",
            "openai",
        ),
        ({"prompt_tokens": 0, "completion_tokens": 0}, "gpt-audio", "openai"),
        (
            {
                "prompt_token_count": 10,
                "candidates_token_count": 1300,
                "thoughts_token_count": 40,
                "total_token_count": 1350,
                "prompt_tokens_details": [{"modality": "TEXT", "token_count": 10}],
                "candidates_tokens_details": [{"modality": "IMAGE", "token_count": 1290}],
            },
            "gemini-2.5-flash-image",
            "gcp.gemini",
        ),
        (
            {
                "prompt_token_count": 10,
                "candidates_token_count": 20,
                "thoughts_token_count": 40,
                "total_token_count": 70,
                "prompt_tokens_details": [{"modality": "TEXT", "token_count": 10}],
                "candidates_tokens_details": [{"modality": "TEXT", "token_count": 20}],
            },
            "gemini-2.5-flash-image",
            "gcp.gemini",
        ),
    ],
    ids=str,
)
def test_tokens_of_a_known_modality(usage: dict[str, Any], model: str, provider: str) -> None:
    """Details that add up, one price for all, and what is left where audio or images are told: text."""
    found = reported(usage, model, provider)
    assert (found.status, found.reason) == ("priced", None)


def test_units_that_an_application_gives_are_text() -> None:
    """By what units are: input_tokens 11,000 with input_audio_tokens 10,000 is 1,000 of text, and so is all without."""
    given = {"input_tokens": 1250, "output_tokens": 3400}
    found = price(given, provider="openai", model="gpt-realtime")
    assert found.status == "priced"
    assert {line.unit: line.quantity for line in found.lines} == given
