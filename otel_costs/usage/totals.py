"""What stands beside a prompt or a completion and not in it, and whether the total of a usage is accounted for.

OpenAI counts what was cached in the prompt and thoughts in the completion. Others count some of them beside: their own
total tells, where there is one; else what does not fit in cannot be in.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

from otel_costs.usage.numbers import LIMIT

_Quantities = dict[str, Any]

_BESIDE: Final = {
    "cache_read_tokens": "input_tokens",
    "cache_write_tokens": "input_tokens",
    "input_audio_tokens": "input_tokens",  # Mistral's transcriptions
    "input_tool_tokens": "input_tokens",  # Gemini
    "output_reasoning_tokens": "output_tokens",  # xAI
    "output_citation_tokens": "output_tokens",
}
"""What may be counted beside, and beside what."""

_WHOLES: Final = ("input_tokens", "output_tokens")

INCLUSIVE: Final = frozenset({"openai", "azure.ai.openai"})
"""Providers whose totals are known to include their parts: a part that is larger is wrong."""

APART: Final = frozenset({"citation_tokens", "num_search_queries", "billed_units"})
"""Keys that only Perplexity and Cohere have, which count otherwise, whatever provider a host is configured as."""

_THOUGHTS_IN_TOTAL: Final = frozenset({"x_ai", "gcp.gemini", "gcp.vertex_ai"})
"""Providers that are known to count thoughts in the total and not in the completion: xAI by its recorded answers,
Gemini behind OpenAI's protocol by mozilla-ai/any-llm#1290 and router-for-me/CLIProxyAPI#5744."""

_MESSAGES: Final = ("cache_read_input_tokens", "cache_creation_input_tokens")
_CONVERSE: Final = ("cacheReadInputTokens", "cacheWriteInputTokens")


def settle(quantities: _Quantities, usage: Mapping[str, Any], provider: str | None, total: int) -> tuple[bool, bool]:
    """Make `input_tokens` and `output_tokens` inclusive of what stands beside them.

    `total` is the one that `usage` says, 0 for none. Return whether what was added is an estimate, and whether the
    total is accounted for.
    """
    entered, output = quantities.get("input_tokens", 0), quantities.get("output_tokens", 0)
    if not (type(entered) is type(output) is int and 0 <= entered < LIMIT and 0 <= output < LIMIT):
        return False, True  # it is refused, and nothing can be added to it
    if "citation_tokens" in usage or "num_search_queries" in usage:
        # Perplexity's, which bills thoughts and citations apart, and leaves them out of completion and total.
        _include(quantities, ("output_reasoning_tokens", "output_citation_tokens"))
        return False, True
    if "billed_units" in usage:
        # Cohere's, which says apart what it bills: what was cached is part of what it does not.
        quantities.pop("cache_read_tokens", None)
        return False, True
    counted = entered + output
    counts = {unit: quantities[unit] for unit in _BESIDE if unit in quantities and count_of(quantities, unit)}
    if total <= counted and not counts:
        return False, True
    rest = total - counted
    chosen = _that_are(counts, rest) if rest > 0 else []
    estimated = len(chosen) > 1
    beside = chosen[0] if chosen else ()
    if not chosen and provider not in INCLUSIVE:
        apart = _counts_cached_apart(usage)
        beside = _cached(counts) if apart else _that_do_not_fit(quantities, counts)
        estimated = bool(beside) and not apart
    elif "output_reasoning_tokens" in beside and provider not in _THOUGHTS_IN_TOTAL:
        estimated = True
    _include(quantities, beside)
    rest = total - count_of(quantities, "input_tokens") - count_of(quantities, "output_tokens")
    if rest <= 0:
        return estimated, True
    thinks = provider in _THOUGHTS_IN_TOTAL and {"input_tokens", "output_tokens"} <= quantities.keys()
    if not thinks or counts.get("output_reasoning_tokens"):
        return estimated, False
    quantities["output_tokens"] = count_of(quantities, "output_tokens") + rest
    quantities["output_reasoning_tokens"] = rest
    return True, True


def count_of(quantities: Mapping[str, Any], unit: str) -> int:
    """Return a reported count; 0 for one that is not there, or is no count."""
    found = quantities.get(unit)
    return found if type(found) is int and 0 <= found < LIMIT else 0


def _include(quantities: _Quantities, beside: tuple[str, ...]) -> None:
    for unit in beside:
        if count := count_of(quantities, unit):
            whole = _BESIDE[unit]
            quantities[whole] = count_of(quantities, whole) + count


def _counts_cached_apart(usage: Mapping[str, Any]) -> bool:
    """Return whether these are the keys of Anthropic's messages, which say no total, or of Bedrock's conversations."""
    messages = "input_tokens" in usage and "total_tokens" not in usage and any(key in usage for key in _MESSAGES)
    return messages or ("inputTokens" in usage and any(key in usage for key in _CONVERSE))


def _that_are(counts: Mapping[str, int], rest: int) -> list[tuple[str, ...]]:
    """Return the fewest of `counts` that are `rest` together; several where more than one choice is."""
    for number in range(1, len(counts) + 1):
        found = [units for units in combinations(counts, number) if sum(map(counts.__getitem__, units)) == rest]
        if found:
            return found
    return []


def _cached(counts: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(unit for unit in counts if unit.startswith("cache_"))


def _that_do_not_fit(quantities: _Quantities, counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the parts that are more than their whole, or than what is left of it by what was cached.

    What was cached may have been sound: it leaves no less room for that.
    """
    room = {whole: count_of(quantities, whole) for whole in _WHOLES}
    beside = []
    for unit, count in counts.items():
        whole = _BESIDE[unit]
        if whole not in quantities:
            continue  # a part without its whole stands for itself
        if count > (count_of(quantities, whole) if unit == "input_audio_tokens" else room[whole]):
            beside.append(unit)
        elif unit.startswith("cache_"):
            room[whole] -= count
    return tuple(beside)
