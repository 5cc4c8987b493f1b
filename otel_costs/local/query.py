"""One query of ClickHouse's HTTP interface: read from a request, run on the engine."""

import asyncio
import email
import email.policy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from starlette.requests import Request

from otel_costs.local import body, compression, limits, native_format, sql_guard
from otel_costs.local.guard import Guard
from otel_costs.local.sql_guard import Statement
from otel_costs.store.embedded import Connection, Engine, EngineError, quote_name

LIMIT: Final = 512 * 2**20
"""Bytes of a query and its data, also after decompression."""

# Parameters of the interface itself; all others are settings of the engine.
_OWN: Final = frozenset(
    {"async_insert", "buffer_size", "client_protocol_version", "compress", "database", "decompress", "default_format"}
    | {"http_headers_progress_interval_ms", "password", "query", "query_id", "quota_key", "role", "send_progress"}
    | {"cancel_http_readonly_queries_on_client_close", "enable_http_compression", "send_progress_in_http_headers"}
    | {"session_check", "session_id", "session_timeout", "stacktrace", "user", "wait_end_of_query"}
    | {"wait_for_async_insert"}
)


_READS: Final = re.compile(rb"\s*(select|with|show|desc|describe|exists|explain)\b", re.IGNORECASE)
_SELECTS: Final = re.compile(rb"\b(select|with)\b")
_INSERTS: Final = re.compile(r"\binsert\s+into\b", re.IGNORECASE)  # too often is fine: that one waits, too
_NOT_HELD: Final = frozenset({"kill", "system"})  # verbs that the engine runs with readonly = 2 too


@dataclass(frozen=True, slots=True)
class Query:
    """What a request asks. `data` follows the SQL when that is an INSERT."""

    sql: bytes
    data: bytes = b""
    default_format: str = "TabSeparated"
    database: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0  # of the Native format that the client reads
    query_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # for the response, in place of the usual ones

    @property
    def brings_data(self) -> bool:
        """Return whether it is an INSERT of rows that come with it: not of what a SELECT finds."""
        head = (self.sql[:4096] + b" " + self.data[:16]).lower()
        return head.lstrip().startswith(b"insert") and (bool(self.data) or not _SELECTS.search(head))

    @property
    def only_reads(self) -> bool:
        """Return whether nothing is lost when it is broken off."""
        return self.is_readonly or _READS.match(self.sql) is not None

    @property
    def is_readonly(self) -> bool:
        """Return whether it may change nothing."""
        return self.settings.get("readonly", "0") != "0"


@dataclass(frozen=True, slots=True)
class Result:
    """What a query gave: the bytes, their format, and how many rows it wrote."""

    content: bytes
    format: str
    written_rows: int = 0


async def read(request: Request, share: body.BodyShare) -> Query:
    """Read the query out of `request`; only a POST may write. Raises the errors of `body.read`, and ValueError."""
    content = await body.read(request, LIMIT, share)
    fields = dict(request.query_params)
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        fields |= _form(kind, content)
        content = b""
    if fields.get("decompress") == "1":
        content = await asyncio.to_thread(compression.unframe, content, LIMIT)
    if request.headers.get("x-clickhouse-format"):
        fields["default_format"] = request.headers["x-clickhouse-format"]
    if request.headers.get("x-clickhouse-database"):
        fields["database"] = request.headers["x-clickhouse-database"]
    query = of_fields(fields)
    if request.method != "POST":
        query = replace(query, settings={**query.settings, "readonly": "2"})
    return replace(query, data=content) if query.sql else replace(query, sql=content)


def of_fields(fields: Mapping[str, str]) -> Query:
    """Make a query of the parameters of a URL or a form."""
    return Query(
        sql=fields.get("query", "").encode(),
        default_format=fields.get("default_format", "TabSeparated"),
        database=fields.get("database", ""),
        settings={name: value for name, value in fields.items() if _is_setting(name)},
        parameters={name[6:]: value for name, value in fields.items() if name.startswith("param_")},
        revision=int(fields.get("client_protocol_version", "0")),
        query_id=fields.get("query_id", ""),
    )


class Runner:
    """Runs queries, each on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._guard = Guard(engine)
        about = engine.execute("SELECT displayName(), version(), timezone()").decode().rstrip("\n").split("\t")
        self.display_name, self.version, self.timezone = about

    def run(self, query: Query, settings: Mapping[str, str]) -> Result:
        """Run `query` with `settings` for its own, and return all of its result.

        Raises EngineError, guard.ForbiddenError, statement.SeveralStatementsError, statement.UnreadableError.
        """
        if query.revision and b" ".join(query.sql.split()).lower() == native_format.HELLO.encode():
            return Result(native_format.hello(query.revision, self.display_name, self.version, self.timezone), "Native")
        self._guard.check_settings(query.settings)
        sql, asked = _whole(query)
        if not asked.verb:
            raise EngineError(62, "Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR)")
        if query.is_readonly and asked.verb in _NOT_HELD:
            raise EngineError(164, f"Code: 164. DB::Exception: {asked.verb.upper()} needs a POST. (READONLY)")
        with self._engine.connect() as connection:
            limits.check_changes(self._guard.check(connection, asked, query.parameters), settings)
            if query.database:
                connection.execute(f"USE {quote_name(query.database)}")
            connection.set(settings)
            return _run(connection, query, sql, asked)


def _whole(query: Query) -> tuple[bytes, Statement]:
    """Return the SQL with the data that the engine reads as part of it, and what that says."""
    asked = sql_guard.read(query.sql)
    if not query.data or asked.data_format is not None:
        return query.sql, asked
    # The SQL ends where its data begins only behind FORMAT; else both are one text, as VALUES and its rows.
    sql = query.sql + b"\n" + query.data
    return sql, sql_guard.read(sql)


def _run(connection: Connection, query: Query, sql: bytes, asked: Statement) -> Result:
    if asked.data_format is not None:
        chunks = [chunk for chunk in (asked.data, query.data) if chunk]
        into, settings = asked.before_settings
        rows = connection.insert(into, chunks, input_format=asked.data_format, settings=settings)
        return Result(b"", "", rows)
    text = sql_guard.text_of(sql)
    is_insert = asked.verb == "insert" or (asked.verb == "with" and _INSERTS.search(text))
    run = connection.insert_selected if is_insert else connection.execute
    content = run(text, output_format=query.default_format, parameters=query.parameters)
    return Result(content, asked.output_format or query.default_format)


def _is_setting(name: str) -> bool:
    return name not in _OWN and not name.startswith("param_")


def _form(content_type: str, content: bytes) -> dict[str, str]:
    """Read the text fields of a form: clickhouse-connect sends one when its parameters are too long for a URL."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.message_from_bytes(head + content, policy=email.policy.HTTP)
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(data, bytes):
            fields[name] = data.decode()
    return fields
