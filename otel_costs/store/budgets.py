"""Budgets: what a user, a scenario or everybody may spend in a calendar day, week or month."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs.store.rows import rows, telling

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

SCOPES: Final = ("user", "scenario", "all")
PERIODS: Final = ("day", "week", "month")

MOST_USD: Final = Decimal(10) ** 12
"""The highest limit; a trillion dollars."""


def put(client: "Client", scope: str, name: str, period: str, limit_usd: Decimal) -> None:
    """Set a budget, in the place of one that there may be. Raises ValueError for what is none, StoreError."""
    _write(client, scope, name, period, _checked(limit_usd), deleted=False)


def remove(client: "Client", scope: str, name: str, period: str) -> bool:
    """Take a budget away; return whether there was one. Raises ValueError for what is none, StoreError."""
    limit_usd = limit_of(client, scope, name, period)
    if limit_usd is not None:
        take_away(client, scope, name, period, limit_usd)
    return limit_usd is not None


def limit_of(client: "Client", scope: str, name: str, period: str) -> Decimal | None:
    """Return the limit of a budget; None when there is none. Raises StoreError."""
    found = rows(
        client,
        "select limit_usd from budget_status where scope = {scope:String} and name = {name:String}"
        " and period = {period:String}",
        {"scope": scope, "name": name, "period": period},
    )
    return found[0]["limit_usd"] if found else None


def take_away(client: "Client", scope: str, name: str, period: str, limit_usd: Decimal) -> None:
    """Write that there is no such budget any more. Raises ValueError for what is none, StoreError."""
    _write(client, scope, name, period, limit_usd, deleted=True)


def _checked(limit_usd: Decimal) -> Decimal:
    if not limit_usd.is_finite() or not 0 <= limit_usd < MOST_USD or limit_usd != round(limit_usd, 12):
        raise ValueError(f"{limit_usd} is no limit: give dollars, from 0 on, with at most twelve decimals")
    return limit_usd


def _write(client: "Client", scope: str, name: str, period: str, limit_usd: Decimal, *, deleted: bool) -> None:
    if scope not in SCOPES or period not in PERIODS or bool(name) == (scope == "all"):
        raise ValueError(f"no budget of {scope} {name!r} for a {period}")
    with telling("cannot store the budget"):
        client.command(
            "insert into budgets (scope, name, period, limit_usd, deleted) values"
            " ({scope:String}, {name:String}, {period:String}, {limit:Decimal(38, 12)}, {deleted:Bool})",
            parameters={"scope": scope, "name": name, "period": period, "limit": f"{limit_usd:f}", "deleted": deleted},
        )
