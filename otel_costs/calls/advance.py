"""What a session may cost that is billed by the second: it is let on for some seconds at a time, as a call is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from otel_costs import pricing
from otel_costs.calls.admission import count_what_has_ended, limits_of, refuse_unpriced
from otel_costs.calls.estimate import Estimate, Kind, estimate
from otel_costs.runtime import telemetry
from otel_costs.sessions.reservations import BudgetExceeded, Reservation
from otel_costs.sessions.scope import Scope
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT

SECONDS: Final = Decimal(15)
"""Seconds that a session is let on for: OpenAI's Live says as often what it has used."""

_UNIT: Final = "audio_seconds"
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Payer:
    """The session and user whose budgets are charged, and the names that the price is found by."""

    kind: Kind
    scope: Scope | None
    identity: Mapping[str, Any]
    endpoint: str | None = None
    deployment: str | None = None


class Advance:
    """What a session has used so far, and its coming seconds, in all budgets that it counts in.

    Where its seconds have no price, as much is reserved as the dearest of its kind has cost lately.
    """

    def __init__(self) -> None:
        self.reservation = Reservation((), _ZERO)
        self.refusal: BudgetExceeded | None = None
        """Why it is not let on; None while it is."""
        self.until_s = _ZERO
        """The second of the session that it is let on to."""

    def begin(self, payer: Payer) -> None:
        """Let a session begin. Raises BudgetExceeded, and nothing else, where its first seconds do not fit."""
        try:
            count_what_has_ended()
            refuse_unpriced(limits_of(payer.kind, payer.scope, payer.identity), payer.kind, _estimate(payer))
        except BudgetExceeded:
            raise
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:advance", "otel_costs could not check a budget; a session goes on", error=error)
        self.renew(payer, {})
        if (refusal := self.refusal) is not None:
            self.end()
            raise refusal

    def renew(self, payer: Payer, used: Mapping[str, Decimal], noted_usd: Decimal = _ZERO) -> None:
        """Count what a session has used so far, and let it on if its coming seconds fit: else `refusal` says why not.

        `used` is in all its units, `noted_usd` what is in the ledger of it. Waits for nothing, and raises nothing.
        """
        try:
            self._renew(payer, used, noted_usd)
        except Exception as error:  # noqa: BLE001
            self.refusal = None
            telemetry.warn_once("bug:advance", "otel_costs could not check a budget; a session goes on", error=error)

    def end(self) -> None:
        """Release what is reserved."""
        self.refusal = None
        self.reservation.release()

    def _renew(self, payer: Payer, used: Mapping[str, Decimal], noted_usd: Decimal) -> None:
        self.until_s = used.get(_UNIT, _ZERO) + SECONDS
        try:
            limits = limits_of(payer.kind, payer.scope, payer.identity)
        except BudgetExceeded as unknown:
            self.refusal = unknown
            return
        coming_usd = used_usd = _ZERO
        if limits:
            ahead_usd = _price(payer, {**used, _UNIT: self.until_s})
            used_usd = (_price(payer, used) if used else _ZERO) or _ZERO
            coming_usd = _estimate(payer).usd if ahead_usd is None else EXACT.subtract(ahead_usd, used_usd)
        self.reservation.kind = payer.kind
        refusals = self.reservation.renew(limits, max(coming_usd, _ZERO), used_usd, noted_usd)
        self.refusal = refusals[0] if refusals else None


def _estimate(payer: Payer) -> Estimate:
    """Return what a session may cost of whose seconds no more is known than what others of its kind have cost."""
    found = estimate(payer.kind, None)
    if found.is_priced or _price(payer, {_UNIT: SECONDS}) is None:
        return found
    return Estimate(found.usd, is_bounded=False, is_priced=True)


def _price(payer: Payer, used: Mapping[str, Decimal]) -> Decimal | None:
    kind = payer.kind
    return pricing.price(
        Usage.of(used),
        provider=kind.provider,
        model=kind.model,
        endpoint=payer.endpoint,
        deployment=payer.deployment,
    ).total
