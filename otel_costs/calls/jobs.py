"""Jobs that are billed later than they are started: the session that started each, and which are billed already."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from otel_costs.sessions.reservations import Reservation
from otel_costs.sessions.session import Scope
from otel_costs.usage.numbers import EXACT
from otel_costs.values.recent import Recent

KEPT: Final = 10_000
"""Jobs that one process remembers; of older ones the store alone knows that they were billed."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The scope and the identity that a job was started in."""

    scope: Scope | None
    identity: Mapping[str, Any]
    reservation: Reservation | None = None
    """What the job may cost, until it has ended."""


class Jobs:
    """The background responses, batches, runs and videos that this process has seen, by the id of their call."""

    def __init__(self) -> None:
        self._owners: Recent[str, Owner] = Recent(KEPT)
        self._billed: Recent[str, bool] = Recent(KEPT)
        self._noted_usd: Recent[str, Decimal] = Recent(KEPT)

    def started(self, call_id: str, owner: Owner) -> None:
        """Remember the owner of a job, which gets its bill wherever its end is found. The first one stays."""
        self._owners.setdefault(call_id, owner)

    def owner(self, call_id: str) -> Owner | None:
        """Return the owner of the job; None if it was started by another process, or long ago."""
        return self._owners.get(call_id)

    def note(self, call_id: str, usd: Decimal) -> Decimal:
        """Return what a job costs beyond its last record, in USD, and remember `usd` as that of the new one."""
        noted_usd = self.noted_usd(call_id)
        self._noted_usd[call_id] = usd
        return EXACT.subtract(usd, noted_usd)

    def noted_usd(self, call_id: str) -> Decimal:
        """Return the cost in the latest record of a job, in USD; 0 where there is none."""
        return self._noted_usd.get(call_id) or Decimal(0)

    def bill(self, call_id: str) -> bool:
        """Return whether the job is billed for the first time in this process, and remember that it is.

        Jobs are read one after the other, in the background: no two ask at once.
        """
        if self._billed.get(call_id):
            return False
        self._billed[call_id] = True
        return True


known = Jobs()
"""Those of this process."""

_ended: Recent[tuple[str, str], bool] = Recent(KEPT)


def is_first_poll(provider: str, job_id: str) -> bool:
    """Return whether this is the first poll of this process that finds the job ended; lists show it again and again."""
    if _ended.get((provider, job_id)):
        return False
    _ended[provider, job_id] = True
    return True


def forget() -> None:
    """Forget which jobs were billed, and which were found ended; as after a restart."""
    global known, _ended
    known, _ended = Jobs(), Recent(KEPT)
