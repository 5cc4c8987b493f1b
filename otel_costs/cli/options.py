"""The options that commands share, and what they are read as."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from otel_costs.chargeback import rules_file
from otel_costs.cli import completion, time_zone
from otel_costs.privacy import pseudonyms
from otel_costs.semconv import ENV_ALLOCATION, ENV_DSN, ENV_JAEGER_URL, ENV_TZ
from otel_costs.store import DEFAULT_DSN, connect, periods
from otel_costs.store.rows import storable

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from clickhouse_connect.driver.client import Client

F = TypeVar("F", bound=Callable[..., Any])

_GROUPED: Final = re.compile(r"[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+|(?:_[0-9]{3})+)(?:\.[0-9]+)?")

TABLE: Final = "table"
JSON: Final = "json"
CSV: Final = "csv"


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
jaeger_url_option = click.option(
    "--jaeger-url",
    metavar="URL",
    envvar=ENV_JAEGER_URL,
    show_envvar=True,
    help="Where pages link to a call's trace: the address of Jaeger's pages, such as http://localhost:16686.",
)
_allocation: dict[str, Any] = {
    "metavar": "FILE",
    "type": click.Path(dir_okay=False),
    "envvar": ENV_ALLOCATION,
    "show_envvar": True,
    "help": "Rules that say whose spend is: a value of a tag for calls that have none.",
}
allocation_file_option = click.option("--allocation", **_allocation)
allocation_option = click.option(
    "--allocation",
    callback=lambda _context, _parameter, path: rules_file.read(path) if path else None,
    **_allocation,
)
user_option = click.option(
    "--user",
    metavar="ID",
    shell_complete=completion.users,
    callback=lambda _context, _parameter, user: user and pseudonyms.asked(user),
    help="Only of this user.",
)
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
    help="Both ends in one: today, 7d (up to now), 2026-11, 2026-11-22 or 2026-11-01..2026-11-07.",
)


def _from_option(default: str | None = None) -> Callable[[F], F]:
    suffix = "" if default is None else f"  [default: {default}]"
    help_text = f"From then on: 7d, 12h, today, 2026-11-22 or 2026-11-22T10:30:00Z; or in yesterday or 2026-11.{suffix}"
    return click.option("--from", "since", metavar="TIME", help=help_text)


def _to_option(name: str) -> Callable[[F], F]:
    return click.option(name, "until", metavar="TIME", help="Up to and with this day or month, or up to this time.")


def period_options(function: F) -> F:
    """Add --from, --to, --range and --tz, which become `since` (included) and `until` (not included)."""
    decorated: F = period_options_until("--to")(function)
    return decorated


def period_options_until(to: str, default: str | None = None) -> Callable[[F], F]:
    """Return what adds the same, with another name of the option for the end; `default`: --from, if none is given."""

    def decorator(function: F) -> F:
        @wraps(function)
        def with_period(*arguments: Any, since: str | None, until: str | None, within: str | None, **given: Any) -> Any:
            if within is not None and (since is not None or until is not None):
                raise click.UsageError(f"give either --range, or --from and {to}")
            tz = time_zone.current()
            ends = _range(within, tz) if within is not None else _ends(since or default, until, to, tz)
            return function(*arguments, since=ends[0], until=ends[1], **given)

        decorated: Callable[..., Any] = with_period
        return cast("F", _from_option(default)(_to_option(to)(_range_option(tz_option(decorated)))))

    return decorator


def utc_period_options(function: F) -> F:
    """Add --from and --to of days in UTC, whatever the zone of other commands is."""

    @wraps(function)
    def with_period(*arguments: Any, since: str | None, until: str | None, **given: Any) -> Any:
        ends = _ends(since, until, "--to", periods.UTC_ZONE)
        return function(*arguments, since=ends[0], until=ends[1], **given)

    decorated: Callable[..., Any] = with_period
    return cast("F", _from_option()(_to_option("--to")(decorated)))


Ends = tuple[datetime | None, datetime | None]


def _ends(first: str | None, last: str | None, to: str, tz: "ZoneInfo") -> Ends:
    since, until = _read("--from", first, lambda text: periods.began(text, tz=tz)) or (None, None)
    until = _read(to, last, lambda text: periods.end(text, tz=tz)) or until
    try:
        periods.in_order(since, until)
    except ValueError as error:
        raise click.UsageError(f"--from, {to}: {error}") from None
    return since and storable(since), until and storable(until)


def _range(text: str, tz: "ZoneInfo") -> Ends:
    since, until = _read("--range", text, lambda given: periods.period(given, tz=tz))
    return storable(since), until and storable(until)


def _read(name: str, text: str | None, read: Callable[[str], Any]) -> Any:
    if text is None:
        return None
    try:
        return read(text)
    except ValueError as error:
        raise click.UsageError(f"{name}: {error}") from None


def ungrouped(text: str) -> str:
    """Return a number without the commas or lines that group its thousands: 1,250 is 1250.

    Raises ValueError for commas that group nothing, which may be meant as points: 0,50.
    """
    if "," not in text and "_" not in text:
        return text
    if not _GROUPED.fullmatch(text):
        raise ValueError(f"{text!r} is no number: write a point before decimals, and commas between thousands alone")
    return text.replace(",", "").replace("_", "")


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
