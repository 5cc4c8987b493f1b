"""A report as JSON, in the shapes of the HTTP interface: money as exact strings, times in ISO 8601, milliseconds."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal


def money(amount: Decimal) -> str:
    """Write `amount` exactly, with at least six decimals: "0.074250"; nothing is "0"."""
    if not amount:
        return "0"
    whole, _, fraction = format(amount, "f").partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<6}"


def as_json(report: object, *, indent: int | None = None) -> str:
    """Write a report as JSON. Keys that end in `_usd` and those of `cost_breakdown` and `cost_lines` are money."""
    return json.dumps(plain(report), indent=indent, ensure_ascii=False)


def plain(value: object, *, is_money: bool = False) -> object:
    """Return `value` in JSON's types."""
    if isinstance(value, Mapping):
        return {key: plain(item, is_money=is_money or _is_money(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, is_money=is_money) for item in value]
    if isinstance(value, Decimal):
        return money(value) if is_money else _number(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _is_money(key: object) -> bool:
    return str(key).endswith("_usd") or key in ("cost_breakdown", "cost_lines")


def _number(quantity: Decimal) -> int | float:
    return int(quantity) if quantity == quantity.to_integral_value() else float(quantity)
