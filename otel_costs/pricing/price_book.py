"""The prices in force: the user's file, over those of other packages, over our own, over genai-prices.

The rates of a call are found once and kept.

A call has two names for its model, the one that answered and the one that was asked. The asked one counts where both
are one model, and where the answered one is known nowhere: what a gateway turns to in place of a model has a price of
its own. Terms of contracts are looked for by the same names.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Final, TypeAlias

from otel_costs import semconv
from otel_costs.pricing import deployments, updates
from otel_costs.pricing.base_prices import BaseBook
from otel_costs.pricing.builtin_prices import builtin_book
from otel_costs.pricing.call_names import CallNames, Name
from otel_costs.pricing.contract_prices import CallTerms, ContractBook
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.deployments import Deployment
from otel_costs.pricing.endpoint import host, region
from otel_costs.pricing.model_names import plain
from otel_costs.pricing.price_entry import PriceFile, PriceFileError, settle
from otel_costs.pricing.price_search import Question, Search
from otel_costs.pricing.rates import EARLIEST, LATEST, Rates
from otel_costs.pricing.updates import Updates
from otel_costs.runtime import plugins
from otel_costs.usage.units import DIMENSIONS

_log: Final = logging.getLogger(semconv.SCOPE)

_MAX_CALLS: Final = 2048  # ways of calling whose rates are kept; a model name may come from the user's own users
_MAX_NAME: Final = 256  # characters; longer names are looked up each time and not kept
_MAX_TIMES: Final = 8  # intervals that are kept of each


Call: TypeAlias = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
"""Provider, the model that answers, service tier, processing, endpoint and deployment, as the caller names them."""

_Key: TypeAlias = tuple[str | None, ...]


class PriceBook:
    """Prices from files, the earlier ones over the later ones, and all of them over genai-prices."""

    def __init__(self, files: Sequence[PriceFile], *, version: str, base: BaseBook | None = None) -> None:
        """`base` None is the built-in genai-prices. `contracts` is None where no file has one."""
        self.files = tuple(files)
        self.base = base or builtin_base()
        self.version = version
        self.deployments = tuple(one for file in self.files for one in file.deployments)
        terms = tuple(file.terms for file in self.files if file.terms is not None)
        self.contracts = ContractBook(terms) if any(one.contracts for one in terms) else None
        self._kept: dict[_Key, tuple[Rates, ...]] = {}
        self._terms: dict[_Key, tuple[CallTerms | None, datetime, datetime]] = {}

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
        rates = self._find(call, request_model, price_model, at.astimezone(UTC))
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
        call, names, behind = self._behind(call, CallNames.of(call[0], call[1], request_model, price_model))
        search = Search(self.files, self.base, at)
        called = self._called(search, call, names, behind) if names.provider else ()
        found = self.contracts.find(_question(call, names.provider, called, behind), at)
        if not any(part is not None and len(part) > _MAX_NAME for part in key):
            if len(self._terms) >= _MAX_CALLS:
                self._terms.clear()
            since, until = self.contracts.within(at)
            start, end = _between(search)
            self._terms[key] = (found, max(since, start), min(until, end))
        return found

    def _behind(self, call: Call, names: CallNames) -> tuple[Call, CallNames, Deployment | None]:
        """Return the call as what is known of its deployment makes it: with the model behind, its zone and region."""
        if not self.deployments:
            return call, names, None
        given = plain(call[5]) if call[5] else None
        called = (given,) if given else (names.asked, names.answered)
        behind = deployments.find(self.deployments, names.provider, called, host(call[4]))
        if behind is None or behind.model is None:
            return call, names, behind
        answered = "" if names.answered in (behind.deployment, "unknown") else names.answered
        model = answered or behind.model
        asked = "" if model == behind.model else behind.model
        return (*call[:5], behind.deployment), replace(names, answered=model, asked=asked), behind

    def _find(self, call: Call, request_model: str | None, price_model: str | None, at: datetime) -> Rates:
        call, names, behind = self._behind(call, CallNames.of(call[0], call[1], request_model, price_model))
        search = Search(self.files, self.base, at)
        found = self._look(search, call, names, behind) if names.provider else None
        if found is not None and behind is not None:
            found = _placed(found, behind)
        found = found or Rates(((-1, {}),), None, reason=CostReason.UNKNOWN_MODEL)
        start, end = _between(search)
        return replace(found, start=start, end=end, plans={})

    def _look(self, search: Search, call: Call, names: CallNames, behind: Deployment | None) -> Rates | None:
        """Return the rates by the call's own names; else by those without a date, or by one that nobody answered to."""

        def find(which: Iterable[Name], reason: CostReason | None = None) -> Rates | None:
            question = _question(call, names.provider, tuple(which), behind)
            found = search.find(question) if question.names else None
            return replace(found, reason=found.reason or reason, plans={}) if found else None

        one_model = self._is_one_model(names)
        found = find(names.as_called(one_model=one_model))
        found = found or find(names.undated(one_model=one_model), CostReason.DATED_NAME)
        if found is None and self._may_be_asked(names, one_model=one_model):
            found = find(names.of_asked(), CostReason.ANSWER_UNKNOWN)
        return found

    def _called(self, search: Search, call: Call, names: CallNames, behind: Deployment | None) -> tuple[Name, ...]:
        """Return the names that terms of a contract may know a call by: the asked one only where `_look` takes it."""
        one_model = self._is_one_model(names)
        called = tuple(names.as_called(one_model=one_model))
        if not self._may_be_asked(names, one_model=one_model):
            return called

        def is_listed(which: Iterable[Name]) -> bool:
            question = _question(call, names.provider, tuple(which), behind)
            return bool(question.names) and search.find(question) is not None

        asked = tuple(names.of_asked())
        by_own = is_listed(called) or is_listed(names.undated(one_model=one_model))
        return (*called, *asked) if not by_own and is_listed(asked) else called

    def _may_be_asked(self, names: CallNames, *, one_model: bool) -> bool:
        """Whether the asked model stands for another one that answered, which is known nowhere."""
        return not one_model and not self._is_known(names.answered)

    def _is_one_model(self, names: CallNames) -> bool:
        """Whether the model that answered is the one that was asked, by another name: with a date, or an alias."""
        if names.is_one_model():
            return True
        listed = self.base.find(names.provider, names.answered)
        if listed is not None and (alias := self.base.find(names.provider, names.asked)) is not None:
            return alias.price_id == listed.price_id
        both = {names.answered, names.asked}
        return any(both <= set(price.match.model) for file in self.files for price in file.of(names.provider))

    def _is_known(self, model: str) -> bool:
        """Whether `model` has a price of any provider: then it is known not to be the one that was asked."""
        if any(self.base.find(provider, model) for provider in self.base.providers()):
            return True
        return any(price.is_for(model) for file in self.files for price in file.prices)


def _between(search: Search) -> tuple[datetime, datetime]:
    """Return from when to when the answers of a search are those that it has given."""
    start = max((moment for moment in search.moments if moment <= search.at), default=EARLIEST)
    end = min((moment for moment in search.moments if moment > search.at), default=LATEST)
    return start, end


def _placed(rates: Rates, behind: Deployment) -> Rates:
    """Return the rates of a deployment: what it multiplies is no fee of a tool."""
    if behind.multiplier is not None:
        factor = behind.multiplier
        return rates.map(
            lambda units: {u: r.times(factor) if "tokens" in DIMENSIONS[u] else r for u, r in units.items()},
            price_id=f"{behind.name}>{rates.price_id}",
        )
    if behind.zone == "regional" and rates.reason is None and "regional" not in (rates.price_id or ""):
        return replace(rates, reason=CostReason.ZONE_NOT_PRICED, plans={})
    return rates


def _question(call: Call, provider: str, names: tuple[Name, ...], behind: Deployment | None = None) -> Question:
    _, _, service_tier, processing, endpoint, deployment = call
    tier, way = settle(service_tier, processing)
    at_host = host(endpoint)
    return Question(
        provider=provider,
        names=names,
        service_tier=tier,
        processing=way,
        endpoint=at_host,
        region=(behind and behind.region) or region(at_host),
        zone=behind.zone if behind and behind.multiplier is None else None,
        deployment=plain(deployment) if deployment else None,
    )


def builtin_files() -> tuple[PriceFile, ...]:
    """Return our own price files, one per provider."""
    return builtin_book().files


def builtin_base() -> BaseBook:
    """Return the genai-prices that this release was built with."""
    return builtin_book().base or BaseBook("", {})


@cache
def builtin() -> PriceBook:
    """Return the book of our own files over genai-prices, as this release has them."""
    return _book((), Updates())


def updated() -> PriceBook:
    """Return the built-in book with what `otel-costs prices update` stored."""
    return _book((), updates.read(), _brought())


def with_file(path: str) -> PriceBook:
    """Return that book with the price file at `path` over it; raise PriceFileError if it cannot be used."""
    from otel_costs.pricing.price_file import load  # noqa: PLC0415  # PyYAML, which the built-in prices do not need

    return _book((load(path),), updates.read(), _brought())


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


def _book(own: tuple[PriceFile, ...], stored: Updates, brought: tuple[PriceFile, ...] = ()) -> PriceBook:
    files, base = builtin_files(), stored.base or builtin_base()
    ours = max((file.version for file in files), default="")
    versions = [*(file.version for file in (*own, *stored.files, *brought)), ours, base.version]
    return PriceBook((*own, *stored.files, *brought, *files), version="+".join(filter(None, versions)), base=base)
