"""GET tags: what sessions are tagged with."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.store import tag_list
from otel_costs.web.answer import answer
from otel_costs.web.context import RightsOf, StoreOf
from otel_costs.web.documented import documented, readable
from otel_costs.web.models import Shape
from otel_costs.web.question import FILTERS, FORM, PERIOD, Asked, Question

router: Final = APIRouter(tags=["sessions"])

_TAGS: Final = Asked((*PERIOD, *FILTERS, *FORM), limit=(100, 1000))


class TagValue(Shape):
    """A value of a tag."""

    value: str
    session_count: int
    call_count: int


class Tag(Shape):
    """A tag, with the sessions that have it and their calls."""

    name: str
    session_count: int
    call_count: int
    value_count: int = Field(description="how many values there are; the most frequent are listed")
    values: list[TagValue]


class Tags(Shape):
    """The tags that most sessions have."""

    tags: list[Tag]


@router.get("/tags", **documented(_TAGS, Tags))
async def get_tags(
    request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(_TAGS)]
) -> Response:
    """Return the names of tags, the most frequent first, and the values that each has most often.

    Of sessions that began in the period and match the filters. As CSV it is a row for each value.
    """
    readable(question, rights)
    found = await store.ask(request, lambda client: tag_list.tags(client, question.selection, question.limit))
    return answer(question, {"tags": found}, list(tag_list.tag_rows(found)))
