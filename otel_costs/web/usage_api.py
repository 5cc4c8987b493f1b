"""GET usage: averages per day, sessions by day and kind, hours of the week, and what the cache saved."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.store.cache_savings import savings
from otel_costs.store.usage_report import usage, usage_rows
from otel_costs.web.answer import answer
from otel_costs.web.context import RightsOf, StoreOf
from otel_costs.web.documented import documented, readable
from otel_costs.web.question import FILTERS, FORM, PERIOD, Asked, Question
from otel_costs.web.usage_models import CacheSavings, Usage

router: Final = APIRouter(tags=["reports"])

MOST_CALLS: Final = 50_000
"""Calls that one request prices again, to say what the cache saved: more take longer than a request may."""

_USAGE: Final = Asked((*PERIOD, *FILTERS, *FORM))


@router.get("/usage", **documented(_USAGE, Usage))
async def get_usage(
    request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(_USAGE)]
) -> Response:
    """Return how much was used, and when.

    What an average day has, sessions by day and kind, what one of a kind costs, how many cost how much, the hours of
    the week, and what the cache saved. That is exact; where more than 50,000 calls read from a cache it is not counted,
    and said (`otel-costs usage` counts any number). As CSV it is one table, whose column `part` tells its parts apart.
    """
    readable(question, rights)
    found = await store.ask(request, lambda client: usage(client, question.selection, most=MOST_CALLS))
    return answer(question, found, list(usage_rows(found)))


@router.get("/usage/cache", **documented(_USAGE, CacheSavings))
async def get_cache_savings(
    request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(_USAGE)]
) -> Response:
    """Return what the cache saved, as the usage has it, without the rest. As CSV it is a row without `not_counted`."""
    readable(question, rights)
    found = await store.ask(request, lambda client: savings(client, question.selection, most=MOST_CALLS))
    return answer(question, found, [{name: value for name, value in found.items() if name != "not_counted"}])
