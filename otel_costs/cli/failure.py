"""What ends a command: a line that says what is wrong and what to do next."""

from collections.abc import Iterable
from difflib import get_close_matches

import click


class Failure(click.ClickException):
    """A wrong call, or a store that cannot be used."""

    exit_code = 2


def nearest(name: str, known: Iterable[str], otherwise: str, most: int = 3) -> str:
    """Say which of `known` may have been meant; if none is near, `otherwise` and all of them (the first twenty)."""
    names = list(dict.fromkeys(known))
    by_case = {other.lower(): other for other in names}
    near = [by_case[match] for match in get_close_matches(name.lower(), by_case, n=most, cutoff=0.5)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    listed = ", ".join(names[:20])
    return f"{otherwise} {listed}{', ...' if len(names) > 20 else ''}"
