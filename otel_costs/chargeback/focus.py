"""Rows of FOCUS 1.2: what calls cost by day, model, unit and tag, and adjustments for what is shared.

A row is what the calls of a day that are alike (provider, model, operation, tier, price, contract, service, scenario,
kind, tags and status) cost for one unit, such as their input tokens: the grain at which a quantity times a price is
the cost. Their EffectiveCost adds up to cost_usd of the reports to the last digit. What is shared is moved by rows of
the category Adjustment, which add up to nothing; what is missing of a commitment at its end is one, too.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from otel_costs.chargeback import focus_commitments, shares
from otel_costs.chargeback.assignment import value_of
from otel_costs.chargeback.focus_columns import COLUMNS, COSTS
from otel_costs.chargeback.focus_parts import Part, parts_of
from otel_costs.chargeback.focus_reservations import Paid, Reservations
from otel_costs.chargeback.shared_costs import Key, Splits, splits_of
from otel_costs.pricing.cost import ESTIMATED
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.store.periods import month_of
from otel_costs.store.rendering import as_json
from otel_costs.store.rows import Row
from otel_costs.store.selected_calls import selected_calls
from otel_costs.store.selection import Selection
from otel_costs.usage.numbers import EXACT

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_ABOUT: Final = (
    "provider", "model", "operation", "service_tier", "price_id", "price_processing", "price_deployment", "contract_id",
    "contract_currency", "reservation_id", "service", "scenario", "kind", "cost_status", "cost_reason",
)  # fmt: skip
_MORE: Final = (
    "price_id", "contract_id", "contract_currency", "contract_amount", "contracted_usd", "list_usd", "reservation_id",
    "service", "scenario", "tags",
)  # fmt: skip

_UNITS: Final = (
    ("_tokens", "Tokens"), ("_seconds", "Seconds"), ("_characters", "Characters"), ("images", "Images"),
    ("searches", "Searches"), ("containers", "Containers"), ("requests", "Requests"), ("_minutes", "Minutes"),
    ("_hours", "Hours"),
)  # fmt: skip
_LANGUAGE: Final = ("speech_to_text", "text_to_speech", "transcription", "translation", "moderation")
_QUOTIENT: Final = Context(prec=28)
_NOTHING: Final = Decimal(0)


@dataclass(slots=True)
class _Sum:
    quantity: Decimal = _NOTHING
    listed: Decimal = _NOTHING
    contracted: Decimal = _NOTHING
    effective: Decimal = _NOTHING
    in_currency: Decimal = _NOTHING
    unpriced_calls: int = 0

    def add(self, part: Part, *, is_unpriced: bool) -> None:
        for name in ("quantity", "listed", "contracted", "effective", "in_currency"):
            setattr(self, name, EXACT.add(getattr(self, name), getattr(part, name)))
        self.unpriced_calls += is_unpriced


@dataclass(frozen=True, slots=True)
class _Group:
    """What the calls of a row have in common; `tags` as rules mean them, `own` those of them that calls bring.

    `split_day` is the day in the zone of the rules, by which shared costs are split.
    """

    day: date
    split_day: date
    about: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    own: frozenset[str]
    unit: str

    def __getitem__(self, name: str) -> str:
        return self.about[_ABOUT.index(name)]


def rows(client: "Client", selection: Selection, account: str | None = None) -> Iterator[Row]:
    """Yield the rows of a selection, oldest day first: of COLUMNS, whose values are None where FOCUS has null.

    Days and billing periods (months) are those of the selection's zone. `account` is the BillingAccountId; None is
    the name of the provider. Raises StoreError.
    """
    reserved = Reservations(client, selection)
    groups = _groups(client, selection, reserved)
    for group in sorted(groups, key=_order):
        yield _completed(_charge(group, groups[group]), group["provider"], account, _Days(selection.tz, group.day))
    yield from _reservations(reserved, account, selection.tz)
    for missing in focus_commitments.missing(client, selection):
        last = (missing["period_end"] - timedelta(milliseconds=1)).astimezone(selection.tz).date()
        provider = missing["provider"]
        charge = {**focus_commitments.charge(missing), **_service(provider, "commitment")}
        yield _completed(charge, provider, account, _Days(selection.tz, last, whole_month=True))
    for row in _adjustments(client, selection, groups):
        days = _Days(selection.tz, row.pop("day"), whole_month=True)
        yield _completed(row, row["ProviderName"], account, days)


def _groups(client: "Client", selection: Selection, reserved: Reservations) -> dict[_Group, _Sum]:
    """Return what each group of calls cost; `reserved` counts those of reservations."""
    found: dict[_Group, _Sum] = defaultdict(_Sum)
    assigned = sorted(selection.allocation.tags) if selection.allocation else []
    bound: dict[str, Any] = {"day_tz": selection.tz.key}
    more = "".join(f", c.{name} as {name}" for name in _MORE)
    bound["split_tz"] = selection.allocation.zone.key if selection.allocation else selection.tz.key
    for name in ("day", "split"):
        more += f", toDate32(toTimeZone(c.end_time, {{{name}_tz:String}})) as {name}_day"
    for number, tag in enumerate(assigned):
        more += f", {value_of(tag, selection.allocation, bound, f'tag_{number}')} as value_{number}"
    for call in selected_calls(client, selection, more=more, bound=bound):
        values = {tag: call[f"value_{number}"] for number, tag in enumerate(assigned)}
        tags = {name: value for name, value in {**call["tags"], **values}.items() if value}
        own = frozenset(name for name, value in call["tags"].items() if value)
        reasons = call["cost_reason"].split(",")
        if call["contract_amount"] is None or CostReason.EXCHANGE_RATE_UNKNOWN in reasons:  # in dollars alone
            call["contract_currency"], call["contract_amount"] = "", None
        if call["reservation_id"]:
            reserved.add(call)
        about = tuple(str(call[name]) for name in _ABOUT)
        for part in parts_of(call):
            days = call["day_day"], call["split_day"]
            group = _Group(*days, about, tuple(sorted(tags.items())), own, part.unit)
            found[group].add(part, is_unpriced=call["cost_usd"] is None)
    return found


def _charge(group: _Group, of: _Sum) -> Row:
    """Return the columns of what calls used."""
    reservation, unit = group["reservation_id"], _unit(group.unit)
    price = {"x_PriceId": group["price_id"], "x_ServiceTier": group["service_tier"]}
    price |= {"x_Processing": group["price_processing"], "x_Deployment": group["price_deployment"]}
    details = {name: value for name, value in price.items() if value}
    sku = f"{group['provider']}/{group['model']}/{group.unit}"
    found: Row = {
        "BilledCost": _NOTHING if reservation else of.effective,
        "ContractedCost": of.contracted,
        "EffectiveCost": of.effective,
        "ListCost": of.listed,
        "ListUnitPrice": _price(of.listed, of.quantity),
        "ContractedUnitPrice": _price(of.contracted, of.quantity),
        "ChargeCategory": "Usage",
        "ChargeDescription": _description(group, of),
        "ChargeFrequency": "Usage-Based",
        "ConsumedQuantity": of.quantity,
        "ConsumedUnit": unit,
        "PricingQuantity": of.quantity,
        "PricingUnit": unit,
        "PricingCategory": "Committed" if reservation else "Standard",
        **_in_currency(group["contract_currency"], of),
        "SkuId": sku,
        "SkuMeter": group.unit.replace("_", " ").capitalize(),
        "SkuPriceId": "/".join([sku, *details.values()]),
        "SkuPriceDetails": as_json(details) if details else None,
        **_service(group["provider"], group["operation"]),
        "x_UnpricedCallCount": of.unpriced_calls,
        **_own(group),
    }
    if reservation:
        found |= _reserved(reservation, of.effective) | {"CommitmentDiscountStatus": "Used"}
    return found


def _in_currency(currency: str, of: _Sum) -> Row:
    """Return the columns of the contract's currency; the prices at the rate by which the cost is in it, if it has one.

    Without a contract that is the dollar.
    """
    found: Row = {"PricingCurrency": currency or "USD", "PricingCurrencyEffectiveCost": of.in_currency}
    if not currency or of.effective:
        rate = _QUOTIENT.divide(of.in_currency, of.effective) if currency else Decimal(1)
        for name, cost in (("List", of.listed), ("Contracted", of.contracted)):
            price = _QUOTIENT.multiply(_price(cost, of.quantity), rate)
            found[f"PricingCurrency{name}UnitPrice"] = price
    return found


def _description(group: _Group, of: _Sum) -> str:
    what = f"{group['model'] or '(no model)'}, {group['operation']}"
    if of.unpriced_calls:
        return f"{what}: not priced ({group['cost_reason'] or 'unknown'}), the cost is not known and not 0"
    return f"{what}, {group.unit.replace('_', ' ')}"


def _own(group: _Group) -> Row:
    """Return the columns that are not of FOCUS, and the tags."""
    sources = {tag: "tag" if tag in group.own else "rule" for tag, _ in group.tags}
    return {
        "Tags": as_json(dict(group.tags)) if group.tags else None,
        "x_Model": group["model"],
        "x_Operation": group["operation"],
        "x_Service": group["service"],
        "x_Scenario": group["scenario"],
        "x_SessionKind": group["kind"],
        "x_CostStatus": group["cost_status"],
        "x_CostReason": group["cost_reason"],
        "x_ContractId": group["contract_id"],
        "x_TagSource": as_json(sources) if sources else None,
    }


def _service(provider: str, operation: str) -> Row:
    """Return what is bought: a kind of operation of a provider, each of one subcategory."""
    kind = "Natural Language Processing" if operation in _LANGUAGE else "Generative AI"
    if operation == "fine_tuning":
        kind = "Machine Learning"
    return {
        "ProviderName": provider,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": kind,
        "ServiceName": f"{provider} {operation.replace('_', ' ')}".strip(),
    }


def _unit(unit: str) -> str:
    """Return the unit as FOCUS writes units: a noun with a capital, in the plural."""
    found = next((noun for ending, noun in _UNITS if unit.endswith(ending)), None)
    return found or unit.replace("_", " ").capitalize()


def _price(cost: Decimal, quantity: Decimal) -> Decimal:
    """Return the price of one unit; exact where it ends within 28 digits."""
    return _QUOTIENT.divide(cost, quantity)


def _reserved(reservation: str, amount: Decimal) -> Row:
    return {
        "CommitmentDiscountId": reservation,
        "CommitmentDiscountName": reservation,
        "CommitmentDiscountCategory": "Spend",
        "CommitmentDiscountType": "Reserved throughput",
        "CommitmentDiscountQuantity": amount,
        "CommitmentDiscountUnit": "USD",
    }


def _reservations(reserved: Reservations, account: str | None, tz: ZoneInfo) -> Iterator[Row]:
    """Yield what was reserved and not used, by day, and its purchases, a month each: it is billed there."""
    for row in reserved.unused():
        yield _completed(_unused(row), row["provider"], account, _Days(tz, row["day"]))
    for paid in reserved.paid():
        yield _completed(_purchase(paid), paid.provider, account, _Days(tz, paid.month, whole_month=True))


def _unused(row: Row) -> Row:
    """Return the columns of what was not used on a day: it costs, and has no price at which it was used."""
    return {
        **dict.fromkeys(("BilledCost", "ContractedCost", "ListCost", "ListUnitPrice", "ContractedUnitPrice"), _NOTHING),
        "EffectiveCost": row["usd"],
        "ChargeCategory": "Usage",
        "ChargeDescription": f"Reserved throughput {row['name']}: what nobody used",
        "ChargeFrequency": "Usage-Based",
        "PricingQuantity": Decimal(1),
        "PricingUnit": "Units",
        "PricingCategory": "Committed",
        "PricingCurrency": row["currency"],
        "PricingCurrencyListUnitPrice": _NOTHING,
        "PricingCurrencyContractedUnitPrice": _NOTHING,
        "PricingCurrencyEffectiveCost": row["amount"],
        **_sku_of_reservation(row["provider"], row["name"]),
        **_reserved(row["name"], row["usd"]),
        "CommitmentDiscountStatus": "Unused",
        "x_ContractId": row["contract_id"],
    }


def _purchase(paid: Paid) -> Row:
    """Return the columns of what is paid for a reservation in a month; the status says whether it is an estimate."""
    estimated = {"x_CostStatus": ESTIMATED, "x_CostReason": CostReason.RESERVATION_NOT_SETTLED}
    return {
        **dict.fromkeys(("BilledCost", "ContractedCost", "ListCost", "ListUnitPrice", "ContractedUnitPrice"), paid.usd),
        "EffectiveCost": _NOTHING,
        "ChargeCategory": "Purchase",
        "ChargeDescription": f"Reserved throughput {paid.name}{', not settled yet' if paid.is_estimated else ''}",
        "ChargeFrequency": "Recurring",
        "PricingQuantity": Decimal(1),
        "PricingUnit": "Units",
        "PricingCategory": "Standard",
        "PricingCurrency": paid.currency or "USD",
        "PricingCurrencyListUnitPrice": paid.amount,
        "PricingCurrencyContractedUnitPrice": paid.amount,
        "PricingCurrencyEffectiveCost": _NOTHING,
        **_sku_of_reservation(paid.provider, paid.name),
        **_reserved(paid.name, paid.usd),
        "x_ContractId": paid.contract_id,
        **(estimated if paid.is_estimated else {}),
    }


def _sku_of_reservation(provider: str, reservation: str) -> Row:
    sku = f"{provider}/{reservation}"
    return {
        "SkuId": sku,
        "SkuMeter": "Reserved throughput",
        "SkuPriceId": sku,
        **_service(provider, "reserved throughput"),
    }


def _adjustments(client: "Client", selection: Selection, groups: Mapping[_Group, _Sum]) -> Iterator[Row]:
    """Yield, for each tag of which something is shared, what is taken from it and given to others, by model."""
    allocation = selection.allocation
    for rules in allocation.tags.values() if allocation else ():
        if not rules.shared or allocation is None:
            continue
        splits = splits_of(client, selection, allocation, rules)
        pools = _pools(splits, groups)
        for key, value in sorted(pools):
            yield from _moved(rules.tag, value, key, splits, pools[key, value])


_Bought = tuple[str, str, str]
"""Provider, model and operation."""


def _pools(splits: Splits, groups: Mapping[_Group, _Sum]) -> dict[tuple[Key, str], dict[_Bought, list[Decimal]]]:
    """Return the four amounts of what each split is of, by what was bought."""
    found: dict[tuple[Key, str], dict[_Bought, list[Decimal]]] = {}
    for group, of in groups.items():
        value = dict(group.tags).get(splits.rules.tag, "")
        key = splits.key(value, group.split_day)
        if key is None:
            continue
        amounts = found.setdefault((key, value), {}).setdefault(
            (group["provider"], group["model"], group["operation"]), [_NOTHING] * len(COSTS)
        )
        billed = _NOTHING if group["reservation_id"] else of.effective
        for place, amount in enumerate((billed, of.contracted, of.effective, of.listed)):
            amounts[place] = EXACT.add(amounts[place], amount)
    return found


def _moved(tag: str, value: str, key: Key, splits: Splits, amounts: Mapping[_Bought, list[Decimal]]) -> Iterator[Row]:
    weights, named = splits.weights[key], sorted(amounts)
    parts = [
        shares.spread([amounts[name][place] for name in named], list(weights.values())) for place in range(len(COSTS))
    ]
    for row, (provider, model, operation) in enumerate(named):
        taken = [-amount for amount in amounts[provider, model, operation]]
        given = {to: [parts[place][row][column] for place in range(len(COSTS))] for column, to in enumerate(weights)}
        for to, costs in ((value, taken), *given.items()):
            if not any(costs):
                continue
            yield {
                **dict(zip(COSTS, costs, strict=True)),
                "day": key[1],
                "ChargeCategory": "Adjustment",
                "ChargeDescription": f"Shared cost of {tag} {value}, {model or '(no model)'}: split over others",
                "ChargeFrequency": "Recurring",
                "PricingCurrency": "USD",
                "PricingCurrencyEffectiveCost": costs[COSTS.index("EffectiveCost")],
                **_service(provider, operation),
                "Tags": as_json({tag: to}),
                "x_Model": model,
                "x_Operation": operation,
                "x_TagSource": as_json({tag: "shared"}),
                "x_SharedFrom": as_json({tag: value}),
            }


@dataclass(frozen=True, slots=True)
class _Days:
    """The day of a charge in a zone, or its whole month, and the month that it is billed in."""

    tz: ZoneInfo
    day: date
    whole_month: bool = False

    def columns(self) -> Row:
        noon = datetime(self.day.year, self.day.month, self.day.day, 12, tzinfo=self.tz)
        month = month_of(noon, self.tz)
        ends = (self.day, self.day + timedelta(days=1))
        day = [datetime(one.year, one.month, one.day, tzinfo=self.tz).astimezone(UTC) for one in ends]
        start, end = month if self.whole_month else day
        return {
            "BillingPeriodStart": month[0],
            "BillingPeriodEnd": month[1],
            "ChargePeriodStart": start,
            "ChargePeriodEnd": end,
        }


def _completed(row: Row, provider: str, account: str | None, days: _Days) -> Row:
    """Return a row of all columns; a text that is empty is null."""
    whole: Row = {
        "BillingAccountId": account or provider or "unknown",
        "BillingCurrency": "USD",
        "InvoiceIssuerName": provider or "unknown",
        "PublisherName": provider or "unknown",
        **days.columns(),
        **row,
        "ProviderName": provider or "unknown",
    }
    return {name: whole.get(name) if whole.get(name) != "" else None for name in COLUMNS}


def _order(group: _Group) -> tuple[Any, ...]:
    return group.day, group.split_day, group.about, group.tags, sorted(group.own), group.unit
