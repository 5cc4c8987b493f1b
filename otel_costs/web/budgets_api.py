"""GET, PUT and DELETE budgets: what users, scenarios, tags, services, models and all may spend, and what they did."""

from math import isfinite
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.store import budgets, burn_down, reports
from otel_costs.store.rows import Row
from otel_costs.store.selection import dollars
from otel_costs.web import models
from otel_costs.web.answer import answer, failed
from otel_costs.web.context import MayWrite, StoreOf
from otel_costs.web.documented import documented
from otel_costs.web.enforced_budgets import EnforcedBudgets
from otel_costs.web.exact_body import ExactRoute
from otel_costs.web.question import FORM, Asked, ParameterError, Question
from otel_costs.web.store import Store

router: Final = APIRouter(tags=["budgets"], route_class=ExactRoute)

_LIST: Final = Asked(FORM, own=(("days", "1: how each is being spent, day by day, and where it will end"),))
_ONE: Final = Asked(("money",))
_ENFORCED: Final = Asked(own=(("process", "the process that asks, 32 hex digits"),))

_Period = Literal["day", "week", "month"]
_Scope = Literal["user", "scenario", "tag", "service", "model"]


@router.get("/budgets", **documented(_LIST, models.Budgets))
async def get_budgets(request: Request, store: StoreOf, question: Annotated[Question, Depends(_LIST)]) -> Response:
    """Return every budget and what was spent of it in its current day, week or month, the fullest first.

    With `days=1` the fullest 50 have `burn_down` too, what was spent in each day of the period so far (of a day: in
    each hour), and `projected_usd`, where the period will end if it goes on as in the last seven days.
    """
    wanted = question.texts.get("days", "0")
    if wanted not in ("0", "1", "true", "false"):
        raise ParameterError(f"{wanted!r} is nothing for days: give 0 or 1")
    found = await store.ask(request, burning if wanted in ("1", "true") else status)
    return answer(question, {"budgets": found}, found)


@router.get("/budgets/enforced", **documented(_ENFORCED, models.EnforcedBudgets))
async def get_enforced_budgets(request: Request, question: Annotated[Question, Depends(_ENFORCED)]) -> Response:
    """Return what programs are held to: the 10,000 fullest budgets, as of a second ago.

    Programs with OTEL_COSTS_BUDGETS ask for it every two seconds. `process` is the one that asks, as its records name
    it: `seen_seq` is the number of the last of its calls that the sums have. An ETag answers with 304 what is the same.
    """
    enforced: EnforcedBudgets = request.app.state.enforced_budgets
    found, tag = await enforced.for_process(question.texts.get("process"))
    etag = f'"{tag}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": etag})
    response = answer(question, found)
    response.headers["ETag"] = etag
    return response


@router.put("/budgets/all/{period}", dependencies=[MayWrite], **documented(_ONE, models.Budget, 413))
async def put_budget_of_all(
    period: _Period,
    body: models.BudgetBody,
    request: Request,
    store: StoreOf,
    question: Annotated[Question, Depends(_ONE)],
) -> Response:
    """Set what all users together may spend in a day, week or month, in the place of the budget before."""
    return await _put(request, store, question, ("all", "", period), body)


@router.put("/budgets/{scope}/{period}/{name:path}", dependencies=[MayWrite], **documented(_ONE, models.Budget, 413))
async def put_budget(
    scope: _Scope,
    period: _Period,
    name: str,
    body: models.BudgetBody,
    request: Request,
    store: StoreOf,
    question: Annotated[Question, Depends(_ONE)],
) -> Response:
    """Set what a user, scenario, tag (`NAME=VALUE`), service or model may spend, in the place of the budget before."""
    return await _put(request, store, question, (scope, _recorded(scope, name), period), body)


@router.delete("/budgets/all/{period}", dependencies=[MayWrite], **documented(_ONE, models.Removed, 404))
async def delete_budget_of_all(
    period: _Period, request: Request, store: StoreOf, question: Annotated[Question, Depends(_ONE)]
) -> Response:
    """Remove the budget of all users together."""
    return await _delete(request, store, question, ("all", "", period))


@router.delete(
    "/budgets/{scope}/{period}/{name:path}", dependencies=[MayWrite], **documented(_ONE, models.Removed, 404)
)
async def delete_budget(
    scope: _Scope,
    period: _Period,
    name: str,
    request: Request,
    store: StoreOf,
    question: Annotated[Question, Depends(_ONE)],
) -> Response:
    """Remove the budget of a user, scenario, tag, service or model."""
    return await _delete(request, store, question, (scope, _recorded(scope, name), period))


async def _put(
    request: Request, store: Store, question: Question, which: tuple[str, str, str], body: models.BudgetBody
) -> Response:
    try:
        terms = budgets.Terms(dollars(str(body.limit_usd)), body.soft, body.rollover, body.zone)
        since = await store.ask(request, lambda client: budgets.since_of(client, *which))
        await store.change(request, lambda client: budgets.put(client, *which, terms, since))
    except ValueError:
        raise ParameterError(
            f"no budget of {which[0]} {which[1]!r} with a limit of {str(body.limit_usd)[:40]!r}: give dollars, from 0"
            " on, with at most twelve decimals, a name (NAME=VALUE of a tag), and a zone such as Europe/Berlin"
        ) from None
    found = await store.ask(request, status)
    (set_,) = (row for row in found if (row["scope"], row["name"], row["period"]) == which)
    return answer(question, set_)


async def _delete(request: Request, store: Store, question: Question, which: tuple[str, str, str]) -> Response:
    limit_usd = await store.ask(request, lambda client: budgets.limit_of(client, *which))
    if limit_usd is None:
        return failed(404, f"there is no budget of {which[0]} {which[1]!r} for a {which[2]}; GET budgets lists them")
    await store.change(request, lambda client: budgets.take_away(client, *which, limit_usd))
    return answer(question, {"removed": True})


def burning(client: Any) -> list[Row]:
    """Return the same, with how they are being spent. Raises StoreError."""
    return burn_down.with_burn_down(client, status(client))


def _recorded(scope: str, name: str) -> str:
    """Return the name that a budget stands under, of one in a path. Raises ParameterError."""
    try:
        return budgets.recorded(scope, unquote(name))
    except ValueError as error:
        raise ParameterError(str(error)) from None


def status(client: Any) -> list[Row]:
    """Return every budget, as the API has them. Raises StoreError."""
    # What was spent of nothing is no fraction, and no number of JSON's.
    found = reports.budget_status(client)
    return [{**row, "used": row["used"] if isfinite(row["used"]) else None} for row in found]
