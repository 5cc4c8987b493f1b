"""Usage, model and time to cost: exact, line by line, with what could not be priced said."""

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from time import thread_time
from typing import Final

from otel_costs import semconv
from otel_costs.pricing.contract_prices import contracted
from otel_costs.pricing.cost import CURRENCY, ESTIMATED, PARTIAL, PRICED, UNPRICED, Cost, Line, cost_of
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.price_book import PriceBook, updated, with_file
from otel_costs.pricing.price_entry import PriceFileError
from otel_costs.usage import Usage
from otel_costs.usage.reported import read_given

__all__ = [
    "ESTIMATED",
    "PARTIAL",
    "PRICED",
    "UNPRICED",
    "Cost",
    "Line",
    "PriceBook",
    "PriceFileError",
    "costs_otherwise",
    "current",
    "load",
    "price",
    "reload",
    "use",
    "warm_up",
]

_log: Final = logging.getLogger(semconv.SCOPE)
_book: PriceBook | None = None
_failed = False
_MAX_SAID: Final = 10
_MAX_CHECK_S: Final = 0.05  # of processor time; a call may wait for it


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
    """Return what `usage` costs; never raises.

    `usage` has units, or is a usage as a provider reports it.
    `model` is the one that answered; `request_model` the one that was asked, where a call names another one, and
    `price_model` what its price is listed under where that is more (`dall-e-3/hd/1024x1024`). `at` decides which prices
    hold, to the second; None is now, and a time without a zone is UTC. A contract's terms are those of when the call
    `ended`, None is `at`. `service_tier` is the one that the response names. `endpoint` is a host or a URL. `prices`
    None is the book in force.
    """
    book = prices
    try:
        book = book or current()
        if not isinstance(usage, Usage):
            usage = read_given(usage, provider)
        moment = datetime.now(UTC) if at is None else at if at.tzinfo else at.replace(tzinfo=UTC)
        call = (provider, model, service_tier, processing, endpoint, deployment)
        rates = book.rates(call, moment, request_model=request_model, price_model=price_model)
        cost = cost_of(usage, rates, book.version)
        if book.contracts is None:
            return cost
        terms = book.terms(call, ended or moment, request_model=request_model, price_model=price_model)
        return cost if terms is None else contracted(cost, usage, rates, terms)
    except Exception:  # noqa: BLE001  # a bug of ours must not reach the application
        _log_once()
        return Cost(None, UNPRICED, CostReason.INTERNAL_ERROR, (), None, CURRENCY, (), getattr(book, "version", ""))


def costs_otherwise(
    part: str,
    whole: str,
    *,
    provider: str,
    model: str | None,
    at: datetime,
    endpoint: str | None = None,
    deployment: str | None = None,
    request_model: str | None = None,
) -> bool:
    """Return whether `part` costs a model something else than `whole`, the unit that it is a part of, by the standard
    price. `at` is aware. Never raises."""
    try:
        call = (provider, model, None, None, endpoint, deployment)
        rates = current().rates(call, at, request_model=request_model)
        priced = rates.bands[0][1]
        return part in priced and priced[part] != priced.get(whole)
    except Exception:  # noqa: BLE001  # a bug of ours must not reach the application
        _log_once()
        return False


def current() -> PriceBook:
    """Return the book in force: the built-in one with its updates, under the file that OTEL_COSTS_PRICES names.

    A file that cannot be used is logged once, and the prices without it hold. Never raises.
    """
    global _book
    if _book is None:
        try:
            _book = load()
            _say_findings(_book)
        except PriceFileError as error:
            _log.error("%s. The built-in prices are used; correct the file or unset %s.", error, semconv.ENV_PRICES)
            _book = updated()
    return _book


def _say_findings(book: PriceBook) -> None:
    """Log once what the user's file takes away, and what it has in vain."""
    if not os.environ.get(semconv.ENV_PRICES):
        return
    from otel_costs.pricing.price_check import Finding, by_price  # noqa: PLC0415  # needed where there is a file

    own, below = book.files[0], PriceBook(book.files[1:], version="", base=book.base)
    found: list[Finding] = []
    began, more = thread_time(), ""
    for _, findings in by_price(own, below):
        found += findings
        if len(found) > _MAX_SAID or thread_time() - began > _MAX_CHECK_S:
            more = "; there may be more"
            break
    if found:
        said = "; ".join(f"line {each.line}: {each.price} {each.problem}" for each in found[:_MAX_SAID])
        _log.warning("%s: %s%s. `otel-costs prices check` says all of it.", own.name, said, more)


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
