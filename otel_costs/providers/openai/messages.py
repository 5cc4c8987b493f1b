"""What is said in OpenAI's requests and in its whole responses; a shape that is not known says nothing.

Nothing here raises, changes a payload, or takes anything from an iterator that the application passed.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from otel_costs.calls.call import random_id
from otel_costs.messages.drafts import CONTEXT, Draft, count, text_length
from otel_costs.providers.openai import items as openai_items
from otel_costs.providers.openai.parts import BESIDE, image, mapping, message, payload, sequence, text
from otel_costs.runtime import telemetry
from otel_costs.values import sanitize

Reader = Callable[[Mapping[str, Any]], Iterator[Draft]]


def read_request(endpoint: str, body: Mapping[str, Any]) -> list[Draft]:
    """Return what the request says: its history too, where it sends one."""
    reader = _REQUESTS.get(endpoint)
    return [] if reader is None else _read(reader, body)


def measure_request(endpoint: str, body: Mapping[str, Any]) -> tuple[int, int | None]:
    """Return the number of messages of a request, its history included, and the characters of their text.

    The second is None where there are no messages.
    """
    sent, characters = body.get("messages") if endpoint == "chat" else None, 0
    if type(sent) is list and sent:
        for fields in sent:
            # At first sight one message: a text, with nothing beside it.
            content = fields.get("content") if type(fields) is dict and len(fields) == 2 else None
            if type(content) is not str or not content:
                break
            characters += len(content)
        else:
            return len(sent), characters
    drafts = read_request(endpoint, body)
    return count(drafts), text_length(drafts) if drafts else None


def count_response(endpoint: str, body: Mapping[str, Any] | str) -> int:
    """Return the number of messages of a whole response."""
    if endpoint != "chat":
        return count(*read_response(endpoint, body))
    number = 0
    for choice in _choices(body):
        fields = choice.get("message")
        if type(fields) is not dict:
            fields = mapping(fields)
        content = fields.get("content")
        is_plain = fields.get("role") == "assistant" and (content is None or type(content) is str)
        if is_plain and not any(map(fields.get, BESIDE)):
            number += bool(content)
        else:
            number += len(_read(_chat_choice, choice))
    return number


def read_response(endpoint: str, body: Mapping[str, Any] | str) -> list[list[Draft]]:
    """Return what each choice of a whole response says; that of a transcription may be a str."""
    reader = _RESPONSES.get(endpoint)
    if reader is None:
        return []
    if endpoint not in ("chat", "completions"):
        return [_read(reader, {"text": body} if isinstance(body, str) else body)]
    found = []
    for choice in _choices(body):
        drafts = _read(reader, choice)
        if drafts and isinstance(reason := choice.get("finish_reason"), str):
            drafts[0] = Draft(*drafts[0][:-1], reason)
        found.append(drafts)
    return found


def _read(reader: Reader, payload: object) -> list[Draft]:
    try:
        return list(reader(mapping(payload)))
    except Exception as error:  # noqa: BLE001
        telemetry.warn_once("messages", "otel_costs could not read the messages of a call (%s).", type(error).__name__)
        return []


def _choices(body: object) -> list[dict[str, Any]]:
    """Return the choices of a response, which was parsed from JSON."""
    choices = body.get("choices") if isinstance(body, dict) else None
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _chat_request(body: Mapping[str, Any]) -> Iterator[Draft]:
    for sent in sequence(body.get("messages")):
        yield from message(mapping(sent))


def _chat_choice(choice: Mapping[str, Any]) -> Iterator[Draft]:
    return message(mapping(choice.get("message")), "assistant")


def _alone(reader: Reader) -> Reader:
    """Read a request that has no history: each says something new, even in the same words."""

    def read(body: Mapping[str, Any]) -> Iterator[Draft]:
        yield Draft("", CONTEXT, key=random_id())
        yield from reader(body)

    return read


def _completion_request(body: Mapping[str, Any]) -> Iterator[Draft]:
    prompt = body.get("prompt")
    several = isinstance(prompt, list | tuple) and not all(type(token) is int for token in prompt)
    for item in sequence(prompt) if several else (prompt,):
        if isinstance(item, str):
            yield Draft("user", "text", text(item))
        elif isinstance(item, list | tuple):
            yield Draft("user", "text", f"[{len(item)} tokens]")


def _completion_choice(choice: Mapping[str, Any]) -> Iterator[Draft]:
    if type(completion := choice.get("text")) is str:
        yield Draft("assistant", "text", completion)


def _speech_request(body: Mapping[str, Any]) -> Iterator[Draft]:
    if isinstance(instructions := body.get("instructions"), str):
        yield Draft("system", "text", text(instructions), instructions=True)
    if isinstance(script := body.get("input"), str):
        yield Draft("assistant", "audio", text(script))


def _transcription_request(body: Mapping[str, Any]) -> Iterator[Draft]:
    if isinstance(hint := body.get("prompt"), str):
        yield Draft("system", "text", text(hint), instructions=True)


def _transcription(body: Mapping[str, Any]) -> Iterator[Draft]:
    duration = body.get("duration") or mapping(body.get("usage")).get("seconds")
    if type(transcript := body.get("text")) is str:
        yield Draft("user", "audio", transcript, audio_seconds=sanitize.number(duration))


def _prompt_request(body: Mapping[str, Any]) -> Iterator[Draft]:
    if isinstance(prompt := body.get("prompt"), str):
        yield Draft("user", "text", text(prompt))
    for reference in sequence(body.get("images")):
        yield image("user", mapping(reference))
    for name, file in body.items():
        if isinstance(name, str) and name.startswith("image") and name != "images":
            yield from _uploads(file)


def _uploads(file: object) -> Iterator[Draft]:
    """Yield uploaded images as far as they are in memory; an open file is the application's to read."""
    for one in file if isinstance(file, list) else (file,):
        data = one[1] if isinstance(one, tuple) and len(one) > 1 else one
        name = one[0] if isinstance(one, tuple) and len(one) > 1 else None
        yield payload("user", "image", data if isinstance(data, bytes) else None, "image", name)


def _images(body: Mapping[str, Any]) -> Iterator[Draft]:
    form = body.get("output_format")
    for made in sequence(body.get("data")):
        fields = mapping(made)
        data = fields.get("b64_json") or fields.get("url")
        yield payload("assistant", "image", data, f"image/{form if isinstance(form, str) else 'png'}")


def _decision(body: Mapping[str, Any]) -> Iterator[Draft]:
    for answer in sequence(body.get("answers")):
        yield Draft("assistant", "text", sanitize.to_json(answer))


_REQUESTS: Final[dict[str, Reader]] = {
    "chat": _chat_request,
    "completions": _alone(_completion_request),
    "responses": openai_items.request,
    "decisions": openai_items.request,
    "speech": _alone(_speech_request),
    "transcription": _alone(_transcription_request),
    "translation": _alone(_transcription_request),
    "images": _alone(_prompt_request),
    "videos": _alone(_prompt_request),
}
_RESPONSES: Final[dict[str, Reader]] = {
    "chat": _chat_choice,
    "completions": _completion_choice,
    "responses": openai_items.response,
    "decisions": _decision,
    "transcription": _transcription,
    "translation": _transcription,
    "images": _images,
}
