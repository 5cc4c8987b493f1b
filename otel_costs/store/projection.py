"""What a period will have cost at its end if it goes on as lately."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from otel_costs.store.session_figures import divided

LATELY: Final = timedelta(days=7)
"""How far back lately goes."""

_DAY_S: Final = 86_400


def projected(spent: Decimal, lately: Decimal, first_time: datetime | None, *, now: datetime, end: datetime) -> Decimal:
    """Return what was `spent` so far, and what comes until `end` if it goes on as lately.

    `lately` was spent since `first_time`, the first call of these days, which are taken to be a day at least; None:
    there was none. The result is rounded to twelve decimals.
    """
    if first_time is None or end <= now:
        return spent
    lasted = max(int((now - first_time).total_seconds()), _DAY_S)
    return spent + divided(lately * int((end - now).total_seconds()), lasted)
