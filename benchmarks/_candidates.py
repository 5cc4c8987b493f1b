"""What is measured: instrumentations, and one span by hand, over the real SDK with exporters that drop it all."""

import os
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Tracer


class NoSpans(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...


class NoRecords(LogRecordExporter):
    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


def providers() -> dict[str, Any]:
    """Return the SDK's providers by the names that instrumentors have for them."""
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(BatchSpanProcessor(NoSpans()))
    logger_provider = LoggerProvider()
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(NoRecords()))
    return {
        "tracer_provider": tracer_provider,
        "logger_provider": logger_provider,
        "meter_provider": MeterProvider([InMemoryMetricReader()]),
    }


def instrumentor(candidate: str) -> Any:
    """Return the instrumentor of a candidate; raise ImportError where it is not installed."""
    if candidate == "otel_costs":
        from otel_costs import CostsInstrumentor

        return CostsInstrumentor()
    if candidate == "genai-openai":
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

        return OpenAIInstrumentor()
    from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference

    os.environ.setdefault("OPENINFERENCE_HIDE_INPUTS", "true")
    os.environ.setdefault("OPENINFERENCE_HIDE_OUTPUTS", "true")
    return OpenInference()


def span_by_hand(tracer: Tracer, model: str) -> Span:
    """Start what somebody would write who needs one span with the tokens, and nothing else."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "server.address": "api.openai.com",
    }
    return tracer.start_span(f"chat {model}", kind=SpanKind.CLIENT, attributes=attributes)


def finish_by_hand(span: Span, answer: Any) -> None:
    """End that span with what the answer, or the last chunk of a stream, says."""
    span.set_attribute("gen_ai.response.id", answer.id)
    span.set_attribute("gen_ai.response.model", answer.model)
    span.set_attribute("gen_ai.usage.input_tokens", answer.usage.prompt_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", answer.usage.completion_tokens)
    span.end()
