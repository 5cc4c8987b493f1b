"""How a call is found among prices: by its own names, by those without a date, or by the model that was asked.

A call has two names for its model, the one that answered and the one that was asked. The asked one counts where both
are one model, and where the answered one is known nowhere: what a gateway turns to in place of a model has a price of
its own. Terms of contracts are looked for by the same names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from otel_costs.pricing import deployments
from otel_costs.pricing.base_prices import BaseBook
from otel_costs.pricing.call_names import CallNames, Name
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.deployments import Deployment
from otel_costs.pricing.endpoint import host, region
from otel_costs.pricing.model_names import plain, spellings
from otel_costs.pricing.price_entry import Price, PriceFile, settle
from otel_costs.pricing.price_search import Question, Search
from otel_costs.pricing.rates import EARLIEST, LATEST, Rate, Rates
from otel_costs.usage.units import DIMENSIONS, WHOLES

Call: TypeAlias = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
"""Provider, the model that answers, service tier, processing, endpoint and deployment, as the caller names them."""


class CallSearch:
    """A search for calls in price files, the earlier ones over the later ones, and in genai-prices below them."""

    def __init__(self, files: tuple[PriceFile, ...], base: BaseBook) -> None:
        self._files, self._base = files, base
        self._deployments = tuple(one for file in files for one in file.deployments)

    def rates(self, call: Call, request_model: str | None, price_model: str | None, at: datetime) -> Rates:
        """Return the rates for `call` at `at`; none, and no price id, if the model is unknown."""
        call, names, behind = self._behind(call, CallNames.of(call[0], call[1], request_model, price_model))
        search = Search(self._files, self._base, at)
        found = self._rates_by_name(search, call, names, behind) if names.provider else None
        if found is not None and behind is not None:
            found = _placed(found, behind)
        for fee in search.on_top(_fees_of(call, names, behind)):
            found = _with_fee(found, fee)
        found = found or Rates(((-1, {}),), None, reason=CostReason.UNKNOWN_MODEL)
        start, end = _between(search)
        return replace(found, start=start, end=end, plans={})

    def question(
        self, call: Call, request_model: str | None, price_model: str | None, at: datetime
    ) -> tuple[Question, datetime, datetime]:
        """Return what terms of a contract are asked for `call` at `at`, and from when to when that is the question."""
        call, names, behind = self._behind(call, CallNames.of(call[0], call[1], request_model, price_model))
        search = Search(self._files, self._base, at)
        called = self._called(search, call, names, behind) if names.provider else ()
        return _question(call, names.provider, called, behind), *_between(search)

    def _behind(self, call: Call, names: CallNames) -> tuple[Call, CallNames, Deployment | None]:
        """Return the call as what is known of its deployment makes it: with the model behind, its zone and region."""
        if not self._deployments:
            return call, names, None
        given = plain(call[5]) if call[5] else None
        called = (given,) if given else (names.asked, names.answered)
        behind = deployments.find(self._deployments, names.provider, called, host(call[4]))
        if behind is None or behind.model is None:
            return call, names, behind
        answered = "" if names.answered in (behind.deployment, "unknown") else names.answered
        model = answered or behind.model
        asked = "" if model == behind.model else behind.model
        return (*call[:5], behind.deployment), replace(names, answered=model, asked=asked), behind

    def _rates_by_name(self, search: Search, call: Call, names: CallNames, behind: Deployment | None) -> Rates | None:
        """Return the rates by the call's own names; else by those without a date, or by one that no answer named."""

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
        """Return the names that contracts know a call by: the requested one only where `_rates_by_name` uses it."""
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
        listed = self._base.find(names.provider, names.answered)
        if listed is not None and (alias := self._base.find(names.provider, names.asked)) is not None:
            return alias.price_id == listed.price_id
        both = {names.answered, names.asked}
        return any(both <= set(price.match.model) for file in self._files for price in file.of(names.provider))

    def _is_known(self, model: str) -> bool:
        """Whether `model` has a price of any provider: then it is known not to be the one that was asked."""
        if any(self._base.find(provider, model) for provider in self._base.providers()):
            return True
        return any(price.is_for(model) for file in self._files for price in file.prices)


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


def _fees_of(call: Call, names: CallNames, behind: Deployment | None) -> Question:
    """Return what prices on top are asked: by the names that were asked and that answered, and by the deployment."""
    given = plain(call[5]) if call[5] else ""
    called = [Name(spellings(name, names.provider)) for name in (names.asked, names.answered, given) if name]
    return _question(call, names.provider, tuple(called), behind)


def _with_fee(found: Rates | None, fee: Price) -> Rates:
    """Return rates with a fee on them; those of a fee alone are a part of the cost."""
    if found is None:
        return Rates(((-1, fee.rates),), fee.id, reason=CostReason.ANSWER_UNKNOWN)

    def added(rates: Mapping[str, Rate]) -> dict[str, Rate]:
        both = dict(rates)
        for unit, rate in fee.rates.items():
            for other in {unit, *(part for part in rates if unit in WHOLES.get(part, ()))}:
                both[other] = both[other].plus(rate) if other in both else rate
        return both

    return found.map(added, price_id=f"{fee.id}+{found.price_id}")


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
