"""What AI conversations cost, to the last digit, and what was said in them.

Start the application with `opentelemetry-instrument`; this module is for what it should know beyond that.
"""

from otel_costs.calls.call import record
from otel_costs.instrumentor import CostsInstrumentor
from otel_costs.messages.redaction import redact
from otel_costs.pricing import Cost, price
from otel_costs.providers.openai_realtime.observe import observe_realtime_event
from otel_costs.sessions.session import BudgetExceeded
from otel_costs.sessions.session import Session as session  # noqa: N813
from otel_costs.sessions.session import Step as step  # noqa: N813
from otel_costs.usage import Usage

__all__ = [
    "BudgetExceeded",
    "Cost",
    "CostsInstrumentor",
    "Usage",
    "observe_realtime_event",
    "price",
    "record",
    "redact",
    "session",
    "step",
]
