"""The price book in force, and what a usage costs by it.

In it is the user's file, over those of other packages, over our own, over genai-prices. The rates of a call are found
once and kept.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from time import thread_time
from typing import Final, TypeAlias

from otel_costs import semconv
from otel_costs.pricing import updates
from otel_costs.pricing.base_prices import BaseBook
from otel_costs.pricing.builtin_prices import builtin_base, builtin_files
from otel_costs.pricing.call_search import Call, CallSearch
from otel_costs.pricing.contract_prices import CallTerms, ContractBook, contracted
from otel_costs.pricing.cost import CURRENCY, UNPRICED, Cost, cost_of
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.price_entry import PriceFile, PriceFileError
from otel_costs.pricing.rates import Rates
from otel_costs.pricing.updates import Updates
from otel_costs.runtime import plugins
from otel_costs.usage import Usage
from otel_costs.usage.reported import read_given
from otel_costs.usage.units import UNITS

_log: Final = logging.getLogger(semconv.SCOPE)

_MAX_CALLS: Final = 2048  # ways of calling whose rates are kept; a model name may come from the user's own users
_MAX_NAME: Final = 256  # characters; longer names are looked up each time and not kept
_MAX_TIMES: Final = 8  # intervals that are kept of each
_MAX_LOGGED: Final = 10  # findings in the user's file
_MAX_CHECK_S: Final = 0.05  # of processor time; a call may wait for it

_book: "PriceBook | None" = None
"""The one in force; None until it is needed."""
_failed = False

_Key: TypeAlias = tuple[str | None, ...]


class PriceBook:
    """Prices from files, the earlier ones over the later ones, and all of them over genai-prices."""

    def __init__(self, files: Sequence[PriceFile], *, version: str, base: BaseBook | None = None) -> None:
        """`base` None is the built-in genai-prices. `contracts` is None where no file has one."""
        self.files = tuple(files)
        self.base = base or builtin_base()
        self.version = version
        terms = tuple(file.terms for file in self.files if file.terms is not None)
        self.contracts = ContractBook(terms) if any(one.contracts for one in terms) else None
        self._search = CallSearch(self.files, self.base)
        self._kept: dict[_Key, tuple[Rates, ...]] = {}
        self._terms: dict[_Key, tuple[CallTerms | None, datetime, datetime]] = {}

    def under(self, file: PriceFile) -> "PriceBook":
        """Return these prices with those of `file` over them."""
        return PriceBook((file, *self.files), version="", base=self.base)

    def rates(
        self, call: Call, at: datetime, *, request_model: str | None = None, price_model: str | None = None
    ) -> Rates:
        """Return the rates for `call` at `at` (aware); without any, and with no price id, if the model is unknown.

        The call's model is the one that answered; `request_model` the one that was asked, where that is another name;
        `price_model` what the price is listed under where it is more than a model (`dall-e-3/hd/1024x1024`).
        """
        key = (*call, request_model, price_model)
        kept = self._kept.get(key)
        if kept is not None:
            for rates in kept:
                if rates.start <= at < rates.end:
                    return rates
        rates = self._search.rates(call, request_model, price_model, at.astimezone(UTC))
        if any(part is not None and len(part) > _MAX_NAME for part in key):
            return rates
        if len(self._kept) >= _MAX_CALLS:
            self._kept.clear()
        self._kept[key] = (rates, *(kept or ()))[:_MAX_TIMES]
        return rates

    def terms(
        self, call: Call, ended: datetime, *, request_model: str | None = None, price_model: str | None = None
    ) -> CallTerms | None:
        """Return what a contract says of `call`, which ended at `ended` (aware); None if none is for it."""
        if self.contracts is None:
            return None
        key = (*call, request_model, price_model)
        kept = self._terms.get(key)
        if kept is not None and kept[1] <= ended < kept[2]:
            return kept[0]
        at = ended.astimezone(UTC)
        question, start, end = self._search.question(call, request_model, price_model, at)
        found = self.contracts.find(question, at)
        if not any(part is not None and len(part) > _MAX_NAME for part in key):
            if len(self._terms) >= _MAX_CALLS:
                self._terms.clear()
            since, until = self.contracts.within(at)
            self._terms[key] = (found, max(since, start), min(until, end))
        return found


def price(
    usage: Usage | Mapping[str, object],
    *,
    provider: str,
    model: str | None,
    at: datetime | None = None,
    service_tier: str | None = None,
    processing: str | None = None,
    endpoint: str | None = None,
    deployment: str | None = None,
    prices: PriceBook | None = None,
    request_model: str | None = None,
    price_model: str | None = None,
    ended: datetime | None = None,
) -> Cost:
    """Return the cost of `usage`; never raises.

    - `usage` is quantities by unit, or a usage as a provider reports it. Tokens that are given in units are text, but
      for those of other modalities; in a provider's usage without details their modality is unknown.
    - `model` is the one that answered, and `request_model` the requested one, where that is another. `price_model` is
      the name that the price is listed under, where that is more than the model's (`dall-e-3/hd/1024x1024`).
    - `at` is the time whose prices hold, to the second: now if None, and in UTC without a zone. `ended` is the time
      whose contract terms hold; None is `at`.
    - `service_tier` is the one that the response names, and `processing` is `batch` or None. `endpoint` is a host or a
      URL, and `deployment` the name of a deployment there.
    - `prices` is the book to use; None is the one in force.
    """
    book = prices or _book
    try:
        book = book or current()
        in_units = not isinstance(usage, Usage) and UNITS.issuperset(usage)
        if not isinstance(usage, Usage):
            usage = read_given(usage, provider)
        moment = datetime.now(UTC) if at is None else at if at.tzinfo else at.replace(tzinfo=UTC)
        call = (provider, model, service_tier, processing, endpoint, deployment)
        rates = book.rates(call, moment, request_model=request_model, price_model=price_model)
        if in_units and rates.modal:
            usage = usage.as_text(rates.modal)
        cost = cost_of(usage, rates, book.version)
        if book.contracts is None:
            return cost
        terms = book.terms(call, ended or moment, request_model=request_model, price_model=price_model)
        return cost if terms is None else contracted(cost, usage, rates, terms)
    except Exception:  # noqa: BLE001  # a bug of ours must not reach the application
        _log_once()
        return Cost(None, UNPRICED, CostReason.INTERNAL_ERROR, (), None, CURRENCY, (), getattr(book, "version", ""))


def standard_rates(
    *,
    provider: str,
    model: str | None,
    at: datetime,
    endpoint: str | None = None,
    deployment: str | None = None,
    request_model: str | None = None,
) -> Rates:
    """Return the standard rates of a model, none if it is unknown. `at` is aware. Never raises."""
    try:
        call = (provider, model, None, None, endpoint, deployment)
        return current().rates(call, at, request_model=request_model)
    except Exception:  # noqa: BLE001  # a bug of ours must not reach the application
        _log_once()
        return Rates(((-1, {}),), None)


def current() -> PriceBook:
    """Return the book in force: the built-in one with its updates, under the file that OTEL_COSTS_PRICES names.

    A file that cannot be used is logged once, and the prices without it hold. Never raises.
    """
    global _book
    if _book is None:
        try:
            _book = load()
            _log_findings(_book)
        except PriceFileError as error:
            _log.error("%s. The built-in prices are used; correct the file or unset %s.", error, semconv.ENV_PRICES)
            _book = updated()
    return _book


def _log_findings(book: PriceBook) -> None:
    """Log once what the user's file takes away, and what it has in vain."""
    if not os.environ.get(semconv.ENV_PRICES):
        return
    from otel_costs.pricing.price_check import Finding, by_price  # noqa: PLC0415  # needed where there is a file

    own, below = book.files[0], PriceBook(book.files[1:], version="", base=book.base)
    found: list[Finding] = []
    began, more = thread_time(), ""
    for _, findings in by_price(own, below):
        found += findings
        if len(found) > _MAX_LOGGED or thread_time() - began > _MAX_CHECK_S:
            more = "; there may be more"
            break
    if found:
        listed = "; ".join(f"line {each.line}: {each.price} {each.problem}" for each in found[:_MAX_LOGGED])
        _log.warning("%s: %s%s. `otel-costs prices check` says all of it.", own.name, listed, more)


def load(path: str | None = None) -> PriceBook:
    """Return the book under the price file at `path`, or under the one that OTEL_COSTS_PRICES names, if any.

    Raises PriceFileError, which says file, line and field.
    """
    path = path or os.environ.get(semconv.ENV_PRICES)
    return with_file(path) if path else updated()


def use(book: PriceBook | None) -> None:
    """Put `book` in force; None lets the next price load it anew."""
    global _book
    _book = book


def reload() -> PriceBook:
    """Load the prices anew and put them in force; if they are bad, raise PriceFileError and keep the old ones."""
    book = load()
    use(book)
    return book


def warm_up() -> None:
    """Load what the first price would wait for. Never raises."""
    try:
        current()
    except Exception:  # noqa: BLE001  # a bug of ours must not reach the application
        _log_once()


def _log_once() -> None:
    global _failed
    if not _failed:
        _failed = True
        _log.warning("A cost could not be computed; the usage is recorded without it.", exc_info=True)


@cache
def builtin() -> PriceBook:
    """Return the book of our own files over genai-prices, as this release has them."""
    return _made((), Updates())


def updated() -> PriceBook:
    """Return the built-in book with what `otel-costs prices update` stored."""
    return _made((), updates.read(), _brought())


def with_file(path: str) -> PriceBook:
    """Return that book with the price file at `path` over it; raise PriceFileError if it cannot be used."""
    from otel_costs.pricing.price_file import load  # noqa: PLC0415  # PyYAML, which the built-in prices do not need

    return _made((load(path),), updates.read(), _brought())


@cache
def _brought() -> tuple[PriceFile, ...]:
    """Return the price files of providers that other packages bring; one that cannot be used is logged once."""
    found = []
    for name, vendor in plugins.loaded():
        if (path := getattr(vendor, "prices", None)) is None:
            continue
        try:
            from otel_costs.pricing.price_file import load  # noqa: PLC0415  # PyYAML

            found.append(load(path))
        except (PriceFileError, TypeError) as error:
            _log.error("%s has no prices: %s", name, error)
    return tuple(found)


def _made(own: tuple[PriceFile, ...], stored: Updates, brought: tuple[PriceFile, ...] = ()) -> PriceBook:
    files, base = builtin_files(), stored.base or builtin_base()
    ours = max((file.version for file in files), default="")
    versions = [*(file.version for file in (*own, *stored.files, *brought)), ours, base.version]
    return PriceBook((*own, *stored.files, *brought, *files), version="+".join(filter(None, versions)), base=base)
