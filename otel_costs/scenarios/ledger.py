"""The ledger of this process: the records that the instrumentation writes, read where they are written."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.runtime import background
from otel_costs.scenarios.answering import printable_url
from otel_costs.usage.units import UNITS

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
SERVICE_NAME: Final = "otel-costs-scenario"

_UNITS: Final = {names.usage_attribute(unit): unit for unit in UNITS}


@dataclass(frozen=True, slots=True)
class LedgerCall:
    """A record `otel_costs.call`. `cost_usd` None is unpriced; `error` is the type of an error, empty for none."""

    session_id: str
    call_id: str
    step: str
    operation: str
    provider: str
    model: str
    usage: Mapping[str, int | Decimal]
    cost_usd: Decimal | None
    cost_status: str
    cost_reason: str
    cost_lines: Mapping[str, Decimal]
    duration_s: float
    error: str


class Ledger:
    """What was recorded so far. `sent_to` says where the records go beside, empty if they stay here."""

    def __init__(self, exporter: "InMemoryLogRecordExporter", sent_to: str) -> None:
        self._exporter, self.sent_to = exporter, sent_to

    def calls(self, session_id: str) -> list[LedgerCall]:
        """Return the calls of a session, in the order of their ends."""
        background.drain()
        records = [data.log_record for data in self._exporter.get_finished_logs()]
        found = [record.attributes or {} for record in records if record.event_name == names.CALL_EVENT]
        return [_call(attributes) for attributes in found if attributes.get(names.SESSION_ID) == session_id]


def _call(record: Mapping[str, Any]) -> LedgerCall:
    cost_usd, prefix = record.get(names.COST_USD), names.COST_LINE_PREFIX
    return LedgerCall(
        session_id=record[names.SESSION_ID],
        call_id=record[names.CALL_ID],
        step=record.get(names.STEP, ""),
        operation=record[names.OPERATION_NAME],
        provider=record[names.PROVIDER_NAME],
        model=record.get(names.RESPONSE_MODEL) or record.get(names.REQUEST_MODEL, ""),
        usage={_UNITS[name]: _quantity(value) for name, value in record.items() if name in _UNITS},
        cost_usd=None if cost_usd is None else Decimal(cost_usd),
        cost_status=record[names.COST_STATUS],
        cost_reason=record.get(names.COST_REASON, ""),
        cost_lines={
            name.removeprefix(prefix): Decimal(value) for name, value in record.items() if name.startswith(prefix)
        },
        duration_s=record[names.DURATION_S],
        error=record.get(names.ERROR_TYPE, ""),
    )


def _quantity(value: int | str) -> int | Decimal:
    return value if isinstance(value, int) else Decimal(value)


@contextmanager
def kept(*, here_alone: bool) -> Iterator[Ledger]:
    """Instrument this process as an application's is, and keep its records; `here_alone` sends them nowhere else.

    Else they go where the environment says: to the collector, and into every report.
    """
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor  # noqa: PLC0415

    instrumentor, exporter = CostsInstrumentor(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    sending = None if here_alone else _configured()
    provider = sending or _private()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    if instrumentor.is_instrumented_by_opentelemetry:  # under opentelemetry-instrument
        instrumentor.uninstrument()
    instrumentor.instrument(logger_provider=provider, **({} if sending else _silent()))
    try:
        yield Ledger(exporter, _destination() if sending else "")
        background.drain()
        provider.force_flush()
    finally:
        instrumentor.uninstrument()


def _configured() -> "LoggerProvider | None":
    """Return the logger provider that sends: one that is there, or what OTEL_* ask for; None if they ask for none."""
    from opentelemetry import _logs as logs  # noqa: PLC0415
    from opentelemetry.distro import OpenTelemetryConfigurator, OpenTelemetryDistro  # noqa: PLC0415
    from opentelemetry.sdk._logs import LoggerProvider  # noqa: PLC0415

    if not isinstance(logs.get_logger_provider(), LoggerProvider) and any(map(os.environ.get, ENDPOINTS)):
        os.environ.setdefault("OTEL_SERVICE_NAME", SERVICE_NAME)
        OpenTelemetryDistro().configure()
        OpenTelemetryConfigurator().configure()  # type: ignore[no-untyped-call]
    found = logs.get_logger_provider()
    return found if isinstance(found, LoggerProvider) else None


def _private() -> "LoggerProvider":
    from opentelemetry.sdk._logs import LoggerProvider  # noqa: PLC0415

    return LoggerProvider(shutdown_on_exit=False)


def _silent() -> Mapping[str, Any]:
    from opentelemetry.metrics import NoOpMeterProvider  # noqa: PLC0415
    from opentelemetry.trace import NoOpTracerProvider  # noqa: PLC0415

    return {"tracer_provider": NoOpTracerProvider(), "meter_provider": NoOpMeterProvider()}


def _destination() -> str:
    """Return where a provider of the environment's choice sends log records."""
    if os.environ.get("OTEL_LOGS_EXPORTER", "").strip() == "none":
        return ""
    return printable_url(next(filter(None, map(os.environ.get, ENDPOINTS)), "http://localhost:4317"))
