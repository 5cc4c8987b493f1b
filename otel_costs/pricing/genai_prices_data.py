"""The data that genai-prices publishes, checked and made a book: from its JSON, or from the package of a build.

The JSON is the one that its own package updates itself from (`new_data/v2/data.json`): providers with models, each with
a rule of the names that it is known by, and prices by the day, the hour, the tier and the input's length.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from otel_costs.pricing.base_prices import BaseBook, Json
from otel_costs.pricing.price_entry import PriceFileError
from otel_costs.usage.units import UNITS

RELEASE: Final = "0.2.3"
"""The release that the built-in prices are from."""

URL: Final = "https://raw.githubusercontent.com/pydantic/genai-prices/refs/heads/main/prices/new_data/v2/data.json"
"""Where genai-prices 0.2.3 updates itself from (`update_prices.DEFAULT_UPDATE_URL`)."""

_SUFFIXES: Final = {
    "_mtok": ("_tokens", 1_000_000),
    "_mchars": ("_characters", 1_000_000),
    "_gpixels": ("_pixels", 1_000_000_000),
    "_kpages": ("_pages", 1_000),
    "_kcount": ("", 1_000),
    "_hours": ("_seconds", 3_600),
}
"""Ends of its price keys, to the ends of our units and what they are counted by: `input_mtok` is `input_tokens`."""

_MATCHES: Final = ("equals", "starts_with", "ends_with", "contains", "regex")
_MAX_USD: Final = Decimal(1_000_000)
_MAX_TOKENS: Final = Decimal(1_000_000_000)
_MAX_TEXT: Final = 500
_MAX_DEPTH: Final = 8


def of_json(raw: bytes, name: str, version: str) -> BaseBook:
    """Return the book of published JSON; raises PriceFileError, which names the model, if it is none."""
    try:
        found = json.loads(raw, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError) as error:
        raise PriceFileError(name, None, "", "is no JSON") from error
    return _book(found, name, version)


def of_package() -> BaseBook:
    """Return the book of the installed genai-prices, which builds and tests have. Raises ImportError."""
    import genai_prices  # noqa: PLC0415  # half a second
    from genai_prices.data import providers  # noqa: PLC0415

    version = f"genai-prices-{genai_prices.__version__}"
    return _book([_plain(provider) for provider in providers], version, version)


def unit_of(price_key: str) -> tuple[str, int] | None:
    """Return the unit that a price key is for and how many of them; None for one that we do not know."""
    for end, (unit_end, per) in _SUFFIXES.items():
        if price_key.endswith(end) and (unit := price_key.removesuffix(end) + unit_end) in UNITS:
            return unit, per
    return None


def _plain(value: Any) -> Any:
    """Return an object of the package as the JSON has it."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, (date, time)):
        return value.isoformat()
    if not hasattr(value, "__dict__"):
        return value
    names = {"or_": "or", "and_": "and"}
    return {names.get(key, key): _plain(item) for key, item in vars(value).items() if item is not None}


def _book(raw: Any, name: str, version: str) -> BaseBook:
    if not isinstance(raw, list) or not raw:
        raise PriceFileError(name, None, "", "is no list of providers, as genai-prices publishes it")
    reader = _Reader(name)
    book = BaseBook(version, dict(reader.provider(found) for found in raw))
    if next(book.models(), None) is None:
        raise PriceFileError(name, None, "", "has no model")
    return book


class _Reader:
    """Checks and reads, one by one; complaints name provider and model."""

    def __init__(self, file: str) -> None:
        self.file, self.where = file, ""

    def fail(self, problem: str) -> PriceFileError:
        return PriceFileError(self.file, None, self.where, problem)

    def provider(self, raw: Any) -> tuple[str, str]:
        self.where = "providers"
        name = self._text(self._mapping(raw).get("id"), "id")
        self.where = name
        fallback = [self._text(other, "fallback") for other in raw.get("fallback_model_providers") or ()]
        models = [self._model(name, model) for model in self._list(raw.get("models"))]
        return name, json.dumps({"fallback": fallback, "models": models}, separators=(",", ":"))

    def _model(self, provider: str, raw: Any) -> Json:
        id_ = self._text(self._mapping(raw).get("id"), "id")
        self.where = f"{provider}/{id_}"
        prices = raw.get("prices") or {}
        conditional = prices if isinstance(prices, list) else [{"prices": prices}]
        standard = [[self._constraint(price), self._units(price)] for price in map(self._mapping, conditional)]
        variants = [
            [self._when(variant), self._constraint(variant), self._units(variant)]
            for variant in map(self._mapping, raw.get("price_variants") or ())
        ]
        return [id_, self._rule(raw.get("match"), 0), [[None, standard or [[None, {}]], variants]]]

    def _rule(self, raw: Any, depth: int) -> Json:
        if depth > _MAX_DEPTH or len(self._mapping(raw)) != 1:
            raise self.fail("has no rule of its names")
        ((kind, value),) = raw.items()
        if kind in ("or", "and"):
            return [kind, [self._rule(part, depth + 1) for part in self._list(value)]]
        if kind not in _MATCHES:
            raise self.fail(f"has an unknown rule of its names: {str(kind)[:40]!r}")
        text = self._text(value, kind)
        if kind != "regex":
            return [kind, text.lower()]
        try:
            re.compile(text)
        except re.error as error:
            raise self.fail(f"has a rule that is no regular expression: {error}") from error
        return [kind, text]

    def _constraint(self, raw: Mapping[str, Any]) -> Json:
        given = raw.get("constraint")
        if given is None:
            return None
        try:
            if "start_date" in self._mapping(given):
                return {"start_date": date.fromisoformat(given["start_date"]).isoformat()}
            return {key: _utc(time.fromisoformat(given[key])) for key in ("start_time", "end_time")}
        except (KeyError, TypeError, ValueError) as error:
            raise self.fail("has a price whose time is unknown") from error

    def _when(self, raw: Mapping[str, Any]) -> dict[str, str]:
        given = self._mapping(raw.get("when"))
        if not given or not all(isinstance(value, str) for value in given.values()):
            raise self.fail("has a variant without a condition")
        return dict(given)

    def _units(self, raw: Mapping[str, Any]) -> dict[str, Json]:
        rates = dict(self._rates(self._mapping(raw.get("prices"))))
        # whisper-1 has the same rate for its seconds of audio and for the input part of them.
        if rates.get("input_audio_seconds") == rates.get("audio_seconds") is not None:
            del rates["input_audio_seconds"]
        # OpenAI's file search under our name for it.
        if "storage_searches" in rates:
            rates["file_searches"] = rates["storage_searches"]
        return rates

    def _rates(self, prices: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
        for key, price in prices.items():
            unit = unit_of(key)
            if unit is None or price is None:
                continue
            name, per = unit
            if isinstance(price, Mapping):
                tiers = sorted(map(self._tier, self._list(price.get("tiers"))))
                yield name, [self._usd(price.get("base")), per, tiers]
            else:
                yield name, [self._usd(price), per]

    def _tier(self, raw: Any) -> Json:
        start = self._number(self._mapping(raw).get("start"), _MAX_TOKENS)
        return [int(start), self._usd(raw.get("price"))]

    def _usd(self, raw: Any) -> str:
        """Return a price in dollars without zeros at its end."""
        usd = self._number(raw, _MAX_USD)
        return f"{usd.normalize():f}"

    def _number(self, raw: Any, most: Decimal) -> Decimal:
        try:
            number = Decimal(raw) if isinstance(raw, (str, int, Decimal)) else Decimal("NaN")
        except InvalidOperation:
            number = Decimal("NaN")
        if not (number.is_finite() and 0 <= number <= most and len(str(number)) < 40):
            raise self.fail(f"has no price: {str(raw)[:40]!r}")
        return number

    def _text(self, raw: Any, key: str) -> str:
        if not isinstance(raw, str) or not raw.strip() or len(raw) > _MAX_TEXT:
            raise self.fail(f"has no {key} that is a text")
        return raw

    def _mapping(self, raw: Any) -> Mapping[str, Any]:
        if not isinstance(raw, Mapping):
            raise self.fail("is none, as genai-prices publishes it")
        return raw

    def _list(self, raw: Any) -> list[Any]:
        if not isinstance(raw, list):
            raise self.fail("has no list where one belongs")
        return raw


def _utc(moment: time) -> str:
    return datetime.combine(date(1970, 1, 1), moment, moment.tzinfo or UTC).astimezone(UTC).time().isoformat()
