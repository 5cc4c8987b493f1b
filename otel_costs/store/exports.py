"""Exports: every row of what the store knows, as dictionaries or as a file in ClickHouse's own formats, money exact."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal

from otel_costs.store import opened_content, opened_export
from otel_costs.store.rows import Row, between, rows, store_errors

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Format = Literal["csv", "json", "parquet"]

EXPORTS: Final[Mapping[str, tuple[str, str]]] = {
    "calls": ("billed_calls", "end_time"),
    "lines": ("call_lines", "end_time"),
    "messages": ("session_messages", "timestamp"),
    "sessions": ("sessions", "start_time"),
}
"""What can be exported: the view, and the time that [since, until) speaks of."""

_FORMATS: Final[Mapping[Format, str]] = {"csv": "CSV", "json": "JSONEachRow", "parquet": "Parquet"}
_CHUNK: Final = 1 << 20
_MOST_TAGS: Final = 500
"""Tags that have a column each in CSV; where there are more, they are one column of JSON."""
# A parser that reads numbers as doubles must not see money as one; \\N for null is ClickHouse's own, and so are times
# without a zone.
_WRITTEN: Final = (
    " settings output_format_json_quote_decimals = 1, format_csv_null_representation = '',"
    " date_time_output_format = 'iso'"
)


def export(
    client: "Client", what: str, *, user: str | None = None, since: date | None = None, until: date | None = None
) -> Iterator[Row]:
    """Yield every row of `what`, oldest first, a block of them in memory at a time.

    Raises KeyError when `what` is none of EXPORTS, StoreError when the store fails.
    """
    with store_errors():
        stream = client.query_rows_stream(
            _query(what), parameters={"user": user, **between(since, until)}, tz_mode="aware"
        )
        with stream:
            names = stream.source.column_names  # type: ignore[union-attr]  # a query's result, behind a base class
            for row in stream:
                yield dict(zip(names, row, strict=True))


def export_file(
    client: "Client",
    what: str,
    file_format: Format,
    *,
    user: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Iterator[bytes]:
    """Yield `what` as a file: CSV with a header, a JSON object per line, or Parquet; ids in hex, times in UTC.

    Content of messages that is sealed is opened where the environment has its key, but in Parquet. Times are in ISO
    8601. Tags are an object in JSON, and columns `tag.NAME` in CSV, behind the others.

    Raises KeyError when `what` or the format is unknown, StoreError when the store fails.
    """
    parameters = {"user": user, **between(since, until)}
    if what == "messages" and file_format != "parquet" and opened_content.has_keys():
        found = export(client, what, user=user, since=since, until=until)
        yield from opened_export.written(opened_content.opened_messages(found), file_format)
        return
    columns, header = _columns(client, what, parameters) if file_format == "csv" else ("*", b"")
    with store_errors():
        stream = client.raw_stream(_query(what, columns), parameters=parameters, fmt=_FORMATS[file_format])
        with stream:
            if header:
                yield header
            while chunk := stream.read(_CHUNK):  # type: ignore[union-attr]
                yield chunk


def _columns(client: "Client", what: str, parameters: dict[str, Any]) -> tuple[str, bytes]:
    """Return what is selected for CSV, and the header: a column for each tag, and what is nested as JSON.

    Binds the names of the tags in `parameters`, for they come from outside.
    """
    view, _ = EXPORTS[what]
    types = {row["name"]: row["type"] for row in rows(client, f"describe table {view}")}
    tags: list[str] = []
    if "tags" in types:
        named = f"select distinct arrayJoin(mapKeys(tags)) as name {_source(what)} limit {_MOST_TAGS + 1}"
        found = rows(client, named, parameters)
        tags = sorted(row["name"] for row in found)
    if len(tags) > _MOST_TAGS:
        tags = []
    elif "tags" in types:
        del types["tags"]
    parameters |= {f"tag_{number}": tag for number, tag in enumerate(tags)}
    nested = ("Map(", "Array(", "Tuple(")
    chosen = [f"toJSONString({name})" if kind.startswith(nested) else name for name, kind in types.items()]
    chosen += [f"tags[{{tag_{number}:String}}]" for number in range(len(tags))]
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow([*types, *(f"tag.{tag}" for tag in tags)])
    return ", ".join(chosen), header.getvalue().encode("utf-8", "replace")


def _query(what: str, columns: str = "*") -> str:
    return f"select {columns} {_source(what)} order by {EXPORTS[what][1]}{_WRITTEN}"


def _source(what: str) -> str:
    view, time = EXPORTS[what]
    return (
        f"from {view} where ({{user:Nullable(String)}} is null or user_id = {{user:Nullable(String)}})"
        f" and {time} >= {{since:DateTime64(3, 'UTC')}} and {time} < {{until:DateTime64(3, 'UTC')}}"
    )
