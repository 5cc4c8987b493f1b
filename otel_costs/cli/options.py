"""The options that commands share, and what they are read as."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from otel_costs.semconv import ENV_DSN
from otel_costs.store import DEFAULT_DSN, connect
from otel_costs.store.periods import moment

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
    """A day, or a time in ISO 8601; without a zone it is UTC. With `whole_day` a day means its end."""

    name = "date"

    def __init__(self, *, whole_day: bool = False) -> None:
        self._whole_day = whole_day

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read `value`."""
        if isinstance(value, datetime):
            return value
        try:
            return moment(value, whole_day=self._whole_day)
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
user_option = click.option("--user", metavar="ID", help="Only of this user.")
_from_option = click.option(
    "--from", "since", type=Moment(), help="From this day or time on: 2026-11-22 or 2026-11-22T10:30:00Z, in UTC."
)
_to_option = click.option(
    "--to", "until", type=Moment(whole_day=True), help="Up to and with this day, or up to this time."
)


def period_options(function: F) -> F:
    """Add --from and --to, which become `since` (included) and `until` (not included)."""
    return _from_option(_to_option(function))


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
