"""A provider's report of what was used and what it costs, in our words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

Number = int | Decimal


class ProviderError(Exception):
    """The provider did not report; the message says what to do next, and has no key in it."""


@dataclass(frozen=True, slots=True)
class Reported:
    """Usage by day (UTC) and model, in our units; dollars by day and line item, as the provider calls those.

    A unit that is absent is one that the provider does not state. A model that it does not name is "". `unavailable`
    are the parts of the report that it does not have.
    """

    usage: Mapping[tuple[date, str], Mapping[str, Number]]
    costs: Mapping[tuple[date, str], Decimal]
    unavailable: tuple[str, ...] = ()
