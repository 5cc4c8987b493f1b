"""Where spans, metrics and records go: the tracer, the instruments and the logger of this process."""

import itertools
import logging
import os
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from opentelemetry import _logs as logs
from opentelemetry import metrics, trace
from opentelemetry._logs import Logger, LoggerProvider, LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Tracer, TracerProvider

from otel_costs import semconv as names
from otel_costs.runtime import signal_handlers
from otel_costs.usage import Usage

log = logging.getLogger("otel_costs")

P = ParamSpec("P")
R = TypeVar("R")

# Buckets of the conventions: 0.01 s, doubled thirteen times.
DURATION_BUCKETS: Final = tuple(0.01 * 2**i for i in range(14))
COST_BUCKETS: Final = tuple(0.0001 * 4**i for i in range(10))

_LABELS: Final = (
    names.OPERATION_NAME,
    names.PROVIDER_NAME,
    names.REQUEST_MODEL,
    names.RESPONSE_MODEL,
    names.SERVER_ADDRESS,
    names.ERROR_TYPE,
)

MAX_OF_A_KIND: Final = 256
"""Warnings of a kind, such as of models without a price: their names are not ours, and may be new each time."""

_warned: set[str] = set()
_kinds: Counter[str] = Counter()


def warn_once(key: str, message: str, *args: object, error: BaseException | None = None) -> None:
    """Log a warning the first time that `key` is seen in this process, for at most 256 keys of a kind: `kind:name`.

    Of `error` the type alone is logged: its text may quote a prompt or a key.
    """
    if key in _warned:
        return
    kind, _, named = key.partition(":")
    if named:
        _kinds[kind] += 1
        if _kinds[kind] > MAX_OF_A_KIND:
            return
    _warned.add(key)
    if error is not None:
        message, args = message + " (%s)", (*args, type(error).__name__)
    log.warning(message, *args)
    if error is not None and log.isEnabledFor(logging.DEBUG):
        log.debug("".join(traceback.format_tb(error.__traceback__)))  # where, and not what


def never_raises(what: str) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """Keep a bug of ours from the host: an exception becomes one warning that names `what`, and None."""

    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                if signal_handlers.raised(error):
                    raise
                warn_once(f"bug:{what}", f"otel_costs could not {what}; the application is not affected", error=error)
                return None

        return guarded

    return decorate


class Telemetry:
    """The tracer, instruments and logger that calls are written to.

    Providers that are not given are the global ones; those may be set after this object was made.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
    ) -> None:
        self.providers = (tracer_provider, meter_provider, logger_provider)
        self.tracer: Tracer = trace.get_tracer(names.SCOPE, tracer_provider=tracer_provider)
        self.logger: Logger = logs.get_logger(names.SCOPE, logger_provider=logger_provider)
        meter = metrics.get_meter(names.SCOPE, meter_provider=meter_provider)
        self.duration = meter.create_histogram(
            names.OPERATION_DURATION, "s", "Duration of a call.", explicit_bucket_boundaries_advisory=DURATION_BUCKETS
        )
        self.time_to_first_chunk = meter.create_histogram(
            names.OPERATION_TIME_TO_FIRST_CHUNK,
            "s",
            "Time until the first chunk of a stream.",
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS,
        )
        self.time_per_output_chunk = meter.create_histogram(
            names.OPERATION_TIME_PER_OUTPUT_CHUNK,
            "s",
            "Mean time between the chunks of a stream, after the first.",
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS,
        )
        self.cost = meter.create_histogram(
            names.OPERATION_COST, "USD", "Cost of a call.", explicit_bucket_boundaries_advisory=COST_BUCKETS
        )
        self.input_tokens = meter.create_counter(names.USAGE_INPUT_TOKENS, "{token}", "Input tokens.")
        self.output_tokens = meter.create_counter(names.USAGE_OUTPUT_TOKENS, "{token}", "Output tokens.")

    def emit(
        self,
        event: str,
        attributes: Mapping[str, Any],
        *,
        timestamp_ns: int,
        context: Context | None = None,
        body: str | None = None,
    ) -> None:
        """Write one log record. `attributes` are clean: one value that is not would lose the whole batch."""
        self.logger.emit(
            LogRecord(
                timestamp=timestamp_ns,
                observed_timestamp=timestamp_ns,
                context=context,
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body=body,
                attributes=attributes,
                event_name=event,
            )
        )

    def measure(
        self,
        attributes: Mapping[str, Any],
        *,
        context: Context,
        duration_s: float,
        first_chunk_s: float | None,
        chunks: int,
        usage: Usage | None,
        gathered: bool = False,
    ) -> None:
        """Add one call to the metrics; `usage` None is a call that is not billed, or whose usage is unknown.

        Where tokens are `gathered`, those of several calls are counted at once, when `count_gathered` is called.
        """
        labels = {name: attributes[name] for name in _LABELS if name in attributes}
        self.duration.record(duration_s, labels, context)
        if first_chunk_s is not None:
            self.time_to_first_chunk.record(first_chunk_s, labels, context)
            if chunks > 1:
                each_s = max(0.0, duration_s - first_chunk_s) / (chunks - 1)
                self.time_per_output_chunk.record(each_s, labels, context)
        if usage is None:
            return
        counts: _Counts = _gathered if gathered else {}
        for modality, input_tokens, output_tokens in usage.by_modality():
            counted = {**labels, names.TOKEN_MODALITY: modality}
            key = (self, *counted.items())
            if (found := counts.get(key)) is not None:
                input_tokens, output_tokens = input_tokens + found[3], output_tokens + found[4]
            counts[key] = self, counted, context, input_tokens, output_tokens
        if not gathered:
            count_gathered(counts)
        if (amount := attributes.get(names.COST_AMOUNT)) is not None:
            self.cost.record(amount, labels, context)

    def global_or_given(self) -> tuple[object, object, object]:
        """Return the tracer, meter and logger provider in force now."""
        tracer_provider, meter_provider, logger_provider = self.providers
        return (
            tracer_provider or trace.get_tracer_provider(),
            meter_provider or metrics.get_meter_provider(),
            logger_provider or logs.get_logger_provider(),
        )


def exports_at_once() -> bool:
    """Return whether a processor exports each span or record when it ends, in whichever thread that is."""
    tracer_provider, _, logger_provider = current().global_or_given()
    for provider, of, processors in (
        (tracer_provider, "_active_span_processor", "_span_processors"),
        (logger_provider, "_multi_log_record_processor", "_log_record_processors"),
    ):
        for found in getattr(getattr(provider, of, None), processors, None) or ():
            if type(found).__name__ in _AT_ONCE:
                return True
    return False


_AT_ONCE: Final = frozenset({"SimpleSpanProcessor", "SimpleLogRecordProcessor"})

_Counts = dict[Any, tuple[Telemetry, Mapping[str, Any], Context, int, int]]
_gathered: Final[_Counts] = {}


def count_gathered(counts: _Counts = _gathered) -> None:
    """Count the tokens that were gathered, by labels: each addition costs the SDK as much as a tenth of a call.

    No other thread may be gathering meanwhile.
    """
    while counts:
        telemetry, labels, context, input_tokens, output_tokens = counts.popitem()[1]
        if input_tokens:
            telemetry.input_tokens.add(input_tokens, labels, context)
        if output_tokens:
            telemetry.output_tokens.add(output_tokens, labels, context)


class Process:
    """This process in the ledger: a random id, and the number of the next call in it."""

    def __init__(self) -> None:
        self.id = os.urandom(16).hex()
        self._seq = itertools.count(1)
        self.last_seq = 0
        """The number of the last call; 0 before the first."""

    def next_seq(self) -> int:
        self.last_seq = next(self._seq)
        return self.last_seq


_telemetry: Telemetry | None = None

process = Process()
"""This process; a forked child has one of its own."""


def configure(
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
) -> Telemetry:
    """Write to these providers from now on; None is the global one."""
    global _telemetry
    _telemetry = Telemetry(tracer_provider, meter_provider, logger_provider)
    return _telemetry


def reconfigure(
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
) -> Telemetry:
    """Write to these providers from now on; None leaves the one that was set before."""
    before = current().providers
    return configure(tracer_provider or before[0], meter_provider or before[1], logger_provider or before[2])


def current() -> Telemetry:
    """Return where this process writes to; the global providers if it was not configured."""
    return _telemetry or configure()


def forget() -> None:
    """Forget the providers, and what was warned of; as after a restart."""
    global _telemetry
    _telemetry = None
    _warned.clear()
    _kinds.clear()


def is_switched_off() -> bool:
    """Return whether OTEL_SDK_DISABLED says that nothing of this program is to be recorded."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def emit(
    event: str,
    attributes: Mapping[str, Any],
    *,
    timestamp_ns: int,
    context: Context | None = None,
    body: str | None = None,
) -> None:
    """Write one log record where this process writes to."""
    current().emit(event, attributes, timestamp_ns=timestamp_ns, context=context, body=body)


def _renew_process() -> None:
    global process
    process = Process()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_process)
