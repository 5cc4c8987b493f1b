"""Whether something takes the ledger, whole; if not, one warning names what helps in the set-up at hand."""

import sys
from collections.abc import Iterator
from typing import Any, Final

from opentelemetry._logs import NoOpLoggerProvider
from opentelemetry._logs._internal import ProxyLoggerProvider

from otel_costs import semconv as names
from otel_costs.runtime import telemetry

_NO_LEDGER: Final = "%s, so no ledger is kept: cost reports will be empty. %s"
_VARIABLE: Final = "Set OTEL_LOGS_EXPORTER=otlp (and OTEL_EXPORTER_OTLP_ENDPOINT)."
_PROVIDER: Final = (
    "Call opentelemetry._logs.set_logger_provider(provider) with a LoggerProvider of the SDK that has a "
    "BatchLogRecordProcessor(OTLPLogExporter()), or start the program with opentelemetry-instrument."
)
_PROCESSOR: Final = "Call add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter())) of the logger provider."
_SCRUBBED: Final = (
    "The logger provider replaces the session of each call (its scrubber matches %r), so reports by session will be "
    "wrong. With logfire: logfire.configure(scrubbing=logfire.ScrubbingOptions(callback=lambda m: m.value if "
    "str(m.path[-1]).startswith(('session.id', 'user.id', 'otel_costs.')) else None)), or give otel_costs a logger "
    "provider of its own: CostsInstrumentor().instrument(logger_provider=...)."
)
_SAMPLE: Final = "0123456789abcdef"


def check() -> bool:
    """Return whether something takes the ledger records; warn once if nothing does, or if it changes whose they are.

    A logger provider that is not the SDK's is taken at its word.
    """
    provider = telemetry.current().global_or_given()[2]
    lacking = _lacking(provider)
    if lacking is not None:
        telemetry.warn_once("no ledger", _NO_LEDGER, *lacking)
        return False
    if scrubs_session(provider):
        telemetry.warn_once("scrubbed", _SCRUBBED, names.SESSION_ID)
    return True


def is_taken() -> bool:
    """Return whether something takes the ledger records, or is meant not to; nothing is said."""
    return _lacking(telemetry.current().global_or_given()[2]) is None


def _lacking(provider: Any) -> tuple[str, str] | None:
    """Return what `provider` lacks and what to do about it; None if it takes records, or is meant not to."""
    if telemetry.is_switched_off():
        return None
    if isinstance(provider, ProxyLoggerProvider | NoOpLoggerProvider):
        return "No logger provider is set", _VARIABLE if _is_started_by_command() else _PROVIDER
    processors = getattr(getattr(provider, "_multi_log_record_processor", None), "_log_record_processors", None)
    if processors is not None and not len(processors):
        return "No log exporter is configured", _VARIABLE if _is_started_by_command() else _PROCESSOR
    return None


def _is_started_by_command() -> bool:
    """Return whether `opentelemetry-instrument` started this program, so that variables configure the SDK."""
    return "opentelemetry.instrumentation.auto_instrumentation" in sys.modules


def scrubs_session(provider: Any) -> bool:
    """Return whether a scrubber of `provider`, as logfire has one, would replace the id of a session."""
    for scrubber in _scrubbers(provider):
        try:
            left = scrubber.scrub_value(("attributes",), {names.SESSION_ID: _SAMPLE})[0]
        except Exception:  # noqa: BLE001, S112  # another library's, and its user's callback
            continue
        if left.get(names.SESSION_ID) != _SAMPLE:
            return True
    return False


def _scrubbers(provider: Any, depth: int = 6) -> Iterator[Any]:
    """Yield the scrubbers of a provider and of what it wraps: providers, processors."""
    if hasattr(provider, "scrub_value"):
        yield provider
        return
    if depth:
        for name in ("scrubber", "provider", "processor", "_multi_log_record_processor"):
            if (inner := getattr(provider, name, None)) is not None:
                yield from _scrubbers(inner, depth - 1)
        for inner in getattr(provider, "_log_record_processors", None) or ():
            yield from _scrubbers(inner, depth - 1)
