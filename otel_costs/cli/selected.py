"""The options that say which calls are meant: a period, its zone, and what a call has. Read as a Selection."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from otel_costs.cli.selecting import tags
from otel_costs.semconv import ENV_TZ
from otel_costs.store.periods import began, moment, zone
from otel_costs.store.selection import Selection

F = TypeVar("F", bound=Callable[..., Any])

_TEXTS: Final = {
    "user": ("ID", "Only of this user."),
    "kind": ("NAME", "Only of this kind of session: conversation, creation, or a word of yours."),
    "scenario": ("NAME", "Only of this scenario."),
    "step": ("NAME", "Only calls of this step."),
    "service": ("NAME", "Only calls of this service."),
    "operation": ("NAME", "Only calls of this operation: chat, speech_to_text, ..."),
}
_OF_MODELS: Final = {"provider": "Only calls of this provider.", "model": "Only calls that this model answered."}

OPTIONS: Final = ("since", "until", "tz", *_TEXTS, "tags", "of_provider", "of_model")
"""The parameters that they become; those of `selection`."""


def selection_options(prefix: str = "", default: str | None = None) -> Callable[[F], F]:
    """Return what adds the options; `prefix` `of-` makes --of-model of --model; `default`: --from, if none is given.

    The command gets a parameter for each of OPTIONS.
    """
    filters = [click.option(f"--{name}", name, metavar=meta, help=said) for name, (meta, said) in _TEXTS.items()]
    models = [
        click.option(f"--{prefix}{name}", f"of_{name}", metavar="NAME", help=said) for name, said in _OF_MODELS.items()
    ]

    def add(function: F) -> F:
        for option in reversed([_from(default), _TO, _TZ, *filters, *models, _TAG]):
            function = option(function)
        return function

    return add


def selection(asked: Mapping[str, Any]) -> Selection:
    """Return what the options mean. Raises click.UsageError for a time, a zone or a tag that is none."""
    try:
        tz = zone(asked["tz"])
        since, end = began(asked["since"], tz=tz) if asked["since"] else (None, None)
        until = moment(asked["until"], whole_day=True, tz=tz) if asked["until"] else end
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return Selection(
        since=since,
        until=until,
        tz=tz,
        **{name: asked[name] for name in _TEXTS},
        provider=asked["of_provider"],
        model=asked["of_model"],
        tags=tags(asked["tags"]),
    )


def is_given(asked: Mapping[str, Any]) -> bool:
    """Return whether any of the options is given, but for the zone."""
    return any(asked[name] not in (None, ()) for name in OPTIONS if name != "tz")


def _from(default: str | None) -> Callable[[F], F]:
    return click.option(
        "--from", "since", metavar="RANGE", default=default, show_default=default is not None,
        help="From then on: 30d, 12h, today, 2026-11-22 or 2026-11-22T10:30:00Z; or in yesterday or 2026-11.",
    )  # fmt: skip


_TO: Final = click.option("--to", "until", metavar="DATE", help="Up to and with this day, or up to this time.")
_TZ: Final = click.option(
    "--tz", metavar="ZONE", help=f"The zone of days and hours: Europe/Berlin.  [default: {ENV_TZ}, or else UTC]"
)
_TAG: Final = click.option("--tag", "tags", metavar="NAME=VALUE", multiple=True, help="Only with this tag; repeatable.")
