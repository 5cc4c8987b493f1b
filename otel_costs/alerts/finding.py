"""A finding: something that a rule is true of, and how its sums are written."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from otel_costs.values import sanitize

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

    def __post_init__(self) -> None:
        """Keep the message on one line: a name in it must not be able to forge another message."""
        object.__setattr__(self, "message", one_line(self.message))


def one_line(text: str) -> str:
    """Return a text with each character that is not printable written out."""
    return "".join(map(sanitize.printable, text))


def money(usd: Decimal) -> str:
    """Return dollars to the cent, or where they are less, to the first digits that are there."""
    if usd >= Decimal("0.01") or not usd:
        return f"{usd:,.2f}"
    return f"{usd:.6f}" if usd >= Decimal("0.000001") else f"{usd.normalize():f}"


def percent(share: Decimal) -> str:
    """Return a share in percent, with all the digits that it has."""
    return f"{(share * 100).normalize():f}%"
