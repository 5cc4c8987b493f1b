"""The next smaller model of a family, by its name: gpt-4o-mini of gpt-4o, claude-haiku-4-5 of claude-sonnet-4-5."""

import re
from collections.abc import Iterator
from typing import Final

from otel_costs.pricing.model_names import plain, undated

_SIZES: Final = (
    ("opus", "sonnet", "haiku"),
    ("astra", "sol", "terra", "luna"),
    ("large", "medium", "small"),
    ("pro", "flash", "flash-lite"),
    ("mini", "nano"),
)
"""The words of families for their sizes, the largest first. Whether one is smaller and cheaper its price has to say."""

_PRO: Final = re.compile(r"(.+)-pro")
_WHOLE: Final = re.compile(r"(?:gpt|o)-?\d[\w.]*|gpt-realtime[\d.-]*|gpt-audio[\d.-]*")
"""Names of OpenAI's models without a word for their size."""


def smaller(model: str) -> Iterator[str]:
    """Yield names that the next smaller models may have, the nearest first. Whether there are such is for prices."""
    name = plain(model)
    name = undated(name) or name
    for sizes in _SIZES:
        # The longest word first: flash-lite is no flash.
        for place in sorted(range(len(sizes)), key=lambda place: -len(sizes[place])):
            word = re.compile(rf"(?<![a-z]){sizes[place]}(?![a-z])")
            if word.search(name):
                yield from (word.sub(other, name) for other in sizes[place + 1 :])
                break
    if match := _PRO.fullmatch(name):
        yield match[1]
    elif _WHOLE.fullmatch(name):
        yield f"{name}-mini"
