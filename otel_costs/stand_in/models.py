"""Which model answers to a name, and what kind of model it is."""

import re

_DATED = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "o3": "o3-2025-04-16",
    "o4-mini": "o4-mini-2025-04-16",
    "gpt-4o-audio-preview": "gpt-4o-audio-preview-2025-06-03",
    "gpt-3.5-turbo-instruct": "gpt-3.5-turbo-instruct:20230824-v2",
}
_REASONING = re.compile(r"(^|/)(o[1-9]|gpt-[5-9]|deepseek-reasoner|grok-[34])")
_REASONING_TOKENS = {"none": 0, "minimal": 0, "low": 64, "medium": 128, "high": 512, "xhigh": 1024}
_TIERS = {"auto": "default", "fast": "priority"}


def dated(name: str) -> str:
    """Return the dated model that answers to `name`."""
    return _DATED.get(name, name)


def reasoning_tokens(model: str, effort: str | None) -> int:
    """Return the tokens that `model` thinks before it answers."""
    return _REASONING_TOKENS.get(effort or "medium", 128) if _REASONING.search(model) else 0


def served_tier(asked: str | None) -> str:
    """Return the tier that a request is served in: the asked one, by the name that answers give it."""
    return _TIERS.get(asked or "auto", asked or "default")
