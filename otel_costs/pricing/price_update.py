"""Updates of prices: what is fetched, beside what is here, made one that changes no call of the past.

A price that is another one now holds from the moment of the update; before that, the old one does. One that is gone is
kept. One that is new holds since ever, so that calls which had no price get theirs (`otel-costs reprice --unpriced`).
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Final

from otel_costs.pricing import genai_prices_data, stored_book, updates
from otel_costs.pricing.base_prices import BaseBook, Json
from otel_costs.pricing.builtin_prices import builtin_base
from otel_costs.pricing.download import fetch, printable_url
from otel_costs.pricing.price_entry import Price, PriceFile, PriceFileError
from otel_costs.pricing.rates import LATEST
from otel_costs.pricing.stored_book import StoredBook
from otel_costs.pricing.updates import PriceUpdateError

NEW: Final = "new"
CHANGED: Final = "changed"
GONE: Final = "gone"


@dataclass(frozen=True, slots=True)
class Change:
    """A price that is another one by the update: `kind` is new, changed or gone, `said` what was and what is."""

    kind: str
    provider: str
    model: str
    said: str


@dataclass(frozen=True, slots=True)
class Update:
    """What an update would store, and where; `changes` is what is different by it."""

    book: StoredBook
    kind: str
    changes: tuple[Change, ...]

    @property
    def version(self) -> str:
        """Return the version that calls will name."""
        return self.book.base.version if self.book.base is not None else self.book.files[0].version

    def store(self) -> None:
        """Put it where processes read it when they start. Raises PriceUpdateError."""
        path = updates.path(self.kind)
        if path is None:
            raise PriceUpdateError("this user has no folder for data: set XDG_DATA_HOME")
        try:
            stored_book.write(path, self.book)
        except OSError as error:
            raise PriceUpdateError(f"{path} cannot be written: {error.strerror or error}") from error


def prepare(source: str | None = None, *, now: datetime | None = None, date_back: bool = False) -> Update:
    """Fetch `source`, a path or an https URL (None is what genai-prices publishes), and return what it would change.

    `date_back` gives calls of the past the new prices, too. Raises PriceUpdateError where it cannot be fetched, is no
    price book, or is older than what is here.
    """
    whole, source, now = source is None, source or genai_prices_data.URL, now or datetime.now(UTC)
    raw = fetch(source)
    try:
        if whole or raw.lstrip()[:1] in (b"[", b"{"):
            return _of_base(raw, source, now, date_back=date_back, whole=whole)
        return _of_file(raw, source, now, date_back=date_back)
    except PriceFileError as error:
        raise PriceUpdateError(str(error)) from error


def _of_base(raw: bytes, source: str, now: datetime, *, date_back: bool, whole: bool) -> Update:
    version = f"genai-prices-{now:%Y-%m-%d}.{hashlib.sha256(raw).hexdigest()[:8]}"
    found = genai_prices_data.of_json(raw, printable_url(source), version)
    here = updates.read().base or builtin_base()
    merged = _MergedBase(here, found, None if date_back else now.isoformat())
    _refuse_worse(here, found, merged.changes, printable_url(source), whole=whole)
    base = BaseBook(version if merged.changes else here.version, merged.sections)
    return Update(StoredBook((), base, _header(raw, source, now)), updates.BASE, tuple(merged.changes))


def _of_file(raw: bytes, source: str, now: datetime, *, date_back: bool) -> Update:
    from otel_costs.pricing.price_file import parse  # noqa: PLC0415  # PyYAML

    found = parse(raw, printable_url(source))
    if found.terms is not None or found.deployments:
        raise PriceUpdateError(
            f"{printable_url(source)} has contracts, deployments or exchange rates, which an update does not store:"
            " give the file to programs and commands by OTEL_COSTS_PRICES"
        )
    here = next(iter(updates.read().files), PriceFile(found.name, "", ()))
    if here.version and _order(found.version) < _order(here.version):
        raise PriceUpdateError(
            f"{printable_url(source)} has version {found.version}, and {here.version} is stored: it is older",
            refused=True,
        )
    prices, changes = _merged_prices(here.prices, found.prices, now, date_back=date_back)
    version = found.version
    if changes and version == here.version:  # calls tell by the version at which prices they were made
        version = f"{version}.{hashlib.sha256(raw).hexdigest()[:8]}"
    elif not changes:
        version = here.version or version
    file = PriceFile(found.name, version, prices)
    return Update(StoredBook((file,), None, _header(raw, source, now)), updates.BOOK, tuple(changes))


def _header(raw: bytes, source: str, now: datetime) -> dict[str, Json]:
    return {
        "source": printable_url(source),
        "fetched_at": now.isoformat(),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "over": builtin_base().version,
    }


class _MergedBase:
    """The models of two books of genai-prices: of each model the new names, and all prices that it ever had."""

    def __init__(self, here: BaseBook, found: BaseBook, since: str | None) -> None:
        self.changes: list[Change] = []
        self._since = since
        self.sections = {
            provider: self._section(provider, here, found) for provider in {**found.sections, **here.sections}
        }

    def _section(self, provider: str, here: BaseBook, found: BaseBook) -> str:
        old, new = here.section(provider), found.section(provider)
        fallback = (new if provider in found.sections else old)["fallback"]
        known = {model[0]: model for model in old["models"]}
        models = [self._model(provider, known.pop(model[0], None), model) for model in new["models"]]
        for model in known.values():
            self._note(GONE, provider, model[0], "its price is kept")
            models.append(model)
        return json.dumps({"fallback": fallback, "models": models}, separators=(",", ":"))

    def _model(self, provider: str, old: Json, new: Json) -> Json:
        id_, match, revisions = new
        if old is None:
            self._note(NEW, provider, id_, _describe_rates(new))
            return new
        (_, prices, variants), before = revisions[-1], old[2][-1]
        if [prices, variants] == before[1:]:
            if match != old[1]:
                self._note(CHANGED, provider, id_, "the names that it is known by")
            return [id_, match, old[2]]
        self._note(CHANGED, provider, id_, _describe_difference(old, new))
        if self._since is None:
            return [id_, match, revisions]
        return [id_, match, [*old[2], [self._since, prices, variants]]]

    def _note(self, kind: str, provider: str, model: str, description: str) -> None:
        self.changes.append(Change(kind, provider, model, description))


def _refuse_worse(here: BaseBook, found: BaseBook, changes: Iterable[Change], source: str, *, whole: bool) -> None:
    """Complain about a book that is no later than what is here, and about a part of one where it has to be `whole`.

    It has neither date nor version. It is older if more of its models have a last price that began earlier than ours
    than one that began later; or if it lacks models that are here, and has nothing that is not.
    """
    kinds = {change.kind for change in changes}
    ours, theirs = _last_starts(here), _last_starts(found)
    common = ours.keys() & theirs.keys()
    earlier, later = (
        sum(theirs[model] < ours[model] for model in common),
        sum(theirs[model] > ours[model] for model in common),
    )
    is_part = len(theirs) < len(ours) / 2
    if earlier > later or (not is_part and GONE in kinds and NEW not in kinds):
        raise PriceUpdateError(
            f"{source} is older than {here.version}: {earlier:,} of its prices began earlier than those that are "
            f"here, and {len(ours.keys() - theirs.keys()):,} models are not in it",
            refused=True,
        )
    if whole and is_part:
        raise PriceUpdateError(
            f"{source} is not whole: it has {len(theirs):,} models, and {len(ours):,} are here", refused=True
        )


def _last_starts(book: BaseBook) -> dict[tuple[str, str], str]:
    """Return the day on which the last price of each model began or begins, empty where no day is told."""
    return {
        (model.provider, model.id): max(
            (
                constraint["start_date"]
                for constraint, _ in model.revisions[-1][1]
                if constraint is not None and "start_date" in constraint
            ),
            default="",
        )
        for model in book.models()
    }


def _merged_prices(
    here: Iterable[Price], found: Iterable[Price], now: datetime, *, date_back: bool
) -> tuple[list[Price], list[Change]]:
    """Return the prices of both files: where both have one for the same calls, the new one from `now` on."""
    known = {_key(price): price for price in here}
    past: list[Price] = []
    merged: list[Price] = []
    changes: list[Change] = []

    def note(kind: str, price: Price, description: str) -> None:
        changes.append(Change(kind, price.provider, price.match.label(), description))

    for price in found:
        old = known.pop(_key(price), None)
        if old is None:
            note(NEW, price, _describe_price(price))
            merged.append(price)
        elif _facts(old) == _facts(price):
            if old.end != price.end:
                note(CHANGED, price, f"{_describe_price(price)}: {_until(old)} → {_until(price)}")
            merged.append(replace(price, start=max(old.start, price.start)))
        else:
            note(CHANGED, price, f"{_describe_price(old)} → {_describe_price(price)}")
            if date_back or old.start >= now:
                merged.append(price)
            else:
                past.append(replace(old, end=min(old.end, now), id=f"{old.id}{_ENDED}{now:%Y-%m-%dT%H:%M:%S}"))
                merged += [replace(price, start=max(price.start, now))] if price.end > now else []
    for price in known.values():
        if price.end > now:
            note(GONE, price, f"{_describe_price(price)}: for calls until now")
        if price.start < now:
            past.append(replace(price, end=min(price.end, now)))
    return [*past, *merged], changes  # where two are for one call, what it was priced by before


_ENDED: Final = "~"  # a price that an update put an end to, beside the one in its place


def _key(price: Price) -> tuple[Any, ...]:
    name = price.id.partition(":")[2]
    return price.provider, name, price.conditions(), price.input_tokens_above, price.weekly


def _facts(price: Price) -> list[Any]:
    """Return all of a price but for its times, its name and where it is from."""
    apart = ("id", "start", "end", "source", "checked", "line")
    return [getattr(price, known.name) for known in fields(Price) if known.name not in apart]


def _until(price: Price) -> str:
    return "without end" if price.end == LATEST else f"until {price.end:%Y-%m-%d %H:%M}"


def _describe_price(price: Price) -> str:
    rates = [f"{unit} {rate.usd.normalize():f} per {rate.per:,}" for unit, rate in price.rates.items()]
    if price.base is not None:
        rates.insert(0, f"{price.multiplier:f} × {price.base.provider}/{price.base.model or 'the same'}")
    return ", ".join(rates)


def _standard(model: Json) -> dict[str, Json]:
    """Return the rates of a model by the last of its prices that has no hours."""
    _, prices, _ = model[2][-1]
    return dict(next((units for constraint, units in reversed(prices) if "start_time" not in (constraint or {})), {}))


def _describe_rates(model: Json) -> str:
    return ", ".join(f"{unit} {rate[0]} per {rate[1]:,}" for unit, rate in _standard(model).items())


def _describe_difference(old: Json, new: Json) -> str:
    before, after = _standard(old), _standard(new)
    changes = [
        f"{unit} {before[unit][0] if unit in before else 'without'} → {after[unit][0] if unit in after else 'without'}"
        for unit in {**before, **after}
        if before.get(unit) != after.get(unit)
    ]
    return ", ".join(changes) or "tiers, batches or dates"


def _order(version: str) -> list[tuple[int, int, str]]:
    """Return what versions are compared by: numbers by their value, words by their letters."""
    parts = re.findall(r"\d+|[^\d.\-_+]+", version)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
