"""What a call used: quantities by unit, cleaned, beside the names of those that were refused.

Totals are inclusive of their parts, as providers report them: `input_tokens` 11,000 with `input_audio_tokens` 10,000
is 1,000 of text. A unit that is absent is unknown; 0 is a known zero.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Integral
from typing import Final

from otel_costs.usage.numbers import EXACT, LIMIT, SECONDS_LIMIT, number
from otel_costs.usage.units import BY_MODALITY, DIMENSIONS, FAMILIES, SECONDS, UNITS, WHOLES

MAX_UNKNOWN: Final = 16
"""Keys without a meaning that are named for each call."""

MAX_UNITS: Final = 40
"""Units that one call counts: a price compares each with each, and with a line of the cost for each of them a record
has to stay below the 128 attributes that the SDK keeps. What providers report has at most about thirty."""

_MAX_INVALID: Final = 16

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MODALITIES: Final = tuple((name, f"input_{name}_tokens", f"output_{name}_tokens") for name in ("audio", "image"))
_NANOSECOND: Final = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used, by unit: int, or Decimal for seconds and for units that are not known here."""

    quantities: Mapping[str, int | Decimal]
    invalid: tuple[str, ...] = ()
    """Units with a wrong quantity. Those that were refused (negative, NaN, 2**63 and more, bool, no number) are not in
    `quantities`, and at most 16 of them are named. Those that were clamped (a part larger than its whole), or whose
    parts add up to more than the whole, are."""
    estimated: bool = False
    """A quantity was estimated, not reported."""
    unknown: tuple[str, ...] = ()
    """Reported keys that are no unit, no part of one, and not known to be free: their cost is not known. At most 16,
    clean, of at most 64 characters."""
    several: bool = False
    """Whether this is the sum of several requests, such as those of a batch or of an agent's run. How large each was is
    not known; nor, without `requests`, how many they were."""

    @classmethod
    def of(
        cls,
        quantities: Mapping[str, object],
        *,
        invalid: tuple[str, ...] = (),
        estimated: bool = False,
        unknown: tuple[str, ...] = (),
    ) -> "Usage":
        """Return the usage of `quantities`, cleaned; never raises.

        None is dropped; `"12"`, `12.0` and Decimals are parsed; bool is refused. `invalid` names units that were found
        invalid before, of a usage that is read back from where it was kept. `unknown` is kept as it is; units beyond
        `MAX_UNITS` are named in it, too.
        """
        cleaned: dict[str, int | Decimal] = {}
        try:
            for unit, value in quantities.items():
                if value is None:
                    continue
                # The usual case, a whole number of a known unit, before all others: this runs in the user's call.
                if type(value) is int and 0 <= value < LIMIT and unit in UNITS:
                    cleaned[unit] = value
                elif (name := _name(unit)) is unit and (quantity := _quantity(unit, value)) is not None:
                    cleaned[unit] = quantity
                elif len(invalid) < _MAX_INVALID:
                    invalid += (name,)
        except Exception:  # noqa: BLE001  # a mapping or a key with code of its own; what was read so far is kept
            invalid += ("usage",)
        if len(cleaned) > MAX_UNITS:
            unknown = (unknown + _cut_off(cleaned))[:MAX_UNKNOWN]
        shares: dict[tuple[str, int], int | Decimal] = {}
        for part, quantity in cleaned.items():
            for whole in WHOLES.get(part, ()):
                if quantity > cleaned.get(whole, quantity):
                    cleaned, invalid = _clamped(cleaned, invalid)
                    return cls.of(cleaned, invalid=invalid, estimated=estimated, unknown=unknown)
            if quantity and part in FAMILIES:
                for family in FAMILIES[part]:
                    shares[family] = shares.get(family, 0) + quantity  # counts, which are whole
        for (whole, _), share in shares.items():
            if share > cleaned.get(whole, share) and whole not in invalid:
                invalid += (whole,)
        return cls(cleaned, invalid, estimated, unknown)

    def __add__(self, other: object) -> "Usage":
        """Add unit by unit; a unit that only one of them has is kept as it is."""
        if not isinstance(other, Usage):
            return NotImplemented
        total = dict(self.quantities)
        for unit, quantity in other.quantities.items():
            total[unit] = _sum(total.get(unit, 0), quantity)
        invalid = self.invalid + tuple(unit for unit in other.invalid if unit not in self.invalid)
        unknown = self.unknown + tuple(key for key in other.unknown if key not in self.unknown)
        either = self.estimated or other.estimated, unknown[:MAX_UNKNOWN], self.several or other.several
        return Usage(total, invalid, *either)

    @property
    def is_hollow(self) -> bool:
        """Whether the usage is empty, or has only zeros."""
        return not (self.invalid or self.unknown or any(self.quantities.values()))

    def as_text(self, wholes: Iterable[str]) -> "Usage":
        """Return the usage with all tokens of `wholes`, input or output, as text where no modality is reported."""
        found = self.quantities
        asked = [whole for whole in ("input_tokens", "output_tokens") if whole in wholes and whole in found]
        untold = (whole for whole in asked if found.keys().isdisjoint(BY_MODALITY[whole]))
        texts = {BY_MODALITY[whole][0]: found[whole] for whole in untold}
        return replace(self, quantities={**found, **texts}) if texts else self

    def by_modality(self) -> Iterator[tuple[str, int, int]]:
        """Yield modality, input tokens and output tokens; text is what audio and images leave of the totals."""
        found = self.quantities
        text_in, text_out = int(found.get("input_tokens", 0)), int(found.get("output_tokens", 0))
        for modality, unit_in, unit_out in _MODALITIES:
            part_in, part_out = int(found.get(unit_in, 0)), int(found.get(unit_out, 0))
            if part_in or part_out:
                text_in, text_out = text_in - part_in, text_out - part_out
                yield modality, part_in, part_out
        yield "text", max(0, text_in), max(0, text_out)


NOTHING: Final = Usage({})
"""No unit is known. Where a sum starts."""


def is_unit_name(name: object) -> bool:
    """Return whether `name` may name a unit, also one that we do not know."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _sum(one: int | Decimal, other: int | Decimal) -> int | Decimal:
    return one + other if isinstance(one, int) and isinstance(other, int) else EXACT.add(Decimal(one), Decimal(other))


def _name(unit: object) -> str:
    """Return `unit` itself if it may name a unit, else a printable stand-in of at most 64 characters."""
    if isinstance(unit, str) and _NAME.fullmatch(unit):
        return unit
    return ascii(unit)[:64] if isinstance(unit, (str, int, float)) else type(unit).__name__


def _quantity(unit: str, value: object) -> int | Decimal | None:
    """Return `value` as a quantity of `unit`, or None if it is none. Only seconds may have a fraction."""
    try:
        found = _number(value)
    except (ArithmeticError, ValueError):
        return None
    limit = SECONDS_LIMIT if unit in SECONDS else LIMIT
    if found is None or not 0 <= found < limit:
        return None
    if isinstance(found, int):
        return found
    if unit in SECONDS or unit not in UNITS:
        found = found.quantize(_NANOSECOND, context=EXACT)
        if found == limit:  # rounded up to it
            return None
    whole = int(found)
    if whole == found:
        return whole
    return found.normalize(EXACT) if unit in SECONDS or unit not in UNITS else None


def _number(value: object) -> int | Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, float):
        value = float.__repr__(value)  # the shortest decimal that reads back as the same float: 0.1, not 0.1000...0555
    if isinstance(value, str):
        value = number(value)
    return value if isinstance(value, Decimal) and value.is_finite() else None


def _cut_off(quantities: dict[str, int | Decimal]) -> tuple[str, ...]:
    """Remove the units beyond `MAX_UNITS` and return them: wholes are kept before parts, and ours before any others."""
    by_width = sorted(quantities, key=lambda unit: len(DIMENSIONS.get(unit, DIMENSIONS)))
    for unit in (beyond := by_width[MAX_UNITS:]):
        del quantities[unit]
    return tuple(beyond)


def _clamped(
    quantities: dict[str, int | Decimal], invalid: tuple[str, ...]
) -> tuple[dict[str, int | Decimal], tuple[str, ...]]:
    """Cut every part to its smallest whole; return the quantities, and `invalid` with the units that were cut."""
    for part in [unit for unit in quantities if unit in WHOLES]:
        wholes = [quantities[whole] for whole in WHOLES[part] if whole in quantities]
        if wholes and quantities[part] > (most := min(wholes)):
            quantities[part] = most
            invalid += (part,)
    return quantities, invalid
