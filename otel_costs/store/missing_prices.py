"""The models that have calls without a price, or without a whole one, each with the entry of a price file to paste."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.price_stanza import stanza
from otel_costs.store import stored_call
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, of_calls

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MOST: Final = 500
"""Models that are listed."""

_REASONS: Final = (CostReason.UNKNOWN_MODEL, CostReason.UNIT_NOT_PRICED, CostReason.PART_NOT_PRICED)
"""Reasons that a price in a file mends."""

_KEYS: Final = frozenset({"provider", "model"})
_FACTS: Final = tuple(name for name in stored_call.FACTS if name not in _KEYS)
_MISSING: Final = (
    "select toString(c.provider) as provider, if(c.price_model = '', toString(c.model), toString(c.price_model))"  # noqa: S608
    " as listed_model, any(toString(c.model)) as model, count() as call_count,"
    " countIf(c.cost_status = 'unpriced') as unpriced_calls, max(c.end_time) as last_time,"
    " argMax(lower(hex(c.call_id)), c.end_time) as last_call_id,"
    " arraySort(groupUniqArray(toString(c.cost_reason))) as reasons,"
    f" argMax(({', '.join(f'c.{name}' for name in _FACTS)}), c.end_time) as facts,"
    f" {', '.join(f'max(c.{unit}) as {unit}' for unit in stored_call.UNITS)},"
    " groupUniqArrayArray(mapKeys(c.other_usage)) as other_units from owned_calls as c where {condition}"
    " and c.cost_status in ('unpriced', 'partial') and hasAny(splitByChar(',', toString(c.cost_reason)),"
    " {reasons:Array(String)}) group by provider, listed_model"
    " order by call_count desc, provider, listed_model limit {most:UInt64}"
)


def missing_prices(client: "Client", selection: Selection, now: datetime | None = None) -> list[Row]:
    """Return the models of a selection that lack a price, those with most calls first, MOST at most.

    `units` is what lacks a rate, and `stanza` the entry to paste into the list `prices` of the file that
    OTEL_COSTS_PRICES names; None where the prices that hold here have all of it, and a re-price gives it to the calls.
    Raises StoreError.
    """
    condition = of_calls(selection)
    sql = _MISSING.replace("{condition}", condition.sql)
    found = rows(client, sql, {**condition.parameters, "reasons": [str(reason) for reason in _REASONS], "most": MOST})
    return [_missing_price(row, now or datetime.now(UTC)) for row in found]


def _missing_price(row: Row, now: datetime) -> Row:
    # One call that used the most of each unit: every part is within its whole, as in each of them.
    facts = row["facts"]
    together = {
        **dict(zip(_FACTS, facts.values() if isinstance(facts, Mapping) else facts, strict=True)),
        **{name: row[name] for name in ("provider", "model", *stored_call.UNITS)},
        "other_usage": dict.fromkeys(row["other_units"], "1"),
    }
    units, is_part = _units(together)
    tier = {"service_tier": together["service_tier"], "processing": together["price_processing"]}
    when = {name: value for name, value in tier.items() if value} if is_part else {}
    given = stanza(row["provider"], row["listed_model"], units, when=when, is_part=is_part, today=now.date())
    names = ("provider", "call_count", "unpriced_calls", "last_time", "last_call_id", "reasons")
    return {
        **{name: row[name] for name in names},
        "model": row["listed_model"],
        "units": units,
        "stanza": given if units else None,
    }


def _units(together: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Return what lacks a rate today, and whether the rest has one."""
    cost = stored_call.cost(together)
    if cost is not None and cost.total is not None:
        return [*cost.unpriced_units], True
    used = stored_call.usage(together).quantities
    return [unit for unit, quantity in used.items() if quantity], False
