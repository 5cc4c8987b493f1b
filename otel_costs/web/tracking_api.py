"""POST calls, sessions/{id} and sessions/{id}/end: what a program in any language reports of its calls and sessions."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.sessions.session import CONVERSATION
from otel_costs.store import session_starts, stored_calls
from otel_costs.store.rows import Row
from otel_costs.store.session_starts import SessionStart
from otel_costs.values import sanitize
from otel_costs.web import models, tracking
from otel_costs.web.answer import answer, failed
from otel_costs.web.context import MayWrite, RightsOf, StoreOf
from otel_costs.web.documented import documented
from otel_costs.web.exact_body import ExactRoute
from otel_costs.web.models import SessionStartBody, TrackedCall
from otel_costs.web.question import Asked, ParameterError, Question
from otel_costs.web.sessions_api import PATH, report
from otel_costs.web.store import Store

router: Final = APIRouter(tags=["tracking"], dependencies=[MayWrite], route_class=ExactRoute)

MOST: Final = 1000
"""Calls in one request."""

_FORM: Final = Asked(("money",))


class _ConflictError(Exception):
    """Another call has the same key."""


@router.post("/calls", **documented(_FORM, models.TrackedAnswer | models.TrackedAnswers, 409, 413))
async def post_calls(
    body: TrackedCall | list[TrackedCall],
    request: Request,
    store: StoreOf,
    question: Annotated[Question, Depends(_FORM)],
) -> Response:
    """Record a call, or a list of up to 1000, price each by the book in force, and answer what it costs.

    They are stored when this is answered. A call with an `idempotency_key` is stored once, however often and by however
    many at the same time it is sent; with other content under the same key nothing is stored, and the answer is 409.
    """
    calls = body if isinstance(body, list) else [body]
    if not 1 <= len(calls) <= MOST:
        raise ParameterError(f"{len(calls)} calls: give 1 to {MOST} at a time")
    try:
        if any(call.idempotency_key is not None for call in calls):
            async with request.app.state.one_at_a_time:
                found = await _track(request, store, calls)
        else:
            found = await _track(request, store, calls)
    except _ConflictError as error:
        return failed(409, str(error))
    return answer(question, {"calls": found} if isinstance(body, list) else found[0])


@router.post(f"{PATH}/{{session_id:path}}/end", **documented(_FORM, models.SessionReport, 404, 413))
async def end_session(
    session_id: str, request: Request, store: StoreOf, rights: RightsOf, question: Annotated[Question, Depends(_FORM)]
) -> Response:
    """Note that a session has ended; the answer is its report. Calls that come later still count in it."""
    wanted = unquote(session_id)
    found = await store.ask(request, lambda client: report(client, wanted, rights))
    if found is None:
        return failed(404, f"there is no session {wanted!r}: it has no call, and was not begun")
    await store.insert([tracking.end_line(found, datetime.now(UTC))])
    return answer(question, found)


@router.post(f"{PATH}/{{session_id:path}}", **documented(_FORM, models.StartedSession, 413))
async def start_session(
    session_id: str,
    body: SessionStartBody,
    request: Request,
    store: StoreOf,
    question: Annotated[Question, Depends(_FORM)],
) -> Response:
    """Begin a session, or say more of it: calls that are told afterwards get what they do not say themselves.

    What is left out stays as it was told before. A session is listed when it has its first call or message.
    """
    wanted = sanitize.identifier(unquote(session_id))
    if not wanted:
        raise ParameterError("a session needs an id")
    # One after the other: what is told at the same time by another request would be left out.
    async with request.app.state.one_at_a_time:
        known = await store.ask(request, lambda client: session_starts.find(client, [wanted]))
        start = _updated(known.get(wanted) or SessionStart(wanted), body)
        await store.insert([tracking.start_line(start, datetime.now(UTC))])
    return answer(
        question,
        {
            "session_id": wanted,
            "user_id": start.user,
            "kind": start.kind or CONVERSATION,
            "scenario": start.scenario,
            "tags": start.tags,
        },
    )


def _updated(before: SessionStart, body: SessionStartBody) -> SessionStart:
    """Return a session with what a request changes; what is left out is as before."""
    return SessionStart(
        before.session_id,
        before.user if body.user is None else tracking.user_of(body.user),
        before.kind if body.kind is None else sanitize.identifier(body.kind),
        before.scenario if body.scenario is None else sanitize.identifier(body.scenario),
        before.tags if body.tags is None else tracking.clean_tags(body.tags),
    )


async def _track(request: Request, store: Store, calls: Sequence[TrackedCall]) -> list[Row]:
    ids = [tracking.call_id_of(call) for call in calls]
    starts, stored = await store.ask(request, lambda client: _known(client, calls, ids))
    # In a thread: to price a thousand calls takes longer than others may wait for the loop.
    answers, lines = await run_in_threadpool(_read, calls, ids, starts, stored)
    if lines:
        await store.insert(lines)
    return answers


def _read(
    calls: Sequence[TrackedCall], ids: Sequence[str], starts: Mapping[str, SessionStart], stored: Mapping[str, Row]
) -> tuple[list[Row], list[bytes]]:
    """Return what is answered about calls, and what is to be stored of them. Raises _ConflictError."""
    now, answers, lines = datetime.now(UTC), [], []
    fresh: dict[str, tracking.Tracked] = {}
    for call, call_id in zip(calls, ids, strict=True):
        tracked = tracking.tracked(call, call_id, starts.get(sanitize.identifier(call.session)), now)
        if (row := stored.get(call_id)) is not None:
            _check(call, same=tracked.is_same(row))
            answers.append(tracking.repeated(call_id, call, row))
        elif (first := fresh.get(call_id)) is not None:
            _check(call, same=first.is_repeated_by(tracked))
            answers.append(first.answer | {"repeated": True})
        else:
            fresh[call_id] = tracked
            lines.append(tracked.line)
            answers.append(tracked.answer)
    return answers, lines


def _known(
    client: Any, calls: Sequence[TrackedCall], ids: Sequence[str]
) -> tuple[dict[str, SessionStart], dict[str, Row]]:
    """Return the reported starts of the sessions of calls, and the calls that are stored already."""
    sessions = [sanitize.identifier(call.session) for call in calls]
    starts = session_starts.find(client, sessions)
    keyed = [one for one in zip(calls, sessions, ids, strict=True) if one[0].idempotency_key is not None]
    stored = stored_calls.find(
        client,
        {session for _, session, _ in keyed if session},
        {tracking.user_of(call.user) for call, session, _ in keyed if not session},
        [call_id for _, _, call_id in keyed],
    )
    return starts, stored


def _check(call: TrackedCall, *, same: bool) -> None:
    if not same:
        raise _ConflictError(
            f"the idempotency key {call.idempotency_key!r} is that of another call: operation, provider, model, usage,"
            " cost, service tier, time or error are others. Nothing of this request is stored"
        )
