"""A store on the real engine, empty for every test."""

import pytest

from .engine import engine
from .ledger import Store

_TABLES = (
    "otel_logs", "otel_traces", "calls", "derived_calls", "call_sequences", "messages", "session_days",
    "session_totals", "session_starts", "call_arrivals", "cost_half_hours", "cost_days",
    "not_priced_half_hours",
    "budgets", "alerts", "bill_differences", "contract_charges",
)  # fmt: skip


def emptied() -> Store:
    """Return the store of this process without any rows."""
    for table in _TABLES:
        engine().command(f"truncate table {table}")
    return Store(engine())


@pytest.fixture
def store() -> Store:
    """Return the store without any rows."""
    return emptied()
