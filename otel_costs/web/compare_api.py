"""GET compare: two periods, models, scenarios, services or tags side by side."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.store import comparison
from otel_costs.store.rows import Row
from otel_costs.web.answer import answer
from otel_costs.web.compare_models import Comparison
from otel_costs.web.context import RightsOf, StoreOf
from otel_costs.web.documented import documented, readable
from otel_costs.web.question import FILTERS, FORM, PERIOD, Asked, ParameterError, Question

router: Final = APIRouter(tags=["costs"])

_SIDE: Final = "a period, such as 2026-11, or NAME=VALUE of a filter, such as model=gpt-4o or tag.team=west"

COMPARE: Final = Asked(
    (*PERIOD, *FILTERS, "by", *FORM),
    limit=(100, comparison.MOST_GROUPS),
    own=(("a", f"one side: {_SIDE}; with b"), ("b", f"the other side: {_SIDE}; without both, the period before")),
)

_MODEL: Final = "model"


@router.get("/compare", **documented(COMPARE, Comparison))
async def get_compare(
    request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(COMPARE)]
) -> Response:
    """Return two sides and where the difference is: `a=2026-10&b=2026-11`, `a=model=gpt-4o&b=model=gpt-4o-mini`.

    Without them it is the period that is asked for (7d), and the one of the same length before it. All other parameters
    hold for both; `by`, one dimension, is what the difference is split by (model). As CSV it is one table, whose column
    `part` tells its parts apart.
    """
    readable(question, rights)
    found = await store.ask(request, asking(question))
    return answer(question, found, list(comparison.comparison_rows(found)))


def asking(question: Question) -> Any:
    """Return what asks a store for a comparison. Raises ParameterError for sides that are none."""
    if len(question.by) > 1:
        raise ParameterError(f"by: one dimension is compared at a time, and not {', '.join(question.by)}")
    by = question.by[0] if question.by else _MODEL
    given = [question.texts[side] for side in ("a", "b") if question.texts.get(side)]
    try:
        first, second = comparison.sides(given, question.selection, datetime.now(UTC))
    except ValueError as error:
        raise ParameterError(f"a, b: {error}") from None

    def ask(client: Any) -> Row:
        found = comparison.compared(client, first, second, by)
        return {**found, "groups": comparison.cut(found["groups"], question.limit)}

    return ask
