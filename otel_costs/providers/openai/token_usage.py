"""The usage object: tokens by modality and kind, in the dialects of those who speak OpenAI's protocol."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from otel_costs.usage import Usage

_INPUT: Final[Mapping[str, Any]] = {
    "cached_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "audio_tokens": "input_audio_tokens",
    "text_tokens": "input_text_tokens",
    "image_tokens": "input_image_tokens",
    "video_tokens": "input_video_tokens",
    "cached_tokens_details": (
        _CACHED := {
            "text_tokens": "cache_text_read_tokens",
            "audio_tokens": "cache_audio_read_tokens",
            "image_tokens": "cache_image_read_tokens",
            "cached_text_tokens": "cache_text_read_tokens",
            "cached_image_tokens": "cache_image_read_tokens",
        }
    ),
}
_OUTPUT: Final[Mapping[str, Any]] = {
    "reasoning_tokens": "output_reasoning_tokens",
    "audio_tokens": "output_audio_tokens",
    "text_tokens": "output_text_tokens",
    "image_tokens": "output_image_tokens",
}
# Each provider writes some of these; the first that says a unit counts.
_KEYS: Final[Mapping[str, Any]] = {
    "prompt_tokens": "input_tokens",
    "input_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "output_tokens": "output_tokens",
    "prompt_tokens_details": _INPUT,
    "input_tokens_details": _INPUT,
    "input_token_details": _INPUT,
    "completion_tokens_details": _OUTPUT,
    "output_tokens_details": _OUTPUT,
    "output_token_details": _OUTPUT,
    "cached_tokens_details": _CACHED,
    "cached_tokens": "cache_read_tokens",  # Moonshot, evaluations, image tools
    "prompt_cache_hit_tokens": "cache_read_tokens",  # DeepSeek
    "cached_prompt_text_tokens": "cache_read_tokens",  # xAI
    "cache_read_input_tokens": "cache_read_tokens",  # LiteLLM
    "cache_creation_input_tokens": "cache_write_tokens",  # LiteLLM
    "reasoning_tokens": "output_reasoning_tokens",
    "citation_tokens": "output_citation_tokens",  # Perplexity
    "num_search_queries": "web_searches",  # Perplexity
    "prompt_audio_seconds": "input_audio_seconds",  # Mistral
}


def read_tokens(usage: object) -> Usage | None:
    """Return what a usage object says, None when it says nothing that we know.

    A usage, or a group of details, that is no object is named in `Usage.invalid`. A provider that counts thoughts
    beside the completion has them added to it: `output_tokens` is all output.
    """
    if not isinstance(usage, dict):
        return Usage({}, ("usage",))
    quantities: dict[str, object] = {}
    malformed = _add(quantities, _KEYS, usage)
    estimated = _add_what_stands_beside(quantities, usage)
    if not quantities and not malformed:
        return None
    found = Usage.of(quantities, estimated=estimated)
    return replace(found, invalid=found.invalid + malformed) if malformed else found


def _add(quantities: dict[str, object], meanings: Mapping[str, Any], said: Mapping[str, Any]) -> tuple[str, ...]:
    """Add what is said to `quantities`, groups of details too; return the keys of the groups that are none."""
    malformed: tuple[str, ...] = ()
    for key, value in said.items():
        if value is None or (meaning := meanings.get(key)) is None:
            continue
        if type(meaning) is str:
            if meaning not in quantities:
                quantities[meaning] = value
        elif type(value) is dict:
            malformed += _add(quantities, meaning, value)
        else:
            malformed += (key,)
    return malformed


def _add_what_stands_beside(quantities: dict[str, object], usage: Mapping[str, Any]) -> bool:
    """Add to the output what a provider counts beside it, not in it; return whether that is an estimate."""
    output, whole, entered = quantities.get("output_tokens"), usage.get("total_tokens"), quantities.get("input_tokens")
    if type(output) is not int or type(entered) is not int:
        return False
    thought = quantities.get("output_reasoning_tokens")
    if "citation_tokens" in usage or "num_search_queries" in usage:
        # Perplexity bills thoughts and citations apart, and leaves them out of its total.
        beside = (thought, quantities.get("output_citation_tokens"))
        quantities["output_tokens"] = output + sum(count for count in beside if type(count) is int)
        return False
    unsaid = whole - entered - output if type(whole) is int else 0
    if unsaid <= 0 or thought not in (None, 0, unsaid):
        return False
    # xAI leaves thoughts out of the completion; Gemini does, too, and says them in the total alone.
    quantities["output_tokens"] = output + unsaid
    quantities["output_reasoning_tokens"] = unsaid
    return thought != unsaid
