"""POST what-if: what calls would have cost with other models, tiers and processing windows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.store.alternative import Alternative
from otel_costs.store.rows import Row
from otel_costs.store.what_if import TooManyCallsError, what_if
from otel_costs.store.what_if_rows import what_if_rows
from otel_costs.web.answer import answer
from otel_costs.web.context import RightsOf, StoreOf
from otel_costs.web.documented import documented, readable
from otel_costs.web.exact_body import ExactRoute
from otel_costs.web.question import FILTERS, FORM, PERIOD, Asked, ParameterError, Question
from otel_costs.web.what_if_models import WhatIf, WhatIfBody

router: Final = APIRouter(tags=["what-if"], route_class=ExactRoute)

MOST_PRICES: Final = 100_000
"""Prices that one request computes, one for each call and alternative: more take longer than a request may."""

_WHAT_IF: Final = Asked((*PERIOD, *FILTERS, *FORM), own=(("session", "only calls of this session"),))


@router.post("/what-if", **documented(_WHAT_IF, WhatIf, 413))
async def post_what_if(
    body: WhatIfBody,
    request: Request,
    store: StoreOf,
    rights: RightsOf,
    question: Annotated[Question, Depends(_WHAT_IF)],
) -> Response:
    """Return what the calls of a session or a selection cost, and would have cost with each alternative.

    The usage is taken as it is, call by call; nothing is stored. Each alternative is compared on the calls that have a
    cost both ways, line by line; what has no price is named with its reason. At most 100,000 calls at a time, divided
    by the number of alternatives: `otel-costs price --from` takes any number. As CSV it is the lines.
    """
    readable(question, rights)
    found = await store.ask(request, asking(question, [one.alternative for one in body.alternatives], body.at))
    return answer(question, found, list(what_if_rows(found)))


def asking(question: Question, alternatives: Sequence[Alternative], at: datetime | None) -> Any:
    """Return what asks a store for a comparison, which raises ParameterError where there are too many calls."""
    session, most = question.texts.get("session"), MOST_PRICES // max(1, len(alternatives))

    def ask(client: Any) -> Row:
        try:
            return what_if(client, question.selection, alternatives, session=session, at=at, most=most)
        except TooManyCallsError as error:
            raise ParameterError(f"{error}, or use otel-costs price") from None

    return ask
