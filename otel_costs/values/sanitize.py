"""Values made safe for the OpenTelemetry SDK: one bad value in a record loses the whole batch that it is sent with.

A lone surrogate, an int of 2**63 and more, a set, a Decimal, an object or a cycle makes the exporter fail; see
`docs/decisions/messages.md`. Nothing here raises, and nothing that is returned refers to the caller's objects.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from typing import Any, Final

from otel_costs.usage import numbers
from otel_costs.values import media

Value = str | bool | int | float | list[str] | list[bool] | list[int] | list[float]

MAX_TEXT: Final = 65_536  # bytes of UTF-8: what one value may hold
MAX_COUNTED: Final = 1 << 20  # characters: to encode 10 MB takes 5 ms
MAX_IDENTIFIER: Final = 256  # characters
_MAX_LABEL: Final = 64  # characters
MAX_ATTRIBUTES: Final = (
    64  # the SDK keeps 128 and drops the oldest: the rest is for usage and money, which are set last
)
MAX_DEPTH: Final = 24
MAX_NODES: Final = 10_000
MAX_ITEMS: Final = 256  # of a list that is an attribute
_INT_LIMIT: Final = 2**63
# With one slash, too, as a path is written that was made of an address.
_ADDRESS: Final = re.compile(r"(?<![\w+.-])([A-Za-z][\w+.-]{1,30}://|https?:/)([^\s\"'<>`]*)")
_MAX_MAGNITUDE: Final = 30  # digits before or behind the point of a number
MAX_USD: Final = Decimal(10**12)  # dollars: from there on the ledger holds none
_USD: Final = Decimal("1e-12")


def text(value: object) -> str:
    """Return `value` as a str that UTF-8 can carry.

    Halves of a surrogate pair are joined, a lone one becomes U+FFFD; NUL stays.
    """
    if type(value) is not str:
        return _stringify(value)
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def cut(value: str, limit: int = MAX_TEXT) -> str:
    """Return the longest head of a clean `value` that is at most `limit` bytes of UTF-8."""
    if len(value) * 4 <= limit or (len(value) <= limit and value.isascii()):
        return value
    head = value[:limit].encode()
    return value if len(head) <= limit and len(value) <= limit else head[:limit].decode("utf-8", "ignore")


def size(value: str) -> int:
    """Return the bytes of `value` in UTF-8; of more than 2**20 characters beyond ASCII an estimate by samples."""
    if value.isascii():
        return len(value)
    if len(value) <= MAX_COUNTED:
        return len(value.encode("utf-8", "replace"))
    sample = "".join(value[i : i + 1024] for i in range(0, len(value), len(value) // 64))
    return len(value) * len(sample.encode("utf-8", "replace")) // len(sample)


def without_credentials(value: str) -> str:
    """Return `value` with each address in it freed of what may be a credential: user and password, query, fragment."""
    return _ADDRESS.sub(_plain_address, value) if ":/" in value else value


def _plain_address(match: re.Match[str]) -> str:
    path = match[2].partition("?")[0].partition("#")[0]
    authority, slash, rest = path.partition("/")
    return f"{match[1]}{authority.rpartition('@')[2]}{slash}{rest}"


def identifier(value: object) -> str:
    """Return an id of a session, user, model or function, clean and of at most 256 characters.

    A longer one keeps its head and gets `~` and 16 hex digits of its SHA-256, so that two long ids stay two.
    A lone surrogate is written out (`\\udc80`), for the same reason. None is the empty string.
    """
    if type(value) is not str:
        value = "" if value is None else _stringify(value)
    if value.isascii():
        if len(value) <= MAX_IDENTIFIER:
            return value
    else:
        value = value.encode("utf-8", "backslashreplace").decode()
        if len(value) <= MAX_IDENTIFIER:
            return value
    return f"{value[: MAX_IDENTIFIER - 17]}~{sha256(value.encode()).hexdigest()[:16]}"


def asked_for(text: str) -> str:
    """Return what an id that is asked for is recorded as; what is no text stays so, and the store refuses it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text
    return identifier(text)


def printable(text: str) -> str:
    """Return `text` on one line: an id must not be able to forge a line of the log."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def label(value: object) -> str:
    """Return a name that others chose as it may stand in a line of a log: printable, at most 64 characters."""
    return printable(identifier(value))[:_MAX_LABEL]


def attributes(values: Mapping[str, object], *, limit: int = MAX_ATTRIBUTES) -> dict[str, Value]:
    """Return at most `limit` of `values`, the first ones, as the SDK can carry them; what is None is left out."""
    cleaned: dict[str, Value] = {}
    for key, item in _items(values):
        if len(cleaned) >= limit:
            break
        kept = attribute(item)
        if kept is not None and (name := identifier(key)):
            cleaned[name] = kept
    return cleaned


def attribute(value: object) -> Value | None:
    """Return `value` as one attribute: a Decimal or a large int as its digits, what is nested as JSON, None as None."""
    if type(value) is str:
        return value if value.isascii() and len(value) <= MAX_TEXT else cut(text(value))
    if value is None or value is True or value is False:
        return value
    if type(value) is int:
        return value if -_INT_LIMIT <= value < _INT_LIMIT else _digits(value)
    if type(value) is float:
        return value if math.isfinite(value) else str(value)
    try:
        return _sequence(value) if type(value) is list else _odd(value)
    except Exception:  # noqa: BLE001
        return f"[{type(value).__name__}]"


def to_json(value: object, limit: int = MAX_TEXT) -> str:
    """Return `value` as JSON of at most `limit` bytes: cut where it is longer, cycles and odd types made harmless."""
    try:
        for share in (1, 4, 16):  # escapes may make six bytes of one
            written = json.dumps(
                _plain(value, MAX_DEPTH, _Budget(MAX_NODES // share, limit // share)), ensure_ascii=False
            )
            if size(written) <= limit:
                return written
        return cut(written, limit)
    except Exception:  # noqa: BLE001  # a mapping or a number with methods of its own
        return cut(_stringify(value), limit)


class _Budget:
    """What is left for one value: nodes to visit and characters to keep."""

    __slots__ = ("characters", "nodes")

    def __init__(self, nodes: int, characters: int) -> None:
        self.nodes = nodes
        self.characters = characters


def _plain(value: Any, depth: int, budget: _Budget) -> Any:
    """Return a bounded copy of `value` that JSON knows."""
    budget.nodes -= 1
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        room = max(budget.characters, 0)
        value = str.__str__(value)
        kept = text((media.replace_embedded(value, room) if len(value) >= media.MIN_EMBEDDED else value)[:room])
        budget.characters -= len(kept)
        return kept
    if isinstance(value, int):
        return int(value) if -_INT_LIMIT <= value < _INT_LIMIT else _digits(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _container(value, depth - 1, budget) if depth > 0 else "..."
    return _stringify(value)


def _container(value: Any, depth: int, budget: _Budget) -> Any:
    if isinstance(value, Mapping):
        mapping: dict[str, Any] = {}
        for key, item in _items(value):
            if budget.nodes <= 0 or budget.characters <= 0:
                break
            budget.characters -= 8
            mapping[identifier(key)] = _plain(item, depth, budget)
        return mapping
    sequence = []
    for item in value:
        if budget.nodes <= 0 or budget.characters <= 0:
            break
        budget.characters -= 2
        sequence.append(_plain(item, depth, budget))
    return sequence


def _items(values: Mapping[Any, Any]) -> Iterable[tuple[Any, Any]]:
    """Return a copy of the items: a thread may change the mapping meanwhile, and the application's own may fail."""
    try:
        return list(values.items())
    except Exception:  # noqa: BLE001
        return ()


def _odd(value: object) -> Value | None:
    """Return an attribute of what is no plain str, number or None."""
    if isinstance(value, list | tuple):
        return _sequence(value)
    if isinstance(value, Mapping | set | frozenset):
        return to_json(value)
    if isinstance(value, int | float) and not isinstance(value, Enum):
        return attribute(int(value) if isinstance(value, int) else float(value))
    return cut(_stringify(value))


def _sequence(value: list[Any] | tuple[Any, ...]) -> Value:
    """Return a list of one simple type as the SDK wants it, anything else as JSON."""
    kinds = set(map(type, value[:MAX_ITEMS]))
    if len(kinds) == 1 and kinds <= {str, bool, int, float}:
        cleaned: list[Any] = [attribute(item) for item in value[:MAX_ITEMS]]
        if set(map(type, cleaned)) == kinds and sum(len(item) for item in cleaned if isinstance(item, str)) <= MAX_TEXT:
            return cleaned
    return to_json(value) if value else []


def _digits(value: int) -> str:
    """Return the digits of `value`, or its size where Python refuses to write so many."""
    return str(value) if value.bit_length() < 1024 else f"[int of {value.bit_length()} bits]"


def _stringify(value: Any) -> str:
    """Return a clean str of anything: bytes as their length, an object as its own str, or its type where that fails."""
    try:
        if isinstance(value, str):
            return text(str.__str__(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return f"[{len(value)} bytes]"
        if isinstance(value, Enum):
            return _stringify(value.value)
        if isinstance(value, int):
            return _digits(int(value))
        return text(str(value)[:MAX_TEXT])
    except Exception:  # noqa: BLE001
        return f"[{type(value).__name__}]"


def number(value: object) -> Decimal | None:
    """Return a finite, non-negative number such as seconds, exactly; None when `value` is none.

    What is 10**30 and more, or is written with more than 80 characters, is none: to write it out might take for ever.
    """
    parsed = numbers.number(value) if isinstance(value, int | float | str | Decimal) else None
    if parsed is None or parsed < 0:
        return None
    return parsed if abs(parsed.adjusted()) < _MAX_MAGNITUDE or not parsed else None


def money(value: object) -> Decimal | None:
    """Return an amount of dollars, exactly to twelve decimals as the ledger has them, None when `value` is none.

    None is what no bill could be, too: negative, not finite, or a trillion and more.
    """
    amount = number(value)
    return None if amount is None or amount >= MAX_USD else amount.quantize(_USD, context=numbers.EXACT)
