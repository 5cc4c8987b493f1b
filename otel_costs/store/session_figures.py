"""What a session costs: mean, median and 95th percentile, of sessions `s`. A percentile is the cost of a session."""

from decimal import Decimal
from typing import Final

from otel_costs.store.rows import Row
from otel_costs.usage.numbers import EXACT

COLUMNS: Final = (
    "count() as session_count, count(s.cost_usd) as priced_sessions, coalesce(sum(s.cost_usd), 0) as cost_usd,"
    " arrayMap(usd -> assumeNotNull(usd), quantilesExactIf(0.5, 0.95)(assumeNotNull(s.cost_usd),"
    " s.cost_usd is not null)) as quantiles"
)
"""What is selected of sessions `s` to tell their figures."""

_USD: Final = Decimal("1e-12")


def figures(row: Row) -> Row:
    """Return the figures of a row of COLUMNS in US dollars; None where no session has a price."""
    priced = row["priced_sessions"]
    median, most = row["quantiles"] if priced else (None, None)
    return {
        "cost_usd": row["cost_usd"],
        "mean_usd": divided(row["cost_usd"], priced) if priced else None,
        "p50_usd": median,
        "p95_usd": most,
    }


def divided(usd: Decimal, by: Decimal | int) -> Decimal:
    """Return US dollars divided, rounded half even to twelve decimals."""
    return EXACT.quantize(EXACT.divide(usd, Decimal(by)), _USD)
