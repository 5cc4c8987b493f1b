"""GET calls and calls/{id}: the calls of a session or a selection, and all of one."""

import re
from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.store import call_list, one_call
from otel_costs.store.rows import Row
from otel_costs.web import call_models, whole_list
from otel_costs.web.answer import answer, failed
from otel_costs.web.context import RightsOf, StoreOf
from otel_costs.web.documented import documented, readable
from otel_costs.web.question import FILTERS, FORM, PERIOD, Asked, Question

router: Final = APIRouter(tags=["calls"])

LIMIT: Final = (50, 5000)
"""How many calls a page has if nothing is said, and at most: a long session of speech in one."""

CALLS: Final = Asked(
    (*PERIOD, *FILTERS, "cursor", *FORM),
    limit=LIMIT,
    sorts=call_list.SORTS,
    own=(("session", "only calls of this session"),),
)
CALL: Final = Asked(("money",), own=(("session", "the session of the call: it is found faster"),))

_CALL_ID: Final = re.compile(r"[0-9a-fA-F]{32}")


@router.get("/calls", **documented(CALLS, call_models.Calls))
async def get_calls(
    request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(CALLS)]
) -> Response:
    """Return the calls that ended in a period and match the filters, or those of a session, page by page.

    `sort=oldest` of one session is its timeline: who was asked when, how long it took, and what it cost. As CSV it is
    all of them, up to 200,000, where neither `limit` nor `cursor` is given.
    """
    readable(question, rights)
    found = await whole_list.read(question, "calls", LIMIT[1], lambda page: store.ask(request, asking(page)))
    return answer(question, *found)


@router.get("/calls/{call_id:path}", **documented(CALL, call_models.Call, 404))
async def get_call(
    call_id: str, request: Request, store: StoreOf, question: Annotated[Question, Depends(CALL)]
) -> Response:
    """Return all that is stored of a call: what was used, what it cost line by line, the price, and its revisions."""
    wanted, session, found = unquote(call_id), question.texts.get("session"), None
    if is_call_id(wanted):
        found = await store.ask(request, lambda client: one_call.call(client, wanted.lower(), session))
    return answer(question, found) if found else missing(wanted, session)


def asking(question: Question) -> Any:
    """Return what asks a store for a page of calls. Raises ParameterError for a cursor that is none."""
    question.check_cursor()

    def ask(client: Any) -> Row:
        return call_list.calls(
            client,
            question.selection,
            session=question.texts.get("session"),
            sort=question.sort,
            limit=question.limit,
            cursor=question.cursor,
        )

    return ask


def is_call_id(text: str) -> bool:
    """Return whether a text may be the id of a call."""
    return bool(_CALL_ID.fullmatch(text))


def missing(call_id: str, session: str | None) -> Response:
    """Return the answer that there is no such call."""
    where = "" if session is None else f" in session {session!r}"
    return failed(404, f"there is no call {call_id[:100]!r}{where}: give the 32 hex digits of its call_id")
