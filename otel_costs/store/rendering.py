"""A report as JSON, in the shapes of the HTTP interface: money as exact strings, times in ISO 8601, milliseconds.

The cells of CSV are made of the same values.
"""

import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet reads a formula by, at the beginning of a cell."""


def money(amount: Decimal) -> str:
    """Write `amount` exactly, with at least six decimals: "0.074250"; nothing is "0"."""
    if not amount:
        return "0"
    whole, _, fraction = format(amount, "f").partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<6}"


def as_json(report: object, *, indent: int | None = None, numbers: bool = False) -> str:
    """Write a report as JSON. Keys in `_usd` or `amount`, and those of `cost_breakdown` and `cost_lines`, are money.

    `numbers`: money as numbers, all digits of it, in the place of strings.
    """
    if not numbers:
        return json.dumps(plain(report), indent=indent, ensure_ascii=False)
    # As texts that begin with what no other text can have, for a float would lose digits.
    mark = secrets.token_hex(16)
    text = json.dumps(plain(report, mark=mark), indent=indent, ensure_ascii=False)
    return re.sub(f'"{mark}(-?[0-9.]+)"', r"\1", text)


def plain(value: object, *, is_money: bool = False, mark: str = "") -> object:
    """Return `value` in JSON's types; money as a text that begins with `mark`."""
    if isinstance(value, Mapping):
        return {key: plain(item, is_money=is_money or _is_money(key), mark=mark) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, is_money=is_money, mark=mark) for item in value]
    if isinstance(value, Decimal):
        return f"{mark}{money(value)}" if is_money else _number(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def csv_cell(name: str, value: object) -> object:
    """Return what stands in the cell of a column: money exact, times in ISO 8601, nested values in JSON.

    A text that a spreadsheet would read as a formula begins with an apostrophe, as OWASP has it (CSV injection).
    """
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    row: Any = plain({name: value})
    written = row[name]
    return json.dumps(written, ensure_ascii=False) if isinstance(written, dict | list) else written


def _is_money(key: object) -> bool:
    return str(key).endswith(("_usd", "_amount")) or key in ("amount", "cost_breakdown", "cost_lines")


def _number(quantity: Decimal) -> int | float:
    return int(quantity) if quantity == quantity.to_integral_value() else float(quantity)
