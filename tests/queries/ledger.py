"""Records of calls and messages as rows of otel_logs, the way the collector writes them, and the store they go into."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store.kept_columns import ARRIVAL, OF_PRICE, kept_columns
from otel_costs.store.rows import Row, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

NOON: Final = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
"""Long enough ago that all is past, and not so long that it is forgotten."""

PROCESS: Final = "c0ffee" + "0" * 26

LogRow = dict[str, Any]

COST_COUNTS: Final = (
    ("cost_half_hours", "half_hour_recount"),
    ("cost_days", "day_recount"),
    ("not_priced_half_hours", "not_priced_recount"),
)

_numbers = count(1)


def call(
    at: datetime = NOON,
    *,
    cost: str | None = "0.001",
    lines: Mapping[str, str] | None = None,
    session: str = "s1",
    user: str = "u1",
    call_id: str | None = None,
    lasted: float = 1,
    event_name: str = "otel_costs.call",
    **attributes: Any,
) -> LogRow:
    """Return the ledger record of a call that ended `at`; keywords are attributes, with `__` for dots."""
    number = next(_numbers)
    record = {
        "event.name": "otel_costs.call",
        "otel_costs.call.id": call_id or f"{number:012x}4{number:019x}",
        "otel_costs.process.id": PROCESS,
        "otel_costs.call.seq": number,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "session.id": session,
        "user.id": user,
        "otel_costs.cost.usd": cost,
        "otel_costs.cost.status": "priced" if cost else "unpriced",
        "otel_costs.start_time_unix_nano": int((at.timestamp() - lasted) * 1_000_000) * 1000,
        "otel_costs.duration_s": lasted,
        **{f"otel_costs.cost.line.{unit}": usd for unit, usd in (lines or {}).items()},
        **_named(attributes),
    }
    return _row(at, record, event_name=event_name)


def job(at: datetime = NOON, *, number: int = 1, revision: int = 1, **rest: Any) -> LogRow:
    """Return the record of a provider's job: whoever looks at it writes one, with the same id and time."""
    return call(at, call_id=f"{number:012x}5{number:019x}", otel_costs__call__revision=revision, lasted=0, **rest)


def process_end(last_seq: int, at: datetime = NOON, *, process: str = PROCESS, **attributes: Any) -> LogRow:
    """Return the record that a later process writes of one that is gone, whose last call ended `at`."""
    record = {
        "event.name": "otel_costs.process",
        "otel_costs.process.id": process,
        "otel_costs.process.last_seq": last_seq,
        "service.name": "shop",
        **_named(attributes),
    }
    return _row(at, record, event_name="otel_costs.process")


def message(
    at: datetime = NOON,
    content: str = "",
    *,
    message_id: str = "m1",
    role: str = "user",
    session: str = "s1",
    user: str = "u1",
    event_name: str = "otel_costs.message",
    **attributes: Any,
) -> LogRow:
    """Return the record of a message; keywords are attributes, with `__` for dots."""
    record = {
        "event.name": "otel_costs.message",
        "otel_costs.message.id": message_id,
        "otel_costs.message.role": role,
        "otel_costs.message.type": "text",
        "session.id": session,
        "user.id": user,
        **_named(attributes),
    }
    return _row(at, record, event_name=event_name, body=content)


class Store:
    """A store to write records into and ask."""

    def __init__(self, client: "Client") -> None:
        self.client = client

    def insert(self, *records: LogRow) -> None:
        """Write records in one batch."""
        block = "\n".join(json.dumps(record) for record in records)
        self.client.raw_insert("otel_logs", insert_block=block, fmt="JSONEachRow")

    def ask(self, sql: str, **parameters: object) -> list[Row]:
        """Run a query and return its rows."""
        return rows(self.client, sql, parameters)

    def one(self, sql: str, **parameters: object) -> Row:
        """Run a query that has one row."""
        (row,) = self.ask(sql, **parameters)
        return row

    def count_sessions(self) -> None:
        """Do what session_totals_mv does every ten seconds."""
        self.client.command("insert into session_totals select *, now64(3, 'UTC') as counted_at from session_recount")

    def count_costs(self) -> None:
        """Do what cost_half_hours_mv and those like it do once records have ceased to arrive."""
        self.pretend_earlier("call_arrivals", "inserted_at", 3600)
        for table, _ in COST_COUNTS:
            # When it was counted is the version of a row, which cannot be updated.
            earlier = "counted_at - interval 1 hour as counted_at"
            self.client.command(f"insert into {table} select * replace ({earlier}) from {table} final")
            self.client.command(
                f"alter table {table} delete where counted_at > now64(3, 'UTC') - interval 1 hour",
                settings={"mutations_sync": 1},
            )
        for table, recount in COST_COUNTS:
            columns = "select groupArray(name) as names from system.columns where table = {view:String}"
            names = ", ".join(self.one(f"{columns} and database = currentDatabase()", view=recount)["names"])
            self.client.command(f"insert into {table} ({names}, counted_at) select *, now64(3, 'UTC') from {recount}")

    def reprice(self, where: str, *, usd: str, unit: str) -> None:
        """Insert the calls that `where` finds again, one revision higher, at another price."""
        anew = ("cost_usd", "cost_lines", "cost_status", "list_usd", "contracted_usd", "revision")
        facts = ", ".join(kept_columns(self.client, "calls", (*ARRIVAL, *OF_PRICE, *anew)))
        self.client.command(
            f"insert into call_records ({facts}, revision, cost_usd, cost_lines, cost_status)"
            f" select {facts}, revision + 1, toDecimal128('{usd}', 12) as usd, map('{unit}', usd), 'priced'"
            f" from calls final where {where}"
        )

    def pretend_earlier(self, table: str, column: str, seconds: int) -> None:
        """Let what is in a table have come earlier."""
        self.client.command(
            f"alter table {table} update {column} = {column} - interval {seconds} second where true",
            settings={"mutations_sync": 1},
        )


def at(clock: str, *, day: int = 0) -> datetime:
    """Return a time of day, `10:30:00.5`, on the day of NOON or days later."""
    return datetime.fromisoformat(f"{NOON + timedelta(days=day):%Y-%m-%d}T{clock}+00:00")


def only(found: Iterable[Row], *columns: str) -> list[tuple[Any, ...]]:
    """Return some columns of rows."""
    return [tuple(row[column] for column in columns) for row in found]


def _named(attributes: Mapping[str, object]) -> dict[str, object]:
    return {name.replace("__", "."): value for name, value in attributes.items()}


def _row(at: datetime, record: Mapping[str, object], *, event_name: str, body: str = "") -> LogRow:
    return {
        "Timestamp": f"{at:%Y-%m-%d %H:%M:%S.%f}",
        "ServiceName": "shop",
        "Body": body,
        "TraceId": "ab" * 16,
        "SpanId": "cd" * 8,
        "LogAttributes": {name: str(value) for name, value in record.items() if value is not None},
        "EventName": event_name,
    }
