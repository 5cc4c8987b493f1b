"""Legacy completions, whole and streamed."""

from collections.abc import Iterator

from otel_costs.stand_in import models, tokens, usage
from otel_costs.stand_in.assistant import Turn, reply
from otel_costs.stand_in.exchange import Answer, Event, Json, RefusedError, Request, Store, new_id, now


def create(request: Request, _: Store) -> Answer:
    """Answer ``POST /completions``: one text per prompt and choice."""
    asked = request.json
    if not request.model:
        raise RefusedError(400, "you must provide a model parameter")
    given = asked.get("prompt") or ""
    prompts = [given] if isinstance(given, str) else given
    limit = asked.get("max_tokens") or 16
    texts = [reply(Turn(prompt), ()).text for prompt in prompts for _ in range(asked.get("n") or 1)]
    choices = [
        {
            "index": index,
            "text": text[: limit * tokens.CHARACTERS_PER_TOKEN],
            "logprobs": None,
            "finish_reason": "length" if tokens.count(text) > limit else "stop",
        }
        for index, text in enumerate(texts)
    ]
    spent = usage.Spent(
        input=sum(tokens.count(prompt) for prompt in prompts),
        output=sum(tokens.count(str(choice["text"])) for choice in choices),
    )
    head = {
        "id": new_id("cmpl-", 28),
        "object": "text_completion",
        "created": now(),
        "model": models.dated(request.model),
    }
    written = {key: value for key, value in usage.of_chat(spent).items() if not key.endswith("_details")}
    if asked.get("stream"):
        return Answer(_stream(asked, head, choices, written))
    return Answer({**head, "choices": choices, "usage": written})


def _stream(asked: Json, head: Json, choices: list[Json], written: Json) -> Iterator[Event]:
    wanted = (asked.get("stream_options") or {}).get("include_usage")
    tail: Json = {"usage": None} if wanted else {}
    for choice in choices:
        for piece in tokens.pieces(choice["text"]):
            yield Event({**head, "choices": [{**choice, "text": piece, "finish_reason": None}], **tail})
        yield Event({**head, "choices": [{**choice, "text": ""}], **tail})
    if wanted:
        yield Event({**head, "choices": [], "usage": written})
    yield Event("[DONE]")
