"""GET sessions and sessions/{id}: lists of sessions, and all of one."""

from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.sessions.session import CONVERSATION
from otel_costs.store import recorded_id, reports, session_list, session_shape, session_starts
from otel_costs.store.rows import Row
from otel_costs.store.session_starts import SessionStart
from otel_costs.web import access_log, models, whole_list
from otel_costs.web.access import Rights
from otel_costs.web.answer import answer, failed
from otel_costs.web.context import RightsOf, StoreOf
from otel_costs.web.documented import documented, readable
from otel_costs.web.question import FILTERS, FORM, PERIOD, Asked, Question
from otel_costs.web.store import Store

router: Final = APIRouter(tags=["sessions"])

PATH: Final = "/sessions"
LIMIT: Final = (50, 1000)
"""How many sessions a page has if nothing is said, and at most."""

SESSIONS: Final = Asked((*PERIOD, *FILTERS, "cursor", *FORM), limit=LIMIT, sorts=session_list.SORTS)
SESSION: Final = Asked(("money",))


@router.get(PATH, **documented(SESSIONS, models.Sessions))
async def get_sessions(
    request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(SESSIONS)]
) -> Response:
    """Return the sessions that began in a period and match the filters, page by page.

    As CSV it is all of them, up to 200,000, where neither `limit` nor `cursor` is given.
    """
    readable(question, rights)
    return answer(question, *await read(question, request, store))


@router.get(f"{PATH}/{{session_id:path}}", **documented(SESSION, models.SessionReport, 404))
async def get_session(
    session_id: str, request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(SESSION)]
) -> Response:
    """Return a session: its conversation, as far as the request may read it, and what its cost is made of."""
    wanted = unquote(session_id)
    found = await store.ask(request, lambda client: report(client, wanted, rights))
    return missing(wanted) if found is None else answer(question, found)


async def read(question: Question, request: Request, store: Store) -> tuple[Row, list[Row]]:
    """Return a page of sessions, and the rows of it, or of all pages where they are to be a file."""
    return await whole_list.read(question, "sessions", LIMIT[1], lambda page: store.ask(request, asking(page)))


def asking(question: Question) -> Any:
    """Return what asks a store for a page of sessions. Raises ParameterError for a cursor that is none."""
    question.check_cursor()

    def ask(client: Any) -> Row:
        selection = question.selection
        found = session_list.sessions(
            client, selection, sort=question.sort, limit=question.limit, cursor=question.cursor
        )
        unseen = selection.q is not None and reports.has_sealed(client, since=selection.since)
        return {**found, "sealed_not_searched": True} if unseen else found

    return ask


def missing(session_id: str) -> Response:
    """Return the answer that there is no such session."""
    return failed(404, f"there is no session {session_id!r}; GET {PATH} lists them")


def report(client: Any, session_id: str, rights: Rights) -> Row | None:
    """Return a session as a request with `rights` may see it, also one that was begun and has no call yet.

    None when there is none. Raises StoreError.
    """
    session_id = recorded_id.of_session(client, session_id)
    read = reports.session if rights.content else reports.session_frame
    found = read(client, session_id)
    if found is None and (start := session_starts.find(client, [session_id]).get(session_id)):
        found = _empty(start)
    if found is None:
        return None
    if not rights.content:
        return session_shape.without_content(found)
    access_log.read(rights.who, access_log.SESSION, session_id)
    return session_shape.shaped(found)


def _empty(start: SessionStart) -> Row:
    return {
        "session_id": start.session_id,
        "user_id": start.user,
        "kind": start.kind or CONVERSATION,
        "scenario": start.scenario,
        "tags": dict(start.tags),
        "start_time": start.told_at,
        "end_time": start.told_at,
        "duration_seconds": 0,
        "message_count": 0,
        "call_count": 0,
        "cost_usd": Decimal(),
        "unpriced_calls": 0,
        "error_count": 0,
        "messages": [],
        "cost": {
            "cost_usd": Decimal(),
            "tokens": dict.fromkeys(reports.TOKENS, 0),
            "audio_seconds": 0,
            "characters": 0,
            "cost_breakdown": dict.fromkeys(reports.BREAKDOWN, Decimal()),
        },
    }
