"""Which names of the two sides mean the same model."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

# gpt-4o-2024-08-06 of gpt-4o, gpt-3.5-turbo-0125 of gpt-3.5-turbo, text-embedding-ada-002-v2
_SNAPSHOT: Final = re.compile(r"-(\d{4}-\d\d-\d\d|\d{3,8}|v\d+)")


class Names:
    """The provider's names for our models: it reports the snapshot that answered, we may have the alias alone."""

    def __init__(self, reported: Iterable[tuple[date, str]]) -> None:
        self._of: dict[date, list[str]] = {}
        for day, model in reported:
            self._of.setdefault(day, []).append(model)

    def theirs(self, day: date, model: str) -> str:
        """Return the name under which `model` is reported; its own, if no other or more than one could be meant."""
        known = self._of.get(day, [])
        if model in known:
            return model
        meant = [name for name in known if _is_snapshot(name, model) or _is_snapshot(model, name)]
        return meant[0] if len(meant) == 1 else model


def model_of(item: str, models: Iterable[str]) -> str:
    """Return the model of "gpt-4o-2024-08-06, cached input" or "priority | gpt-5 audio, output"; else the item."""
    rest = item.rpartition(" | ")[2]
    found = [model for model in models if model and (rest == model or rest.startswith((f"{model},", f"{model} ")))]
    return max(found, key=len, default=item)


def _is_snapshot(name: str, alias: str) -> bool:
    return bool(alias) and name.startswith(alias) and bool(_SNAPSHOT.fullmatch(name, len(alias)))
