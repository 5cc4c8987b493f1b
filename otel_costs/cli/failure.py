"""What ends a command: a line that says what is wrong and what to do next."""

import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

import click

from otel_costs.cli.output import inert


class Failure(click.ClickException):
    """A wrong call, or a store that cannot be used."""

    exit_code = 2

    def format_message(self) -> str:
        """Return the message in one line, and nothing in it that a terminal would act on."""
        return inert(" ".join(self.message.split()))


def wrong_call(error: click.UsageError) -> Failure:
    """Return the failure of a wrong call, in one line, with the command whose help to read."""
    path = error.ctx.command_path if error.ctx else "otel-costs"
    return Failure(f"{error.format_message().rstrip('.')}; see `{path} --help`")


def fault(error: Exception) -> Failure:
    """Return the failure of an error of ours: its place, not its text, which may have anything in it."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(at.filename).name}:{at.lineno}"
    return Failure(
        f"a fault of otel-costs itself ({type(error).__name__} at {where}): please report it, with this line"
    )


def nearest(name: str, known: Iterable[str], otherwise: str, most: int = 3) -> str:
    """Return which of `known` may have been meant; if none is near, `otherwise` and all of them (the first twenty)."""
    names = list(dict.fromkeys(known))
    by_case = {other.lower(): other for other in names}
    near = [by_case[match] for match in get_close_matches(name.lower(), by_case, n=most, cutoff=0.55)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    listed = ", ".join(names[:20])
    return f"{otherwise} {listed}{f' and {len(names) - 20:,} more' if len(names) > 20 else ''}"
