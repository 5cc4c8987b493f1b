"""Files of the FOCUS export: CSV, and Parquet with the types of its columns."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import islice
from typing import Any, Final

from otel_costs.chargeback.focus_columns import COLUMNS, DATE_TIME, DECIMAL, STRING
from otel_costs.store.rendering import csv_cell
from otel_costs.store.rows import Row

_ROWS: Final = 10_000
_SCALE: Final = 18
"""Decimals of Parquet's numbers: more than the twelve of an amount, for the price of one token."""
_EXACT: Final = Context(prec=38, rounding=ROUND_HALF_EVEN)


def as_csv(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield CSV with a header: times in UTC as YYYY-MM-DDTHH:mm:ssZ, numbers in full, null as nothing."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_written(name, row[name]) for name in COLUMNS])
        if out.tell() > 1 << 16:
            yield _taken(out)
    yield _taken(out)


def as_parquet(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a Parquet file. Raises ImportError where the extra `parquet` is not installed."""
    import pyarrow as pa  # noqa: PLC0415  # an extra of ours
    import pyarrow.parquet as pq  # noqa: PLC0415

    kinds = {DECIMAL: pa.decimal128(38, _SCALE), DATE_TIME: pa.timestamp("s", tz="UTC")}
    schema = pa.schema([(name, kinds.get(kind, pa.string())) for name, kind in COLUMNS.items()])
    out, listed = io.BytesIO(), iter(rows)
    with pq.ParquetWriter(out, schema) as writer:
        while block := list(islice(listed, _ROWS)):
            columns = {name: [_typed(row[name]) for row in block] for name in COLUMNS}
            writer.write_table(pa.table(columns, schema=schema))
    yield out.getvalue()


def _taken(out: io.StringIO) -> bytes:
    found = out.getvalue().encode("utf-8", "replace")
    out.seek(0)
    out.truncate()
    return found


def _written(name: str, value: Any) -> Any:
    if value is None:
        return ""
    if COLUMNS[name] == DECIMAL:
        return _number(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return csv_cell(name, value) if COLUMNS[name] == STRING else value


def _number(value: Decimal | int) -> str:
    """Write all digits, with a decimal point: readers that guess a type must not take decimals for integers."""
    whole, _, fraction = f"{Decimal(value):f}".partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def _typed(value: Any) -> Any:
    if isinstance(value, int):
        value = Decimal(value)
    return _EXACT.quantize(value, Decimal(1).scaleb(-_SCALE)) if isinstance(value, Decimal) else value
