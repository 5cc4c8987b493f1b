"""GET alerts, and what is done with them: acknowledged, silenced; rules put into the store, and taken away."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from otel_costs.alerts import rules
from otel_costs.alerts.rules import RulesError
from otel_costs.alerts.state import Event, State
from otel_costs.store import live
from otel_costs.store.rows import Row
from otel_costs.web import alert_models, models
from otel_costs.web.answer import answer, failed
from otel_costs.web.context import MayWrite, StoreOf
from otel_costs.web.documented import documented
from otel_costs.web.exact_body import ExactRoute
from otel_costs.web.question import FORM, Asked, ParameterError, Question

router: Final = APIRouter(tags=["alerts"], route_class=ExactRoute)

LIST: Final = Asked(FORM, limit=(100, 10_000))
_CHANGE: Final = Asked()


@router.get("/alerts", **documented(LIST, alert_models.Alerts))
async def get_alerts(request: Request, store: StoreOf, question: Annotated[Question, Depends(LIST)]) -> Response:
    """Return what rules have found, the newest first, with the rules, the receivers, and what is silenced."""
    found = await store.ask(request, asking(question.limit))
    return answer(question, found, found["alerts"])


@router.post("/alerts/acknowledge", dependencies=[MayWrite], **documented(_CHANGE, alert_models.Done, 404, 413))
async def post_acknowledge(
    body: alert_models.EventBody, request: Request, store: StoreOf, question: Annotated[Question, Depends(_CHANGE)]
) -> Response:
    """Acknowledge an event: nothing more of it is sent, not even that it has ended."""
    known = await store.ask(request, lambda client: body.id in {event.id for event in State(client).events()})
    if not known:
        return failed(404, f"there is no event {body.id!r}; GET alerts lists them")
    await store.change(request, lambda client: State(client).acknowledge(body.id))
    return answer(question, {"done": True})


@router.post("/alerts/silence", dependencies=[MayWrite], **documented(_CHANGE, alert_models.Silence, 413))
async def post_silence(
    body: alert_models.SilenceBody, request: Request, store: StoreOf, question: Annotated[Question, Depends(_CHANGE)]
) -> Response:
    """Send nothing of a rule or an event for some hours, or of any; what lasts longer is sent then."""
    now = await store.ask(request, live.now)
    until = now + timedelta(hours=float(body.hours))
    await store.change(request, lambda client: State(client).silence(body.name, until))
    return answer(question, {"name": body.name, "until": until})


@router.post("/alerts/rules", dependencies=[MayWrite], **documented(_CHANGE, alert_models.AlertRule, 413))
async def post_rule(
    body: alert_models.RuleBody, request: Request, store: StoreOf, question: Annotated[Question, Depends(_CHANGE)]
) -> Response:
    """Put a rule into the store, in the place of the one before of its name.

    The program that sends keeps it from its next look on. A rule of its file that has the same name goes before it.
    """
    try:
        rule = rules.read_one(rules.text_of(_texts(body.model_dump(exclude_none=True))))
    except RulesError as error:
        raise ParameterError(str(error)) from None
    fields = rules.fields_of(rule)
    await store.change(request, lambda client: State(client).put_rule(rule.name, rules.text_of(fields)))
    return answer(question, {**fields, "source": "store"})


@router.post("/alerts/rules/remove", dependencies=[MayWrite], **documented(_CHANGE, models.Removed, 404, 413))
async def post_remove(
    body: alert_models.RuleName, request: Request, store: StoreOf, question: Annotated[Question, Depends(_CHANGE)]
) -> Response:
    """Remove a rule of the store; what it has found ends."""
    if not await store.ask(request, lambda client: State(client).rules().get(body.name)):
        return failed(404, f"the store has no rule {body.name!r}; those of a file are taken out of it")
    await store.change(request, lambda client: State(client).put_rule(body.name, ""))
    return answer(question, {"removed": True})


def asking(limit: int) -> Any:
    """Return a function that asks a store for the alerts that `GET alerts` has."""

    def ask(client: Any) -> Row:
        state, at = State(client), live.now(client)
        acknowledged, watched = state.acknowledged(), state.watched(at)
        definition = json.loads(watched or "{}")
        of_file = [{**rule, "source": "file"} for rule in definition.get("rules", ())]
        names = {rule["name"] for rule in of_file}
        stored = [rule for name, text in state.rules().items() if name not in names for rule in _read(text)]
        return {
            "alerts": [_event(event, acknowledged) for event in state.events(limit)],
            "rules": [*of_file, *({**rule, "source": "store"} for rule in stored)],
            "silences": [{"name": name, "until": until} for name, until in state.silenced(at).items()],
            "is_watched": watched is not None,
            "receivers": definition.get("receivers", []),
        }

    return ask


def _event(event: Event, acknowledged: frozenset[str]) -> Row:
    return {
        "id": event.id,
        "rule": event.rule,
        "message": event.message,
        "began_at": event.began_at,
        "ended_at": event.ended_at,
        "state": event.state(acknowledged),
        "sent_to": list(event.sent_to),
        "user_id": event.user_id,
        "session_id": event.session_id,
    }


def _read(text: str) -> Iterator[Row]:
    """Yield the fields of a rule of the store: none of one that is gone, or is of a later version."""
    with suppress(RulesError):
        if text:
            yield rules.fields_of(rules.read_one(text))


def _texts(value: Any) -> Any:
    """Return what was given with its numbers as texts, all their digits kept."""
    if isinstance(value, dict):
        return {name: _texts(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_texts(one) for one in value]
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
