"""The Agents API: sessions whose turns take their time, each look at one a step towards its end."""

from collections.abc import Iterator

from otel_costs.stand_in import models, tokens, usage
from otel_costs.stand_in.exchange import Answer, Event, Json, RefusedError, Request, Store, new_id, now
from otel_costs.stand_in.small import page

_ENDED = ("completed", "failed", "cancelled")


def create(request: Request, store: Store) -> Answer:
    """Answer ``POST /agents/sessions``."""
    asked = request.json
    if "environment" not in asked:
        raise RefusedError(400, "Missing required parameter: 'environment'.", param="environment")
    agent = asked.get("agent") or {}
    body: Json = {
        "id": new_id("sess_"),
        "object": "agent.session",
        "agent": {
            "id": new_id("agent_"),
            "instructions": agent.get("instructions"),
            "model": agent.get("model") or "gpt-6-astra",
            "multi_agent": {"enabled": False},
            "name": None,
            "reasoning": agent.get("reasoning") or {"effort": None},
            "service_tier": agent.get("service_tier") or "auto",
            "text": {"format": {"type": "text"}},
            "tools": agent.get("tools") or [],
        },
        "created_at": now(),
        "last_active_at": now(),
        "environment": asked["environment"],
        "error": None,
        "metadata": asked.get("metadata") or {},
        "required_actions": [],
        "status": "idle",
        "usage": None,
        "vault_ids": [],
    }
    store.put("agent session", body)
    store.put("agent turns", {"id": body["id"], "turns": []})
    if asked.get("input"):
        _begin(store, body, str(asked["input"]), request.outcome)
    if asked.get("stream"):
        return Answer(_events(store, body, created=True))
    return Answer(dict(body))


def retrieve(request: Request, store: Store) -> Answer:
    """Answer ``GET /agents/sessions/{id}``: a turn that runs has ended at the second look."""
    body = store.get("agent session", request.params["id"])
    answer = dict(body)
    _step(store, body)
    return Answer(answer)


def list_sessions(_: Request, store: Store) -> Answer:
    """Answer ``GET /agents/sessions``."""
    return Answer(page([dict(session) for session in store.all("agent session")]))


def submit(request: Request, store: Store) -> Answer:
    """Answer ``POST /agents/sessions/{id}/events``: another turn begins."""
    body = store.get("agent session", request.params["id"])
    _begin(store, body, str(request.json.get("events")), request.outcome)
    return Answer(b"", status=202)


def stream(request: Request, store: Store) -> Answer:
    """Answer ``GET /agents/sessions/{id}/events``: what happens until the session is idle."""
    return Answer(_events(store, store.get("agent session", request.params["id"])))


def list_turns(request: Request, store: Store) -> Answer:
    """Answer ``GET /agents/sessions/{id}/turns``, newest first."""
    return Answer(page([dict(turn) for turn in reversed(_turns(store, request.params["id"]))]))


def get_turn(request: Request, store: Store) -> Answer:
    """Answer ``GET /agents/sessions/{id}/turns/{turn}``."""
    for turn in _turns(store, request.params["id"]):
        if turn["id"] == request.params["turn"]:
            return Answer(dict(turn))
    raise RefusedError(404, f"No turn found with id '{request.params['turn']}'.", param="turn_id")


def _turns(store: Store, session_id: str) -> list[Json]:
    turns: list[Json] = store.get("agent turns", session_id)["turns"]
    return turns


def _begin(store: Store, body: Json, text: str, outcome: str | None) -> None:
    turn = {
        "id": new_id("turn_"),
        "object": "agent.session.turn",
        "agent_id": body["agent"]["id"],
        "session_id": body["id"],
        "created_at": now(),
        "started_at": now(),
        "completed_at": None,
        "error": None,
        "status": "in_progress",
        "subagent_id": None,
        "usage": None,
    }
    _turns(store, body["id"]).append(turn)
    store.put("agent outcome", {"id": turn["id"], "outcome": outcome or "completed", "text": text})
    body.update(status="in_progress", last_active_at=now())


def _step(store: Store, body: Json) -> Json | None:
    """End the turn that runs; return it, or None if none does."""
    turn = next((turn for turn in _turns(store, body["id"]) if turn["status"] not in _ENDED), None)
    if turn is None:
        return None
    kept = store.get("agent outcome", turn["id"])
    thought = models.reasoning_tokens(body["agent"]["model"], None)
    spent = usage.Spent(input=200 + tokens.count(kept["text"]), output=40 + thought, cached=64, reasoning=thought)
    turn.update(status=kept["outcome"], completed_at=now(), usage=_usage(spent))
    if kept["outcome"] == "failed":
        turn["error"] = {"code": "server_overloaded", "message": "The model is overloaded."}
    body.update(status="idle", usage=_sum([turn["usage"] for turn in _turns(store, body["id"]) if turn["usage"]]))
    return turn


def _usage(spent: usage.Spent) -> Json:
    return {
        "input_tokens": spent.input,
        "input_tokens_details": {"cached_tokens": spent.cached},
        "output_tokens": spent.output,
        "output_tokens_details": {"reasoning_tokens": spent.reasoning},
        "total_tokens": spent.input + spent.output,
    }


def _sum(these: list[Json]) -> Json:
    total: Json = {}
    for one in these:
        for key, value in one.items():
            total[key] = _sum([total.get(key, {}), value]) if isinstance(value, dict) else total.get(key, 0) + value
    return total


def _events(store: Store, body: Json, *, created: bool = False) -> Iterator[Event]:
    def event(kind: str, **fields: object) -> Event:
        name = f"agent.session.{kind}"
        return Event({"type": name, "event_id": new_id("event_", 20), **fields}, name)

    if created:
        yield event("created", session=dict(body))
    running = next((turn for turn in _turns(store, body["id"]) if turn["status"] not in _ENDED), None)
    if running is not None:
        ids = {"session_id": body["id"], "turn_id": running["id"]}
        yield event("in_progress", session=dict(body))
        yield event("turn.created", turn=dict(running), **ids)
        if any(tool["type"] == "web_search" for tool in body["agent"]["tools"]):
            search = {"id": new_id("ws_"), "type": "web_search_call", "status": "completed", "turn_id": running["id"]}
            searched = {**search, "action": {"type": "search", "query": "x"}}
            yield event("turn.item.done", item=searched, output_index=0, **ids)
        ended = _step(store, body) or running
        yield event(f"turn.{ended['status']}", turn=dict(ended), usage=ended["usage"], **ids)
    yield event("idle", session=dict(body))
