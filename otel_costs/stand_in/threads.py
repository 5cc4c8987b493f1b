"""The Assistants API: assistants, threads, messages and runs, polled and streamed."""

import json
from collections.abc import Iterator
from typing import Any

from otel_costs.stand_in import models, tokens
from otel_costs.stand_in.assistant import Turn, reply
from otel_costs.stand_in.chat import text_of
from otel_costs.stand_in.exchange import Answer, Event, Json, RefusedError, Request, Store, new_id, now
from otel_costs.stand_in.small import page


def create_assistant(request: Request, store: Store) -> Answer:
    """Answer ``POST /assistants``."""
    asked = request.json
    kept = {name: asked.get(name) for name in ("name", "description", "instructions")}
    body = {"id": new_id("asst_", 24), "object": "assistant", "created_at": now(), "model": asked["model"], **kept}
    return Answer(store.put("assistant", {**body, "tools": asked.get("tools") or [], "metadata": {}}))


def create_thread(request: Request, store: Store) -> Answer:
    """Answer ``POST /threads``."""
    return Answer(_thread(request.json, store))


def add_message(request: Request, store: Store) -> Answer:
    """Answer ``POST /threads/{thread}/messages``."""
    return Answer(_message(store, request.params["thread"], request.json["role"], request.json["content"]))


def list_messages(request: Request, store: Store) -> Answer:
    """Answer ``GET /threads/{thread}/messages``, newest first."""
    return Answer(page(_messages(store, request.params["thread"])[::-1]))


def create_run(request: Request, store: Store) -> Answer:
    """Answer ``POST /threads/{thread}/runs``."""
    for message in request.json.get("additional_messages") or []:
        _message(store, request.params["thread"], message["role"], message["content"])
    return _begin(request, store, request.params["thread"])


def create_thread_and_run(request: Request, store: Store) -> Answer:
    """Answer ``POST /threads/runs``."""
    return _begin(request, store, _thread(request.json.get("thread") or {}, store)["id"])


def get_run(request: Request, store: Store) -> Answer:
    """Answer ``GET /threads/{thread}/runs/{id}``: one step further each time."""
    run = store.get("thread run", request.params["id"])
    with store.lock:
        if run["status"] == "queued":
            run.update(status="in_progress", started_at=now())
        elif run["status"] == "in_progress":
            _advance(run, store)
        return Answer(_visible(run))


def list_runs(request: Request, store: Store) -> Answer:
    """Answer ``GET /threads/{thread}/runs``."""
    found = [run for run in store.all("thread run") if run["thread_id"] == request.params["thread"]]
    return Answer(page([_visible(run) for run in found]))


def cancel_run(request: Request, store: Store) -> Answer:
    """Answer ``POST /threads/{thread}/runs/{id}/cancel``."""
    run = store.get("thread run", request.params["id"])
    run.update(status="cancelled", cancelled_at=now(), usage=_usage(run, 0))
    return Answer(_visible(run))


def submit(request: Request, store: Store) -> Answer:
    """Answer ``POST /threads/{thread}/runs/{id}/submit_tool_outputs``."""
    run = store.get("thread run", request.params["id"])
    if run["status"] != "requires_action":
        raise RefusedError(400, f"Runs in status '{run['status']}' do not accept tool outputs.")
    run["results"] += [output["output"] for output in request.json["tool_outputs"]]
    run.update(status="in_progress", required_action=None)
    return Answer(_events(run, store, created=False)) if request.json.get("stream") else Answer(_visible(run))


def _thread(asked: Json, store: Store) -> Json:
    thread: Json = {
        "id": new_id("thread_", 24),
        "object": "thread",
        "created_at": now(),
        "metadata": {},
        "tool_resources": {},
    }
    store.put("thread", thread)
    for message in asked.get("messages") or []:
        _message(store, thread["id"], message["role"], message["content"])
    return thread


def _message(store: Store, thread: str, role: str, content: Any, run: Json | None = None) -> Json:
    store.get("thread", thread)
    body = {
        "id": new_id("msg_", 24),
        "object": "thread.message",
        "created_at": now(),
        "thread_id": thread,
        "role": role,
        "status": "completed",
        "content": [{"type": "text", "text": {"value": text_of(content), "annotations": []}}],
        "assistant_id": run and run["assistant_id"],
        "run_id": run and run["id"],
        "attachments": [],
        "metadata": {},
    }
    return store.put("message", body)


def _messages(store: Store, thread: str) -> list[Json]:
    return [message for message in store.all("message") if message["thread_id"] == thread]


def _begin(request: Request, store: Store, thread: str) -> Answer:
    asked = request.json
    assistant = store.get("assistant", asked["assistant_id"])
    run: Json = {
        "id": new_id("run_", 24),
        "object": "thread.run",
        "created_at": now(),
        "assistant_id": assistant["id"],
        "thread_id": thread,
        "status": "queued",
        "started_at": None,
        "expires_at": now() + 600,
        "completed_at": None,
        "last_error": None,
        "model": models.dated(asked.get("model") or assistant["model"]),
        "instructions": asked.get("instructions") or assistant["instructions"] or "",
        "tools": asked.get("tools") or assistant["tools"],
        "metadata": {},
        "usage": None,
        "required_action": None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "response_format": "auto",
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "called": [],
        "results": [],
        "outcome": request.outcome,
    }
    store.put("thread run", run)
    return Answer(_events(run, store, created=True)) if asked.get("stream") else Answer(_visible(run))


def _visible(run: Json) -> Json:
    return {name: value for name, value in run.items() if name not in ("called", "results", "outcome", "read")}


def _advance(run: Json, store: Store) -> Json | None:
    """Do the next step, to ask for tools or to say something; return the message that was said."""
    messages = _messages(store, run["thread_id"])
    question = next((text_of_message(m) for m in reversed(messages) if m["role"] == "user"), "")
    functions = [tool["function"] for tool in run["tools"] if tool["type"] == "function"]
    run["read"] = sum(tokens.count(text_of_message(m)) + 4 for m in messages) + tokens.count(json.dumps(run["tools"]))
    if run["outcome"] == "failed":
        error = {"code": "server_error", "message": "Sorry, something went wrong."}
        run.update(status="failed", failed_at=now(), last_error=error, usage=_usage(run, 0))
        return None
    answer = reply(Turn(question, tuple(run["called"]), tuple(run["results"])), functions)
    if answer.calls:
        run["called"] += [name for name, _ in answer.calls]
        calls = [
            {"id": new_id("call_", 24), "type": "function", "function": {"name": name, "arguments": arguments}}
            for name, arguments in answer.calls
        ]
        action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}
        run.update(status="requires_action", required_action=action)
        return None
    run.update(status=run["outcome"] or "completed", completed_at=now(), usage=_usage(run, tokens.count(answer.text)))
    return _message(store, run["thread_id"], "assistant", answer.text, run)


def text_of_message(message: Json) -> str:
    """Return the words of a message of a thread."""
    return " ".join(part["text"]["value"] for part in message["content"])


def _usage(run: Json, made: int) -> Json:
    read = run.get("read") or 0
    return {"prompt_tokens": read, "completion_tokens": made, "total_tokens": read + made}


def _events(run: Json, store: Store, *, created: bool) -> Iterator[Event]:
    for status in ("created", "queued") if created else ():
        yield Event(_visible(run), f"thread.run.{status}")
    run.update(status="in_progress", started_at=now())
    yield Event(_visible(run), "thread.run.in_progress")
    message = _advance(run, store)
    if message:
        begun = {**message, "status": "in_progress", "content": []}
        yield Event(begun, "thread.message.created")
        yield Event(begun, "thread.message.in_progress")
        for piece in tokens.pieces(text_of_message(message)):
            content = [{"index": 0, "type": "text", "text": {"value": piece, "annotations": []}}]
            delta = {"id": message["id"], "object": "thread.message.delta", "delta": {"content": content}}
            yield Event(delta, "thread.message.delta")
        yield Event(message, "thread.message.completed")
    yield Event(_visible(run), f"thread.run.{run['status']}")
    yield Event("[DONE]", "done")
