"""GET report and inbox: what a user cost, and what needs a look."""

from collections.abc import Iterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.store import inbox, user_report
from otel_costs.store.rows import Row
from otel_costs.web import models
from otel_costs.web.answer import answer
from otel_costs.web.context import RightsOf, StoreOf
from otel_costs.web.documented import documented, readable
from otel_costs.web.question import FILTERS, FORM, PERIOD, Asked, Question

router: Final = APIRouter(tags=["reports"])

_REPORT: Final = Asked((*PERIOD, *FILTERS, *FORM), limit=(100, 1000))
INBOX: Final = Asked((*PERIOD, *FILTERS, *FORM))


@router.get("/report", **documented(_REPORT, models.Report))
async def get_report(
    request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(_REPORT)]
) -> Response:
    """Return what a user, or everybody, cost in a time: by kind of session, day, model and scenario.

    `sessions` are the newest, up to `limit`. As CSV the parts by day, model and scenario are one table, whose column
    `part` tells them apart.
    """
    readable(question, rights)
    found = await store.ask(request, lambda client: user_report.user_report(client, question.selection, question.limit))
    return answer(question, found, list(_parts(found)))


@router.get("/inbox", **documented(INBOX, models.Inbox))
async def get_inbox(
    request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(INBOX)]
) -> Response:
    """Return what needs a look.

    Calls that are unpriced, partial or estimated, by reason; calls that never arrived; sessions that cost ten times
    the median of their kind; days that cost three times an average day of the four weeks before; records that were
    refused; what the latest comparisons found providers' bills to differ in. As CSV it is the calls that are not
    simply priced.
    """
    readable(question, rights)
    found = await store.ask(request, lambda client: inbox.inbox(client, question.selection))
    return answer(question, {**found, "refused_records": store.refused_records}, found["not_priced"])


def _parts(report: Row) -> Iterator[Row]:
    keys = dict.fromkeys(key for by in user_report.PARTS.values() for key in by)
    for part in user_report.PARTS:
        for row in report[part]:
            yield {"part": part, **keys, **row}
