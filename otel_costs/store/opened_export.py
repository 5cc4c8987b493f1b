"""Messages as a file, opened: what ClickHouse, which has no key, cannot write itself."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from otel_costs.store.rows import Row


def written(rows: Iterable[Row], file_format: Literal["csv", "json"]) -> Iterator[bytes]:
    """Yield rows as the store would write them: an object of JSON per line, or CSV with a header."""
    has_header = False
    for row in rows:
        plain = {name: _plain(value) for name, value in row.items()}
        if file_format == "json":
            yield f"{json.dumps(plain, ensure_ascii=False)}\n".encode("utf-8", "replace")
            continue
        if not has_header:
            yield _line(row)
            has_header = True
        yield _line(json.dumps(value) if isinstance(value, bool) else value for value in plain.values())


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f"{value:f}" if isinstance(value, Decimal) else value


def _line(values: Iterable[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue().encode("utf-8", "replace")
