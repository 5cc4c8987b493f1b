"""The entry of a price file that a model lacks, ready to paste but for its rates, which are not known."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from otel_costs.usage.units import SECONDS, UNITS, WHOLES

TO_FILL_IN: Final = "?"
"""What stands in the place of a rate: no number, so that a file with it is refused and nothing costs zero by it."""

_PER: Final = {"tokens": 1_000_000, "characters": 1_000_000}
_MINUTE: Final = 60
_USUAL: Final = ("input_tokens", "output_tokens")
_SAME_RATE: Final = frozenset({"text", "reasoning"})


def stanza(
    provider: str,
    model: str,
    units: Iterable[str],
    *,
    when: Mapping[str, str] | None = None,
    is_part: bool = False,
    today: date | None = None,
) -> str:
    """Return an entry of the list `prices` of a price file, with TO_FILL_IN for each rate.

    `units`: what was used; those that have the rate of their whole are left out. `when`: the tier and processing that
    it is for. `is_part`: the model has a price that lacks these units, and keeps the rest of it.
    """
    rates = ", ".join(f'{unit}: {{usd: "{TO_FILL_IN}", per: {_per(unit)}}}' for unit in _asked(units))
    lines = [f"  - provider: {_text(provider)}", f"    match: {{model: {_text(model)}}}"]
    if when:
        lines.append(f"    when: {{{', '.join(f'{name}: {_text(value)}' for name, value in when.items())}}}")
    if is_part:
        lines.append(f"    base: {{provider: {_text(provider)}}}")
    lines.append(f"    rates: {{{rates}}}")
    if today is not None:
        lines.append(f"    checked: {today.isoformat()}")
    return "\n".join(lines) + "\n"


def _asked(units: Iterable[str]) -> list[str]:
    known = [unit for unit in units if unit in UNITS]
    found = [unit for unit in known if not (_SAME_RATE & {*unit.split("_")} and {*WHOLES.get(unit, ())} & {*known})]
    return found or [*_USUAL]


def _per(unit: str) -> int:
    return _MINUTE if unit in SECONDS else _PER.get(unit.rpartition("_")[2], 1)


def _text(value: str) -> str:
    # A text of JSON is one of YAML, whatever characters it has.
    return json.dumps(value)
