"""The options that commands share, and what they are read as."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from otel_costs.cli import completion, time_zone
from otel_costs.semconv import ENV_DSN, ENV_TZ
from otel_costs.store import DEFAULT_DSN, connect, periods
from otel_costs.store.rows import storable

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    _MomentType = click.ParamType[datetime]
else:
    _MomentType = click.ParamType  # generic since click 8.4

F = TypeVar("F", bound=Callable[..., Any])

TABLE: Final = "table"
JSON: Final = "json"
CSV: Final = "csv"


class Moment(_MomentType):
    """A day, a time in ISO 8601 or one end of a range; without an offset in the zone of the command, or in UTC.

    `is_end`: it is where a time ends, so that a day or a month means its end.
    """

    name = "time"

    def __init__(self, *, is_end: bool = False, in_utc: bool = False) -> None:
        self._read = periods.end if is_end else periods.start
        self._in_utc = in_utc

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read `value`."""
        if isinstance(value, datetime):
            return value
        tz = periods.UTC_ZONE if self._in_utc else time_zone.current()
        try:
            return storable(self._read(value, tz=tz))
        except ValueError as error:
            self.fail(str(error), param, ctx)


dsn_option = click.option(
    "--dsn",
    metavar="URL",
    envvar=ENV_DSN,
    show_envvar=True,
    help=f"The store: http://user:password@host:8123/database or chdb:///folder.  [default: {DEFAULT_DSN}]",
)
format_option = click.option(
    "--format",
    "form",
    type=click.Choice([TABLE, JSON, CSV]),
    default=TABLE,
    show_default=True,
    help="A table to read, or exact figures for programs.",
)
user_option = click.option("--user", metavar="ID", shell_complete=completion.users, help="Only of this user.")
tz_option = click.option(
    "--tz",
    metavar="ZONE",
    expose_value=False,
    is_eager=True,
    callback=time_zone.chosen,
    help=f"The time zone of days and times, such as Europe/Berlin.  [env var: {ENV_TZ}; default: UTC]",
)
_range_option = click.option(
    "--range",
    "within",
    metavar="RANGE",
    help="The same in one: today, 7d (up to now), 2026-11 or 2026-11-01..2026-11-07.",
)


def _ends(*, in_utc: bool, to: str = "--to") -> Callable[[F], F]:
    since = click.option(
        "--from",
        "since",
        type=Moment(in_utc=in_utc),
        help="From here on: 2026-11-22, 2026-11-22T10:30:00Z, 2026-11, today, yesterday, or 7d ago.",
    )
    until = click.option(
        to,
        "until",
        type=Moment(is_end=True, in_utc=in_utc),
        help="Up to and with this day or month, or up to this time.",
    )
    return lambda function: since(until(function))


def period_options(function: F) -> F:
    """Add --from, --to, --range and --tz, which become `since` (included) and `until` (not included)."""
    decorated: F = period_options_until("--to")(function)
    return decorated


def period_options_until(to: str) -> Callable[[F], F]:
    """Return what adds the same, with another name of the option for the end."""

    def decorator(function: F) -> F:
        @wraps(function)
        def with_range(*arguments: Any, within: str | None, **given: Any) -> Any:
            if within is not None:
                given |= _range(within, given)
            return function(*arguments, **given)

        options: Callable[[Any], Any] = _ends(in_utc=False, to=to)
        return cast("F", options(_range_option(tz_option(with_range))))

    return decorator


def utc_period_options(function: F) -> F:
    """Add --from and --to of days in UTC, whatever the zone of other commands is."""
    return _ends(in_utc=True)(function)


def _range(text: str, given: Mapping[str, Any]) -> Mapping[str, datetime | None]:
    if given["since"] is not None or given["until"] is not None:
        raise click.UsageError("give either --range, or --from and --to")
    try:
        since, until = periods.period(text, tz=time_zone.current())
    except ValueError as error:
        raise click.UsageError(f"--range: {error}") from None
    return {"since": storable(since), "until": until and storable(until)}


def limit_option(default: int, what: str) -> Callable[[F], F]:
    """Add --limit."""
    return click.option(
        "--limit", type=click.IntRange(min=1), default=default, show_default=True, help=f"How many {what} at most."
    )


@contextmanager
def opened(dsn: str | None, *, long_work: bool = False) -> Iterator["Client"]:
    """Connect to the store for the length of a command. Raises StoreError."""
    client = connect(dsn, long_work=long_work)
    try:
        yield client
    finally:
        client.close()
