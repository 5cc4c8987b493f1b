"""GET contracts: what contracts make of costs, what is left of commitments, and what was reserved and not used."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.store import contracts
from otel_costs.store.periods import month_of
from otel_costs.web import contract_models
from otel_costs.web.answer import answer
from otel_costs.web.context import StoreOf
from otel_costs.web.documented import documented
from otel_costs.web.question import FORM, PERIOD, Asked, Question

router: Final = APIRouter(tags=["contracts"])

_LIST: Final = Asked((*PERIOD, *FORM))


@router.get("/contracts", **documented(_LIST, contract_models.Contracts))
async def get_contracts(request: Request, store: StoreOf, question: Annotated[Question, Depends(_LIST)]) -> Response:
    """Return every contract of the prices in force, and every one that calls name, with what its calls cost.

    Of the current month without a time. `reservations` have the hours that were settled, and `commitments`, whatever
    the time, what is used of them, what is left, and what will be used at their end if it goes on as in the last seven
    days. Amounts are in the contract's `currency`. CSV has a row per contract, reservation and
    commitment.
    """
    now, selection = datetime.now(UTC), question.selection
    since, until = selection.since, selection.until
    if since is None and until is None:
        since, until = month_of(now, selection.tz)
    found = await store.ask(request, lambda client: contracts.contracts(client, since, until, now))
    return answer(question, {"since": since, "until": until, "contracts": found}, contracts.part_rows(found))
