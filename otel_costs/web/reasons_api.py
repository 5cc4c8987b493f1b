"""GET reasons: why a cost is not simply priced, and what to do."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.web import models
from otel_costs.web.answer import answer
from otel_costs.web.documented import documented
from otel_costs.web.question import FORM, Asked, Question

router: Final = APIRouter(tags=["prices"])

_REASONS: Final = Asked(FORM)


@router.get("/reasons", **documented(_REASONS, models.Reasons))
async def get_reasons(question: Annotated[Question, Depends(_REASONS)]) -> Response:
    """Return every reason that a cost may have: the sentences of docs/reasons.md, what it means and what to do."""
    found = [{"reason": one.value, "meaning": one.meaning, "remedy": one.remedy} for one in CostReason]
    return answer(question, {"reasons": found}, found)
