"""The one writer of calls: of the span, the metrics, the ledger record and the messages of each."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from opentelemetry.trace import Status, StatusCode

from otel_costs import messages
from otel_costs import semconv as names
from otel_costs.calls import admission, call_counter, crash_report, jobs
from otel_costs.calls.bill import (
    SUMS,
    Bill,
    cost_attributes,
    usage_attributes,
    usage_numbers,
    warn_unaccounted,
    warn_unpriced,
)
from otel_costs.calls.call import Call, random_id
from otel_costs.calls.call_counter import CallCounter
from otel_costs.calls.message_log import Conversation
from otel_costs.calls.reading import Job, Reading
from otel_costs.messages import content
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import background, decision_log, signal_handlers, telemetry
from otel_costs.sessions import shared_budgets
from otel_costs.usage.units import COUNTS
from otel_costs.values import sanitize

MAX_ATTRIBUTES: Final = 128
"""Attributes of a ledger record: the SDK drops the oldest past them, and those are whose call it is."""

PENDING: Final = 0
FINAL: Final = 1


def write(call: Call, read: Callable[[], Reading], error: str | None = None, *, refused: bool = False) -> None:
    """Read what is known of a call and write it; if it cannot be read, it is written all the same.

    `error` is the kind of error that ended it, None if none did; `refused` says that the provider bills nothing.
    """
    try:
        found = read()
    except Exception as bug:
        if signal_handlers.raised(bug):
            raise
        key, warning = f"bug:answer:{call.provider}", "otel_costs could not read an answer of provider %s"
        telemetry.warn_once(key, warning, call.provider, error=bug)
        found = Reading(reasons=(CostReason.RESPONSE_NOT_READ,))
    finish(call, replace(found, refused=True) if refused else found, error)


def finish(call: Call, reading: Reading, error: str | None = None) -> Decimal | None:
    """Write a call with what was read of it, once, and return its cost in USD; None where it is not known.

    `error` is the kind of error that ended it, None if none did. Each part is written even if another one fails.
    What was used of other models follows.
    """
    if not call.end():
        return None
    writing = _Writing(call, reading)
    writing.describe(error or reading.error)
    writing.is_billed = reading.is_billed and writing.is_first_bill()
    if call.is_logged:
        decision_log.billed(call.call_id, writing.is_billed)
    if writing.is_billed:
        writing.charge()
        writing.write_ledger()
        if shared_budgets.is_on:
            writing.count_shared()
    elif call_counter.own is not None:
        writing.count(call_counter.own, None)
    if call.reservation is not None:
        writing.release()
    if reading.inputs is not None or reading.outputs:
        writing.write_messages()
    writing.end_span()
    writing.measure()
    if reading.others and writing.is_billed:
        _finish_others(call, reading.others)
    exact = writing.attributes.get(names.COST_USD)
    return None if exact is None else Decimal(exact)


@telemetry.never_raises("record what a call used of other models")
def _finish_others(call: Call, others: Sequence[Reading]) -> None:
    for reading in others:
        finish(call.beside(reading.operation or call.operation, reading.model), reading)


def _leave_out_tags(record: dict[str, Any]) -> None:
    """Remove the last tags of a record that has more attributes than are kept."""
    tags = [name for name in record if name.startswith(names.TAG_PREFIX)]
    for name in tags[-(len(record) - MAX_ATTRIBUTES) :]:
        del record[name]
    telemetry.warn_once(
        "attributes", "A call has more than %d attributes: the last of its tags are not recorded", MAX_ATTRIBUTES
    )


class _Writing:
    """The writing of one call, which has ended."""

    def __init__(self, call: Call, reading: Reading) -> None:
        self.call, self.reading, self.is_billed = call, reading, False
        self.attributes = call.attributes.copy()
        """Those of span and ledger record."""
        self.bill = Bill(endpoint=call.endpoint, deployment=call.deployment, reasons=[CostReason.RESPONSE_NOT_READ])
        self.revision: int | None = None
        self.end_ns = call.start_ns + int((call.duration_s or 0) * 1e9)
        self.job_ns: tuple[int, int] | None = None
        """A job's own start and duration, not those of the poll; one that has not ended has a start only."""

    @telemetry.never_raises("describe a call")
    def describe(self, error: str | None) -> None:
        """Add what was read of the call; where that fails, it is written as one that was not read."""
        call, reading = self.call, self.reading
        if error:
            self.attributes[names.ERROR_TYPE] = sanitize.identifier(error)
        if call.request_model is None and reading.request_model:
            call.request_model = sanitize.text(reading.request_model)
            self.attributes[names.REQUEST_MODEL] = call.request_model
        count = reading.message_count
        if count is None and (reading.inputs or reading.outputs):
            count = messages.count(reading.inputs or (), *reading.outputs)
        reasons = [*call.doubts, *filter(None, reading.reasons)]
        reported = None if reading.reported_cost is None else sanitize.money(reading.reported_cost)
        if reported is None and reading.reported_cost is not None:
            reasons.append(CostReason.REPORTED_COST_INVALID)
        usage = reading.usage
        if usage is not None and call.operation in SUMS:
            usage = replace(usage, several=True)
        bill = Bill(
            usage=usage,
            price_model=reading.price_model,
            service_tier=reading.service_tier,
            processing=reading.processing,
            endpoint=call.endpoint,
            deployment=call.deployment,
            reported=reported,
            reasons=reasons,
            refused=reading.refused,
            unknown=[*reading.unknown],
        )
        if reading.job is not None:
            self._note(reading.job, bill)
        found = {
            names.RESPONSE_MODEL: reading.model,
            names.RESPONSE_ID: reading.response_id,
            names.RESPONSE_FINISH_REASONS: list(filter(None, reading.finish_reasons)) or None,
            names.OPENAI_RESPONSE_SERVICE_TIER: bill.service_tier,
            names.RESPONSE_TIME_TO_FIRST_CHUNK: call.first_chunk_s,
            names.MESSAGE_COUNT: count,
            **reading.recorded,
        }
        for name, value in found.items():
            if value is not None:
                self.attributes[name] = sanitize.attribute(value)
        self.bill = bill

    def _note(self, job: Job, bill: Bill) -> None:
        """Give the call the job's id and times, and a bill that says whether it has ended."""
        self.call.known_as(job.id, ended=job.ended)
        self.revision = FINAL if job.ended else PENDING
        if not job.ended:
            bill.usage, bill.reasons = bill.usage if job.is_known else None, [job.reason]
        if job.created_s is not None:
            lasted_s = max(0, (job.ended_s or job.created_s) - job.created_s)
            self.job_ns = job.created_s * 1_000_000_000, lasted_s * 1_000_000_000

    def is_first_bill(self) -> bool:
        """Return whether this is no job, or one that is billed now for the first time; its starter pays."""
        call = self.call
        if call.call_id is None or self.revision is None:
            call.call_id = call.call_id or random_id()
            return call.dedup_key is None or jobs.known.bill(call.dedup_key)
        if self.revision == PENDING:
            # What it may cost at most is reserved until its end is found. What is but a guess is not: that may be found
            # elsewhere, or never.
            kept = call.reservation if call.reservation is not None and call.reservation.bounded else None
            if kept is not None:
                call.reservation = None
            jobs.known.started(call.call_id, jobs.Owner(call.scope, call.identity, kept))
            return True
        if not jobs.known.bill(call.call_id):
            return False
        if (owner := jobs.known.owner(call.call_id)) is not None:
            call.scope, call.identity = owner.scope, owner.identity
            call.reservation = call.reservation or owner.reservation
        return True

    @telemetry.never_raises("price a call")
    def charge(self) -> None:
        """Add what it used and what that costs, and count it in its session."""
        call, bill, shared = self.call, self.bill, self.attributes
        shared[names.COST_STATUS] = "unpriced"  # unless all goes well
        if call.is_logged:
            decision_log.usage(call.call_id, bill.usage, bill.reasons)
        if bill.usage is not None:
            shared.update(usage_attributes(bill.usage))
        models = self.reading.model, call.request_model
        began_ns, ended_ns = (self.job_ns[0],) * 2 if self.job_ns else (call.start_ns, self.end_ns)
        cost = bill.cost(call.provider, models, began_ns, ended_ns)
        found = cost_attributes(bill, cost)
        del shared[names.COST_STATUS]  # money goes last
        shared.update(found)
        if call.is_logged:
            decision_log.price(call.call_id, shared, cost)
        usd = shared.get(names.COST_USD)
        if usd is None and cost is not None:
            warn_unpriced(call.provider, models[0] or models[1], cost)
        if names.COST_UNKNOWN in shared:
            warn_unaccounted(call.provider, shared[names.COST_UNKNOWN])
        if call.scope and call.scope.session and self.revision != PENDING:
            call.scope.count(bill.usage, None if usd is None else Decimal(usd))

    @telemetry.never_raises("release what was reserved for a call")
    def release(self) -> None:
        """Release what the call has reserved: its cost is counted, or it has none."""
        usd = self.attributes.get(names.COST_USD)
        admission.settle(
            self.call.reservation,
            None if usd is None else Decimal(usd),
            is_billed=self.is_billed and not self.bill.refused,
        )

    @telemetry.never_raises("count a call in the budgets of the store")
    def count_shared(self) -> None:
        """Count what it cost in the budgets of the store, which will not have its record for a while.

        Of a job, what it costs more than its note says, which this record takes the place of.
        """
        call, cost_usd = self.call, self.attributes.get(names.COST_USD)
        if cost_usd is None:
            return
        usd = Decimal(cost_usd)
        if self.revision is not None and call.call_id is not None:
            usd = jobs.known.note(call.call_id, usd)
        shared_budgets.count(call.identity, call.provider, call.request_model, usd, telemetry.process.last_seq)

    @telemetry.never_raises("write a ledger record")
    def write_ledger(self) -> None:
        """Write the ledger record, with the next number of this process."""
        call, process = self.call, telemetry.process
        seq = process.next_seq()
        if (counter := call_counter.own) is not None:
            self.count(counter, seq)
        start_ns, duration_ns = self.job_ns or (call.start_ns, self.end_ns - call.start_ns)
        record = {
            names.EVENT_NAME: names.CALL_EVENT,
            names.CALL_ID: call.call_id,
            names.PROCESS_ID: process.id,
            names.CALL_SEQ: seq,
            names.START_TIME_UNIX_NANO: start_ns,
            names.DURATION_S: duration_ns / 1e9,
            **call.identity,
        }
        if self.revision is not None:
            record[names.CALL_REVISION] = self.revision
        record.update(self.attributes)
        if len(record) > MAX_ATTRIBUTES:
            _leave_out_tags(record)
        at_ns = start_ns if self.job_ns else self.end_ns
        call.telemetry.emit(names.CALL_EVENT, record, timestamp_ns=at_ns, context=call.own_context)
        if call.is_logged:
            decision_log.written(call.call_id, seq, process.id)
        if counter is not None and counter.place is not None:
            crash_report.poll(counter.place)

    @telemetry.never_raises("count a call")
    def count(self, counter: CallCounter, seq: int | None) -> None:
        """Count the call as one with a record, or as one without; not if it ended before this process was forked."""
        counter.settled(seq, counted=self.call.counter is counter)

    @telemetry.never_raises("write the messages of a call")
    def write_messages(self) -> None:
        """Write what was said, to message records, and on the span where content goes there."""
        call, inputs, outputs = self.call, self.reading.inputs, self.reading.outputs
        may = self._may_have_content
        if not call.messages_logged_elsewhere and (names.SESSION_ID in call.identity or (may and content.is_on)):
            session_id = call.identity.get(names.SESSION_ID)
            conversation = Conversation(
                session_id or call.call_id or random_id(),
                call.identity,
                call.call_id,
                call.own_context,
                may_have_content=may,
            )
            conversation.write(inputs or (), outputs, call.start_ns, self.end_ns)
        if may and content.on_spans() and call.span.is_recording():
            call.span.set_attributes(messages.span_attributes(inputs or (), outputs, self.reading.tools))

    @property
    def _may_have_content(self) -> bool:
        """Whether the session of the call lets what is said in it be recorded, where content is."""
        return self.call.scope is None or self.call.scope.content

    @telemetry.never_raises("end a span")
    def end_span(self) -> None:
        """End the span, with what only it has, and with what the ledger has."""
        call, span = self.call, self.call.span
        if span.is_recording():
            from_reading = {name: value for name, value in self.reading.attributes.items() if value is not None}
            if names.REQUEST_STOP_SEQUENCES in from_reading and not self._may_have_content:
                del from_reading[names.REQUEST_STOP_SEQUENCES]  # words of a prompt
            attributes = {name: sanitize.attribute(value) for name, value in from_reading.items()}
            attributes.update(call.identity)
            if call.span_operation is None:
                attributes.update(self.attributes)
                usage = self.bill.usage
                if usage is not None and self.is_billed and not COUNTS.issuperset(usage.quantities):
                    attributes.update(usage_numbers(usage))
                for name, value in call.attributes.items():  # the span has them
                    if attributes.get(name) is value:
                        del attributes[name]
            span.set_attributes(attributes)
            if (error := self.attributes.get(names.ERROR_TYPE)) is not None:
                span.set_attribute(names.ERROR_TYPE, error)
                span.set_status(Status(StatusCode.ERROR, error))
        span.end(self.end_ns)

    @telemetry.never_raises("measure a call")
    def measure(self) -> None:
        """Add the call to the metrics."""
        call, is_billed = self.call, self.is_billed and self.revision != PENDING
        call.telemetry.measure(
            self.attributes,
            context=call.own_context,
            duration_s=call.duration_s or 0.0,
            first_chunk_s=call.first_chunk_s,
            chunks=call.chunks,
            usage=self.bill.usage if is_billed else None,
            gathered=background.is_working(),
        )
