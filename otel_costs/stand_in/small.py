"""The endpoints that answer at once and in one shape: embeddings, decisions, moderations, models, files."""

import base64
import hashlib
import json
import struct
from itertools import count, islice
from typing import Any

from otel_costs.stand_in import models, response_items, tokens, usage
from otel_costs.stand_in.exchange import Answer, Json, RefusedError, Request, Store, new_id, now

_DIMENSIONS = {"text-embedding-3-large": 3072}
_CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
_MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-5", "o3", "text-embedding-3-small", "whisper-1", "tts-1", "gpt-image-2")


def embed(request: Request, _: Store) -> Answer:
    """Answer ``POST /embeddings``: base64 or floats, for texts and for tokens."""
    asked = request.json
    given = asked.get("input")
    if given in (None, "", []):
        raise RefusedError(400, "Missing required parameter: 'input'.", param="input")
    inputs = [given] if isinstance(given, str) or isinstance(given[0], int) else given
    size = asked.get("dimensions") or _DIMENSIONS.get(request.model, 1536)
    as_text = asked.get("encoding_format") == "base64"
    data = []
    for index, one in enumerate(inputs):
        vector = _vector(one, size)
        packed = struct.pack(f"<{size}f", *vector)
        embedding = base64.b64encode(packed).decode() if as_text else vector
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    read = sum(tokens.count(one) if isinstance(one, str) else len(one) for one in inputs)
    spent = {"prompt_tokens": read, "total_tokens": read}
    return Answer({"object": "list", "data": data, "model": request.model, "usage": spent})


def _vector(one: Any, size: int) -> list[float]:
    seed = one if isinstance(one, str) else json.dumps(one)
    bytes_ = (
        byte for number in count() for byte in hashlib.sha256(f"{number} {seed}".encode(errors="replace")).digest()
    )
    return [(byte - 127.5) / 127.5 / size**0.5 for byte in islice(bytes_, size)]


def decide(request: Request, _: Store) -> Answer:
    """Answer ``POST /decisions``: the first choice, a middling score, a likely predicate."""
    asked = request.json
    items = response_items.as_items(asked.get("input"))
    read = sum(map(response_items.item_tokens, items)) + tokens.count(json.dumps(asked["questions"]))
    answers = [_decided(question) for question in asked["questions"]]
    spent = usage.Spent(input=read, output=2 * len(answers))
    return Answer({"answers": answers, "model": models.dated(request.model), "usage": usage.of_response(spent)})


def _decided(question: Json) -> Json:
    kind = question["type"]
    base = {"type": kind, "name": question.get("name")}
    if kind == "predicate":
        return {**base, "probability": 0.9}
    if kind == "choice":
        values = [choice["value"] for choice in question["choices"]]
        shares = [{"value": value, "probability": round(1 / len(values), 3)} for value in values]
        return {**base, "choice": values[0], "confidence": 0.8, "probabilities": shares}
    labels = [level["label"] for level in question["levels"]]
    shares = [{"label": label, "value": i, "probability": round(1 / len(labels), 3)} for i, label in enumerate(labels)]
    return {**base, "score": (len(labels) - 1) / 2, "confidence": 0.8, "probabilities": shares}


def moderate(request: Request, _: Store) -> Answer:
    """Answer ``POST /moderations``, which is free: no usage."""
    given = request.json.get("input")
    number = len(given) if isinstance(given, list) and given and isinstance(given[0], str) else 1
    result = {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.0001),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
    model = request.model or "omni-moderation-latest"
    return Answer({"id": new_id("modr-"), "model": model, "results": [result] * number})


def list_models(_request: Request, _store: Store) -> Answer:
    """Answer ``GET /models``."""
    return Answer({"object": "list", "data": [_model(name) for name in _MODELS]})


def get_model(request: Request, _: Store) -> Answer:
    """Answer ``GET /models/{id}``."""
    return Answer(_model(request.params["id"]))


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": 1_715_367_049, "owned_by": "system"}


def upload_file(request: Request, store: Store) -> Answer:
    """Answer ``POST /files``."""
    file = request.files["file"][0]
    body = {
        "id": new_id("file-", 24),
        "object": "file",
        "bytes": len(file.data),
        "created_at": now(),
        "filename": file.name,
        "purpose": request.json.get("purpose", "batch"),
        "status": "processed",
    }
    store.put("file content", {"id": body["id"], "data": file.data})
    return Answer(store.put("file", body))


def get_file(request: Request, store: Store) -> Answer:
    """Answer ``GET /files/{id}``."""
    return Answer(store.get("file", request.params["id"]))


def get_content(request: Request, store: Store) -> Answer:
    """Answer ``GET /files/{id}/content``."""
    data: bytes = store.get("file content", request.params["id"])["data"]
    return Answer(data, content_type="application/octet-stream")


def list_files(_: Request, store: Store) -> Answer:
    """Answer ``GET /files``."""
    return Answer(page(store.all("file")))


def page(things: list[Json]) -> Json:
    """Return a list of things as one page."""
    ends = {"first_id": things[0]["id"], "last_id": things[-1]["id"]} if things else {"first_id": None, "last_id": None}
    return {"object": "list", "data": things, "has_more": False, **ends}


def from_the_future(request: Request, _: Store) -> Answer:
    """Answer an endpoint that is not known yet, with a usage and other fields that are not known either."""
    spent = usage.Spent(input=tokens.count(json.dumps(request.json)), output=7)
    body = {"id": new_id("thing_"), "object": "future.thing", "model": request.model or "gpt-9", "shape": {"sides": 5}}
    return Answer({**body, "usage": {**usage.of_response(spent), "dream_tokens": 3}})


def create_container(request: Request, store: Store) -> Answer:
    """Answer ``POST /containers``."""
    asked = request.json
    if not asked.get("name"):
        raise RefusedError(400, "Missing required parameter: 'name'.", param="name")
    made = {
        "id": new_id("cntr_"),
        "object": "container",
        "created_at": now(),
        "last_active_at": now(),
        "name": asked["name"],
        "status": "running",
        "expires_after": {"anchor": "last_active_at", "minutes": 20},
        "memory_limit": asked.get("memory_limit", "1g"),
    }
    return Answer(store.put("container", made))


def get_container(request: Request, store: Store) -> Answer:
    """Answer ``GET /containers/{id}``."""
    return Answer(store.get("container", request.params["id"]))


def create_call(request: Request, _: Store) -> Answer:
    """Answer ``POST /realtime/calls``, which begins a call over WebRTC."""
    if not request.json.get("sdp") and not request.files.get("sdp"):
        raise RefusedError(400, "Missing required parameter: 'sdp'.", param="sdp")
    where = {"location": f"/v1/realtime/calls/{new_id('rtc_')}"}
    return Answer(b"v=0\r\n", status=201, content_type="application/sdp", headers=where)


def accept_call(_: Request, __: Store) -> Answer:
    """Answer ``POST /realtime/calls/{id}/accept`` and its like for Live, which begin a call over SIP: with nothing."""
    return Answer(b"")


def create_live(request: Request, _: Store) -> Answer:
    """Answer ``POST /live/sessions`` and ``/live/sessions/{id}/fork``, which begin a session over WebRTC."""
    if not request.json.get("transport"):
        raise RefusedError(400, "Missing required parameter: 'transport'.", param="transport")
    return Answer({"session": {"id": new_id("live_")}, "transport": {"type": "webrtc", "sdp": "v=0\r\n"}}, status=201)


def client_secret(_: Request, __: Store) -> Answer:
    """Answer ``POST /realtime/client_secrets``: a key for the connection of another client, which costs nothing."""
    session = {"type": "realtime", "object": "realtime.session", "id": new_id("sess_"), "model": "gpt-realtime"}
    return Answer({"value": new_id("ek_"), "expires_at": now() + 600, "session": session})
