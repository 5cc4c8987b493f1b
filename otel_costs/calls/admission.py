"""Whether a call may be sent: what it may cost is reserved in every budget that it counts in, or it is refused."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.calls.estimate import Estimate, Kind, estimate, note
from otel_costs.calls.request_size import Size
from otel_costs.privacy import pseudonyms
from otel_costs.runtime import background, telemetry
from otel_costs.sessions import shared_budgets
from otel_costs.sessions.reservations import BudgetExceeded, Limit, Reservation, budgets_lock, release_dropped, reserve
from otel_costs.sessions.scope import Scope, attribution, current_scope
from otel_costs.values import sanitize

DRAIN_S: Final = 0.5
"""How long a call waits at most for calls that have ended to be counted; for those under way it never does."""


def admit(
    kind: Kind,
    size: Callable[[], Size | None] | None = None,
    *,
    scope: Scope | None = None,
    identity: Mapping[str, Any] | None = None,
    endpoint: str | None = None,
    deployment: str | None = None,
    refusing: bool = True,
) -> Reservation | None:
    """Return what is reserved for a call, None where it counts in no budget. Raises BudgetExceeded, and nothing else.

    `scope` is where it is made, and `identity` its session and user; None is the current ones. `size` is called only
    where there is a budget. `refusing` False is a call that has begun already, which nothing can refuse.
    """
    limits = limits_of(kind, scope or current_scope(), identity)
    if not limits:
        return None
    return _admit(limits, kind, size, endpoint, deployment, refusing=refusing)


def check_budget(
    *,
    user: object = None,
    scenario: object = None,
    model: str | None = None,
    provider: str | None = None,
    **tags: object,
) -> Decimal | None:
    """Return what is left for a call, in USD: the least of all budgets that it would count in, None if in none.

    These are the budget of the current session, and the budgets of the store (OTEL_COSTS_BUDGETS) for the user, the
    scenario, the model, the tags, the service and everything. Arguments that are not given are those of the session.
    What calls under way may cost is taken off. Raises BudgetExceeded where a budget is spent that is not soft; what is
    left of a soft one may be below 0.
    """
    given = {names.USER_ID: user, names.SCENARIO: scenario} | {names.TAG_PREFIX + key: tag for key, tag in tags.items()}
    named = {name: sanitize.identifier(value) for name, value in given.items() if value is not None}
    if names.USER_ID in named:
        named[names.USER_ID] = pseudonyms.recorded(named[names.USER_ID]) or ""
    scope = current_scope()
    limits = list(scope.limits) if scope is not None else []
    shared_budgets.wait()
    if shared_budgets.is_on:
        limits += shared_budgets.limits_of({**attribution(), **named}, provider, model)
    background.drain(DRAIN_S)
    release_dropped()
    for limit in limits:
        limit.check()
    return min((left for limit in limits if (left := limit.free_usd) is not None), default=None)


def limits_of(kind: Kind, scope: Scope | None, identity: Mapping[str, Any] | None = None) -> Sequence[Limit]:
    """Return the budgets that a call counts in; raises BudgetExceeded where those of the store must be known first."""
    limits = scope.limits if scope is not None else ()
    if not shared_budgets.is_on:
        return limits
    try:
        identity = attribution() if identity is None else identity
        return [*limits, *shared_budgets.limits_of(identity, kind.provider, kind.model)]
    except BudgetExceeded:
        raise
    except Exception as error:  # noqa: BLE001
        telemetry.warn_once("bug:budgets", "otel_costs could not look for the budgets of a call", error=error)
        return limits


def check_room(limits: Sequence[Limit], kind: Kind) -> None:
    """Raise BudgetExceeded where a call would not fit that is started elsewhere; nothing is reserved for it.

    Calls that have ended are counted before it is refused, as by `admit`; else this waits for nothing.
    """
    if not any(limit.under_way for limit in limits if not limit.soft):
        return
    release_dropped()
    if _lacks_room(limits, kind) is not None:
        count_what_has_ended()
        if (error := _lacks_room(limits, kind)) is not None:
            raise error


def _lacks_room(limits: Sequence[Limit], kind: Kind) -> BudgetExceeded | None:
    usd = _estimate(kind, None, None, None).usd
    with budgets_lock():
        return next((error for limit in limits if not limit.soft and (error := limit.refusal(usd)) is not None), None)


def settle(reservation: Reservation | None, usd: Decimal | None, *, is_billed: bool) -> None:
    """Release what was reserved for a call whose cost is counted, and remember what such calls cost."""
    if reservation is None:
        return
    if is_billed:
        note(reservation.kind, reservation.usd, usd, bounded=reservation.bounded)
    reservation.release()


def _admit(
    limits: Sequence[Limit],
    kind: Kind,
    size: Callable[[], Size | None] | None,
    endpoint: str | None,
    deployment: str | None,
    *,
    refusing: bool,
) -> Reservation | None:
    try:
        release_dropped()
        found = _estimate(kind, size, endpoint, deployment)
        if not refusing:
            return reserve(limits, found.usd, kind, bounded=found.is_bounded, refusing=False)
        if not found.is_bounded and count_what_has_ended():
            found = _estimate(kind, size, endpoint, deployment)
        refuse_unpriced(limits, kind, found)
        try:
            return reserve(limits, found.usd, kind, bounded=found.is_bounded)
        except BudgetExceeded:
            if not count_what_has_ended():
                raise
        found = _estimate(kind, size, endpoint, deployment)
        return reserve(limits, found.usd, kind, bounded=found.is_bounded)
    except BudgetExceeded:
        raise
    except Exception as error:  # noqa: BLE001
        telemetry.warn_once("bug:budget", "otel_costs could not check a budget; the call is sent", error=error)
        return None


def _estimate(
    kind: Kind, size: Callable[[], Size | None] | None, endpoint: str | None, deployment: str | None
) -> Estimate:
    try:
        return estimate(kind, None if size is None else size(), endpoint=endpoint, deployment=deployment)
    except Exception as error:  # noqa: BLE001
        telemetry.warn_once("bug:estimate", "otel_costs could not tell what a call may cost", error=error)
        return Estimate(Decimal(0), is_bounded=False, is_priced=True)


def count_what_has_ended() -> bool:
    """Have the calls that have ended counted, and return whether there were any."""
    if not background.waiting():
        return False
    background.drain(DRAIN_S)
    return True


def refuse_unpriced(limits: Sequence[Limit], kind: Kind, found: Estimate) -> None:
    """Raise BudgetExceeded for a call without a price, where a limit refuses such."""
    if found.is_priced:
        return
    for limit in limits:
        if limit.unpriced == "refuse" and not limit.soft:
            raise limit.exceeded(f"refuses calls without a price: there is none of {_named(kind)}")


def _named(kind: Kind) -> str:
    return f"{kind.operation} with model {kind.model!r} of provider {kind.provider!r}"
