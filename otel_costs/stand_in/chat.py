"""Chat completions, whole and streamed."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from otel_costs.stand_in import models, tokens, usage
from otel_costs.stand_in.assistant import Reply, Turn, reply
from otel_costs.stand_in.exchange import Answer, Event, Json, RefusedError, Request, Store, new_id, now
from otel_costs.stand_in.usage import StreamedUsage

_AUDIO_CHUNK = 9_600  # bytes of sound in a chunk


@dataclass(frozen=True, slots=True)
class _Choice:
    reply: Reply
    call_ids: tuple[str, ...]
    finish_reason: str
    audio: Json | None = None  # id, data, transcript, expires_at


def create(request: Request, store: Store) -> Answer:
    """Answer ``POST /chat/completions``."""
    asked = request.json
    if not asked.get("model") and not request.deployment:
        raise RefusedError(400, "you must provide a model parameter")
    if not isinstance(asked.get("messages"), list) or not asked["messages"]:
        raise RefusedError(
            400, "Missing required parameter: 'messages'.", param="messages", code="missing_required_parameter"
        )
    if asked.get("stream_options") and not asked.get("stream"):
        raise RefusedError(
            400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    choices = [_choice(asked, index) for index in range(asked.get("n") or 1)]
    spent = _spent(asked, choices)
    written = usage.in_dialect(request.flavour, usage.of_chat(spent))
    common = {
        "id": new_id("chatcmpl-", 30),
        "created": now(),
        "model": models.dated(request.model),
        "service_tier": models.served_tier(asked.get("service_tier")),
        "system_fingerprint": "fp_50cad350e4",
    }
    if asked.get("stream"):
        return Answer(_stream(asked, common, choices, StreamedUsage(request.flavour, asked, written)))
    body = {**common, "object": "chat.completion", "choices": [_whole(c, i) for i, c in enumerate(choices)]}
    # Only the proxy of LiteLLM says the cost in a header, and not on streams.
    cost = {"x-litellm-response-cost": str(usage.list_cost(written))} if request.flavour == "litellm" else {}
    if asked.get("store"):
        store.put("chat.completion", {**body, "usage": written, "metadata": asked.get("metadata") or {}})
    return Answer({**body, "usage": written}, headers=cost)


def turn_of(messages: Sequence[Json]) -> Turn:
    """Return the last turn of a history."""
    last = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1)
    question = text_of(messages[last].get("content")) if last >= 0 else ""
    called = [
        call["function"]["name"]
        for m in messages[last + 1 :]
        for call in m.get("tool_calls") or []
        if "function" in call
    ]
    results = [text_of(m.get("content")) for m in messages[last + 1 :] if m["role"] == "tool"]
    return Turn(question, tuple(called), tuple(results))


def text_of(content: Any) -> str:
    """Return the words of a message's content."""
    if isinstance(content, list):
        return " ".join(part.get("text") or "" for part in content)
    return content or ""


def _choice(asked: Json, index: int) -> _Choice:
    tools = [tool["function"] for tool in asked.get("tools") or [] if tool.get("type") == "function"]
    form = (asked.get("response_format") or {}).get("json_schema", {}).get("schema")
    answer = reply(
        turn_of(asked["messages"]),
        tools,
        choice=asked.get("tool_choice", "auto"),
        parallel=asked.get("parallel_tool_calls") is not False,
        form=form,
    )
    if answer.calls:
        return _Choice(answer, tuple(new_id("call_", 24) for _ in answer.calls), "tool_calls")
    text = answer.text if index == 0 or form else f"In other words ({index + 1}): {answer.text}"
    limit: int = asked.get("max_completion_tokens") or asked.get("max_tokens") or 2**31
    cut = tokens.count(text) > limit
    text = text[: limit * tokens.CHARACTERS_PER_TOKEN]
    audio = _spoken(text, asked) if "audio" in (asked.get("modalities") or []) else None
    return _Choice(Reply(text=text), (), "length" if cut else "stop", audio)


def _spoken(text: str, asked: Json) -> Json:
    form = (asked.get("audio") or {}).get("format", "wav")
    data = tokens.sound(tokens.spoken_seconds(text), form)
    encoded = base64.b64encode(data).decode()
    return {"id": new_id("audio_", 24), "data": encoded, "transcript": text, "expires_at": now() + 3600}


def _spent(asked: Json, choices: Sequence[_Choice]) -> usage.Spent:
    # What stands before the last user message was sent by an earlier turn, when there was one.
    sizes = [_message_tokens(message) for message in asked["messages"]]
    extra = tokens.count(json.dumps(asked["tools"])) if asked.get("tools") else 0
    prompt = sum(sum(size) for size in sizes) + extra + tokens.TOKENS_PER_REPLY
    last = max((i for i, m in enumerate(asked["messages"]) if m["role"] == "user"), default=0)
    before = sum(sum(size) for size in sizes[:last]) + extra if last > 1 else 0
    audio = sum(round(tokens.spoken_seconds(c.audio["transcript"]) * 20) for c in choices if c.audio)
    text = sum(tokens.count(c.reply.text) + sum(tokens.count(n + a) + 8 for n, a in c.reply.calls) for c in choices)
    thought = models.reasoning_tokens(asked.get("model") or "", asked.get("reasoning_effort")) * len(choices)
    return usage.Spent(
        input=prompt,
        output=text + audio + thought,
        cached=usage.cached_tokens(prompt, before),
        reasoning=thought,
        input_audio=sum(size[1] for size in sizes),
        output_audio=audio,
        input_image=sum(size[2] for size in sizes),
        audio_model="audio" in (asked.get("model") or ""),
    )


def _message_tokens(message: Json) -> tuple[int, int, int]:
    text, audio, image = tokens.content_tokens(message.get("content"))
    calls = message.get("tool_calls") or []
    text += sum(tokens.count(call.get("function", {}).get("arguments", "")) + 8 for call in calls)
    return text + tokens.TOKENS_PER_MESSAGE, audio, image


def _calls(choice: _Choice) -> list[Json]:
    return [
        {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}
        for key, (name, arguments) in zip(choice.call_ids, choice.reply.calls, strict=True)
    ]


def _whole(choice: _Choice, index: int) -> Json:
    spoken_or_called = choice.audio or choice.reply.calls
    message: Json = {"role": "assistant", "content": None if spoken_or_called else choice.reply.text, "refusal": None}
    if choice.reply.calls:
        message["tool_calls"] = _calls(choice)
    elif choice.audio:
        message["audio"] = choice.audio
    message["annotations"] = []
    return {"index": index, "message": message, "logprobs": None, "finish_reason": choice.finish_reason}


def _stream(asked: Json, common: Json, choices: Sequence[_Choice], streamed_usage: StreamedUsage) -> Iterator[Event]:
    head = {**common, "object": "chat.completion.chunk"}
    padded = (asked.get("stream_options") or {}).get("include_obfuscation") is not False

    def chunk(chosen: list[Json], number: int, more: Json) -> Event:
        padding = {"obfuscation": "aB3xY9kQzR7"[: 3 + number % 9]} if padded else {}
        return Event({**head, "choices": chosen, **more, **padding})

    number = 0
    deltas = [_deltas(choice) for choice in choices]
    for step in range(max(len(of_one) for of_one in deltas)):
        for index, of_one in enumerate(deltas):
            if step < len(of_one):
                delta, reason = of_one[step]
                number += 1
                chosen = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
                yield chunk([chosen], number, streamed_usage.on_chunk(number, last=reason is not None))
    if streamed_usage.has_own_chunk:
        yield chunk([], number + 1, {"usage": streamed_usage.usage})
    yield Event("[DONE]")


def _deltas(choice: _Choice) -> list[tuple[Json, str | None]]:
    last: tuple[Json, str | None] = ({}, choice.finish_reason)
    if choice.reply.calls:
        return [*_call_deltas(choice), last]
    if choice.audio:
        return [*_audio_deltas(choice.audio), last]
    first: Json = {"role": "assistant", "content": "", "refusal": None}
    return [(first, None), *(({"content": piece}, None) for piece in tokens.pieces(choice.reply.text)), last]


def _call_deltas(choice: _Choice) -> Iterator[tuple[Json, None]]:
    for index, call in enumerate(_calls(choice)):
        begun = {"index": index, **call, "function": {"name": call["function"]["name"], "arguments": ""}}
        role = {"role": "assistant", "content": None} if index == 0 else {}
        yield {**role, "tool_calls": [begun], **({"refusal": None} if index == 0 else {})}, None
        arguments = call["function"]["arguments"]
        for start in range(0, len(arguments), 6):
            piece = {"index": index, "function": {"arguments": arguments[start : start + 6]}}
            yield {"tool_calls": [piece]}, None


def _audio_deltas(audio: Json) -> Iterator[tuple[Json, None]]:
    yield {"role": "assistant", "content": None, "refusal": None}, None
    yield {"audio": {"id": audio["id"], "transcript": ""}}, None
    for piece in tokens.pieces(audio["transcript"]):
        yield {"audio": {"transcript": piece}}, None
    data = base64.b64decode(audio["data"])
    for start in range(0, len(data), _AUDIO_CHUNK):
        yield {"audio": {"data": base64.b64encode(data[start : start + _AUDIO_CHUNK]).decode()}}, None
    yield {"audio": {"expires_at": audio["expires_at"]}}, None
