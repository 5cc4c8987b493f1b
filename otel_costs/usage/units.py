"""The units that usage is counted in and prices are given for, and which of them are parts of which.

The names and dimensions are those of genai-prices 0.2.3 (``data_units.py``), and a test holds them to it; they stand
here so that ``import otel_costs`` need not import it. Ours are added: writes to a cache that keeps them for 12 hours,
paused seconds, file searches, containers, images, seconds of video, training tokens and credits.
"""

from collections.abc import Iterator
from typing import Final

_MODALITIES: Final = ("", "text", "audio", "image", "video")
_INPUT_KINDS: Final = ("tool",)
_OUTPUT_KINDS: Final = ("reasoning", "citation")
_CACHE_KINDS: Final = ("cache_read", "cache_write", "cache_write_5m", "cache_write_1h", "cache_write_12h")

_COUNTS: Final = {
    "input_characters": "characters input",
    "input_text_messages": "messages input text",
    "audio_seconds": "durations audio",
    "input_audio_seconds": "durations audio input",
    "output_audio_seconds": "durations audio output",
    "input_pixels": "pixels input",
    "input_document_pages": "document_pages input",
    "input_annotated_document_pages": "document_pages input annotated",
    "rerank_searches": "rerank",
    "web_searches": "tool_calls web_search",
    "social_searches": "tool_calls social_search",
    "storage_searches": "tool_calls storage_search",
    "code_executions": "tool_calls code_execution",
    "requests": "requests",
    # Ours.
    "paused_seconds": "durations audio paused",  # of a Live session, in its audio_seconds
    "file_searches": "tool_calls file_search",  # OpenAI's file search; genai-prices calls it storage_searches
    # Searches of OpenAI's preview tool, which are web searches, too.
    "preview_web_searches": "tool_calls web_search preview",
    # Containers of OpenAI's code interpreter and hosted shell; those of more memory than 1 GB by their size, too.
    "containers": "tool_calls container",
    "containers_4g": "tool_calls container 4g",
    "containers_16g": "tool_calls container 16g",
    "containers_64g": "tool_calls container 64g",
    "container_minutes": "minutes container",
    "container_minutes_4g": "minutes container 4g",
    "container_minutes_16g": "minutes container 16g",
    "container_minutes_64g": "minutes container 64g",
    "images": "images",
    "video_seconds": "durations video",
    "training_tokens": "training",
    "credits": "credits",  # of a speech service: what it counts its bill in
}


def _token_units() -> Iterator[tuple[str, frozenset[str]]]:
    for modality in _MODALITIES:
        infix = modality and modality + "_"
        dimensions = {"tokens", modality} - {""}
        yield f"input_{infix}tokens", frozenset(dimensions | {"input"})
        yield f"output_{infix}tokens", frozenset(dimensions | {"output"})
        for kind in _CACHE_KINDS:
            cache, _, action = kind.partition("_")
            action, _, lifetime = action.partition("_")
            name = f"{cache}_{infix}{kind.removeprefix('cache_')}_tokens"
            yield name, frozenset(dimensions | {"input", f"cache_{action}", lifetime} - {""})
        for kind in _INPUT_KINDS:
            yield f"input_{infix}{kind}_tokens", frozenset(dimensions | {"input", kind})
        for kind in _OUTPUT_KINDS:
            yield f"output_{infix}{kind}_tokens", frozenset(dimensions | {"output", kind})


DIMENSIONS: Final[dict[str, frozenset[str]]] = {
    **dict(_token_units()),
    **{name: frozenset(dimensions.split()) for name, dimensions in _COUNTS.items()},
}
"""Every unit and its dimensions. A unit is part of every unit whose dimensions are a subset of its own."""

UNITS: Final = frozenset(DIMENSIONS)

WHOLES: Final[dict[str, tuple[str, ...]]] = {
    part: wholes
    for part, dimensions in DIMENSIONS.items()
    if (wholes := tuple(whole for whole, fewer in DIMENSIONS.items() if fewer < dimensions))
}
"""The units that a unit is a part of, for the units that are a part: their quantities include its own."""

JOINS: Final = frozenset(part for part, wholes in WHOLES.items() if len(wholes) > 2)
"""The units that are parts of two others that overlap: a zero of theirs says that these do not."""

SECONDS: Final = frozenset(name for name, dimensions in DIMENSIONS.items() if "durations" in dimensions)
"""The units whose quantity need not be whole."""

COUNTS: Final = UNITS - SECONDS
"""The units whose quantity is always whole. What an application counts in units of its own may not be."""

_BY_DIMENSIONS: Final = {dimensions: name for name, dimensions in DIMENSIONS.items()}

OF_MODALITY: Final = 0
"""The number of the families of tokens that differ in their modality."""

_EXCLUSIVE: Final = (
    frozenset(_MODALITIES) - {""},
    frozenset({"5m", "1h", "12h"}),
    frozenset({"4g", "16g", "64g"}),
)
"""Dimensions of which a token or a container has one at most."""


def _families() -> Iterator[tuple[str, tuple[str, int]]]:
    for part, dimensions in DIMENSIONS.items():
        for kind, exclusive in enumerate(_EXCLUSIVE):
            whole = _BY_DIMENSIONS.get(dimensions - exclusive) if dimensions & exclusive else None
            if whole is not None and "durations" not in dimensions:
                yield part, (whole, kind)


FAMILIES: Final[dict[str, tuple[tuple[str, int], ...]]] = {}
"""Part to the families that it is of: (the whole, a number). Parts of a family exclude one another, as tokens of text
and of audio do: together they are their whole at most."""
for _part, _family in _families():
    FAMILIES[_part] = (*FAMILIES.get(_part, ()), _family)

BY_MODALITY: Final[dict[str, tuple[str, ...]]] = {}
"""Tokens of all modalities to the units of each of them, text first."""
for _part, _found in FAMILIES.items():
    for _whole, _kind in _found:
        if _kind == OF_MODALITY:
            BY_MODALITY[_whole] = (*BY_MODALITY.get(_whole, ()), _part)

MODAL: Final = frozenset(part for parts in BY_MODALITY.values() for part in parts)
"""The units of tokens of one modality: a zero of theirs says that none is of it."""

_NONE: Final[frozenset[str]] = frozenset()


def join(one: str, other: str) -> str | None:
    """Return the unit that is part of both: `cache_audio_read_tokens` of cached and audio tokens; None if none is."""
    return _BY_DIMENSIONS.get(DIMENSIONS.get(one, _NONE) | DIMENSIONS.get(other, _NONE))


def meet(one: str, other: str) -> str | None:
    """Return the narrowest unit that both are part of: `input_tokens` of cached and audio tokens; None if none is."""
    return _BY_DIMENSIONS.get(DIMENSIONS.get(one, _NONE) & DIMENSIONS.get(other, _NONE))
