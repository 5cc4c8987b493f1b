"""A session's calls line by line: what was used, at which rate, and what it cost."""

from typing import TYPE_CHECKING, Final

from otel_costs.store import reports
from otel_costs.store.line_sums import as_recorded
from otel_costs.store.recorded_lines import RecordedLine
from otel_costs.store.rows import Row

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_ABOUT: Final = (
    "call_id", "start_time", "end_time", "step", "operation", "provider", "model", "error_type", "cost_status",
    "cost_reason",
)  # fmt: skip


def lines(client: "Client", session_id: str) -> list[Row]:
    """Return the lines of a session's calls, in order; their amounts add up to what the session cost.

    A call without a price has one row, whose amount is None. Raises StoreError.
    """
    return [
        {**{name: call[name] for name in _ABOUT}, **_line(line)}
        for call in reports.session_calls(client, session_id)
        for line in as_recorded(call) or (None,)
    ]


def _line(line: RecordedLine | None) -> Row:
    of = line and line.of
    return {
        "unit": line.unit if line else None,
        "quantity": of.quantity if of else None,
        "rate_usd": of.rate if of else None,
        "per": of.per if of else None,
        "multiplier": f"{of.multiplier:f}" if of else None,
        "amount_usd": line.usd if line else None,
    }
