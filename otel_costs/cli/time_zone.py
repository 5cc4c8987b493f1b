"""The time zone in which a command reads and shows times: --tz, or OTEL_COSTS_TZ, or UTC."""

from typing import Final
from zoneinfo import ZoneInfo

import click

from otel_costs.store.periods import UTC_ZONE, zone

_KEY: Final = "otel_costs.tz"


def chosen(context: click.Context, parameter: click.Parameter, name: str | None) -> None:
    """Keep what --tz says for the command; the callback of the option. Raises BadParameter."""
    if not name:
        return
    try:
        context.meta[_KEY] = zone(name)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


def current() -> ZoneInfo:
    """Return the zone of the command that runs. Raises UsageError where OTEL_COSTS_TZ is none."""
    context = click.get_current_context(silent=True)
    if context is None:
        return UTC_ZONE
    if _KEY not in context.meta:
        try:
            context.meta[_KEY] = zone()
        except ValueError as error:
            raise click.UsageError(f"OTEL_COSTS_TZ: {error}") from None
    found: ZoneInfo = context.meta[_KEY]
    return found


def name() -> str:
    """Return the name of the zone, to stand beside times."""
    return current().key
