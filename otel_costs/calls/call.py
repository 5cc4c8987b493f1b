"""A billable call from start to finish: the only writer of its span, metrics, ledger record and messages."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from otel_costs import messages
from otel_costs import semconv as names
from otel_costs.calls import call_counter, crash_report
from otel_costs.calls.bill import (
    Bill,
    cost_attributes,
    usage_attributes,
    usage_numbers,
    warn_unaccounted,
    warn_unpriced,
)
from otel_costs.calls.call_counter import CallCounter
from otel_costs.calls.jobs import Jobs, Owner
from otel_costs.calls.message_log import Conversation
from otel_costs.messages import content
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import background, decision_log, telemetry, uninstrumented
from otel_costs.sessions import baggage
from otel_costs.sessions.attribution import attribution
from otel_costs.sessions.scope import current_scope
from otel_costs.sessions.session import MAX_TAGS
from otel_costs.usage import Usage
from otel_costs.usage.reported import read_given
from otel_costs.values import sanitize
from otel_costs.values.ids import derived_id, random_id

PENDING: Final = 0
FINAL: Final = 1

_jobs = Jobs()
_seen = messages.Seen()


def forget() -> None:
    """Forget which jobs were billed and which messages were written; as after a restart."""
    global _jobs, _seen
    _jobs, _seen = Jobs(), messages.Seen()


def is_new_message(conversation: str, message_id: str) -> bool:
    """Return whether this process has not written the message yet, and remember it. The id is the provider's own."""
    return _seen.first(conversation, f"{conversation}/{message_id}")


class Call:
    """One billable call: start it, set what becomes known, `stop` it when it is over, then `finish` or `fail` once.

    `bill` has what its price depends on. `inputs` and `choices` are what was said, None where nothing was; where
    messages are not written it is enough to say their number, `message_count`.
    `billed` is False for a look at something that is billed elsewhere: it leaves a span and nothing more.
    `dedup_key` names what several in this process may see: it is billed to the first of them.
    `messages_logged_elsewhere`: what was said is for the span alone, as its records are written elsewhere.
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
        shown_as: str | None = None,
        start_ns: int | None = None,
        parent: Context | None = None,
    ) -> None:
        """Start the call and its span, now or at `start_ns`; `attributes` are what a sampler may ask for.

        `endpoint` is the host, and `deployment` the name of a deployment there, where the price depends on them.
        `route` names the route of the provider's API that its request was found to be, for debugging.
        `shown_as` is the operation of the span where it is another one: `fetch_response`, which has no tokens.
        `parent` is the context that the span begins in; None is the current one.
        """
        now_ns = time.time_ns()
        self.start_ns = start_ns or now_ns
        self._start_clock = time.perf_counter_ns() - (now_ns - self.start_ns)
        self.operation, self.provider = operation, provider
        self.request_model = sanitize.text(model) if model else None
        self.response_model: str | None = None
        self.scope = current_scope()
        self.identity = attribution() if identity is None else identity
        self.bill = Bill(endpoint=endpoint, deployment=deployment)
        self.billed = True
        self.dedup_key: str | None = None
        self.messages_logged_elsewhere = False
        self.inputs: Sequence[messages.Draft] | None = None
        self.choices: Sequence[Sequence[messages.Draft]] = ()
        self.message_count: int | None = None
        self.tools: Any = None
        self.chunks = 0
        self.attributes: dict[str, Any] = {names.OPERATION_NAME: operation, names.PROVIDER_NAME: provider}
        self._given = attributes
        self._shown: dict[str, Any] = {}
        self._shown_as = shown_as
        self._duration_s: float | None = None
        self._first_chunk_s: float | None = None
        self._revision: int | None = None
        self._job_ns: tuple[int, int] | None = None
        self._stopped, self._done = threading.Lock(), threading.Lock()
        self._counter: CallCounter | None = None
        self._telemetry = telemetry.current()
        if self.request_model:
            self.attributes[names.REQUEST_MODEL] = self.request_model
        if attributes:
            self.attributes.update(attributes)
        self._begun_with = self.attributes.copy()
        begun = {**self.attributes, names.OPERATION_NAME: shown_as} if shown_as else self.attributes
        shown = shown_as or operation
        self.span: Span = self._telemetry.tracer.start_span(
            f"{shown} {self.request_model}" if self.request_model else shown,
            parent,
            kind=SpanKind.CLIENT,
            attributes=begun,
            start_time=self.start_ns,
        )
        self._context = trace.set_span_in_context(self.span, parent)
        self._is_logged = telemetry.log.isEnabledFor(logging.DEBUG)
        self.call_id: str | None = decision_log.begun(self, route) if self._is_logged else None

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
            endpoint=self.bill.endpoint,
            **at,
        )
        other.scope = self.scope
        return other

    @property
    def context(self) -> Context:
        """The context for the request: the call's span in it, our baggage not."""
        return self._context if baggage.mode == "none" else baggage.withheld(self._context)

    def set(self, name: str, value: object) -> None:
        """Set an attribute of span and ledger; None is left out."""
        if (kept := sanitize.attribute(value)) is not None:
            self.attributes[name] = kept

    def show(self, name: str, value: object) -> None:
        """Set an attribute of the span alone; None is left out."""
        if (kept := sanitize.attribute(value)) is not None:
            self._shown[name] = kept

    def known_as(self, job_id: str, *, ended: bool) -> None:
        """Give the call the id of a job, which it has wherever it is seen."""
        before, self.call_id = self.call_id, derived_id(self.provider, job_id)
        if self._is_logged and before != self.call_id:
            decision_log.became_job(self, before, ended=ended)

    def as_job(self, job_id: str, *, created_s: int | None, ended_s: int | None, ended: bool) -> None:
        """Make this the bill of a job: whoever looks at it again has the same id and the same times, in seconds.

        A job that has not `ended` leaves a record without a cost: if nobody looks again, it is not lost silently.
        """
        self.known_as(job_id, ended=ended)
        self._revision = FINAL if ended else PENDING
        if not ended:
            self.bill.usage, self.bill.reasons = None, [CostReason.JOB_NOT_ENDED]
        if created_s is not None:
            self._job_ns = created_s * 1_000_000_000, max(0, (ended_s or created_s) - created_s) * 1_000_000_000

    def first_chunk(self) -> None:
        """Note the time of the first chunk of a stream."""
        if self._first_chunk_s is None:
            self._first_chunk_s = self.elapsed_s()

    def stop(self) -> None:
        """Note the end of the call, where `finish` comes later, in a job. If it never comes, the call is missing."""
        if self._stopped.acquire(blocking=False):
            self._counter = call_counter.current()
            self._counter.ended()
            if self._duration_s is None:
                self._duration_s = self.elapsed_s()

    def elapsed_s(self) -> float:
        """Return the seconds since the call began, by a clock that does not go backwards."""
        return max(0, time.perf_counter_ns() - self._start_clock) / 1e9

    def fail(self, error: BaseException | str) -> None:
        """Finish with an error. Of an exception the type alone is kept: its text may quote a prompt or a key."""
        kind = error if isinstance(error, str) else type(error).__name__
        self.attributes[names.ERROR_TYPE] = sanitize.identifier(kind)
        self.finish()

    def refuse(self, error: BaseException | str) -> None:
        """Finish a request that the provider answered with an error status: it costs nothing, and that is known."""
        self.bill.refused = True
        self.fail(error)

    def finish(self) -> None:
        """Write everything, once; whoever comes second does nothing. Each part is written even if another one fails."""
        if not self._done.acquire(blocking=False):
            return
        self.stop()
        self._describe()
        self.billed = self.billed and self._is_first_bill()
        if self._is_logged:
            decision_log.billed(self)
        if self.billed:
            self._charge()
            self._write_ledger()
        else:
            self._settle(None)
        self._write_messages()
        self._end_span()
        self._measure()

    @telemetry.never_raises("describe a call")
    def _describe(self) -> None:
        self.set(names.RESPONSE_MODEL, self.response_model)
        self.set(names.OPENAI_RESPONSE_SERVICE_TIER, self.bill.service_tier)
        self.set(names.RESPONSE_TIME_TO_FIRST_CHUNK, self._first_chunk_s)
        if self.message_count is None and (self.inputs or self.choices):
            self.message_count = messages.count(self.inputs or (), *self.choices)
        self.set(names.MESSAGE_COUNT, self.message_count)

    def _is_first_bill(self) -> bool:
        """Whether this is no job, or one that is billed now for the first time; its starter pays."""
        if self.call_id is None or self._revision is None:
            self.call_id = self.call_id or random_id()
            return self.dedup_key is None or _jobs.bill(self.dedup_key)
        if self._revision == PENDING:
            _jobs.started(self.call_id, Owner(self.scope, self.identity))
            return True
        if not _jobs.bill(self.call_id):
            return False
        if (owner := _jobs.owner(self.call_id)) is not None:
            self.scope, self.identity = owner.scope, owner.identity
        return True

    @telemetry.never_raises("price a call")
    def _charge(self) -> None:
        bill, shared = self.bill, self.attributes
        shared[names.COST_STATUS] = "unpriced"  # unless all goes well
        if self._is_logged:
            decision_log.usage(self)
        if bill.usage is not None:
            shared.update(usage_attributes(bill.usage))
        at_ns = self._job_ns[0] if self._job_ns else self.start_ns
        cost = bill.cost(self.provider, (self.response_model, self.request_model), at_ns)
        found = cost_attributes(bill, cost)
        del shared[names.COST_STATUS]  # money goes last
        shared.update(found)
        if self._is_logged:
            decision_log.price(self, cost)
        usd = shared.get(names.COST_USD)
        if usd is None and cost is not None:
            warn_unpriced(self.provider, self.response_model or self.request_model, cost)
        if names.COST_UNKNOWN in shared:
            warn_unaccounted(self.provider, shared[names.COST_UNKNOWN])
        if self.scope and self.scope.session and self._revision != PENDING:
            self.scope.session.add(bill.usage, None if usd is None else Decimal(usd))

    @telemetry.never_raises("write a ledger record")
    def _write_ledger(self) -> None:
        process = telemetry.process()
        seq = process.next_seq()
        self._settle(seq)
        # A job's times are its own, not those of who looks at it; one that has not ended has a start only.
        start_ns, duration_ns = self._job_ns or (self.start_ns, int((self._duration_s or 0) * 1e9))
        record = {
            names.EVENT_NAME: names.CALL_EVENT,
            names.CALL_ID: self.call_id,
            names.PROCESS_ID: process.id,
            names.CALL_SEQ: seq,
            names.START_TIME_UNIX_NANO: start_ns,
            names.DURATION_S: duration_ns / 1e9,
            **self.identity,
        }
        if self._revision is not None:
            record[names.CALL_REVISION] = self._revision
        record.update(self.attributes)
        at_ns = start_ns if self._job_ns else start_ns + duration_ns
        self._telemetry.emit(names.CALL_EVENT, record, timestamp_ns=at_ns, context=self._context)
        if self._is_logged:
            decision_log.written(self, seq, process.id)
        if (files := call_counter.current().place) is not None:
            crash_report.poll(files)

    @telemetry.never_raises("count a call")
    def _settle(self, seq: int | None) -> None:
        # Not counted here is a call that ended before this process was forked.
        own = call_counter.current()
        own.settled(seq, counted=self._counter in (None, own))

    @telemetry.never_raises("write the messages of a call")
    def _write_messages(self) -> None:
        if self.inputs is None and not self.choices:
            return
        if not self.messages_logged_elsewhere and content.is_written(self.identity):
            session_id = self.identity.get(names.SESSION_ID)
            conversation = Conversation(
                session_id or self.call_id or random_id(), self.identity, self.call_id, self._context
            )
            end_ns = self.start_ns + int((self._duration_s or 0) * 1e9)
            conversation.write(_seen, self.inputs or (), self.choices, self.start_ns, end_ns)
        if content.on_spans() and self.span.is_recording():
            self._shown.update(messages.span_attributes(self.inputs or (), self.choices, self.tools))

    @telemetry.never_raises("end a span")
    def _end_span(self) -> None:
        span = self.span
        if span.is_recording():
            shown = {**self._shown, **self.identity}
            if self._shown_as is None:
                shown.update(self.attributes)
                if self.bill.usage is not None and self.billed:
                    shown.update(usage_numbers(self.bill.usage))
                for name, value in self._begun_with.items():  # the span has them
                    if shown.get(name) is value:
                        del shown[name]
            span.set_attributes(shown)
            if (error := self.attributes.get(names.ERROR_TYPE)) is not None:
                span.set_attribute(names.ERROR_TYPE, error)
                span.set_status(Status(StatusCode.ERROR, error))
        span.end(self.start_ns + int((self._duration_s or 0) * 1e9))

    @telemetry.never_raises("measure a call")
    def _measure(self) -> None:
        billed = self.billed and self._revision != PENDING
        self._telemetry.measure(
            self.attributes,
            context=self._context,
            duration_s=self._duration_s or 0.0,
            first_chunk_s=self._first_chunk_s,
            chunks=self.chunks,
            usage=self.bill.usage if billed else None,
            gathered=background.is_working(),
        )


def record(
    operation: str,
    *,
    provider: str,
    model: str | None,
    usage: Mapping[str, object] | Usage,
    cost_usd: Decimal | str | int | None = None,
    at: datetime | None = None,
    service_tier: str | None = None,
    **tags: object,
) -> Decimal | None:
    """Record a call that no patch sees, and return its cost in USD; None if its price is unknown.

    `usage` has the units of the price files, such as `{"audio_seconds": 15}`, or is a usage as a provider reports it.
    `cost_usd` is the cost that the provider itself reported, if it did; what is no amount of money is refused, with the
    reason `reported_cost_invalid`. `at` is when the call was made: now by default. Never raises.
    """
    return _recorded(operation, provider, model, usage, cost_usd, at, service_tier, tags)


@telemetry.never_raises("record a call")
def _recorded(
    operation: str,
    provider: str,
    model: str | None,
    usage: Mapping[str, object] | Usage,
    cost_usd: object,
    at: datetime | None,
    service_tier: str | None,
    tags: Mapping[str, object],
) -> Decimal | None:
    uninstrumented.warn_without_ledger(uninstrumented.RECORD)
    start_ns = int(at.timestamp() * 1e9) if at else None
    asked = None if model is None else str(model)
    call = Call(sanitize.identifier(operation), sanitize.identifier(provider), asked, start_ns=start_ns)
    for key, value in list(tags.items())[:MAX_TAGS]:
        call.set(names.TAG_PREFIX + key, value)
    call.bill.usage = usage if isinstance(usage, Usage) else read_given(usage, call.provider)
    call.bill.service_tier = service_tier
    call.bill.reported = None if cost_usd is None else sanitize.money(cost_usd)
    if cost_usd is not None and call.bill.reported is None:
        call.bill.reasons.append(CostReason.REPORTED_COST_INVALID)
    if at is not None:
        call._duration_s = 0.0  # how long it took is not known, and not how long ago it was
    # As a job, done here and now: what is no Exception does not get out of it either.
    background.put(call.finish)
    background.drain()
    exact = call.attributes.get(names.COST_USD)
    return None if exact is None else Decimal(exact)
