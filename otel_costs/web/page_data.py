"""Pages as data: each path of a page with `.json` or `.csv`, and without for a client that asks for no page.

What a page shows comes of the same questions as the API's answers. One table says of which.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.chargeback import shared_costs, statements
from otel_costs.store import (
    comparison,
    costs,
    inbox,
    missing_prices,
    one_call,
    session_lines,
    session_list,
    summary,
    what_if_rows,
)
from otel_costs.store.alternative import Alternative
from otel_costs.store.known import is_known, is_session_known
from otel_costs.store.rows import Row
from otel_costs.store.selection import Selection
from otel_costs.store.usage_report import usage
from otel_costs.web import (
    alerts_api,
    budgets_api,
    calls_api,
    compare_api,
    costs_api,
    page_paths,
    pages,
    prices_api,
    sessions_api,
    statements_api,
    usage_api,
    what_if_api,
)
from otel_costs.web.access import Rights
from otel_costs.web.answer import answer, failed
from otel_costs.web.context import RIGHTS
from otel_costs.web.documented import readable
from otel_costs.web.page_paths import PagePath
from otel_costs.web.question import FILTERS, FORM, PERIOD, Asked, ParameterError, Question
from otel_costs.web.store import Store
from otel_costs.web.what_if_models import prices_at

router: Final = APIRouter(include_in_schema=False)

DEAREST: Final = 10
"""Sessions that an overview lists."""

_PIECES: Final = {"hour": timedelta(days=2.5), "day": timedelta(days=190)}
"""Up to which length of a period its costs are told by the hour, and by the day; longer ones by the month."""
_GONE_BY: Final = timedelta(minutes=1)  # at most, since the range was read

_ID: Final = (("id", "the id, where it cannot stand in the path"),)
_ALTERNATIVES: Final = (
    ("session", "only calls of this session"),
    ("alternative", "another MODEL, or MODEL;PROVIDER; several, separated by commas or given one by one"),
    ("service_tier", "another service tier, of each alternative"),
    ("processing", "another processing window, of each alternative"),
    ("prices_at", "prices of this time: now, or a moment; by default those of the time of each call"),
)


@dataclass(frozen=True, slots=True)
class _Asking:
    """A request for a page as data: what it asks for, of what, and with which rights."""

    request: Request
    store: Store
    rights: Rights
    question: Question
    ids: tuple[str, ...]

    async def ask(self, job: Callable[[Any], Any]) -> Any:
        """Ask the store."""
        return await self.store.ask(self.request, job)


_Answered = tuple[object, Sequence[Row]]
"""What a page shows, and the rows of its main table."""


@dataclass(frozen=True, slots=True)
class _Page:
    """How a page is asked for, and what makes it: None where there is no such thing."""

    asked: Asked
    answered: Callable[[_Asking], Awaitable[_Answered | Response]]
    fixed: tuple[str, ...] = ()
    """The filters that the ids of its path are."""


async def _overview(asking: _Asking) -> _Answered:
    question = asking.question
    parts = await _costs(asking)
    listed, found_inbox = await asyncio.gather(
        asking.ask(budgets_api.status), asking.ask(lambda client: inbox.inbox(client, question.selection))
    )
    found_inbox["refused_records"] = asking.store.refused_records
    return {**parts, "budgets": listed, "inbox": _counts(found_inbox)}, parts["breakdown"]["costs"]


async def _one(asking: _Asking) -> _Answered:
    """Return the overview of one user, scenario or model, and how much it is used."""
    selection = asking.question.selection
    found, used = await asyncio.gather(
        _costs(asking), asking.ask(lambda client: usage(client, selection, most=usage_api.MOST_CALLS))
    )
    return {**found, "usage": used}, found["breakdown"]["costs"]


async def _costs(asking: _Asking) -> Row:
    question, selection = asking.question, asking.question.selection
    by = question.by or _by(question)
    times = (_piece(selection, datetime.now(UTC)), *(name for name in by if name not in costs.TIMES))
    figures, trend, breakdown, dearest = await asyncio.gather(
        asking.ask(lambda client: summary.summary(client, selection)),
        asking.ask(lambda client: costs.report(client, selection, times, question.limit)),
        asking.ask(lambda client: shared_costs.report(client, selection, by, question.limit)),
        asking.ask(lambda client: session_list.sessions(client, selection, sort="cost", limit=DEAREST)),
    )
    return {"summary": figures, "trend": trend, "breakdown": breakdown, "sessions": dearest["sessions"]}


async def _sessions(asking: _Asking) -> _Answered:
    return await sessions_api.read(asking.question, asking.request, asking.store)


async def _session(asking: _Asking) -> _Answered | Response:
    (session_id,) = asking.ids
    found = await asking.ask(lambda client: sessions_api.report(client, session_id, asking.rights))
    if found is None:
        return sessions_api.missing(session_id)
    lines = await asking.ask(lambda client: session_lines.lines(client, session_id)) if asking.question.csv else []
    return found, lines


async def _call(asking: _Asking) -> _Answered | Response:
    call_id, session = asking.ids[0], asking.question.texts.get("session")
    if not calls_api.is_call_id(call_id):
        return calls_api.missing(call_id, session)
    found = await asking.ask(lambda client: one_call.call(client, call_id.lower(), session))
    if found is None:
        return calls_api.missing(call_id, session)
    return found, [{"call_id": found["call_id"], **line} for line in found["lines"]]


async def _statements(asking: _Asking) -> _Answered:
    found = await asking.ask(statements_api.asking(asking.question))
    return found, list(statements.statement_rows(found))


async def _budgets(asking: _Asking) -> _Answered:
    found = await asking.ask(budgets_api.burning)
    return {"budgets": found}, [{name: row[name] for name in row if name != "burn_down"} for row in found]


async def _alerts(asking: _Asking) -> _Answered:
    found = await asking.ask(alerts_api.asking(asking.question.limit))
    return found, found["alerts"]


async def _what_if(asking: _Asking) -> _Answered:
    texts = asking.question.texts
    models = [model for model in texts.get("alternative", "").split(",") if model]
    other = {name: texts.get(name) or None for name in ("service_tier", "processing")}
    # MODEL, or MODEL;PROVIDER: no name of a model has a semicolon.
    parts = [model.partition(";") for model in models]
    chosen = [Alternative(model=model, provider=provider or None, **other) for model, _, provider in parts]
    if not models and any(other.values()):
        chosen = [Alternative(**other)]
    try:
        at = prices_at(texts.get("prices_at"))
        found = await asking.ask(what_if_api.asking(asking.question, chosen, at))
    except ValueError as error:
        raise ParameterError(str(error)) from None
    return found, list(what_if_rows.what_if_rows(found))


async def _prices(asking: _Asking) -> _Answered:
    found, missing = await asyncio.gather(
        asyncio.to_thread(prices_api.prices, asking.question),
        asking.ask(lambda client: missing_prices.missing_prices(client, Selection())),
    )
    return {**found, "missing": missing}, found["prices"]


async def _inbox(asking: _Asking) -> _Answered:
    found = await asking.ask(lambda client: inbox.inbox(client, asking.question.selection))
    return {**found, "refused_records": asking.store.refused_records}, found["not_priced"]


async def _compare(asking: _Asking) -> _Answered:
    found = await asking.ask(compare_api.asking(asking.question))
    return found, list(comparison.comparison_rows(found))


_OVERVIEW: Final = Asked((*PERIOD, *FILTERS, "by", *FORM), limit=costs_api.GROUPS, own=_ID)
_ALONE: Final = Asked(("tz", *FORM), own=_ID)
_CALL: Final = replace(_ALONE, own=(*_ID, *calls_api.CALL.own))

_SINGLE: Final = {
    page_paths.OVERVIEW: _Page(_OVERVIEW, _overview),
    "sessions": _Page(sessions_api.SESSIONS, _sessions),
    "statements": _Page(statements_api.STATEMENTS, _statements),
    "budgets": _Page(Asked(("tz", *FORM)), _budgets),
    "alerts": _Page(replace(alerts_api.LIST, names=("tz", *FORM)), _alerts),
    "what-if": _Page(Asked((*PERIOD, *FILTERS, *FORM), own=_ALTERNATIVES), _what_if),
    "prices": _Page(replace(prices_api.PRICES, names=("tz", *FORM)), _prices),
    "inbox": _Page(Asked((*PERIOD, *FILTERS, *FORM)), _inbox),
    "compare": _Page(compare_api.COMPARE, _compare),
}
_OF_ONE: Final = {
    "sessions": _Page(_ALONE, _session),
    "calls": _Page(_CALL, _call),
    "users": _Page(_OVERVIEW, _one, ("user",)),
    "scenarios": _Page(_OVERVIEW, _one, ("scenario",)),
    "models": _Page(_OVERVIEW, _one, ("provider", "model")),
}
"""What each page is made of."""

PATHS: Final = (
    "/",
    *(f"/{page_paths.OVERVIEW}.{form}" for form in page_paths.FORMS),
    *(f"/{name}{suffix}" for name in page_paths.SINGLE for suffix in ("", *(f".{form}" for form in page_paths.FORMS))),
    *(f"/{name}/{{rest:path}}" for name in page_paths.OF_ONE),
)


async def get_page(request: Request) -> Response:
    """Return what a page shows, as JSON or CSV; to a browser that asks for a page of an odd name, the page."""
    path = page_paths.find(pages.below_root(request.scope))
    if path is None:
        raise HTTPException(404)
    store: Store = request.app.state.store
    if (exact := path.exactly()) and await _is_there(request, store, exact):
        path = exact
        if pages.is_browser(request):
            return pages.document(request)
    return await _answer(request, store, path)


for _path in PATHS:
    router.add_api_route(_path, get_page, methods=["GET"], response_model=None)


async def _answer(request: Request, store: Store, path: PagePath) -> Response:
    page = (_OF_ONE if path.is_one else _SINGLE)[path.kind]
    ids = path.ids(request.query_params) if path.is_one else ()
    if ids is None:
        return failed(404, "a model's page is /models/PROVIDER/MODEL")
    rights: Rights = request.scope[RIGHTS]
    asked = page.asked if path.rest == "" else replace(page.asked, own=tuple(set(page.asked.own) - {*_ID}))
    read = asked.read(_given(request), request.app.state.allocation)
    question = _narrowed(read, dict(zip(page.fixed, ids, strict=False)))
    readable(question, rights)
    if path.form is not None:
        question = replace(question, csv=path.form == "csv")
    found = await page.answered(_Asking(request, store, rights, question, ids))
    return found if isinstance(found, Response) else answer(question, found[0], found[1])


def _given(request: Request) -> list[tuple[str, str]]:
    """Return the parameters; alternatives that are given one by one are one, separated by commas."""
    items = request.query_params.multi_items()
    several = [value for name, value in items if name == "alternative"]
    others = [(name, value) for name, value in items if name != "alternative"]
    return [*others, ("alternative", ",".join(several))] if several else others


def _narrowed(question: Question, fixed: dict[str, str]) -> Question:
    """Return the question of what the path names. Raises ParameterError where a filter names something else."""
    for name, value in fixed.items():
        if getattr(question.selection, name) not in (None, value):
            raise ParameterError(f"{name}: the path names {value!r}, and the parameter something else")
    chosen: dict[str, Any] = fixed
    return replace(question, selection=replace(question.selection, **chosen)) if fixed else question


async def _is_there(request: Request, store: Store, path: PagePath) -> bool:
    """Return whether the store knows the thing of a page."""
    ids = path.ids(request.query_params)
    if ids is None:
        return False
    if path.kind == "sessions":
        return await store.ask(request, lambda client: is_session_known(client, ids[0]))
    named: dict[str, Any] = dict(zip(_OF_ONE[path.kind].fixed, ids, strict=True))
    return await store.ask(request, lambda client: is_known(client, Selection(**named)))


def _by(question: Question) -> tuple[str, ...]:
    """Return what an overview is split by where nothing is said: models, and operations of one model."""
    return ("model",) if question.selection.model is None else ("operation",)


def _piece(selection: Selection, now: datetime) -> str:
    if selection.since is None:
        return "day"
    length = min(selection.until or now, now) - selection.since - _GONE_BY
    return next((piece for piece, most in _PIECES.items() if length <= most), "month")


def _counts(found_inbox: Row) -> Row:
    """Return how much needs a look."""
    states = ("unpriced", "partial", "estimated")
    calls = {
        f"{state}_calls": sum(row["call_count"] for row in found_inbox["not_priced"] if row["cost_status"] == state)
        for state in states
    }
    return {
        **calls,
        "missing_calls": sum(row["missing_count"] for row in found_inbox["missing_calls"]),
        "dear_sessions": len(found_inbox["dear_sessions"]),
        "dear_days": len(found_inbox["dear_days"]),
        "bill_differences": len(found_inbox["bill_differences"]),
        "misdated_calls": found_inbox["misdated_calls"],
        "refused_records": found_inbox["refused_records"],
    }
