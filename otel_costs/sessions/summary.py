"""The last word on a session: its line in the log and its record, with the totals that this process saw."""

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from otel_costs import semconv as names
from otel_costs.runtime import telemetry
from otel_costs.sessions.dollars import money
from otel_costs.sessions.totals import Totals
from otel_costs.usage.units import COUNTS
from otel_costs.values import sanitize


@telemetry.never_raises("write the record of a session")
def write(session_id: str, attributes: Mapping[str, Any], totals: Totals) -> None:
    """Log `[COST] Session abc-123: $0.002345` and the usage by unit, and write the record `otel_costs.session`.

    A session in which nothing has a price has no cost: the line says `unpriced`, and the record leaves it out.
    One in which no call has finished, such as a stream that is read after the block, says so.
    """
    unpriced = 0 < totals.calls == totals.unpriced_calls
    telemetry.log.info("[COST] Session %s: %s", sanitize.printable(session_id), _summary(totals, unpriced=unpriced))
    record = {
        names.EVENT_NAME: names.SESSION_EVENT,
        names.PROCESS_ID: telemetry.process.id,
        **attributes,
        names.SESSION_CALLS: totals.calls,
        names.SESSION_UNPRICED_CALLS: totals.unpriced_calls,
    }
    for unit, quantity in totals.usage.quantities.items():
        record[names.usage_attribute(unit)] = quantity if unit in COUNTS else _number(quantity)
    if not unpriced:
        record[names.COST_USD] = f"{totals.cost_usd:f}"
    telemetry.emit(names.SESSION_EVENT, record, timestamp_ns=time.time_ns())


def _summary(totals: Totals, *, unpriced: bool) -> str:
    if not totals.calls:
        return "no finished calls"
    return f"{'unpriced' if unpriced else '$' + money(totals.cost_usd)} ({_counts(totals)})"


def _counts(totals: Totals) -> str:
    calls = "1 call" if totals.calls == 1 else f"{totals.calls} calls"
    if totals.unpriced_calls:
        calls += f", {totals.unpriced_calls} without a price"
    used = ", ".join(f"{unit} {_number(quantity)}" for unit, quantity in totals.usage.quantities.items() if quantity)
    return f"{calls}; {used}" if used else calls


def _number(quantity: int | Decimal) -> str:
    return str(quantity) if isinstance(quantity, int) else f"{quantity:f}"
