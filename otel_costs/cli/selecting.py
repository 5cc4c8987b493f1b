"""The options that say which calls and sessions are meant: the words of a report's URL, as options of a command."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import Any

import click

from otel_costs.cli import completion, options, time_zone
from otel_costs.store.selection import TEXTS, Selection, dollars


def selection_options(*, until: str = "--to") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the filters and the period, which become `selection`; `until` is the name of the option for its end."""

    def decorator(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def selected(*arguments: Any, **given: Any) -> Any:
            chosen = {name: given.pop(name) for name in TEXTS}
            return function(*arguments, selection=_selection(given, chosen), **given)

        decorated: Callable[..., Any] = options.period_options_until(until)(selected)
        for option in reversed(_options()):
            decorated = option(decorated)
        return decorated

    return decorator


def tags(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read tags that are given as NAME=VALUE. Raises UsageError."""
    found = {}
    for tag in given:
        name, equals, value = tag.partition("=")
        if not name or not equals:
            raise click.UsageError(f"{tag!r} is no tag: give NAME=VALUE, such as team=sales")
        found[name] = value
    return tuple(sorted(found.items()))


def _options() -> list[Callable[[Any], Any]]:
    texts = [
        click.option(
            f"--{name}",
            metavar="ID" if name == "user" else "NAME",
            shell_complete=completion.users if name == "user" else None,
            help=f"{said[0].upper()}{said[1:]}.",
        )
        for name, said in TEXTS.items()
    ]
    return [
        *texts,
        click.option("--tag", "tags", metavar="NAME=VALUE", multiple=True, help="With this tag; repeatable."),
        click.option("--errors", is_flag=True, help="Calls that failed, and sessions with such a call."),
        click.option("--unpriced", is_flag=True, help="Calls without a price, and sessions with such a call."),
        click.option("--min-cost", metavar="DOLLARS", help="Sessions that cost at least so many US dollars."),
        click.option("--q", metavar="WORDS", help="Sessions in which all of these words were said."),
        options.allocation_option,
    ]


def _selection(given: dict[str, Any], chosen: dict[str, str | None]) -> Selection:
    least = given.pop("min_cost")
    since: datetime | None = given.pop("since")
    until: datetime | None = given.pop("until")
    try:
        min_cost = None if least is None else dollars(least.removeprefix("$"))
    except ValueError as error:
        raise click.UsageError(f"--min-cost: {error}") from None
    return Selection(
        since=since,
        until=until,
        tz=time_zone.current(),
        **chosen,
        tags=tags(given.pop("tags")),
        errors=given.pop("errors"),
        unpriced=given.pop("unpriced"),
        min_cost=min_cost,
        q=given.pop("q") or None,
        allocation=given.pop("allocation"),
    )
