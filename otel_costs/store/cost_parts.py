"""Several splits of the costs of the same calls, which all add up to the same, also while records arrive."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from otel_costs.store import costs, rollups
from otel_costs.store.files import shared
from otel_costs.store.reports import summed
from otel_costs.store.rollups import Rows
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, of_calls
from otel_costs.usage.numbers import EXACT

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Split = Sequence[str]


def parts(client: "Client", selection: Selection, splits: Sequence[Split]) -> list[list[Row]]:
    """Return the rows of `costs.costs` for each of some splits, by none of which a call is in two rows.

    What is counted before is read for each, and stays; the calls of all else are read once. Raises ValueError for what
    is no dimension, StoreError.
    """
    for by in splits:
        costs.check(by)
    found = rollups.of_splits(client, selection, splits)
    if found is None:
        condition = of_calls(selection)
        calls = Rows(f"owned_calls as c where {condition.sql}", condition.parameters)
        return [costs.in_order(listed, by, selection) for by, listed in _called(client, calls, splits, selection)]
    sources, rest = found
    called = [listed for _, listed in _called(client, rest, splits, selection)] if rest else [[] for _ in splits]
    return [
        costs.in_order(_added([*costs.grouped(client, source, by, selection), *anew], by), by, selection)
        for source, anew, by in zip(sources, called, splits, strict=True)
    ]


def total(listed: Sequence[Row]) -> Row:
    """Return what the rows of a part add up to."""
    return summed([costs.flat(row) for row in listed])


def _called(
    client: "Client", calls: Rows, splits: Sequence[Split], selection: Selection
) -> list[tuple[Split, list[Row]]]:
    """Return the groups of calls of each split, all of one moment: they are asked for in one question."""
    names = list(dict.fromkeys(name for by in splits for name in by))
    place = {name: number for number, name in enumerate(names)}
    keys, bound = costs.keys(names, selection)
    selected = ", ".join(f"{key} as key_{n}, grouping(key_{n}) as absent_{n}" for n, key in enumerate(keys))
    sets = ", ".join(f"({', '.join(f'key_{place[name]}' for name in by)})" for by in splits)
    found = rows(
        client,
        f"select {selected}, {shared()['measures']} from {calls.sql} group by grouping sets ({sets})",  # noqa: S608
        {**calls.parameters, **bound},
    )
    return [(by, [_narrowed(row, by, place) for row in found if _is_of(row, by, place)]) for by in splits]


def _is_of(row: Row, by: Split, place: dict[str, int]) -> bool:
    return all((name in by) == (row[f"absent_{number}"] == 0) for name, number in place.items())


def _narrowed(row: Row, by: Split, place: dict[str, int]) -> Row:
    """Return a row with the keys of its split alone, numbered as they are there."""
    measures = {name: value for name, value in row.items() if not name.startswith(("key_", "absent_"))}
    return {**{f"key_{n}": row[f"key_{place[name]}"] for n, name in enumerate(by)}, **measures}


def _sum(one: Any, other: Any) -> Any:
    return EXACT.add(one, other) if isinstance(one, Decimal) else one + other


def _added(listed: Sequence[Row], by: Split) -> list[Row]:
    """Add up the rows of the same group."""
    names = [f"key_{n}" for n in range(len(by))]
    groups: dict[tuple[Any, ...], Row] = {}
    for row in listed:
        key = tuple(row[name] for name in names)
        before = groups.get(key)
        groups[key] = row if before is None else {n: v if n in names else _sum(v, before[n]) for n, v in row.items()}
    return list(groups.values())
