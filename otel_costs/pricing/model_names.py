"""The names that a model goes by: as it is listed, under the paths of services and gateways, with a date or without."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from otel_costs.pricing.price_entry import provider_id

_PATH: Final = re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/(?P<name>[^/]+)")
"""How Gemini (`models/NAME`) and Vertex (`publishers/google/models/NAME`, below a project or not) write a name."""

_ARN: Final = re.compile(r"arn:[^/]*:bedrock:[^/]*:(?:foundation-model|inference-profile)/(?P<name>[^/]+)")
"""How Bedrock writes the name of a model, or of a profile that one is asked through."""

_PREFIXES: Final = {"gemini": "google", "vertex_ai": "google", "azure_ai": "azure", "bedrock": "aws"}
"""What gateways (LiteLLM) write before a model's name, where it is no name of a provider."""

_MONTH, _DAY = "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])"
_WHOLE_DATE: Final = re.compile(rf"(.+?)([-@])(20\d\d)(-?)({_MONTH})\4({_DAY})")
_PART_OF_DATE: Final = re.compile(
    rf"(.+?)-(?:20\d\d-{_MONTH}|{_MONTH}-20\d\d|{_MONTH}-{_DAY}|{_MONTH}{_DAY}|(?:2[3-9]|3\d){_MONTH})"
)
"""Month and year, or month and day: `command-r-08-2024`, `gemini-2.5-pro-preview-06-05`, `mistral-large-2411`."""

_COMPACT: Final = re.compile(rf"-(20\d\d)({_MONTH})({_DAY})(?=[-:]|$)")

_VERSION: Final = re.compile(r"(.+?)(?:[-@]v?\d{1,3}(?::\d+)?|[-@]v\d+:\d+|:\d+)")
_VERSIONS: Final = 4  # a name has a date and a version or two

_LATEST: Final = re.compile(r"[-@:](?:latest|default)$")


def plain(name: str) -> str:
    """Return `name` as names are compared: in lower case, without space around it."""
    return name.strip().lower()


def spellings(name: str, provider: str) -> tuple[str, ...]:
    """Return how price sources may write the model that `provider` calls `name` (both plain), `name` itself first.

    They are one model at one price: paths and prefixes of the provider's own are no part of a name, and a date is one
    with hyphens and without.
    """
    found = [name]
    bare = name
    for pattern in (_PATH, _ARN):
        if match := pattern.fullmatch(bare):
            bare = match["name"]
    prefix, slash, rest = bare.partition("/")
    if slash and rest and provider in (_PREFIXES.get(prefix), provider_id(prefix)):
        bare = rest
    bare = bare.removesuffix("@default")  # Vertex's name of the version that it has
    found.append(bare)
    if (parts := _dated(bare)) is not None:
        name, year, month, day = parts
        found += [f"{name}-{year}-{month}-{day}", f"{name}-{year}{month}{day}", f"{name}@{year}{month}{day}"]
    return tuple(dict.fromkeys(found))


def undated(name: str) -> str | None:
    """Return `name` without the date at its end, None if it has none."""
    if (parts := _dated(name)) is not None:
        return parts[0]
    return match[1] if (match := _PART_OF_DATE.fullmatch(name)) else None


def compact_date(name: str) -> str | None:
    """Return `name` with hyphens in a date that it has without, anywhere in it; None if it has none."""
    found = _COMPACT.sub(r"-\1-\2-\3", name)
    return None if found == name else found


def is_form(one: str, other: str) -> bool:
    """Whether one of two names (plain) is the other one said more exactly: with a date, a version, or a maker."""
    one, other = (_LATEST.sub("", name.rpartition("/")[2]) for name in (one, other))
    return other in _without_versions(one) or one in _without_versions(other)


def _without_versions(name: str) -> Iterator[str]:
    for _ in range(_VERSIONS):
        yield name
        match = _VERSION.fullmatch(name)
        shorter = undated(name) or (match and match[1])
        if not shorter:
            return
        name = shorter


def _dated(name: str) -> tuple[str, str, str, str] | None:
    match = _WHOLE_DATE.fullmatch(name)
    if match is None:
        return None
    try:
        date(int(match[3]), int(match[5]), int(match[6]))
    except ValueError:
        return None
    return match[1], match[3], match[5], match[6]
