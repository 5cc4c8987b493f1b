"""A billable call on its way, from its start to its end: what is known of it before its usage is read."""

import itertools
import logging
import os
import threading
import time
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from hashlib import blake2b
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind

from otel_costs import semconv as names
from otel_costs.calls import call_counter
from otel_costs.calls.call_counter import CallCounter
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import decision_log, telemetry
from otel_costs.sessions import baggage
from otel_costs.sessions.reservations import Reservation
from otel_costs.sessions.scope import attribution, current_scope
from otel_costs.values import sanitize

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "otel_costs")
_secret = os.urandom(32)
_made: Final = itertools.count()


def random_id() -> str:
    """Return 32 hex digits in the form of a UUIDv4, unique even where `random.seed` was called.

    A hash of when it is made, where, and how many were made before, keyed by the system's own randomness. To ask that
    for each id gives the interpreter to another thread, for up to 5 ms. The time tells machines apart that
    were restored from one image.
    """
    made = b"%d %d %d" % (next(_made), time.time_ns(), os.getpid())
    digits = blake2b(made, key=_secret, digest_size=16).hexdigest()
    return f"{digits[:12]}4{digits[13:16]}8{digits[17:]}"


def derived_id(provider: str, job_id: str) -> str:
    """Return the id of a job's call, which may be seen more than once: 32 hex digits shaped as a UUIDv5."""
    return uuid.uuid5(_NAMESPACE, f"{provider}/{sanitize.text(job_id)}").hex


class Call:
    """One billable call: start it, `stop` it when it is over, then have it written (`writer`), once.

    `scope` and `identity` are the session and the user that it belongs to, by the place where it was started.
    `dedup_key` names what several in this process may see: it is billed to the first of them.
    `messages_logged_elsewhere`: what was said is for the span alone, as its records are written elsewhere.
    `doubts` say why what is read of it is not all that there was. `chunks` are those of a stream.
    """

    def __init__(
        self,
        operation: str,
        provider: str,
        model: str | None = None,
        *,
        identity: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        endpoint: str | None = None,
        deployment: str | None = None,
        route: str = "",
        span_operation: str | None = None,
        start_ns: int | None = None,
        parent: Context | None = None,
        reservation: Reservation | None = None,
    ) -> None:
        """Start the call and its span, now or at `start_ns`; `attributes` are what a sampler may ask for.

        `endpoint` is the host, and `deployment` the name of a deployment there, where the price depends on them.
        `route` names the route of the provider's API that its request was found to be, for debugging.
        `span_operation` is the operation of the span where it is another one: `fetch_response`, which has no tokens.
        `parent` is the context that the span begins in; None is the current one.
        `reservation` is what it may cost, in the budgets that it counts in; None where it counts in none.
        """
        now_ns = time.time_ns()
        self.start_ns = start_ns or now_ns
        self._start_clock = time.perf_counter_ns() - (now_ns - self.start_ns)
        self.operation, self.provider, self.endpoint, self.deployment = operation, provider, endpoint, deployment
        self.request_model = sanitize.text(model) if model else None
        self.scope = current_scope()
        self.identity = attribution() if identity is None else identity
        self.dedup_key: str | None = None
        self.messages_logged_elsewhere = False
        self.doubts: list[CostReason] = []
        self.chunks = 0
        self.first_chunk_s: float | None = None
        self.duration_s: float | None = None
        self.span_operation = span_operation
        self._stopped, self._ended = threading.Lock(), threading.Lock()
        self.reservation = reservation
        self.counter: CallCounter | None = None
        """In which it was counted when it was over; None until then, and where nothing is counted."""
        self.telemetry = telemetry.current()
        self._given = attributes
        self.attributes: dict[str, Any] = {names.OPERATION_NAME: operation, names.PROVIDER_NAME: provider}
        """Those that it began with."""
        if self.request_model:
            self.attributes[names.REQUEST_MODEL] = self.request_model
        if attributes:
            self.attributes.update(attributes)
        name = span_operation or operation
        self.span: Span = self.telemetry.tracer.start_span(
            f"{name} {self.request_model}" if self.request_model else name,
            parent,
            kind=SpanKind.CLIENT,
            attributes={**self.attributes, names.OPERATION_NAME: name} if span_operation else self.attributes,
            start_time=self.start_ns,
        )
        self.own_context = trace.set_span_in_context(self.span, parent)
        self.context = self.own_context if baggage.mode == "none" else baggage.withheld(self.own_context)
        """The context for the request: the call's span in it, our baggage not."""
        self.is_logged = telemetry.log.isEnabledFor(logging.DEBUG)
        self.call_id = random_id() if self.is_logged else None
        if self.is_logged:
            decision_log.begun(self, route)

    def beside(self, operation: str, model: str | None) -> "Call":
        """Start the call of another model that this one has used, at the same time, for the same session."""
        return self._another(operation, model, start_ns=self.start_ns, parent=self.context)

    def again(self) -> "Call":
        """Start the call that finds the end of a job which this one has started, for the same session."""
        return self._another(self.operation, self.request_model)

    def _another(self, operation: str, model: str | None, **at: Any) -> "Call":
        other = Call(
            operation,
            self.provider,
            model,
            identity=self.identity,
            attributes=self._given,
            endpoint=self.endpoint,
            **at,
        )
        other.scope = self.scope
        return other

    def known_as(self, job_id: str, *, ended: bool) -> None:
        """Give the call the id of a job, which it has wherever it is seen."""
        before, self.call_id = self.call_id, derived_id(self.provider, job_id)
        if self.is_logged and before != self.call_id:
            decision_log.became_job(self.call_id, before, ended=ended)

    def first_chunk(self) -> None:
        """Note the time of the first chunk of a stream."""
        if self.first_chunk_s is None:
            self.first_chunk_s = self.elapsed_s()

    def elapsed_s(self) -> float:
        """Return the seconds since the call began, by a clock that does not go backwards."""
        return max(0, time.perf_counter_ns() - self._start_clock) / 1e9

    def stop(self) -> None:
        """Note the end of the call, which is written later, in a job. If it never is, the call is missing."""
        if self._stopped.acquire(blocking=False):
            # Read once: instrumentation may be taken back meanwhile, in another thread.
            if (counter := call_counter.own) is not None:
                self.counter = counter
                counter.ended()
            if self.duration_s is None:
                self.duration_s = self.elapsed_s()

    def end(self) -> bool:
        """Return whether the call is to be written now: True once, and False from then on."""
        if not self._ended.acquire(blocking=False):
            return False
        self.stop()
        return True


class CallContext:
    """Makes the context of a call the current one in a `with` block, so that its span is; never raises.

    It is undone by value: a coroutine may be closed in another context than it ran in, where a token is refused, and
    other values stand.
    """

    __slots__ = ("_before", "_call", "_inner", "_outer", "_value", "_variable")

    def __init__(self, call: Call | None, variable: "ContextVar[Any] | None" = None, value: object = None) -> None:
        """`call` None is a request that is sent in the current context, without our baggage.

        `variable` has `value` while the block lasts.
        """
        self._call, self._variable, self._value = call, variable, value
        self._inner: Context | None = None
        self._outer: Context | None = None
        self._before: Any = None

    def __enter__(self) -> None:
        try:
            if self._variable is not None:
                self._before = self._variable.get()
                self._variable.set(self._value)
            outer = otel_context.get_current()
            inner = baggage.withheld(outer) if self._call is None else self._call.context
            if inner is not outer:
                otel_context.attach(inner)
                self._inner, self._outer = inner, outer
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:enter", "otel_costs could not enter the context of a call", error=error)

    def __exit__(self, *_: object) -> None:
        try:
            if self._variable is not None and self._variable.get() is self._value:
                self._variable.set(self._before)
            if self._outer is not None and otel_context.get_current() is self._inner:
                otel_context.attach(self._outer)
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:leave", "otel_costs could not leave the context of a call", error=error)


def _renew_secret() -> None:
    global _secret
    _secret = os.urandom(32)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_secret)
