"""What otel_costs wrote: the spans, metrics and records of one test, kept in memory by the real SDK."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import background

from .collector import PATIENCE_S


def wait_for_records() -> None:
    """Wait until what ended so far is recorded; fail when that never comes, so that nothing is read too early."""
    assert background.drain(PATIENCE_S), "the work after the calls was not done in time"


@dataclass
class Recorded:
    """The real SDK with exporters that keep everything."""

    sampler: Sampler = ALWAYS_ON
    span_exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    log_exporter: InMemoryLogRecordExporter = field(default_factory=InMemoryLogRecordExporter)
    metric_reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def __post_init__(self) -> None:
        self.tracer_provider = TracerProvider(sampler=self.sampler, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.span_exporter))
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self.log_exporter))
        self.meter_provider = MeterProvider([self.metric_reader], shutdown_on_exit=False)

    @property
    def providers(self) -> dict[str, Any]:
        """Keyword arguments for `instrument`."""
        return {
            "tracer_provider": self.tracer_provider,
            "logger_provider": self.logger_provider,
            "meter_provider": self.meter_provider,
        }

    @property
    def spans(self) -> list[ReadableSpan]:
        wait_for_records()
        return list(self.span_exporter.get_finished_spans())

    def records(self, event: str) -> list[Mapping[str, Any]]:
        """Return the attributes of the records of one event, each with its body and its time in nanoseconds."""
        wait_for_records()
        found: list[Mapping[str, Any]] = [
            {**(data.log_record.attributes or {}), "body": data.log_record.body, "timestamp": data.log_record.timestamp}
            for data in self.log_exporter.get_finished_logs()
            if data.log_record.event_name == event
        ]
        assert reasons_outside(found) == set(), "a reason is no member of CostReason"
        return found

    @property
    def calls(self) -> list[Mapping[str, Any]]:
        """The ledger."""
        return self.records(names.CALL_EVENT)

    @property
    def call(self) -> Mapping[str, Any]:
        """The only call in the ledger."""
        (found,) = self.calls
        return found

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        return self.records(names.MESSAGE_EVENT)

    def metrics(self) -> dict[str, list[Any]]:
        """Return the data points of each metric."""
        wait_for_records()
        data = self.metric_reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


def reasons_outside(records: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the reasons that were recorded and are no members of the enumeration."""
    said = [record[names.COST_REASON] for record in records if names.COST_REASON in record]
    return set(",".join(said).split(",")) - {"", *CostReason}


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Instrument with an SDK that keeps everything in memory, and take it back."""
    kept = Recorded()
    with instrumented(kept):
        yield kept


class instrumented:  # noqa: N801  used like a function
    """Instrument for a `with` block; at its end nothing is left of it for the next test."""

    def __init__(self, recorded: Recorded, **options: Any) -> None:
        self._options = {**recorded.providers, **options}

    def __enter__(self) -> None:
        CostsInstrumentor().instrument(**self._options)

    def __exit__(self, *_: object) -> None:
        CostsInstrumentor().uninstrument()
