"""What the SDK alone takes for what a call leaves: span, record and histograms, with nothing read or priced."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, set_span_in_context

from otel_costs import CostsInstrumentor

Attributes = Mapping[str, Any]

_AT_START: Final = frozenset(
    {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "server.address", "server.port"}
)
"""Attributes that a sampler may ask for."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a call leaves."""

    span: Attributes
    record: Attributes
    labels: Attributes
    """Of its measurements."""


def left_by(ask: Any) -> Left:
    """Return what a call leaves that `ask` makes."""
    records = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracer_provider, logger_provider = TracerProvider(), LoggerProvider()
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(records))
    instrumentor, meter_provider = CostsInstrumentor(), MeterProvider([reader])
    instrumentor.instrument(
        tracer_provider=tracer_provider, logger_provider=logger_provider, meter_provider=meter_provider
    )
    asyncio.run(ask())
    tracer_provider.force_flush()
    instrumentor.uninstrument()
    (record,) = [found.log_record for found in records.get_finished_logs() if found.log_record.event_name]
    (span,) = spans.get_finished_spans()
    data: Any = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    labels = next(metric for metric in metrics if metric.name.endswith("duration")).data.data_points[0].attributes
    return Left(dict(span.attributes or {}), dict(record.attributes or {}), dict(labels))


class SdkAlone:
    """Writes for each call what such a call leaves, but for the tokens, which are counted for several calls at once."""

    def __init__(self, sdk: Mapping[str, Any], left: Left) -> None:
        self._left = left
        self._tracer = sdk["tracer_provider"].get_tracer("sdk alone")
        self._logger = sdk["logger_provider"].get_logger("sdk alone")
        meter = sdk["meter_provider"].get_meter("sdk alone")
        self._duration, self._cost = meter.create_histogram("duration", "s"), meter.create_histogram("cost", "USD")
        self._at_start = {name: value for name, value in left.span.items() if name in _AT_START}
        self._later = {name: value for name, value in left.span.items() if name not in _AT_START}

    def start(self, model: str) -> Any:
        """Return the span of a call that begins."""
        return self._tracer.start_span(f"chat {model}", kind=SpanKind.CLIENT, attributes=self._at_start)

    def finish(self, span: Any, _: Any) -> None:
        """Write all of it."""
        context = set_span_in_context(span)
        span.set_attributes(self._later)
        span.end()
        self._logger.emit(
            LogRecord(
                timestamp=1,
                observed_timestamp=1,
                context=context,
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                attributes=self._left.record,
                event_name="otel_costs.call",
            )
        )
        self._duration.record(0.5, self._left.labels, context)
        self._cost.record(0.01, self._left.labels, context)
