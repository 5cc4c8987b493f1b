"""What AI conversations cost, to the last digit, and the messages in them.

An application that is started with `opentelemetry-instrument` is recorded without any code. This module has what an
application may use beyond that: sessions and steps, budgets, calls of its own, and redaction.
"""

import importlib as _importlib
import typing as _typing

from otel_costs.calls.admission import check_budget
from otel_costs.calls.record import record
from otel_costs.instrumentor import CostsInstrumentor
from otel_costs.messages.redaction import redact
from otel_costs.pricing import Cost, price
from otel_costs.providers.openai_realtime.observe import observe_realtime_event
from otel_costs.sessions.session import BudgetExceeded
from otel_costs.sessions.session import Session as session  # noqa: N813
from otel_costs.sessions.session import Step as step  # noqa: N813
from otel_costs.usage import Usage

if _typing.TYPE_CHECKING:
    from otel_costs import scenarios as scenarios
    from otel_costs import web as web

__all__ = [
    "BudgetExceeded",
    "Cost",
    "CostsInstrumentor",
    "Usage",
    "check_budget",
    "observe_realtime_event",
    "price",
    "record",
    "redact",
    "session",
    "step",
]

_LATER = ("scenarios", "web")
"""Modules that are attributes of the package, and imported when they are asked for: they need extras."""

if not _typing.TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name in _LATER:
            return _importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
