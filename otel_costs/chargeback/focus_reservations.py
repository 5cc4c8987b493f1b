"""What was reserved by the hour: what was not used of it, by day, and what is paid for it, by month."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs.pricing.cost import PRICED
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.store.rows import Row, between, count, rows
from otel_costs.store.selection import Selection
from otel_costs.store.settling import UNSETTLED
from otel_costs.usage.numbers import EXACT

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_NOTHING: Final = Decimal(0)
_OPEN: Final = frozenset({*UNSETTLED, CostReason.EXCHANGE_RATE_UNKNOWN})
"""Reasons of a call whose share in its hour is not known yet."""

_OF_HOURS: Final = (
    " from contract_balances where kind = 'reservation' and period_start >= {since:DateTime64(3, 'UTC')}"
    " and period_start < {until:DateTime64(3, 'UTC')}"
)

_Key = tuple[date, str, str, str]
"""Month, contract, reservation and currency; an empty one is the dollar, where no rate of exchange is known."""


@dataclass(slots=True)
class Paid:
    """What is paid for a reservation in a month, which begins at `month`: in dollars, and in the contract's currency.

    `is_estimated`: calls of it are not settled.
    """

    month: date
    contract_id: str
    name: str
    currency: str
    provider: str = ""
    usd: Decimal = _NOTHING
    amount: Decimal = _NOTHING
    is_estimated: bool = False

    def add(self, usd: Decimal, amount: Decimal) -> None:
        self.usd, self.amount = EXACT.add(self.usd, usd), EXACT.add(self.amount, amount)


class Reservations:
    """The hours of reservations of a selection that were settled, and the calls that were made under reservations.

    What is paid for an hour is what it was reserved for, whatever its calls cost. A call of an hour that is not there
    stands for itself: hours that are not settled, those whose rate in dollars is not known, and all of them where only
    some calls are meant.
    """

    def __init__(self, client: "Client", selection: Selection) -> None:
        """Read the hours. Raises StoreError."""
        self._tz = selection.tz
        self._until = between(selection.since, selection.until)["until"]
        self._paid: dict[_Key, Paid] = {}
        self._providers: dict[tuple[str, str], str] = {}
        self._hours: dict[tuple[str, str, datetime], Row] = (
            {} if selection.filters else {_hour(row): row for row in _settled(client, selection)}
        )
        for row in self._hours.values():
            is_whole = self._is_whole(row)
            names = ("amount_usd", "amount") if is_whole else ("unused_usd", "unused_amount")
            self._of(row["period_start"], row, row["name"], row["currency"]).add(*(row[name] for name in names))

    def add(self, call: Mapping[str, Any]) -> None:
        """Add a call that was made under a reservation, a row with what its contract makes of it."""
        name, ended = call["reservation_id"], call["end_time"].astimezone(UTC)
        of = call["contract_id"], name
        self._providers[of] = min(self._providers.get(of) or call["provider"], call["provider"])
        hour = self._hours.get((*of, ended.replace(minute=0, second=0, microsecond=0)))
        is_open = not _OPEN.isdisjoint(call["cost_reason"].split(","))
        if hour is not None and self._is_whole(hour):
            paid = self._of(hour["period_start"], call, name, hour["currency"])
        else:
            paid = self._of(ended, call, name, call["contract_currency"])
            usd = call["cost_usd"] or _NOTHING
            paid.add(usd, usd if call["contract_amount"] is None else call["contract_amount"])
            is_open = is_open or call["cost_status"] != PRICED
        paid.is_estimated = paid.is_estimated or is_open

    def unused(self) -> Iterator[Row]:
        """Yield what was not used of a reservation on a day of the zone, in dollars and in its currency."""
        found: dict[tuple[date, str, str, str], Row] = {}
        for row in self._hours.values():
            if not row["unused_usd"]:
                continue
            day = row["period_start"].astimezone(self._tz).date()
            key = day, row["name"], row["contract_id"], row["currency"]
            names = "day", "name", "contract_id", "currency"
            sums = found.setdefault(key, {**dict(zip(names, key, strict=True)), "usd": _NOTHING, "amount": _NOTHING})
            sums["provider"] = self._provider(row["contract_id"], row["name"], row["providers"])
            sums["usd"] = EXACT.add(sums["usd"], row["unused_usd"])
            sums["amount"] = EXACT.add(sums["amount"], row["unused_amount"])
        yield from (found[key] for key in sorted(found))

    def paid(self) -> Iterator[Paid]:
        """Yield what is paid for each reservation in each month of the zone."""
        providers = {(row["contract_id"], row["name"]): row["providers"] for row in self._hours.values()}
        for key in sorted(self._paid):
            found = self._paid[key]
            of = found.contract_id, found.name
            found.provider = self._provider(*of, providers.get(of, ()))
            yield found

    def _of(self, at: datetime, row: Mapping[str, Any], name: str, currency: str) -> Paid:
        key = at.astimezone(self._tz).date().replace(day=1), row["contract_id"], name, currency
        return self._paid.setdefault(key, Paid(*key))

    def _is_whole(self, hour: Row) -> bool:
        """Whether all calls of an hour are meant: a time may end within it, in a zone that is half an hour off."""
        return bool(hour["period_end"] <= self._until)

    def _provider(self, contract_id: str, name: str, providers: "list[str] | tuple[()]") -> str:
        """Return the provider as calls name it, else as the contract does."""
        return self._providers.get((contract_id, name)) or next(iter(providers), "")


def hours_without_rate(client: "Client", selection: Selection) -> int:
    """Return how many settled hours of reservations have no amount in dollars, for want of a rate of exchange.

    Raises StoreError.
    """
    if selection.filters:
        return 0
    without = f"{_OF_HOURS} and (amount_usd is null or unused_usd is null)"
    return count(client, without, between(selection.since, selection.until))


def _settled(client: "Client", selection: Selection) -> list[Row]:
    return rows(
        client,
        "select contract_id, name, providers, currency, period_start, period_end, amount, amount_usd, unused_amount,"
        f" unused_usd{_OF_HOURS} and amount_usd is not null and unused_usd is not null",
        dict(between(selection.since, selection.until)),
    )


def _hour(row: Row) -> tuple[str, str, datetime]:
    return row["contract_id"], row["name"], row["period_start"].astimezone(UTC)
