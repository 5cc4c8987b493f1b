"""GET statements: what each value of a tag pays for a month."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.chargeback import statements
from otel_costs.chargeback.rules import DEFAULT_BY
from otel_costs.store.rows import Row
from otel_costs.web.answer import answer
from otel_costs.web.context import StoreOf
from otel_costs.web.documented import documented
from otel_costs.web.models import Measures, Money, Shape, Time
from otel_costs.web.question import FORM, Asked, ParameterError, Question

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

router: Final = APIRouter(tags=["reports"])

STATEMENTS: Final = Asked(
    ("tz", "by", *FORM), own=(("month", "the month, such as 2026-11; the last one that is over by default"),)
)


class Charged(Measures):
    """What calls cost of their own, what is shared, and both."""

    shared_usd: Money = Field(description="what it gets of what is shared, below 0 for what is split")
    total_usd: Money = Field(description="cost_usd and shared_usd")


class SharedFrom(Shape):
    """A part of what is shared."""

    value: str = Field(description="whose spend is shared")
    shared_usd: Money


class NotPriced(Shape):
    """Calls that are not simply priced, of one reason."""

    cost_status: str
    cost_reason: str
    call_count: int


class Statement(Charged):
    """What one value of the tag pays; an empty one is what nothing assigns."""

    value: str
    by_model: list[Charged]
    by_service: list[Charged]
    shared_from: list[SharedFrom]
    not_priced: list[NotPriced]
    limit_usd: Money | None = Field(description="its budget of a month, as it is set now; null where there is none")


class Statements(Shape):
    """The statements of a month; they add up to `total`."""

    month: str
    since: Time
    until: Time
    tz: str
    by: str
    total: Charged
    statements: list[Statement]


@router.get("/statements", **documented(STATEMENTS, Statements))
async def get_statements(
    request: Request, store: StoreOf, question: Annotated[Question, Depends(STATEMENTS)]
) -> Response:
    """Return what each value of a tag pays for a month: of its own, of what is shared, by model and by service.

    `by` is one tag, `tag.team` by default. As CSV all parts are one table, whose column `part` tells them apart.
    """
    found = await store.ask(request, asking(question))
    return answer(question, found, list(statements.statement_rows(found)))


def asking(question: Question) -> "Callable[[Client], Row]":
    """Return what asks the store for statements. Raises ParameterError for what is no month or no tag."""
    selection = question.selection
    of_month = question.texts.get("month") or statements.last_month(selection.tz)
    (by, *more) = question.by or (DEFAULT_BY,)
    try:
        statements.check(of_month, by, selection.tz)
    except ValueError as error:
        raise ParameterError(str(error)) from None
    if more:
        raise ParameterError("by: statements are by one tag")
    return lambda client: statements.statements(client, selection, of_month, by)
