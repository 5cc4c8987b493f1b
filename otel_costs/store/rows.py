"""Rows of a query: plain dictionaries, parameters bound, the driver's errors raised as ours."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store.connection import StoreError, first_line

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Row = dict[str, Any]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FOREVER: Final = datetime(2262, 1, 1, tzinfo=UTC)  # where ClickHouse's nanoseconds end
_NO_TABLE: Final = (46, 60, 81)  # unknown table function (a view with parameters), table, database
_OTHER_TABLE: Final = (10, 16, 47, 456)  # no such column, unknown name, a view's parameter that is not given


def rows(client: "Client", sql: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
    """Run `sql` with `parameters` bound to its `{name:Type}`. Raises StoreError."""
    with store_errors():
        found = client.query(sql, parameters=dict(parameters or {}), tz_mode="aware")
    return list(found.named_results())


def count(client: "Client", source: str, parameters: Mapping[str, object] | None = None) -> int:
    """Return how many rows there are ` from ...` a `source`, with `parameters` bound. Raises StoreError."""
    return int(rows(client, f"select count() as n{source}", parameters)[0]["n"])


def between(since: date | None, until: date | None) -> dict[str, datetime]:
    """Return the parameters since and until; None is no bound, a date its first moment, a time without zone is UTC.

    In milliseconds, in which calls and sessions are: a bound between two of them is the later one, on either side.
    """
    return {name: _to_millisecond(moment) for name, moment in exactly_between(since, until).items()}


def exactly_between(since: date | None, until: date | None) -> dict[str, datetime]:
    """Return the same in microseconds, in which messages are."""
    return {"since": _moment(since, _EPOCH), "until": _moment(until, _FOREVER)}


@contextmanager
def store_errors(what: str = "") -> Iterator[None]:
    """Raise errors of the driver in a `with` block as StoreError: that `what` failed, or what to do about a report."""
    from clickhouse_connect.driver.exceptions import Error  # noqa: PLC0415  # an extra of ours
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  # the driver's

    try:
        yield
    except Error as error:
        reply, code = first_line(error), getattr(error, "code", None)
        if not what and code in _NO_TABLE:
            raise StoreError(f"the store has no tables of otel-costs: run `otel-costs schema` ({reply})") from error
        if not what and code in _OTHER_TABLE:
            raise StoreError(f"the store's tables are of another version: run `otel-costs schema` ({reply})") from error
        if code is None:
            raise StoreError(
                f"{what or 'the store'}: it does not answer any more; see that it runs, and try again"
            ) from error
        raise StoreError(f"{what or 'the store answered'}: {reply}") from error
    except UnicodeEncodeError as error:
        raise StoreError("what is asked for has characters that are none: give it in UTF-8") from error
    except HTTPError as error:
        raise StoreError(f"{what or 'the store'}: it stopped answering; see that it runs, and try again") from error


def _moment(day_or_time: date | None, otherwise: datetime) -> datetime:
    """Return a bound in UTC; what is beyond all that the store can hold is where that ends."""
    if day_or_time is None:
        return otherwise
    if not isinstance(day_or_time, datetime):
        day_or_time = datetime.combine(day_or_time, time(), UTC)
    return storable(day_or_time if day_or_time.tzinfo else day_or_time.replace(tzinfo=UTC))


def storable(moment: datetime) -> datetime:
    """Return an aware moment in UTC; what is beyond all that the store can hold is where that ends."""
    return min(max(moment, _EPOCH), _FOREVER).astimezone(UTC)


def _to_millisecond(moment: datetime) -> datetime:
    return moment + timedelta(microseconds=-moment.microsecond % 1000)
