"""A usage as a provider reports it, of any provider and API, read into quantities.

Each number of it is used, a part or the total of what is used, or known to be free; the others are named in
`Usage.unknown`. This is the one reader of usages; what the keys are stands in `usage_keys`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from typing import Any, Final

from otel_costs.usage import MAX_UNKNOWN, NOTHING, Usage, is_unit_name
from otel_costs.usage.keys import INPUT, KEYS, Beside, Kind, Part, is_free
from otel_costs.usage.numbers import EXACT, LIMIT, is_number, is_within, number, whole
from otel_costs.usage.totals import APART, INCLUSIVE, count_of, settle
from otel_costs.usage.units import UNITS

_MAX_KEY: Final = 64  # characters of a path that is named
_MAX_DEPTH: Final = 8
_MAX_NUMBERS: Final = 1000  # of groups without a meaning: beyond them it is enough to know that there are any
_MODALITIES: Final = frozenset({"text", "audio", "image", "video"})
_WRITES: Final = frozenset({"cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_12h_tokens"})
_PARTS_ALONE: Final = _WRITES | {"paused_seconds"}
"""Units whose whole may be left out."""
_BESIDE_PARTS: Final = {"audio_seconds": ("paused_seconds",), "cache_write_tokens": ("cache_write_12h_tokens",)}
"""Units that exclude the parts of a unit that are none themselves: active seconds, writes of 30 minutes."""


def read(usage: object, provider: str | None = None, *, has_both: bool = False) -> Usage | None:
    """Return what a usage object says that was used, None when it says nothing; never raises.

    A usage, or a group in it, that is no object is named in `Usage.invalid`. `input_tokens` and `output_tokens` are all
    input and all output, also of a provider that counts some beside; `provider` is whose dialect it is, if it is known.
    `has_both`: it is of a call that has input and output, so that one of them that is not said is named in
    `Usage.unknown`, unless the total leaves no room for it.
    """
    if not isinstance(usage, Mapping):
        return Usage({}, ("usage",))
    try:
        reading = _Reading()
        reading.read(KEYS, usage, "", 0)
        return reading.usage(usage, provider, has_both=has_both)
    except Exception:  # noqa: BLE001  # a mapping or a number with code of its own
        return Usage({}, ("usage",))


def read_given(usage: Mapping[str, object], provider: str | None = None) -> Usage:
    """Return a usage that an application gives, in units or in a provider's own keys; never raises.

    What has the form of a unit's name is a quantity, also where we know no such unit: a price file may have its price.
    """
    try:
        if UNITS.issuperset(usage):
            return Usage.of(usage)
        reported = any(key in KEYS and key not in UNITS for key in usage)
        own = {key: value for key, value in usage.items() if _is_own(key, value, reported=reported)}
        reading = _Reading()
        reading.read(_GIVEN if reported else {}, {key: usage[key] for key in usage if key not in own}, "", 0)
        if reported:
            reading.quantities.update(own)
            return reading.usage(usage, provider, has_both=not _OF_CHATS.isdisjoint(usage)) or Usage({})
        return Usage.of(own, unknown=tuple(reading.unknown))
    except Exception:  # noqa: BLE001  # a mapping or a key with code of its own
        return Usage.of(usage)


def read_of_call(usage: Mapping[str, object], provider: str | None = None, *, failed: bool = False) -> Usage:
    """Return the usage that an application reports for a call; never raises.

    Tokens of zero are no usage: no prompt has none. They are true of a call that has `failed`.
    """
    found = read_given(usage, provider)
    return NOTHING if found.is_hollow and not failed and not _TOKENS.isdisjoint(found.quantities) else found


_TOKENS: Final = frozenset({"input_tokens", "output_tokens"})


def unaccounted(usage: Mapping[str, object]) -> tuple[str, ...]:
    """Return the paths of all numbers in a usage that is not read otherwise, but for those known to be free."""
    reading = _Reading()
    reading.read({}, usage, "", 0)
    return tuple(reading.unknown)


class _Reading:
    """The quantities and the keys without a meaning that were found so far in one usage."""

    __slots__ = ("_beside", "_left", "_parts", "_total", "_twice", "malformed", "quantities", "unknown")

    def __init__(self) -> None:
        self.quantities: dict[str, Any] = {}
        self.malformed: tuple[str, ...] = ()
        self.unknown: dict[str, None] = {}
        self._parts: list[tuple[str, str, Any]] = []
        self._beside: list[tuple[str, str, Any]] = []
        self._total: tuple[str, int] = ("", 0)
        self._twice: tuple[str, ...] = ()
        self._left = _MAX_NUMBERS

    def read(self, meanings: Mapping[Any, Any], group: Mapping[Any, Any], path: str, depth: int) -> None:
        """Read a group of keys."""
        quantities, meaning_of = self.quantities, meanings.get
        for key, value in group.items():
            if value is None:
                continue
            meaning: Any = meaning_of(key)
            kind = type(meaning)
            if kind is str:
                if type(value) is not int and (value := whole(meaning, value)) is None:
                    continue
                if meaning not in quantities:
                    quantities[meaning] = value
                elif quantities[meaning] != value:
                    self._again(meaning, value)
            elif kind is dict and type(value) is dict and depth < _MAX_DEPTH:
                self.read(meaning, value, f"{path}{key}.", depth + 1)
            elif not value:
                continue  # nothing, of what has no unit
            elif meaning is None:
                self._unknown(key, value, path, depth)
            elif meaning is Kind.TOTAL and type(value) is int:
                if value > self._total[1]:  # said twice, the larger has all
                    self._total = f"{path}{key}", value
            elif kind is Part and not isinstance(value, dict | list):
                self._parts.append((f"{path}{key}", meaning.unit, value))
            elif kind is dict:
                self._group(meaning, key, value, path, depth)
            else:
                self._other(meaning, key, value, path, depth)

    def usage(self, reported: Mapping[str, Any], provider: str | None, *, has_both: bool = False) -> Usage | None:
        """Return what was found, None if it is nothing."""
        quantities, (key, total) = self.quantities, self._total
        if not quantities.keys().isdisjoint(_PARTS_ALONE):
            self._complete()
        if not 0 < total < LIMIT:
            total = 0
        entered, output = quantities.get("input_tokens", 0), quantities.get("output_tokens", 0)
        has_all_in_them = provider in INCLUSIVE and APART.isdisjoint(reported) and type(entered) is type(output) is int
        estimated = False
        if not has_all_in_them or total > entered + output:
            estimated, accounted = settle(quantities, reported, provider, total)
            if not accounted:
                self._name(key)
        if self._parts:
            self._account(quantities)
        for path, group, counted in self._beside:
            if is_number(counted) and not reported.get(group):
                self._name(path)
        if not quantities and not self.malformed and not self.unknown:
            return None
        if has_both and not (quantities.get("input_tokens") and "output_tokens" in quantities):
            self._name_missing(quantities, total)
        found = Usage.of(quantities, estimated=estimated, unknown=tuple(self.unknown))
        if more := self.malformed + self._twice:
            found = replace(found, invalid=found.invalid + tuple(unit for unit in more if unit not in found.invalid))
        return found

    def _account(self, quantities: Mapping[str, Any]) -> None:
        """Name the parts that are not in their whole, each by itself, and those that are not together."""
        several: dict[str, dict[str, Decimal]] = {}
        for path, unit, part in self._parts:
            if not is_number(part):
                continue
            if not is_within(part, quantities.get(unit)):
                self._name(path)
            elif (found := number(part)) is not None:
                several.setdefault(unit, {})[path.rpartition(".")[2]] = found  # said in two places, it is one
        for unit, parts in several.items():
            beside = [quantities[rival] for rival in _BESIDE_PARTS.get(unit, ()) if is_number(quantities.get(rival))]
            if beside and not is_within(reduce(EXACT.add, map(_counted, (*parts.values(), *beside))), quantities[unit]):
                self._twice += (unit,)  # each is in its whole, and not all of them can be
            if len(parts) > 1 and not is_within(reduce(EXACT.add, parts.values()), quantities[unit]):
                for path, of, _ in self._parts:
                    if of == unit:
                        self._name(path)

    def _name_missing(self, quantities: Mapping[str, Any], total: int) -> None:
        """Name input or output that is not said, and input of none where something else was used.

        A total that is what is said proves that nothing is missing; but there is no answer without a question.
        """
        if not any(map(is_number, quantities.values())):
            return
        if not is_number(quantities.get("input_tokens")):
            self._name("input_tokens")
        elif total != quantities["input_tokens"] and "output_tokens" not in quantities:
            self._name("output_tokens")

    def _complete(self) -> None:
        """Add wholes of which the parts alone were said."""
        quantities = self.quantities
        if not quantities.get("cache_write_tokens") and not quantities.keys().isdisjoint(_WRITES):
            quantities["cache_write_tokens"] = sum(count_of(quantities, unit) for unit in _WRITES)
        if "paused_seconds" in quantities and "audio_seconds" not in quantities:
            active = next((number(part) for _, unit, part in self._parts if unit == "audio_seconds"), None)
            if (paused := number(quantities["paused_seconds"])) is not None:
                quantities["audio_seconds"] = EXACT.add(paused, active or 0)

    def _again(self, unit: str, value: Any) -> None:
        """Merge a unit that was reported before: a zero says nothing then, and of two numbers the larger has all."""
        before, now = number(self.quantities[unit]), number(value)
        if before == now or not now:
            return
        if before and unit not in self._twice:
            self._twice += (unit,)
        if before is None or now > before:
            self.quantities[unit] = value

    def _group(self, meanings: Mapping[Any, Any], key: Any, value: Any, path: str, depth: int) -> None:
        """Read what should be a group of details and is no plain dict."""
        if isinstance(value, Mapping):
            if depth < _MAX_DEPTH:
                self.read(meanings, value, f"{path}{key}.", depth + 1)
        elif isinstance(value, list):
            self._by_modality("input" if key in INPUT else "output", key, value, path, depth)
        else:
            self.malformed += (str(key),)

    def _other(self, meaning: Any, key: Any, value: Any, path: str, depth: int) -> None:
        if meaning is Kind.TOTAL:
            total = whole("input_tokens", value)
            if type(total) is int:
                self.read({key: meaning}, {key: total}, path, depth)
            else:
                self._unknown(key, value, path, depth)
        elif meaning is Kind.COST:
            if isinstance(value, Mapping):
                self.read({}, value, f"{path}{key}.", depth + 1)
        elif meaning is Kind.INPUT_LIST or meaning is Kind.OUTPUT_LIST:
            self._by_modality("input" if meaning is Kind.INPUT_LIST else "output", key, value, path, depth)
        elif meaning is Kind.CACHED_LIST:
            self._by_modality("cache", key, value, path, depth)
        elif meaning is Kind.WRITES:
            self._writes(key, value, path, depth)
        elif meaning is Kind.ROUNDS:
            self._rounds(key, value, path, depth)
        elif meaning is Kind.TOOL_LIST:
            self._of_tools(key, value, path, depth)
        elif type(meaning) is Beside and not isinstance(value, Mapping | list):
            self._beside.append((f"{path}{key}", meaning.group, value))
        elif meaning is not Kind.FREE or isinstance(value, Mapping | list):
            self._unknown(key, value, path, depth)  # a group where a number should be

    def _objects(self, key: Any, value: Any, path: str, depth: int) -> Iterator[Mapping[Any, Any]]:
        """Yield the objects of a list; name the numbers of what is none."""
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, Mapping):
                yield one
            else:
                self._unknown(key, one, path, depth)

    def _by_modality(self, direction: str, key: Any, parts: Any, path: str, depth: int) -> None:
        """Read Gemini's details: `[{"modality": "AUDIO", "token_count": 5}]`.

        Documents are pages that are read as images, which Gemini 3 calls them (ai.google.dev, Gemini 3): both together.
        """
        end = "_read_tokens" if direction == "cache" else "_tokens"
        documents = _Reading()
        for part in self._objects(key, parts, path, depth):
            modality = str(part.get("modality")).lower()
            reading, modality = (documents, "image") if modality == "document" else (self, modality)
            unit = f"{direction}_{modality}{end}" if modality in _MODALITIES else None
            reading.read({"token_count": unit, "tokens": unit}, part, f"{path}{key}.", depth + 1)
        self.unknown.update(documents.unknown)
        for unit, pages in documents.quantities.items():
            counted = count_of(documents.quantities, unit)
            self.quantities[unit] = count_of(self.quantities, unit) + counted if counted else pages

    def _of_tools(self, key: Any, parts: Any, path: str, depth: int) -> None:
        """Read Gemini's details of the input that tools made, which is counted in a number of its own."""
        for part in self._objects(key, parts, path, depth):
            text = str(part.get("modality")).lower() == "text"
            counted = Part("input_tool_tokens") if text else None
            self.read({"token_count": counted, "tokens": counted}, part, f"{path}{key}.", depth + 1)

    def _writes(self, key: Any, writes: Any, path: str, depth: int) -> None:
        """Read Bedrock's details of what was cached: `[{"ttl": "1h", "inputTokens": 5}]`."""
        for one in self._objects(key, writes, path, depth):
            unit = f"cache_write_{one.get('ttl')}_tokens"
            self.read({"inputTokens": unit} if unit in _WRITES else {}, one, f"{path}{key}.", depth + 1)

    def _rounds(self, key: Any, rounds: Any, path: str, depth: int) -> None:
        """Read Anthropic's iterations: messages are in the totals, a compaction or an adviser's answer is not."""
        for one in self._objects(key, rounds, path, depth):
            known = _Reading()
            known.read(KEYS if one.get("type") == "message" else {}, one, f"{path}{key}.", depth + 1)
            self.unknown.update(known.unknown)

    def _unknown(self, key: Any, value: Any, path: str, depth: int) -> None:
        """Name each number of a key without a meaning, or of what is in it."""
        self._left -= 1
        if self._left < 0 or depth >= _MAX_DEPTH:
            self._name(f"{path}{key}")
        elif isinstance(value, Mapping):
            self.read({}, value, f"{path}{key}.", depth + 1)
        elif isinstance(value, list | tuple):
            for item in value[: _MAX_NUMBERS + 1]:
                self._unknown(key, item, path, depth + 1)
        elif is_number(value) and not (isinstance(key, str) and is_free(key)):
            self._name(f"{path}{key}")

    def _name(self, path: str) -> None:
        if len(self.unknown) < MAX_UNKNOWN:
            clean = path if path.isascii() and path.isprintable() else ascii(path)[1:-1]
            self.unknown[clean[:_MAX_KEY]] = None


def _counted(quantity: Any) -> Decimal:
    return number(quantity) or Decimal(0)


_OF_CHATS: Final = frozenset({"completion_tokens", "completion_tokens_details"})
"""Keys of the usage of a completion, which has input and output; that of an embedding has `prompt_tokens`, too."""


_GIVEN: Final = {**{unit: unit for unit in UNITS}, **KEYS}


def _is_own(key: object, value: object, *, reported: bool) -> bool:
    """Return whether this is to be a quantity of its own name; in keys that a provider `reported`, labels are none."""
    if isinstance(value, Mapping | list | tuple) or (isinstance(key, str) and is_free(key)):
        return False
    return not reported or (key not in _GIVEN and is_unit_name(key) and is_number(value))
