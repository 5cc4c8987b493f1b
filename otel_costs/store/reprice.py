"""Stored calls priced again by the prices that hold here: a newer revision of each call whose price is another one.

Nothing is updated in place, and what was used never changes. A cost that the provider itself reported stays the cost;
our own price beside it changes. Pricing twice changes nothing more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs import semconv as names
from otel_costs.calls.bill import cost_attributes
from otel_costs.store import stored_call
from otel_costs.store.connection import StoreError
from otel_costs.store.contract_charges import write_charges
from otel_costs.store.kept_columns import ARRIVAL, OF_PRICE, kept_columns
from otel_costs.store.periods import UTC_ZONE, month_of
from otel_costs.store.rows import Row, between, rows, store_errors
from otel_costs.store.settling import Settling, is_settled
from otel_costs.values import sanitize

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_PRICE: Final = (
    "cost_usd", "cost_lines", "cost_status", "cost_reason", "cost_source", "computed_usd", "list_usd",
    "contracted_usd", "contract_amount", "contract_currency", "contract_id", "reservation_id", "price_id",
)  # fmt: skip
"""The columns that a price fills, but for its book: another version of it alone is no change."""

_WHERE: Final = (
    " where end_time >= {since:DateTime64(3, 'UTC')} and end_time < {until:DateTime64(3, 'UTC')} and not superseded"
    " and ({user:Nullable(String)} is null or user_id = {user:Nullable(String)} or user_id = '' and session_id in"
    " (select session_id from session_owners where user_id = {user:Nullable(String)}))"
    " and ({session:Nullable(String)} is null or session_id = {session:Nullable(String)})"
    " and ({provider:Nullable(String)} is null or provider = {provider:Nullable(String)})"
    " and ({model:Nullable(String)} is null or {model:Nullable(String)} in (model, request_model))"
    " and (not {unpriced:Bool} or cost_status in ('unpriced', 'partial'))"
)


_ATTEMPTS: Final = 3
"""A call that was being stored when a settlement began may be missing in its first pass, and not in its second."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which calls are looked at: those that ended in [since, until); None is any. `unpriced`: without a whole price.

    `as_of`: as they were stored then, without what arrived later.
    """

    since: date | None = None
    until: date | None = None
    user: str | None = None
    session: str | None = None
    provider: str | None = None
    model: str | None = None
    unpriced: bool = False
    as_of: datetime | None = None

    def parameters(self) -> dict[str, object]:
        """Return them as a query's parameters."""
        own = {name: getattr(self, name) for name in ("user", "session", "provider", "model", "unpriced", "as_of")}
        for name in ("session", "provider"):  # as they are recorded; the user is so already
            own[name] = None if own[name] is None else sanitize.asked_for(own[name])
        return {**own, **between(self.since, self.until)}


@dataclass(slots=True)
class Sum:
    """What changed for the calls of one provider and model: how many, and their cost before and after, in dollars.

    `unpriced_before` and `unpriced_after` count those of them that have no cost in the sum; `computed_only` those whose
    cost is the provider's own and stays.
    """

    provider: str
    model: str
    calls: int = 0
    before_usd: Decimal = Decimal()
    after_usd: Decimal = Decimal()
    unpriced_before: int = 0
    unpriced_after: int = 0
    computed_only: int = 0

    def add(self, before: Row, after: Row) -> None:
        """Count a call."""
        self.calls += 1
        self.before_usd += before["cost_usd"] or 0
        self.after_usd += after["cost_usd"] or 0
        self.unpriced_before += before["cost_usd"] is None
        self.unpriced_after += after["cost_usd"] is None
        self.computed_only += after["cost_source"] == "provider"


@dataclass(slots=True)
class Result:
    """How many calls were looked at, and what changed by provider and model."""

    checked: int = 0
    sums: dict[tuple[str, str], Sum] = field(default_factory=dict)

    def add(self, before: Row, after: Row) -> None:
        """Count a call whose price is another one."""
        key = before["provider"], before["model"]
        self.sums.setdefault(key, Sum(*key)).add(before, after)


def reprice(client: "Client", chosen: Chosen, *, dry_run: bool = False) -> Result:
    """Price the chosen calls again and store, unless it is a `dry_run`, what has another price; say what that was.

    A call that `settle` has settled stays as it is, as long as its list price and its contract do. Raises StoreError;
    days that were done until then are done, and the next time goes on from there.
    """

    def again(row: Row) -> Row:
        found = priced(row)
        return row if is_settled(row, found) else found

    return _reprice(client, chosen, again, Result(), dry_run=dry_run)


def settle(client: "Client", month: datetime, *, dry_run: bool = False, now: datetime | None = None) -> Result:
    """Price the calls again that ended in a month, which begins at `month` (UTC), and settle what only it can tell.

    Calls under a discount by volume get their part of the month's discount, those under a reservation their share of
    the hour; what was not used is written to contract_charges. Of a month or an hour that is not over it is as much as
    can be told `now`, and stays an estimate. Raises StoreError; once more sets right what was not done.
    """
    found = Result()
    for _ in range(_ATTEMPTS):
        settling = Settling(month, month_of(month, UTC_ZONE)[1], now or datetime.now(UTC))
        found = Result(sums={} if dry_run else found.sums)
        _settle(client, settling, found, dry_run=dry_run)
        if settling.is_whole():
            if not dry_run:
                write_charges(client, settling)
            return found
    raise StoreError("calls of the month changed while it was settled, so not all is shared: run it again")


def _settle(client: "Client", settling: Settling, result: Result, *, dry_run: bool) -> None:
    """Go through the calls of a month twice, as they were stored when that began: what arrives later waits."""
    (server,) = rows(client, "select now64(3, 'UTC') as now")
    chosen = Chosen(settling.since, settling.until, as_of=server["now"])
    columns = _columns(client)
    for day in _days(client, chosen):
        for row in _calls(client, columns, chosen, day):
            settling.add(row)
    settling.close()
    _reprice(client, chosen, lambda row: settling.settle(row, priced(row)), result, dry_run=dry_run)


def _reprice(client: "Client", chosen: Chosen, again: Callable[[Row], Row], result: Result, *, dry_run: bool) -> Result:
    columns = _columns(client)
    for day in _days(client, chosen):
        changed: list[Row] = []
        for row in _calls(client, columns, chosen, day):
            result.checked += 1
            after = {**row, **again(row)}
            if any(row[column] != after[column] for column in _PRICE):
                result.add(row, after)
                changed.append({**after, "revision": row["revision"] + 1, "repriced": True})
        if changed and not dry_run:
            _write(client, columns, changed)
    return result


def priced(row: Mapping[str, Any]) -> Row:
    """Return the columns that the price fills, of a row that has recorded.COLUMNS, as its ledger record would today."""
    found = cost_attributes(stored_call.bill(row), stored_call.cost(row))
    prefix, list_usd = names.COST_LINE_PREFIX, stored_call.list_usd(found)
    contracted = stored_call.amount(found, names.COST_CONTRACTED_USD)
    return {
        "cost_usd": stored_call.amount(found, names.COST_USD),
        "cost_lines": {k.removeprefix(prefix): Decimal(v) for k, v in found.items() if k.startswith(prefix)},
        "cost_status": found[names.COST_STATUS],
        "cost_reason": found.get(names.COST_REASON, ""),
        "cost_source": found.get(names.COST_SOURCE, ""),
        "computed_usd": stored_call.amount(found, names.COST_COMPUTED_USD),
        "list_usd": list_usd,
        "contracted_usd": list_usd if contracted is None else contracted,
        "contract_amount": stored_call.amount(found, names.CONTRACT_AMOUNT),
        "contract_currency": found.get(names.CONTRACT_CURRENCY, ""),
        "contract_id": found.get(names.CONTRACT_ID, ""),
        "reservation_id": found.get(names.CONTRACT_RESERVATION, ""),
        "price_id": found.get(names.PRICE_ID, ""),
        "price_book": found.get(names.PRICE_BOOK, ""),
    }


def _columns(client: "Client") -> list[str]:
    """Return the columns of a call that a newer revision has as well; the others follow from its price."""
    return kept_columns(client, "calls", (*ARRIVAL, *OF_PRICE))


def _days(client: "Client", chosen: Chosen) -> list[date]:
    # Day by day, as the table is kept: what is in memory is one day's changes.
    sql = f"select distinct toDate(end_time) as day from calls{_WHERE} order by day"  # noqa: S608
    return [row["day"] for row in rows(client, sql, chosen.parameters())]


def _calls(client: "Client", columns: Sequence[str], chosen: Chosen, day: date) -> Iterator[Row]:
    # In an order that is always the same: what is shared to the last digit depends on it. `prewhere` chooses among the
    # copies of a call before the newest one is found: a later one does not hide what was there.
    arrived = " prewhere inserted_at <= {as_of:DateTime64(3, 'UTC')}" if chosen.as_of else ""
    sql = (
        f"select {', '.join(columns)} from calls final{arrived}{_WHERE} and toDate(end_time) = {{day:Date}}"  # noqa: S608
        " order by end_time, call_id, user_id, session_id"
    )
    with store_errors():
        stream = client.query_rows_stream(sql, parameters={**chosen.parameters(), "day": day}, tz_mode="aware")
        with stream:
            for row in stream:
                yield dict(zip(columns, row, strict=True))


def _write(client: "Client", columns: Sequence[str], changed: Sequence[Row]) -> None:
    with store_errors("cannot store the new prices"):
        client.insert("call_records", [[row[name] for name in columns] for row in changed], column_names=columns)
