"""Budgets: what a user, scenario, tag, service, model or everybody may spend in a calendar day, week or month."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs.privacy import pseudonyms
from otel_costs.store import budget_sums
from otel_costs.store.connection import StoreError
from otel_costs.store.periods import zone as zone_of
from otel_costs.store.rows import Row, rows, store_errors
from otel_costs.usage.numbers import EXACT
from otel_costs.values import sanitize

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

SCOPES: Final = ("user", "scenario", "tag", "service", "model", "all")
PERIODS: Final = ("day", "week", "month")

MOST_USD: Final = Decimal(10) ** 12
"""The highest limit; a trillion dollars."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a budget allows: its limit in USD, and how it is meant."""

    limit_usd: Decimal
    soft: bool = False
    """Whether calls past it are warned of and sent."""
    rollover: bool = False
    """Whether what was left of the period before is added."""
    zone: str = "UTC"
    """The time zone that its days begin in."""


def recorded(scope: str, name: str) -> str:
    """Return the name under which calls know what a budget is of, of a plain one: a user's pseudonym, a long one cut.

    Raises ValueError where a user cannot be recorded.
    """
    if scope == "user":
        return pseudonyms.stored(name)
    if scope == "tag":
        tag, equals, value = name.partition("=")
        return f"{sanitize.asked_for(tag)}{equals}{sanitize.asked_for(value)}"
    return sanitize.asked_for(name) if scope == "scenario" else name


def put(client: "Client", scope: str, name: str, period: str, terms: Terms, since: datetime | None = None) -> None:
    """Set a budget, in the place of one that there may be. Raises ValueError for what is none, StoreError.

    `since` is when it was set for the first time, as `since_of` says; None is now.
    """
    limit_usd = terms.limit_usd
    if not limit_usd.is_finite() or not 0 <= limit_usd < MOST_USD or limit_usd != round(limit_usd, 12):
        raise ValueError(f"{limit_usd} is no limit: give dollars, from 0 on, with at most twelve decimals")
    _check_zone(client, terms.zone)
    _write(client, scope, name, period, terms, since, deleted=False)


def remove(client: "Client", scope: str, name: str, period: str) -> bool:
    """Remove a budget; return whether there was one. Raises ValueError for what is none, StoreError."""
    limit_usd = limit_of(client, scope, name, period)
    if limit_usd is not None:
        take_away(client, scope, name, period, limit_usd)
    return limit_usd is not None


def limit_of(client: "Client", scope: str, name: str, period: str) -> Decimal | None:
    """Return the limit of a budget; None when there is none. Raises StoreError."""
    found = _budget(client, scope, name, period)
    return None if found is None else found["limit_usd"]


def since_of(client: "Client", scope: str, name: str, period: str) -> datetime | None:
    """Return when a budget was set for the first time; None when there is none. Raises StoreError."""
    found = _budget(client, scope, name, period)
    return None if found is None else found["since"]


def _budget(client: "Client", scope: str, name: str, period: str) -> Row | None:
    found = rows(
        client,
        "select limit_usd, since from budget_limits where scope = {scope:String} and name = {name:String}"
        " and period = {period:String}",
        {"scope": scope, "name": name, "period": period},
    )
    return found[0] if found else None


def take_away(client: "Client", scope: str, name: str, period: str, limit_usd: Decimal) -> None:
    """Write that there is no such budget any more. Raises ValueError for what is none, StoreError."""
    _write(client, scope, name, period, Terms(limit_usd), None, deleted=True)


def enforced(client: "Client", most: int) -> list[Row]:
    """Return what programs are held to: the fullest budgets, with what was carried over. Raises StoreError."""
    return [
        {
            **{name: row[name] for name in ("scope", "name", "period", "period_start", "period_end")},
            "limit_usd": EXACT.add(row["limit_usd"], row["carried_usd"]),
            "spent_usd": row["spent_usd"],
            "soft": row["soft"],
        }
        for row in budget_sums.status(client)[:most]
    ]


def last_seqs(client: "Client", process_ids: Sequence[str]) -> dict[str, int]:
    """Return the number of the last call of each process that has arrived. Raises StoreError."""
    if not process_ids:
        return {}
    found = rows(
        client,
        "select lower(hex(process_id)) as id, last_seq from process_calls"
        " where process_id in (select toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))",
        {"ids": list(process_ids)},
    )
    return {row["id"]: row["last_seq"] for row in found}


def _check_zone(client: "Client", zone: str) -> None:
    """Raise ValueError for a zone that this machine or the store does not know."""
    try:
        if not zone:
            raise ValueError(zone)
        zone_of(zone)
        rows(client, "select formatDateTime(now(), '%F', {zone:String})", {"zone": zone})
    except (ValueError, StoreError):
        raise ValueError(f"{zone!r} is no time zone: give a name such as Europe/Berlin, or UTC") from None


def _write(
    client: "Client", scope: str, name: str, period: str, terms: Terms, since: datetime | None, *, deleted: bool
) -> None:
    if scope not in SCOPES or period not in PERIODS or bool(name) == (scope == "all"):
        raise ValueError(f"no budget of {scope} {name!r} for a {period}")
    # A tag without a value is no tag: a call has it that has none, and no sum of it.
    if scope == "tag" and not deleted and not all(name.partition("=")):
        raise ValueError(f"no budget of tag {name!r}: give NAME=VALUE")
    values = {
        "scope": ("String", scope),
        "name": ("String", name),
        "period": ("String", period),
        "limit_usd": ("Decimal(38, 12)", f"{terms.limit_usd:f}"),
        "deleted": ("Bool", deleted),
        "soft": ("Bool", terms.soft),
        "rollover": ("Bool", terms.rollover),
        "zone": ("String", terms.zone),
    }
    if since is not None:
        values["since"] = ("DateTime64(6, 'UTC')", f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}")
    places = ", ".join(f"{{{column}:{kind}}}" for column, (kind, _) in values.items())
    with store_errors("cannot store the budget"):
        client.command(
            f"insert into budgets ({', '.join(values)}) values ({places})",  # noqa: S608
            parameters={column: value for column, (_, value) in values.items()},
        )
