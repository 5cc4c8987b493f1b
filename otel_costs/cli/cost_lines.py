"""How people call what a price is for."""

from typing import Final

_LABELS: Final = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cached input",
    "cache_text_read_tokens": "cached text",
    "cache_audio_read_tokens": "cached audio",
    "cache_image_read_tokens": "cached image",
    "cache_write_tokens": "written to cache",
    "output_reasoning_tokens": "reasoning",
    "input_characters": "characters",
    "requests": "per request",
}


def label(unit: str) -> str:
    """Return how people call a unit: "audio input" for input_audio_tokens."""
    if unit in _LABELS:
        return _LABELS[unit]
    words = unit.removesuffix("_tokens").split("_")
    if words[0] in ("input", "output") and len(words) > 1:
        words = [*words[1:], words[0]]
    return " ".join(words)
