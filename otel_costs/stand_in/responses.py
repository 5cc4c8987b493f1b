"""The Responses API: create, stream, run in the background, retrieve, cancel, compact."""

import json
from collections.abc import Iterator
from typing import Any

from otel_costs.stand_in import models, response_items, tokens, usage
from otel_costs.stand_in.exchange import Answer, Event, Json, RefusedError, Request, Store, new_id, now
from otel_costs.stand_in.response_events import events
from otel_costs.stand_in.response_items import IMAGE_OUTPUT_TOKENS, Output

_KIND = "response"
_FAILURE = {"code": "server_error", "message": "The model failed to generate a response."}


def create(request: Request, store: Store) -> Answer:
    """Answer ``POST /responses``."""
    asked = request.json
    if not asked.get("model"):
        raise RefusedError(
            400, "Missing required parameter: 'model'.", param="model", code="missing_required_parameter"
        )
    if "input" not in asked and not asked.get("prompt"):
        raise RefusedError(
            400, "Missing required parameter: 'input'.", param="input", code="missing_required_parameter"
        )
    if asked.get("background") and asked.get("store") is False:
        raise RefusedError(400, "Background responses must be stored.", param="background")
    window = (asked.get("background_options") or {}).get("completion_window", "soonest")
    if window != "soonest" and (not asked.get("background") or asked.get("stream")):
        raise RefusedError(400, "A completion window needs 'background' and no stream.", param="background_options")
    items = [*_history(asked.get("previous_response_id"), store), *response_items.as_items(asked.get("input"))]
    out = response_items.answer(asked, items)
    body = _body(request, out, items)
    # What a background response shows while it runs, one stage a look; the last is the result.
    stages = ["queued", "in_progress", body["status"]] if asked.get("background") else [body["status"]]
    store.put(_KIND, {"id": body["id"], "body": body, "items": [*items, *out.items], "stages": stages})
    if asked.get("stream"):
        obfuscated = (asked.get("stream_options") or {}).get("include_obfuscation") is not False
        return Answer(_watched(events(body, obfuscated=obfuscated), stages))
    return Answer(_at(body, stages[0]))


def retrieve(request: Request, store: Store) -> Answer:
    """Answer ``GET /responses/{id}``: the next stage of one in the background, or its events from a number on."""
    kept = store.get(_KIND, request.params["id"])
    stages: list[str] = kept["stages"]
    if request.args.get("stream") == "true":
        after = int(request.args.get("starting_after", "-1"))
        left = (e for e in events(kept["body"]) if isinstance(e.data, dict) and e.data["sequence_number"] > after)
        return Answer(_watched(left, stages))
    with store.lock:
        if len(stages) > 1:
            stages.pop(0)
    return Answer(_at(kept["body"], stages[0]))


def cancel(request: Request, store: Store) -> Answer:
    """Answer ``POST /responses/{id}/cancel``: what was read until then is billed."""
    kept = store.get(_KIND, request.params["id"])
    if not kept["body"]["background"]:
        raise RefusedError(400, "Cannot cancel a synchronous response.")
    stage = kept["stages"][0]
    if stage in ("queued", "in_progress"):
        body = _at(kept["body"], stage) | {"status": "cancelled"}
        if stage == "in_progress":
            whole = kept["body"]["usage"]
            spent = usage.Spent(input=whole["input_tokens"], cached=whole["input_tokens_details"]["cached_tokens"])
            body["usage"] = usage.of_response(spent)
        kept.update(body=body, stages=["cancelled"])
    return Answer(kept["body"])


def delete(request: Request, store: Store) -> Answer:
    """Answer ``DELETE /responses/{id}``."""
    store.get(_KIND, request.params["id"])
    with store.lock:
        del store.things[_KIND][request.params["id"]]
    return Answer({"id": request.params["id"], "object": "response.deleted", "deleted": True})


def input_items(request: Request, store: Store) -> Answer:
    """Answer ``GET /responses/{id}/input_items``."""
    items = [
        {"id": item.get("id") or new_id("msg_"), "type": "message", "status": "completed", **item}
        for item in store.get(_KIND, request.params["id"])["items"]
        if isinstance(item.get("content"), list)
    ]
    ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {"first_id": "", "last_id": ""}
    return Answer({"object": "list", "data": items, "has_more": False, **ends})


def count_tokens(request: Request, _: Store) -> Answer:
    """Answer ``POST /responses/input_tokens``."""
    items = response_items.as_items(request.json.get("input"))
    return Answer({"object": "response.input_tokens", "input_tokens": _input_tokens(request.json, items)})


def compact(request: Request, store: Store) -> Answer:
    """Answer ``POST /responses/compact``: an answer without a model."""
    asked = request.json
    items = [*_history(asked.get("previous_response_id"), store), *response_items.as_items(asked.get("input"))]
    messages = [_as_message(item) for item in items if item.get("role") == "user"]
    short = {"id": new_id("cmp_"), "type": "compaction", "encrypted_content": new_id("gAAAAAB")}
    spent = usage.Spent(input=_input_tokens(asked, items), output=120, reasoning=64)
    body = {"id": new_id("resp_", 48), "object": "response.compaction", "created_at": now()}
    return Answer({**body, "output": [*messages, short], "usage": usage.of_response(spent)})


def _as_message(item: Json) -> Json:
    content = item["content"]
    parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
    return {"id": new_id("msg_"), "type": "message", "status": "completed", "role": item["role"], "content": parts}


def _history(previous: str | None, store: Store) -> list[Json]:
    return list(store.get(_KIND, previous)["items"]) if previous else []


def _input_tokens(asked: Json, items: list[Json]) -> int:
    tools = tokens.count(json.dumps(asked["tools"])) if asked.get("tools") else 0
    instructions = tokens.count(asked.get("instructions") or "")
    return sum(map(response_items.item_tokens, items)) + tools + instructions + tokens.TOKENS_PER_REPLY


def _spent(asked: Json, items: list[Json], out: Output) -> usage.Spent:
    entered = _input_tokens(asked, items)
    last = max((i for i, item in enumerate(items) if item.get("role") == "user"), default=0)
    before = _input_tokens(asked, items[:last]) if last > 1 else 0
    return usage.Spent(
        input=entered, output=out.tokens, cached=usage.cached_tokens(entered, before), reasoning=out.reasoning
    )


def _body(request: Request, out: Output, items: list[Json]) -> Json:
    asked = request.json
    status = request.outcome or ("incomplete" if out.cut else "completed")
    reasoning = asked.get("reasoning") or {}
    return {
        "id": new_id("resp_", 48),
        "object": "response",
        "created_at": now(),
        "status": status,
        "background": bool(asked.get("background")),
        "completed_at": now() if status == "completed" else None,
        "error": _FAILURE if status == "failed" else None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "max_tool_calls": asked.get("max_tool_calls"),
        "model": models.dated(request.model),
        "output": out.items if status != "failed" else [],
        "parallel_tool_calls": asked.get("parallel_tool_calls") is not False,
        "previous_response_id": asked.get("previous_response_id"),
        "prompt_cache_key": asked.get("prompt_cache_key"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": asked.get("safety_identifier"),
        "service_tier": models.served_tier(asked.get("service_tier")),
        "store": asked.get("store") is not False,
        "temperature": asked.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, "verbosity": "medium", **(asked.get("text") or {})},
        "tool_choice": asked.get("tool_choice", "auto"),
        "tools": [_echoed(tool) for tool in asked.get("tools") or []],
        "tool_usage": _tool_usage(out),
        "top_logprobs": 0,
        "top_p": asked.get("top_p", 1.0),
        "truncation": asked.get("truncation", "disabled"),
        "usage": usage.of_response(_spent(asked, items, out)),
        "user": asked.get("user"),
        "metadata": asked.get("metadata") or {},
    }


def _echoed(tool: Json) -> Json:
    defaults = {"function": {"strict": True, "parameters": {}, "description": None}, "image_generation": {}}
    return {**defaults.get(tool["type"], {}), **tool}


def _tool_usage(out: Output) -> Json:
    text, drawn = 40 * out.images, IMAGE_OUTPUT_TOKENS * out.images
    image_gen = {
        "input_tokens": text,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": text},
        "output_tokens": drawn,
        "output_tokens_details": {"image_tokens": drawn, "text_tokens": 0},
        "total_tokens": text + drawn,
    }
    return {"image_gen": image_gen, "web_search": {"num_requests": out.searches}}


def _at(body: Json, stage: str) -> Json:
    """Return `body` as it looks at a stage: until it is done it has no output and no usage."""
    if stage not in ("queued", "in_progress"):
        return body
    return {**body, "status": stage, "output": [], "usage": None, "completed_at": None, "error": None} | {
        "incomplete_details": None,
        "tool_usage": _tool_usage(Output()),
    }


def _watched(these: Iterator[Event], stages: list[Any]) -> Iterator[Event]:
    """Yield the events; once all were sent, the response is done."""
    yield from these
    del stages[:-1]
