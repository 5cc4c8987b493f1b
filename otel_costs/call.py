"""A billable call from start to finish: the only writer of its span, metrics, ledger record and messages."""

import os
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from otel_costs import attributes as names
from otel_costs import baggage, clean, content, messages, pricing, telemetry
from otel_costs.pricing import Cost
from otel_costs.session import Scope, current_scope
from otel_costs.usage import Usage

DERIVED_CALLS_KEPT: Final = 10_000
"""Jobs (background responses, batches, ...) that one process remembers having billed."""

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "otel_costs")

Revision = Literal["pending", "final"]


def random_id() -> str:
    """Return 32 hex digits shaped as a UUIDv4, from the system's own randomness: `random.seed` cannot repeat them."""
    return uuid.UUID(bytes=os.urandom(16), version=4).hex


def derived_id(provider: str, response_id: str) -> str:
    """Return the id of something that can be seen more than once: 32 hex digits shaped as a UUIDv5."""
    return uuid.uuid5(_NAMESPACE, f"{provider}/{clean.text(response_id)}").hex


class Owners:
    """Who started the jobs whose bill comes later, and which of them are billed already; bounded."""

    def __init__(self) -> None:
        self._scopes: OrderedDict[str, tuple[Scope | None, Mapping[str, Any]]] = OrderedDict()
        self._billed: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, call_id: str, scope: Scope | None, identity: Mapping[str, Any]) -> None:
        with self._lock:
            self._scopes[call_id] = (scope, identity)
            if len(self._scopes) > DERIVED_CALLS_KEPT:
                self._scopes.popitem(last=False)

    def of(self, call_id: str) -> tuple[Scope | None, Mapping[str, Any]] | None:
        return self._scopes.get(call_id)

    def bill(self, call_id: str) -> bool:
        """Return whether this is the first time, and remember it."""
        with self._lock:
            if call_id in self._billed:
                return False
            self._billed[call_id] = None
            if len(self._billed) > DERIVED_CALLS_KEPT:
                self._billed.popitem(last=False)
            return True


_owners = Owners()
_seen = messages.Seen()


def forget() -> None:
    """Forget which jobs were billed and which messages were written; as after a restart."""
    global _owners, _seen
    _owners, _seen = Owners(), messages.Seen()


def identity(user: str | None = None, session_id: str | None = None) -> Mapping[str, Any]:
    """Return whose call is made here.

    An open session decides; then baggage, where it is believed; then what the request itself says (`user`, `session_id`).
    """
    scope = current_scope()
    found = scope.attributes if scope else {}
    if names.USER_ID in found or (user is None and names.SESSION_ID in found):
        return found
    outside_session, outside_user = baggage.received()
    merged = dict(found)
    if chosen := merged.get(names.SESSION_ID) or outside_session or session_id:
        merged[names.SESSION_ID] = clean.identifier(chosen)
    if chosen_user := outside_user or user:
        merged[names.USER_ID] = clean.identifier(chosen_user)
    return merged


class Call:
    """One billable call: start it, set what becomes known, then `finish` or `fail` once.

    `usage` None is unknown, which is not zero. `price_model` is the name to look the price up by where it is more than
    the model's (`dall-e-3/standard/1024x1024`); `processing` is `batch` or None; `reasons` say why a figure is an estimate.
    """

    __slots__ = (
        "_context",
        "_done",
        "_duration_s",
        "_extra",
        "_first_chunk_ns",
        "_job_ns",
        "_start_clock",
        "attributes",
        "billed",
        "call_id",
        "choices",
        "chunks",
        "cost",
        "deployment",
        "endpoint",
        "identity",
        "inputs",
        "operation",
        "price_model",
        "processing",
        "provider",
        "reasons",
        "refused",
        "reported_cost",
        "request_model",
        "response_model",
        "revision",
        "scope",
        "service_tier",
        "span",
        "start_ns",
        "tools",
        "usage",
    )

    def __init__(self, operation: str, provider: str, model: str | None) -> None:
        self.operation, self.provider = operation, provider
        self.request_model = clean.text(model) if model else None
        self.response_model: str | None = None
        self.usage: Usage | None = None
        self.price_model: str | None = None
        self.service_tier: str | None = None
        self.processing: str | None = None
        self.endpoint: str | None = None
        self.deployment: str | None = None
        self.reported_cost: Decimal | None = None
        self.reasons: list[str] = []
        self.inputs: list[messages.Draft] | None = None
        self.choices: Sequence[Sequence[messages.Draft]] = ()
        self.tools: Any = None
        self.chunks = 0
        self.billed = True
        self.call_id: str | None = None
        self.revision: Revision | None = None
        self.refused = False
        self._job_ns: tuple[int, int] | None = None
        self.cost: Cost | None = None
        self.attributes: dict[str, Any] = {}
        self._extra: dict[str, Any] = {}
        self._first_chunk_ns: int | None = None
        self._duration_s: float | None = None
        self._done = threading.Lock()

    @classmethod
    def start(
        cls,
        operation: str,
        provider: str,
        model: str | None = None,
        *,
        whose: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        span_attributes: Mapping[str, Any] | None = None,
        span_operation: str | None = None,
        start_ns: int | None = None,
    ) -> "Call":
        """Start the call and its span. `attributes` go to span and ledger, `span_attributes` to the span alone."""
        call = cls(operation, provider, model)
        call.scope = current_scope()
        call.identity = identity() if whose is None else whose
        call.start_ns = start_ns or time.time_ns()
        call._start_clock = time.perf_counter_ns() - (time.time_ns() - call.start_ns if start_ns else 0)
        shared = call.attributes
        shared[names.OPERATION_NAME] = operation
        shared[names.PROVIDER_NAME] = provider
        if call.request_model:
            shared[names.REQUEST_MODEL] = call.request_model
        if attributes:
            shared.update(clean.attributes(attributes))
        shared.update(call.identity)
        call._open_span(span_operation or operation, span_attributes)
        return call

    def _open_span(self, operation: str, extra: Mapping[str, Any] | None) -> None:
        attributes = dict(self.attributes)
        attributes[names.OPERATION_NAME] = operation
        if extra:
            attributes.update(clean.attributes(extra))
        name = f"{operation} {self.request_model}" if self.request_model else operation
        self.span: Span = telemetry.current().tracer.start_span(
            name, kind=SpanKind.CLIENT, attributes=attributes, start_time=self.start_ns
        )
        self._context: Context = trace.set_span_in_context(self.span)

    @property
    def context(self) -> Context:
        """The context for the request: the call's span in it, our baggage not."""
        return baggage.withheld(self._context)

    @property
    def finished(self) -> bool:
        return self._done.locked()

    def set(self, name: str, value: object) -> None:
        """Set an attribute of span and ledger; None is left out."""
        if value is not None:
            self.attributes.update(clean.attributes({name: value}))

    def set_on_span(self, name: str, value: object) -> None:
        """Set an attribute of the span alone; None is left out."""
        if value is not None:
            self._extra.update(clean.attributes({name: value}))

    def as_job(self, job_id: str, *, created_s: int | None, ended_s: int | None, ended: bool) -> None:
        """Make this the bill of a job: whoever looks at it again has the same id and the same times, in seconds.

        A job that has not `ended` leaves a record without a cost, so that one nobody looks at again is not lost silently.
        """
        self.call_id = derived_id(self.provider, job_id)
        self.revision = "final" if ended else "pending"
        if not ended:
            self.usage = None
            self.reasons = ["job_not_ended"]
        if created_s is not None:
            self._job_ns = created_s * 1_000_000_000, max(0, (ended_s or created_s) - created_s) * 1_000_000_000

    def refuse(self, error: BaseException | str) -> None:
        """Finish a request that the provider answered with an error status: it costs nothing, and that is known."""
        self.refused = True
        self.fail(error)

    def first_chunk(self) -> None:
        """Note the time of the first chunk of a stream."""
        if self._first_chunk_ns is None:
            self._first_chunk_ns = time.perf_counter_ns()

    def stop(self) -> None:
        """Note the end of the call, where `finish` comes later, in a job."""
        if self._duration_s is None:
            # By a clock that does not go backwards.
            self._duration_s = max(0, time.perf_counter_ns() - self._start_clock) / 1e9

    def fail(self, error: BaseException | str) -> None:
        """Finish with an error. Of an exception the type alone is kept: its text may quote a prompt or a key."""
        kind = error if isinstance(error, str) else type(error).__name__
        self.attributes[names.ERROR_TYPE] = clean.text(kind)
        self.finish()

    def finish(self) -> None:
        """Write everything, once; whoever comes second does nothing."""
        if not self._done.acquire(blocking=False):
            return
        self.stop()
        duration_s = self._duration_s or 0.0
        end_ns = self.start_ns + int(duration_s * 1e9)
        self._describe(duration_s)
        if self.billed:
            self._bill(end_ns, duration_s)
        self._write_messages(end_ns)
        self._end_span(end_ns)
        self._measure(duration_s)

    @telemetry.shielded("describe a call")
    def _describe(self, duration_s: float) -> None:
        shared = self.attributes
        if self.response_model:
            shared[names.RESPONSE_MODEL] = clean.text(self.response_model)
        if self.service_tier:
            shared[names.OPENAI_RESPONSE_SERVICE_TIER] = clean.text(self.service_tier)
        if self._first_chunk_ns is not None:
            shared[names.RESPONSE_TIME_TO_FIRST_CHUNK] = max(0, self._first_chunk_ns - self._start_clock) / 1e9

    def _bill(self, end_ns: int, duration_s: float) -> None:
        """Price the call, count it in its session and write the ledger: each even if the one before failed."""
        call_id = self.call_id or random_id()
        if self.call_id and not self._first_bill():
            self.billed = False
            return
        self._add_usage()
        self._price()
        self._count()
        self._write_ledger(call_id, end_ns, duration_s)
        self.call_id = call_id

    def _first_bill(self) -> bool:
        """Whether a job is billed now for the first time; its starter's session pays."""
        assert self.call_id
        if self.revision == "pending":
            _owners.remember(self.call_id, self.scope, self.identity)
            return True
        if not _owners.bill(self.call_id):
            return False
        if owner := _owners.of(self.call_id):
            self.scope, self.identity = owner
            self.attributes.update(self.identity)
        return True

    @telemetry.shielded("write the usage of a call")
    def _add_usage(self) -> None:
        if self.usage is None:
            return
        for unit, quantity in self.usage.quantities.items():
            self.attributes[names.usage_attribute(unit)] = quantity if isinstance(quantity, int) else f"{quantity:f}"
        if self.usage.invalid:
            self.attributes[names.USAGE_INVALID] = self.usage.invalid

    @telemetry.shielded("price a call")
    def _price(self) -> None:
        if self.refused:
            self.attributes.update(
                {names.COST_REASON: "request_refused", names.COST_STATUS: "priced", names.COST_USD: "0"}
            )
            return
        self.cost = cost = self._computed_cost()
        shared, total = self.attributes, cost.total if cost else None
        status = cost.status if cost else "unpriced"
        if self.reasons and status == "priced":
            status = "estimated"
        if self.reported_cost is not None:
            if total is not None:
                shared[names.COST_COMPUTED_USD] = f"{total:f}"
            total, status = self.reported_cost, "priced"
        reasons = [*self.reasons, *([cost.reason] if cost and cost.reason and self.reported_cost is None else [])]
        if cost and self.reported_cost is None:
            for line in cost.lines:
                shared[names.COST_LINE_PREFIX + line.unit] = f"{line.amount:f}"
        if cost and cost.price_id:
            shared[names.PRICE_ID] = cost.price_id
        if cost:
            shared[names.PRICE_BOOK] = cost.book
        if reasons:
            shared[names.COST_REASON] = ",".join(dict.fromkeys(reasons))
        # Money goes last: the SDK keeps 128 attributes and drops the oldest.
        shared[names.COST_STATUS] = status
        if total is not None:
            shared[names.COST_CURRENCY] = cost.currency if cost and self.reported_cost is None else "USD"
            shared[names.COST_SOURCE] = "local" if self.reported_cost is None else "provider"
            shared[names.COST_AMOUNT] = float(total)
            shared[names.COST_USD] = f"{total:f}"
        elif self.usage is not None and cost is not None and self.revision != "pending":
            self._warn_unpriced(cost)

    def _computed_cost(self) -> Cost | None:
        if self.usage is None:
            if not self.reasons:
                self.reasons.append("usage_unknown")
            return None
        at = datetime.fromtimestamp((self._job_ns[0] if self._job_ns else self.start_ns) / 1e9, UTC)
        cost: Cost | None = None
        for model in dict.fromkeys((self.price_model, self.response_model, self.request_model)):
            if not model:
                continue
            cost = pricing.price(
                self.usage,
                provider=self.provider,
                model=model,
                at=at,
                service_tier=self.service_tier,
                processing=self.processing,
                endpoint=self.endpoint,
                deployment=self.deployment,
            )
            if cost.reason != "unknown_model":
                return cost
        return cost or pricing.price(self.usage, provider=self.provider, model="unknown", at=at)

    def _warn_unpriced(self, cost: Cost) -> None:
        model = self.response_model or self.request_model or "unknown"
        telemetry.complain_once(
            f"unpriced:{self.provider}:{model}",
            "No price for model %r of provider %r (%s): its calls are recorded without a cost. Add it to the file of %s.",
            clean.text(model),
            self.provider,
            cost.reason,
            names.ENV_PRICES,
        )

    @telemetry.shielded("count a call in its session")
    def _count(self) -> None:
        if self.scope and self.scope.session and self.revision != "pending":
            usd = self.attributes.get(names.COST_USD)
            self.scope.session.add(self.usage, None if usd is None else Decimal(usd))

    @telemetry.shielded("write a ledger record")
    def _write_ledger(self, call_id: str, end_ns: int, duration_s: float) -> None:
        process, start_ns = telemetry.process(), self.start_ns
        if self._job_ns is not None:
            # A job's times are its own, not those of who looked at it: it is the same record wherever it is seen.
            # Its timestamp is its start, since a job that has not ended has no other.
            start_ns, duration_ns = self._job_ns
            end_ns, duration_s = start_ns, duration_ns / 1e9
        record = {
            names.EVENT_NAME: names.CALL_EVENT,
            names.CALL_ID: call_id,
            names.PROCESS_ID: process.id,
            names.CALL_SEQ: process.next_seq(),
            names.START_TIME_UNIX_NANO: start_ns,
            names.DURATION_S: duration_s,
        }
        if self.revision:
            record[names.CALL_REVISION] = 0 if self.revision == "pending" else 1
        record.update(self.attributes)
        telemetry.emit(names.CALL_EVENT, record, timestamp_ns=end_ns, context=self._context)

    @telemetry.shielded("write the messages of a call")
    def _write_messages(self, end_ns: int) -> None:
        if self.inputs is None:
            return
        inputs, choices = self.inputs, self.choices
        conversation = self.identity.get(names.SESSION_ID) or self.call_id or random_id()
        said, prefix = messages.identify(conversation, inputs)
        for message in said:
            self._write_message(message, conversation, self.start_ns, content.on_events())
        for drafts in choices:
            answer, _ = messages.identify(conversation, drafts, index=len(said), prefix=prefix)
            for message in answer:
                self._write_message(message, conversation, end_ns, content.on_events())
        if content.on_spans() and self.span.is_recording():
            self._extra.update(messages.span_attributes(inputs, choices, self.tools))

    def _write_message(self, message: "messages.Message", conversation: str, at_ns: int, with_content: bool) -> None:
        if not _seen.first(conversation, message.id):
            return
        attributes, body = messages.record(message, with_content=with_content)
        attributes[names.EVENT_NAME] = names.MESSAGE_EVENT
        for name in (names.SESSION_ID, names.USER_ID, names.SCENARIO):
            if name in self.identity:
                attributes[name] = self.identity[name]
        if self.call_id:
            attributes[names.CALL_ID] = self.call_id
        telemetry.emit(names.MESSAGE_EVENT, attributes, timestamp_ns=at_ns, context=self._context, body=body)

    @telemetry.shielded("end a span")
    def _end_span(self, end_ns: int) -> None:
        span = self.span
        if span.is_recording():
            if self.billed:
                self._extra.update(self.attributes)
                self._extra[names.OPERATION_NAME] = self.attributes[names.OPERATION_NAME]
            span.set_attributes(self._extra)
            if names.ERROR_TYPE in self.attributes:
                span.set_status(Status(StatusCode.ERROR, self.attributes[names.ERROR_TYPE]))
        span.end(end_ns)

    @telemetry.shielded("measure a call")
    def _measure(self, duration_s: float) -> None:
        found = self.attributes
        labels = {name: found[name] for name in _METRIC_LABELS if name in found}
        instruments = telemetry.current()
        instruments.duration.record(duration_s, labels, self._context)
        if self._first_chunk_ns is not None:
            first_s = found.get(names.RESPONSE_TIME_TO_FIRST_CHUNK, 0.0)
            instruments.time_to_first_chunk.record(first_s, labels, self._context)
            if self.chunks > 1:
                rest = (duration_s - first_s) / (self.chunks - 1)
                instruments.time_per_output_chunk.record(max(0.0, rest), labels, self._context)
        if not self.billed or self.usage is None or self.revision == "pending":
            return
        for modality, tokens_in, tokens_out in _by_modality(self.usage):
            split = {**labels, names.TOKEN_MODALITY: modality}
            if tokens_in:
                instruments.input_tokens.add(tokens_in, split, self._context)
            if tokens_out:
                instruments.output_tokens.add(tokens_out, split, self._context)
        if names.COST_AMOUNT in found:
            instruments.cost.record(found[names.COST_AMOUNT], labels, self._context)


def _by_modality(usage: Usage) -> Iterator[tuple[str, int, int]]:
    """Return modality, input tokens and output tokens; text is what is left of the totals."""
    found = usage.quantities
    text_in, text_out = int(found.get("input_tokens", 0)), int(found.get("output_tokens", 0))
    for modality in ("audio", "image"):
        part_in = int(found.get(f"input_{modality}_tokens", 0))
        part_out = int(found.get(f"output_{modality}_tokens", 0))
        text_in, text_out = text_in - part_in, text_out - part_out
        if part_in or part_out:
            yield modality, part_in, part_out
    yield "text", max(0, text_in), max(0, text_out)


_METRIC_LABELS: Final = (
    names.OPERATION_NAME,
    names.PROVIDER_NAME,
    names.REQUEST_MODEL,
    names.RESPONSE_MODEL,
    names.SERVER_ADDRESS,
    names.ERROR_TYPE,
)


def record(
    operation: str,
    *,
    provider: str,
    model: str,
    usage: Mapping[str, object] | Usage,
    cost_usd: Decimal | str | None = None,
    at: datetime | None = None,
    service_tier: str | None = None,
    **attributes: Any,
) -> Decimal | None:
    """Record a call that no patch sees, and return its cost in USD; None if its price is unknown.

    `usage` has the units of the price files, such as `{"audio_seconds": 15}`. `cost_usd` is the cost that the provider
    itself reported, if it did. `at` is when the call was made: now by default. Further keyword arguments are tags.
    """
    start_ns = int(at.timestamp() * 1e9) if at else None
    tags = {names.TAG_PREFIX + key: value for key, value in attributes.items()}
    call = Call.start(operation, provider, model, attributes=tags, start_ns=start_ns)
    call.usage = usage if isinstance(usage, Usage) else Usage.of(usage)
    call.service_tier = service_tier
    call.reported_cost = None if cost_usd is None else Decimal(str(cost_usd))
    if start_ns:
        call._start_clock = time.perf_counter_ns()
    call.finish()
    exact = call.attributes.get(names.COST_USD)
    return None if exact is None else Decimal(exact)


def attach(call: Call) -> object:
    """Make the call's span the current one, for HTTP instrumentations below us; pass what is returned to `detach`."""
    return otel_context.attach(call.context)


def detach(token: object) -> None:
    """Undo `attach`."""
    otel_context.detach(token)  # type: ignore[arg-type]
