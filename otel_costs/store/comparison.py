"""Two sides side by side: periods, or groups of calls, what each cost, and where the difference is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store import costs, summary
from otel_costs.store.periods import period
from otel_costs.store.reports import BREAKDOWN, TOKENS
from otel_costs.store.rows import Row
from otel_costs.store.selection import TEXTS, Selection
from otel_costs.usage import numbers

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_KEYS: Final = ("a_usd", "b_usd", "change_usd")
COLUMNS: Final = ("part", "name", *_KEYS, "change_share", "a_calls", "b_calls", "a_tokens", "b_tokens", "change_tokens")

MOST_GROUPS: Final = 10_000
"""Groups that are read of each side. What is beyond them is in the row of the others."""

_COUNTS: Final = ("a_calls", "b_calls", "a_unpriced", "b_unpriced")
_SESSION: Final = ("cost_usd", "mean_usd", "p50_usd", "p95_usd")


@dataclass(frozen=True, slots=True)
class Side:
    """One of two sides: what it is called, and which calls are meant."""

    name: str
    selection: Selection


def sides(given: Sequence[str], selection: Selection, now: datetime) -> tuple[Side, Side]:
    """Return the two sides that are given, or the period of `selection` and the one of the same length before it.

    A side is a period, or NAME=VALUE of a filter; `selection` holds for both. Raises ValueError with what to give.
    """
    if len(given) == 2:
        return _side(given[0], selection, now), _side(given[1], selection, now)
    if given:
        raise ValueError("give two sides, such as 2026-10 and 2026-11, or none")
    if selection.since is None:
        selection = replace(selection, since=period("7d", now)[0])
    since, until = selection.since, min(selection.until or now, now)
    if since is None or until <= since:
        raise ValueError("the period has not begun yet")
    before = replace(selection, since=since - (until - since), until=since)
    return Side("before", before), Side("now", replace(selection, until=until))


def compared(client: "Client", first: Side, second: Side, by: str) -> Row:
    """Return both sides, and what differs: the total, its parts, tokens, sessions, and the groups `by` a dimension.

    `change_share` is the change as a fraction of A; None where A is nothing. Groups begin with the largest change;
    where there are more than MOST_GROUPS on a side, the last row is what cannot be told apart, without a name. Raises
    ValueError for what is no dimension, StoreError.
    """
    costs.check((by,))
    splits = [costs.split(client, side.selection, (by,), MOST_GROUPS) for side in (first, second)]
    listed = [found for found, _ in splits]
    pair = [_side_row(client, side, total) for side, (_, total) in zip((first, second), splits, strict=True)]
    return {
        "tz": first.selection.tz.key,
        "by": by,
        "a": pair[0],
        "b": pair[1],
        "total": _difference("total", pair[0], pair[1]),
        "breakdown": [_usd(part, *(side["cost_breakdown"][part] for side in pair)) for part in BREAKDOWN],
        "tokens": [_tokens(kind, *(side["tokens"][kind] for side in pair)) for kind in TOKENS],
        "sessions": [_usd(name.removesuffix("_usd"), *(side["sessions"][name] for side in pair)) for name in _SESSION],
        "groups": _groups(by, listed[0], listed[1]),
    }


def cut(groups: Sequence[Row], limit: int) -> list[Row]:
    """Return the first `limit` groups, and one row of all the others, so that they add up."""
    listed, others = list(groups[:limit]), groups[limit:]
    return [*listed, _added(others)] if others else listed


def comparison_rows(found: Mapping[str, Any]) -> Iterator[Row]:
    """Yield a comparison as the rows of one table of COLUMNS; `part` tells its parts apart."""
    parts = {"total": [found["total"]], found["by"]: found["groups"], "breakdown": found["breakdown"]}
    for part, listed in {**parts, "tokens": found["tokens"], "session": found["sessions"]}.items():
        for row in listed:
            yield {"part": part, **{name: row.get(name) for name in COLUMNS[1:]}}


def _side(text: str, selection: Selection, now: datetime) -> Side:
    name, equals, value = text.partition("=")
    if equals and name in TEXTS:
        chosen: dict[str, Any] = {name: value}
        return Side(text, replace(selection, **chosen))
    tag, is_equal, tagged = text.removeprefix(costs.TAG).partition("=")
    if text.startswith(costs.TAG) and tag and is_equal:
        return Side(text, replace(selection, tags=tuple(sorted({*selection.tags, (tag, tagged)}))))
    try:
        since, until = period(text, now, selection.tz)
    except ValueError:
        known = f"{', '.join(TEXTS)} or {costs.TAG}NAME"
        raise ValueError(
            f"{text!r} is neither a period (7d, 2026-11, 2026-11-01..2026-11-07) nor NAME=VALUE of {known}"
        ) from None
    return Side(text, replace(selection, since=since, until=until))


def _side_row(client: "Client", side: Side, total: Row) -> Row:
    selection = side.selection
    return {
        "name": side.name,
        "since": selection.since,
        "until": selection.until,
        **total,
        "sessions": summary.sessions(client, selection),
    }


def _groups(by: str, first: Sequence[Row], second: Sequence[Row]) -> list[Row]:
    found = [{row[by]: row for row in listed if not row.get("others")} for listed in (first, second)]
    rest: list[tuple[Row | None, Row | None]] = [(row, None) for row in first if row.get("others")]
    rest += [(None, row) for row in second if row.get("others")]
    rows, is_cut = [], bool(rest)
    for name in {**found[0], **found[1]}:
        pair = found[0].get(name), found[1].get(name)
        # Where a side is cut, what is listed on the other alone may be among its others.
        if is_cut and None in pair:
            rest.append(pair)
        else:
            rows.append(_difference(name, *pair))
    rows.sort(key=lambda row: (-abs(row["change_usd"]), row["name"]))
    return [*rows, _added([_others(*pair) for pair in rest])] if rest else rows


def _others(first: Row | None, second: Row | None) -> Row:
    counted = max((row.get("others", 1) for row in (first, second) if row), default=1)
    return {**_difference("", first, second), "others": counted}


def _difference(name: str, first: Row | None, second: Row | None) -> Row:
    usd = [row["cost_usd"] if row else Decimal() for row in (first, second)]
    return {
        **_usd(name, *usd),
        "a_calls": first["call_count"] if first else 0,
        "b_calls": second["call_count"] if second else 0,
        "a_unpriced": first["unpriced_calls"] if first else 0,
        "b_unpriced": second["unpriced_calls"] if second else 0,
    }


def _added(rows: Sequence[Row]) -> Row:
    a, b = (numbers.total(row[key] for row in rows) for key in _KEYS[:2])
    calls = {key: sum(row[key] for row in rows) for key in _COUNTS}
    return {**_usd(None, a, b), **calls, "others": sum(row.get("others", 1) for row in rows)}


def _usd(name: str | None, a: Decimal | None, b: Decimal | None) -> Row:
    change = None if a is None or b is None else b - a
    share = float(change / a) if change is not None and a else None
    return {"name": name, "a_usd": a, "b_usd": b, "change_usd": change, "change_share": share}


def _tokens(kind: str, a: int, b: int) -> Row:
    share = (b - a) / a if a else None
    return {"name": kind, "a_tokens": a, "b_tokens": b, "change_tokens": b - a, "change_share": share}
