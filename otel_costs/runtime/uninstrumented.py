"""The warning for a program that uses sessions, budgets or records and is not instrumented: logged once.

It is sure where something is lost: when a session or a step has ended in which nothing was recorded, when a budget is
opened, which limits nothing, and when a record is made that nothing takes. Not before: an application may import us,
and open what it opens at its start, and instrument then. One that was instrumented once, or that switched us off,
knows.
"""

import os
from typing import Final

from otel_costs.runtime import ledger, telemetry

SESSION: Final = "the calls of a session were not recorded"
STEP: Final = "the calls of a step were not recorded"
BUDGET: Final = "the budget of a session limits nothing"
RECORD: Final = "a record is not kept"
EVENTS: Final = "the events of a Realtime connection are not recorded"

_SAID: Final = (
    "This program is not instrumented by otel_costs: %s. Start it with `opentelemetry-instrument python main.py`, or "
    "call `otel_costs.CostsInstrumentor().instrument()` at its beginning."
)

_instrumented = False


def is_over() -> None:
    """Note that the program is instrumented: nothing is said any more, even if that is taken back."""
    global _instrumented
    _instrumented = True


def warn(lost: str) -> None:
    """Warn that the program is not instrumented, and what is `lost` by it, unless it is, or is switched off."""
    if not _instrumented and not _is_unwanted():
        telemetry.warn_once("uninstrumented", _SAID, lost)


def warn_without_ledger(lost: str) -> None:
    """Warn of what needs no patch, only a logger provider that takes records."""
    if not _instrumented and not ledger.is_taken():
        warn(lost)


def _is_unwanted() -> bool:
    """Whether the environment switches us off: all of the SDK, or this instrumentation by its name."""
    if telemetry.is_switched_off():
        return True
    disabled = os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")
    return not {"otel_costs", "*"}.isdisjoint(name.strip() for name in disabled)
