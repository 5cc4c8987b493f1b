"""Fields of Google's messages, given as proto-plus, as protobuf or as dicts; whatever is not there is None."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from otel_costs.usage.numbers import EXACT

_MICRO = Decimal("1e-6")


def field(message: Any, *path: str) -> Any:
    """Return a field of a field of ... of a message, None where there is none or it is empty."""
    for name in path:
        message = message.get(name) if isinstance(message, Mapping) else getattr(message, name, None)
        if not message:
            return None
    return message


def text(message: Any, *path: str) -> str | None:
    """Return a field that is a text."""
    found = field(message, *path)
    return found if isinstance(found, str) else None


def enum(message: Any, *path: str) -> str:
    """Return the name of an enumeration's value; empty where it is not set, or only a number."""
    found = field(message, *path)
    return str(getattr(found, "name", None) or (found if isinstance(found, str) else ""))


def seconds(message: Any, *path: str) -> Decimal | None:
    """Return a duration in seconds, exactly."""
    found = field(message, *path)
    if isinstance(found, timedelta):
        exact = EXACT.multiply(Decimal(found // timedelta(microseconds=1)), _MICRO)
        return EXACT.normalize(exact) if exact % 1 else exact.to_integral_value()
    return None


def epoch_s(message: Any, *path: str) -> int | None:
    """Return a moment in seconds since 1970."""
    found = field(message, *path)
    return int(found.timestamp()) if isinstance(found, datetime) else None
