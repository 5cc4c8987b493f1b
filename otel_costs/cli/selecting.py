"""The options that say which calls and sessions are meant: the words of a report's URL, as options of a command."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import Any, Final

import click

from otel_costs.cli import completion, options, time_zone
from otel_costs.store.selection import TEXTS, Selection, dollars

_OF_MODELS: Final = ("provider", "model")


def selection_options(
    *, until: str = "--to", since: str | None = None, of_model: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the filters and the period, which become `selection`.

    `until` is the name of the option for its end, `since` where it begins if nothing is said; `of_model` stands before
    the names of --model and --provider, for a command that has options of these names.
    """

    def decorator(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def selected(*arguments: Any, **given: Any) -> Any:
            chosen = {name: given.pop(f"of_{name}") for name in TEXTS}
            return function(*arguments, selection=_selection(given, chosen), **given)

        decorated: Callable[..., Any] = options.period_options_until(until, since)(selected)
        for option in reversed(_options(of_model)):
            decorated = option(decorated)
        return decorated

    return decorator


def is_narrow(selection: Selection) -> bool:
    """Return whether a selection is of a period, or has any filter: it is not simply all calls."""
    return selection != Selection(tz=selection.tz, allocation=selection.allocation)


def tags(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read tags that are given as NAME=VALUE. Raises UsageError."""
    found = {}
    for tag in given:
        name, equals, value = tag.partition("=")
        if not name or not equals:
            raise click.UsageError(f"{tag!r} is no tag: give NAME=VALUE, such as team=sales")
        found[name] = value
    return tuple(sorted(found.items()))


def _options(of_model: str) -> list[Callable[[Any], Any]]:
    texts = [
        click.option(
            f"--{of_model if name in _OF_MODELS else ''}{name}",
            f"of_{name}",
            metavar="ID" if name == "user" else "NAME",
            shell_complete=completion.users if name == "user" else None,
            help=f"{sentence[0].upper()}{sentence[1:]}" + ("" if sentence.endswith(".") else "."),
        )
        for name, sentence in TEXTS.items()
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
        min_cost = None if least is None else dollars(options.ungrouped(least.removeprefix("$").strip()))
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
