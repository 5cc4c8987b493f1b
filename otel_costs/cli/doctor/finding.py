"""What a check finds: whether it is well, in one sentence, and what to do next."""

from dataclasses import dataclass
from typing import Final, Literal

State = Literal["ok", "note", "problem"]

OK: Final = "ok"
NOTE: Final = "note"
PROBLEM: Final = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A `note` may be as it is meant to be, a `problem` costs calls, costs or reports."""

    check: str
    """What was looked at, in a word or two."""
    state: State
    said: str
    """One sentence."""
    next_step: str = ""
    """What to do; empty where nothing is to be done."""


def ok(check: str, sentence: str, next_step: str = "") -> Finding:
    """Return what is well."""
    return Finding(check, OK, sentence, next_step)


def note(check: str, sentence: str, next_step: str) -> Finding:
    """Return what may be meant, and may not."""
    return Finding(check, NOTE, sentence, next_step)


def problem(check: str, sentence: str, next_step: str) -> Finding:
    """Return what is wrong."""
    return Finding(check, PROBLEM, sentence, next_step)
