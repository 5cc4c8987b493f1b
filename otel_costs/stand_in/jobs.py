"""What takes its time: batches and videos. Each look is a step towards the end."""

import json
from typing import Any

from otel_costs.stand_in import models, tokens, usage
from otel_costs.stand_in.exchange import Answer, Json, RefusedError, Request, Store, new_id, now
from otel_costs.stand_in.small import page

_ENDED = ("completed", "failed", "cancelled", "canceled", "expired", "succeeded")


def begin(store: Store, kind: str, body: Json, stages: list[tuple[str, Json]]) -> Json:
    """Keep a job that shows `stages`, each a status and what is known with it, one a look."""
    store.put(kind, body)
    store.put(f"{kind} stages", {"id": body["id"], "stages": stages})
    return body


def poll(store: Store, kind: str, key: str) -> Json:
    """Return a job, a stage further than at the last look."""
    body = store.get(kind, key)
    stages: list[tuple[str, Json]] = store.get(f"{kind} stages", key)["stages"]
    with store.lock:
        if stages:
            status, known = stages.pop(0)
            body.update(known, status=status)
        return dict(body)


def stop(store: Store, kind: str, key: str, status: str, **known: Any) -> Json:
    """End a job that has not ended, and return it."""
    body = store.get(kind, key)
    if body["status"] in _ENDED:
        raise RefusedError(409, f"Cannot cancel a {kind} with status '{body['status']}'.")
    body.update(known, status=status)
    store.get(f"{kind} stages", key)["stages"].clear()
    return dict(body)


def create_batch(request: Request, store: Store) -> Answer:
    """Answer ``POST /batches``: three requests' worth, or as many as the file has lines."""
    asked = request.json
    lines = _lines(store, asked["input_file_id"])
    model = models.dated((lines[0].get("body") or {}).get("model") or "gpt-4o") if lines else "gpt-4o-2024-08-06"
    number = len(lines) or 3
    read = sum(tokens.count(json.dumps(line.get("body"))) for line in lines) or 3 * 120
    spent = usage.of_response(usage.Spent(input=read, output=40 * number))
    counts = {"total": number, "completed": 0, "failed": 0}
    body: Json = {
        "id": new_id("batch_"),
        "object": "batch",
        "endpoint": asked["endpoint"],
        "model": model,
        "errors": None,
        "input_file_id": asked["input_file_id"],
        "completion_window": asked["completion_window"],
        "status": "validating",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": now(),
        "in_progress_at": None,
        "expires_at": now() + 86_400,
        "completed_at": None,
        "request_counts": {**counts, "total": 0},
        "metadata": asked.get("metadata"),
    }
    zero = usage.of_response(usage.Spent())
    end = request.outcome or "completed"
    done = {
        f"{end}_at": now(),
        "output_file_id": new_id("file-", 24),
        "request_counts": {**counts, "completed": number},
    }
    stages: list[tuple[str, Json]] = [
        ("in_progress", {"in_progress_at": now(), "request_counts": counts, "usage": zero}),
        (end, {**done, "usage": spent}),
    ]
    return Answer(dict(begin(store, "batch", body, stages)))


def _lines(store: Store, file_id: str) -> list[Json]:
    file = store.things.get("file content", {}).get(file_id)
    return [json.loads(line) for line in file["data"].splitlines() if line.strip()] if file else []


def get_batch(request: Request, store: Store) -> Answer:
    """Answer ``GET /batches/{id}``."""
    return Answer(poll(store, "batch", request.params["id"]))


def list_batches(_: Request, store: Store) -> Answer:
    """Answer ``GET /batches``."""
    return Answer(page([poll(store, "batch", batch["id"]) for batch in store.all("batch")]))


def cancel_batch(request: Request, store: Store) -> Answer:
    """Answer ``POST /batches/{id}/cancel``."""
    return Answer(stop(store, "batch", request.params["id"], "cancelled", cancelled_at=now()))


def create_video(request: Request, store: Store) -> Answer:
    """Answer ``POST /videos``, and those that remix, edit or extend one."""
    asked = request.json
    before = store.get("video", request.params["id"]) if "id" in request.params else {}
    body: Json = {
        "id": new_id("video_"),
        "object": "video",
        "model": asked.get("model") or before.get("model") or "sora-2",
        "status": "queued",
        "progress": 0,
        "created_at": now(),
        "size": asked.get("size") or before.get("size") or "720x1280",
        "seconds": str(asked.get("seconds") or before.get("seconds") or "4"),
        "prompt": asked.get("prompt"),
        "error": None,
        "completed_at": None,
        "expires_at": None,
        "remixed_from_video_id": before.get("id"),
    }
    error = (
        {"code": "moderation_blocked", "message": "The video was not made."} if request.outcome == "failed" else None
    )
    end = request.outcome or "completed"
    done = {"progress": 0 if error else 100, "completed_at": None if error else now(), "error": error}
    return Answer(dict(begin(store, "video", body, [("in_progress", {"progress": 40}), (end, done)])))


def get_video(request: Request, store: Store) -> Answer:
    """Answer ``GET /videos/{id}``."""
    return Answer(poll(store, "video", request.params["id"]))


def list_videos(_: Request, store: Store) -> Answer:
    """Answer ``GET /videos``."""
    return Answer(page(store.all("video")))


def video_content(request: Request, store: Store) -> Answer:
    """Answer ``GET /videos/{id}/content``."""
    store.get("video", request.params["id"])
    return Answer(iter([b"\0\0\0\x18ftypmp42", b"\0" * 1024]), content_type="video/mp4")
