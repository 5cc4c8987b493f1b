"""A store on the real engine, empty for every test."""

import pytest

from .engine import engine
from .ledger import Store

_TABLES = (
    "otel_logs", "otel_traces", "calls", "derived_calls", "call_sequences", "messages", "session_days",
<<<<<<< HEAD
    "session_starts", "session_totals",
=======
    "session_totals", "call_arrivals", "cost_half_hours", "cost_days",
>>>>>>> 1434a90 (Keep costs by half hour and by day, counted again where something changed)
    "budgets",
)  # fmt: skip


@pytest.fixture
def store() -> Store:
    """Return the store without any rows."""
    for table in _TABLES:
        engine().command(f"truncate table {table}")
    return Store(engine())
