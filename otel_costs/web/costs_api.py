"""GET summary and costs: what calls cost in a period, beside the one before, and split by anything."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.chargeback import shared_costs
from otel_costs.store import summary
from otel_costs.store.rows import Row
from otel_costs.web import models
from otel_costs.web.answer import answer
from otel_costs.web.context import RightsOf, StoreOf
from otel_costs.web.documented import documented, readable
from otel_costs.web.question import FILTERS, FORM, PERIOD, Asked, Question

router: Final = APIRouter(tags=["costs"])

GROUPS: Final = (100, 10_000)
"""How many groups beside time have rows of their own if nothing is said, and at most."""

_SUMMARY: Final = Asked((*PERIOD, *FILTERS, "measures", *FORM))
COSTS: Final = Asked((*PERIOD, *FILTERS, "by", "measures", *FORM), limit=GROUPS)


@router.get("/summary", **documented(_SUMMARY, models.Summary))
async def get_summary(
    request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(_SUMMARY)]
) -> Response:
    """Return the figures of an overview.

    The cost of what ended in the period and that of the period before, the sessions that began in it and what one of
    them costs, calls that failed or have no price, the share of cached input, and where the month is going.
    """
    readable(question, rights)
    found = await store.ask(
        request, lambda client: summary.summary(client, question.selection, columns=question.columns)
    )
    return answer(question, found, [_figures(found)])


@router.get("/costs", **documented(COSTS, models.Costs))
async def get_costs(
    request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(COSTS)]
) -> Response:
    """Return what calls cost, split by what `by` names: rows that add up to the total.

    Of the groups beside time those that cost most in all have rows, up to `limit`; the others have one row together in
    each piece of time.
    """
    readable(question, rights)
    asked = (question.selection, question.by, question.limit, question.columns)
    found = await store.ask(request, lambda client: shared_costs.report(client, *asked))
    return answer(question, found, found["costs"])


def _figures(found: Row) -> Row:
    """Return a summary as one row."""
    flat = {name: value for name, value in found.items() if name not in ("before", "sessions", "month")}
    for part in ("before", "sessions", "month"):
        flat |= {f"{part}_{name}": value for name, value in (found[part] or {}).items()}
    return flat
