"""Exports: every row of what the store knows, as dictionaries or as a file in ClickHouse's own formats, money exact."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

from otel_costs.store.rows import Row, between, telling

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

_FORMATS: Final[Mapping[Format, str]] = {"csv": "CSVWithNames", "json": "JSONEachRow", "parquet": "Parquet"}
_CHUNK: Final = 1 << 20


def export(
    client: "Client", what: str, *, user: str | None = None, since: date | None = None, until: date | None = None
) -> Iterator[Row]:
    """Yield every row of `what`, oldest first, a block of them in memory at a time.

    Raises KeyError when `what` is none of EXPORTS, StoreError when the store fails.
    """
    with telling():
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

    Raises KeyError when `what` or the format is unknown, StoreError when the store fails.
    """
    with telling():
        stream = client.raw_stream(
            _query(what), parameters={"user": user, **between(since, until)}, fmt=_FORMATS[file_format]
        )
        with stream:
            while chunk := stream.read(_CHUNK):  # type: ignore[union-attr]
                yield chunk


def _query(what: str) -> str:
    view, time = EXPORTS[what]
    return (
        f"select * from {view} where ({{user:Nullable(String)}} is null or user_id = {{user:Nullable(String)}})"  # noqa: S608
        f" and {time} >= {{since:DateTime64(3, 'UTC')}} and {time} < {{until:DateTime64(3, 'UTC')}} order by {time}"
        # A parser that reads numbers as doubles must not see money as one; \\N for null is ClickHouse's own.
        " settings output_format_json_quote_decimals = 1, format_csv_null_representation = ''"
    )
