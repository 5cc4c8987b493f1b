"""Images: generated, edited and varied, whole and streamed."""

import base64
from collections.abc import Iterator

from otel_costs.stand_in import tokens
from otel_costs.stand_in.exchange import Answer, Event, Json, RefusedError, Request, Store, now
from otel_costs.stand_in.response_items import PIXEL

_OUTPUT_TOKENS = {"low": 272, "medium": 1056, "high": 4160, "auto": 1056}
_PARTIAL_TOKENS = 100
_INPUT_IMAGE_TOKENS = 323


def generate(request: Request, _: Store) -> Answer:
    """Answer ``POST /images/generations``."""
    return _answer(request, "image_generation")


def edit(request: Request, _: Store) -> Answer:
    """Answer ``POST /images/edits``."""
    if not request.files.get("image"):
        raise RefusedError(400, "Missing required parameter: 'image'.", param="image")
    return _answer(request, "image_edit")


def vary(request: Request, _: Store) -> Answer:
    """Answer ``POST /images/variations``: dall-e-2 alone, which says no usage."""
    made = [{"url": f"https://images.example.com/{index}.png"} for index in range(int(request.json.get("n") or 1))]
    return Answer({"created": now(), "data": made})


def _answer(request: Request, kind: str) -> Answer:
    asked = request.json
    if not asked.get("prompt"):
        raise RefusedError(400, "Missing required parameter: 'prompt'.", param="prompt")
    number = int(asked.get("n") or 1)
    if request.model.startswith("dall-e") or not request.model:
        wanted = asked.get("response_format") == "b64_json"
        image = {"b64_json": _picture()} if wanted else {"url": "https://images.example.com/0.png"}
        revised = {"revised_prompt": f"A picture: {asked['prompt']}"} if request.model == "dall-e-3" else {}
        return Answer({"created": now(), "data": [{**image, **revised}] * number})
    quality = asked.get("quality") or "auto"
    form = {
        "background": "opaque",
        "output_format": asked.get("output_format") or "png",
        "quality": "medium" if quality == "auto" else quality,
        "size": "1024x1024" if asked.get("size") in (None, "auto") else asked["size"],
    }
    partial = int(asked.get("partial_images") or 0)
    inputs = len(request.files.get("image", []))
    spent = _usage(asked["prompt"], inputs, number * _OUTPUT_TOKENS[quality] + partial * _PARTIAL_TOKENS)
    if asked.get("stream"):
        return Answer(_events(kind, form, partial, spent))
    return Answer({"created": now(), **form, "data": [{"b64_json": _picture()}] * number, "usage": spent})


def _usage(prompt: str, images: int, made: int) -> Json:
    text, image = tokens.count(prompt), images * _INPUT_IMAGE_TOKENS
    return {
        "input_tokens": text + image,
        "input_tokens_details": {"image_tokens": image, "text_tokens": text},
        "output_tokens": made,
        "total_tokens": text + image + made,
    }


def _events(kind: str, form: Json, partial: int, spent: Json) -> Iterator[Event]:
    shared = {"created_at": now(), **form, "b64_json": _picture()}
    for index in range(partial):
        name = f"{kind}.partial_image"
        yield Event({"type": name, **shared, "partial_image_index": index}, name)
    yield Event({"type": f"{kind}.completed", **shared, "usage": spent}, f"{kind}.completed")


def _picture() -> str:
    return base64.b64encode(PIXEL).decode()
