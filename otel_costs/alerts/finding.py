"""A finding: something that a rule is true of, and how its sums are written."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

MOST: Final = 100
"""Findings of a rule at one moment; of more the dearest."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule is true of. `subject` is the same as long as it is the same thing."""

    subject: str
    message: str
    user_id: str = ""
    session_id: str = ""
    tells_end: bool = True
    once: bool = False
    """Whether it is told one time only, also when it ends and begins again."""


def money(usd: Decimal) -> str:
    """Return dollars to the cent, or where they are less, to the first digits that are there."""
    return f"{usd:,.2f}" if usd >= Decimal("0.01") or not usd else f"{usd:.6f}"
