"""Which names of the two sides mean the same model."""

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

# gpt-4o-2024-08-06 of gpt-4o, gpt-3.5-turbo-0125 of gpt-3.5-turbo, text-embedding-ada-002-v2
_SNAPSHOT: Final = re.compile(r"-(\d{4}-\d\d-\d\d|\d{3,8}|v\d+)")

_DATED: Final = re.compile(r"(?<!\d)20\d\d-?(\d\d)-?(\d\d)(?!\d)")
_VERSION: Final = re.compile(r"(?<![\d.])(\d{4}|00\d)(?![\d.])")  # 0806 of `gpt 4o 0806`, 001 of gemini-2.0-flash-001
_PART: Final = re.compile(r"[a-z]+|\d+(?:\.\d+)*")

Matches = Callable[[str, str], bool]


class Names:
    """The provider's names for our models: it reports the snapshot that answered, we may have the alias alone."""

    def __init__(self, reported: Iterable[tuple[date, str]], matches: Matches | None = None) -> None:
        self._matches = matches or is_snapshot
        self._of: dict[date, list[str]] = {}
        self._found: dict[tuple[date, str], str] = {}
        for day, model in reported:
            self._of.setdefault(day, []).append(model)

    def theirs(self, day: date, model: str) -> str:
        """Return the name under which `model` is reported; its own, if no other or more than one could be meant."""
        key = day, model
        if key not in self._found:
            self._found[key] = self._find(self._of.get(day, []), model)
        return self._found[key]

    def _find(self, known: list[str], model: str) -> str:
        if model in known:
            return model
        meant = [name for name in known if self._matches(name, model)]
        if len(meant) > 1:  # gpt-4o-2024-08-06 is "gpt 4o 0806" before it is "gpt 4o"
            meant = [name for name in meant if _parts(name) == _parts(model)]
        return meant[0] if len(meant) == 1 else model


def model_of(item: str, models: Iterable[str]) -> str:
    """Return the model of "gpt-4o-2024-08-06, cached input" or "priority | gpt-5 audio, output"; else the item."""
    rest = item.rpartition(" | ")[2]
    found = [model for model in models if model and (rest == model or rest.startswith((f"{model},", f"{model} ")))]
    return max(found, key=len, default=item)


def is_snapshot(one: str, other: str) -> bool:
    """Return whether one name is a dated snapshot of the other."""
    return _is_snapshot(one, other) or _is_snapshot(other, one)


def is_written_otherwise(one: str, other: str) -> bool:
    """Return whether two names have the same words and numbers, and no two versions.

    "gpt 4o 0806" is gpt-4o-2024-08-06. The order does not count: "Claude4.6Opus" is claude-opus-4-6.
    """
    *first, version = _parts(one)
    *second, other_version = _parts(other)
    return bool(first[0]) and first == second and (version == other_version or not version or not other_version)


def _parts(name: str) -> tuple[tuple[str, ...], str, str]:
    """Return the words of a name, sorted, its numbers, and its date or version as MMDD."""
    text, version = name.lower(), ""
    for pattern in (_DATED, _VERSION):
        if found := pattern.search(text):
            version = version or "".join(found.groups())
            text = text[: found.start()] + " " + text[found.end() :]
    parts = _PART.findall(text)
    numbers = [part.removesuffix(".0").replace(".", "") for part in parts if part[0].isdigit()]
    return tuple(sorted(part for part in parts if part[0].isalpha())), "".join(numbers), version


def _is_snapshot(name: str, alias: str) -> bool:
    return bool(alias) and name.startswith(alias) and bool(_SNAPSHOT.fullmatch(name, len(alias)))
