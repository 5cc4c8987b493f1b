"""Calls and sessions that a program reports over HTTP: priced by the book in force, and written as ledger records.

They are the records that `otel_costs.record` writes, so that everything that reads the ledger reads them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.calls.bill import Bill, cost_attributes, usage_attributes
from otel_costs.calls.call import random_id
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.privacy import pseudonyms
from otel_costs.sessions.session import CONVERSATION
from otel_costs.store import stored_call
from otel_costs.store.rows import Row
from otel_costs.store.session_starts import SessionStart
from otel_costs.usage import Usage
from otel_costs.usage.reported import read_of_call
from otel_costs.usage.service_class import service_class
from otel_costs.values import sanitize
from otel_costs.web.models import TrackedCall

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tracked:
    """A call that was told of, read and priced: `attributes` are those of its ledger record."""

    call_id: str
    at: datetime
    has_time: bool
    """Whether it was told when it was made; `at` is when it was told otherwise."""
    service: str
    usage: Usage
    attributes: Mapping[str, Any]

    @property
    def line(self) -> bytes:
        """The record, as a row of otel_logs."""
        return _line(names.CALL_EVENT, self.at, self.attributes, self.service)

    @property
    def answer(self) -> Row:
        """What is answered about it."""
        found, prefix = self.attributes, names.COST_LINE_PREFIX
        return {
            "call_id": self.call_id,
            "session_id": found.get(names.SESSION_ID, ""),
            "at": self.at,
            "cost_usd": stored_call.amount(found, names.COST_USD),
            "status": found[names.COST_STATUS],
            "reason": found.get(names.COST_REASON, ""),
            "unknown": list(found.get(names.COST_UNKNOWN, ())),
            "cost_lines": {k.removeprefix(prefix): Decimal(v) for k, v in found.items() if k.startswith(prefix)},
            "list_usd": stored_call.list_usd(found),
            "contract_amount": stored_call.amount(found, names.CONTRACT_AMOUNT),
            "contract_currency": found.get(names.CONTRACT_CURRENCY, ""),
            "contract_id": found.get(names.CONTRACT_ID, ""),
            "price_id": found.get(names.PRICE_ID, ""),
            "price_book": found.get(names.PRICE_BOOK, ""),
            "repeated": False,
        }

    def is_same(self, row: Row) -> bool:
        """Return whether a stored call of the same key is this one: nothing that its cost depends on differs."""
        used = stored_call.usage(row)
        stored = tuple(row[column] for column in _COLUMNS)
        return self._values == stored and self._comes_to(
            used,
            row["cost_usd"] if row["cost_source"] == "provider" else None,
            row["cost_reason"],
            row["end_time"],
        )

    def is_repeated_by(self, other: "Tracked") -> bool:
        """Return whether another call of the same key is this one."""
        return self._values == other._values and other._comes_to(self.usage, self._reported, self._reason, self.at)

    def _comes_to(self, usage: Usage, reported: Decimal | None, reason: str, at: datetime) -> bool:
        """Return whether usage, reported cost and time are those of this call; any time will do where it has none."""
        own = self.usage
        unknown = sorted(map(sanitize.label, own.unknown)) == sorted(map(sanitize.label, usage.unknown))
        return (
            own.quantities == usage.quantities
            and set(own.invalid) == set(usage.invalid)
            # Of what the provider says the cost of, no key is unknown.
            and (unknown or reported is not None)
            and self._reported == reported
            and (_REFUSED_COST in self._reason) == (_REFUSED_COST in reason)
            and not (self.has_time and abs(self.at - at) >= _MILLISECOND)
        )

    @property
    def _values(self) -> tuple[str, ...]:
        return tuple(self.attributes.get(name, "") for name in _COLUMNS.values())

    @property
    def _reported(self) -> Decimal | None:
        is_reported = self.attributes.get(names.COST_SOURCE) == "provider"
        return stored_call.amount(self.attributes, names.COST_USD) if is_reported else None

    @property
    def _reason(self) -> str:
        return str(self.attributes.get(names.COST_REASON, ""))


_COLUMNS: Final = {
    "operation": names.OPERATION_NAME,
    "provider": names.PROVIDER_NAME,
    "request_model": names.REQUEST_MODEL,
    "service_tier": names.OPENAI_RESPONSE_SERVICE_TIER,
    "error_type": names.ERROR_TYPE,
}
"""Columns of a stored call, and the attributes that they are made of, that a call which is told again has the same."""

_REFUSED_COST: Final = CostReason.REPORTED_COST_INVALID.value
_MILLISECOND: Final = timedelta(milliseconds=1)


def call_id_of(call: TrackedCall) -> str:
    """Return the id of a call: a random one, or that of its key, of its session and user."""
    if call.idempotency_key is None:
        return random_id()
    key = json.dumps([call.session or "", pseudonyms.recorded(call.user or ""), call.idempotency_key]).encode()
    digits = blake2b(key, person=b"otel_costs", digest_size=16).hexdigest()
    return f"{digits[:12]}8{digits[13:]}"  # not a 5 there: that is the id of a provider's job


def tracked(call: TrackedCall, call_id: str, start: SessionStart | None, now: datetime) -> Tracked:
    """Read and price a call; what it does not say of its session, `start` says."""
    at = call.moment or now
    provider = sanitize.identifier(call.provider)
    usage = read_of_call(call.usage, provider, failed=bool(call.error))
    tier = call.service_tier or sanitize.identifier(service_class(call.usage)) or None
    bill = Bill(usage=usage, service_tier=tier)
    if call.cost_usd is not None:
        bill.reported = sanitize.money(str(call.cost_usd))
        if bill.reported is None:
            bill.reasons.append(CostReason.REPORTED_COST_INVALID)
    model = sanitize.text(call.model) if call.model else None
    at_ns = _nanoseconds(at)
    attributes: dict[str, Any] = {
        names.EVENT_NAME: names.CALL_EVENT,
        names.CALL_ID: call_id,
        names.START_TIME_UNIX_NANO: at_ns,
        names.OPERATION_NAME: sanitize.identifier(call.operation),
        names.PROVIDER_NAME: provider,
        names.REQUEST_MODEL: model,
        names.OPENAI_RESPONSE_SERVICE_TIER: tier,
        names.ERROR_TYPE: sanitize.identifier(call.error) or None,
        **_identity(call, start),
        **usage_attributes(usage),
        **cost_attributes(bill, bill.cost(provider, (None, model), at_ns)),
    }
    kept = {name: value for name, value in attributes.items() if value is not None}
    return Tracked(call_id, at, call.moment is not None, sanitize.identifier(call.service), usage, kept)


def repeated(call_id: str, call: TrackedCall, row: Row) -> Row:
    """Return what is answered about a call that is stored already."""
    return {
        "call_id": call_id,
        "session_id": sanitize.identifier(call.session),
        "at": row["end_time"],
        "cost_usd": row["cost_usd"],
        "status": row["cost_status"],
        "reason": row["cost_reason"],
        "unknown": list(row["cost_unknown"]),
        "cost_lines": dict(row["cost_lines"]),
        **{name: row[name] for name in ("list_usd", "contract_amount", "contract_currency", "contract_id")},
        "price_id": row["price_id"],
        "price_book": row["price_book"],
        "repeated": True,
    }


def start_line(start: SessionStart, now: datetime) -> bytes:
    """Return the record of a session that begins, as a row of otel_logs."""
    found = {names.EVENT_NAME: names.SESSION_START_EVENT, **_session(start)}
    return _line(names.SESSION_START_EVENT, now, found, "")


def end_line(session: Row, now: datetime) -> bytes:
    """Return the record of a session that has ended, with its totals, as a row of otel_logs."""
    start = SessionStart(
        session["session_id"], session["user_id"], session["kind"], session["scenario"], dict(session["tags"])
    )
    found = {
        names.EVENT_NAME: names.SESSION_EVENT,
        **_session(start),
        names.SESSION_CALLS: session["call_count"],
        names.SESSION_UNPRICED_CALLS: session["unpriced_calls"],
    }
    if session["cost_usd"] is not None:
        found[names.COST_USD] = f"{session['cost_usd']:f}"
    return _line(names.SESSION_EVENT, now, found, "")


def _identity(call: TrackedCall, start: SessionStart | None) -> dict[str, Any]:
    """Return whose a call is: what it says, and for the rest what was told of its session."""
    known = start or SessionStart(sanitize.identifier(call.session))
    own = SessionStart(
        known.session_id,
        user_of(call.user) or known.user,
        sanitize.identifier(call.kind) or known.kind,
        sanitize.identifier(call.scenario) or known.scenario,
        {**known.tags, **clean_tags(call.tags)},
    )
    return _session(own) | ({names.STEP: sanitize.identifier(call.step)} if call.step else {})


def user_of(user: object) -> str:
    """Return a user as a record can carry it: by a pseudonym, where users are recorded so; empty for none."""
    return pseudonyms.recorded(sanitize.identifier(user)) or ""


def clean_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags as a record can carry them."""
    return {sanitize.identifier(name): sanitize.identifier(value) for name, value in tags.items()}


def _session(start: SessionStart) -> dict[str, Any]:
    found = {
        names.SESSION_ID: start.session_id,
        names.USER_ID: start.user,
        names.SESSION_KIND: (start.kind or CONVERSATION) if start.session_id else "",
        names.SCENARIO: start.scenario,
    }
    tags = {names.TAG_PREFIX + name: value for name, value in start.tags.items()}
    return {name: value for name, value in found.items() if value} | tags


def _line(event: str, at: datetime, attributes: Mapping[str, Any], service: str) -> bytes:
    seconds, nanoseconds = divmod(_nanoseconds(at), 1_000_000_000)
    row = {
        "Timestamp": f"{seconds:010}.{nanoseconds:09}",  # fewer digits would be read as a year
        "ServiceName": service,
        "ScopeName": names.SCOPE,
        "ResourceAttributes": {names.SERVICE_NAME: service} if service else {},
        "LogAttributes": {name: _text(value) for name, value in attributes.items()},
        "EventName": event,
    }
    return json.dumps(row).encode()


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _nanoseconds(at: datetime) -> int:
    since = at - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000
