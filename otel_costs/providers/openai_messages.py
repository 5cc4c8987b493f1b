"""What was said in OpenAI's payloads, of requests and of whole responses; unknown shapes say nothing.

Nothing here raises, changes the payload, or takes anything from an iterator that the application passed.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from otel_costs import clean
from otel_costs.messages import CONTEXT, Draft

_log = logging.getLogger("otel_costs")
_warned = False

_ROLES: Final = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
    "tool": "function",
    "function": "function",
}


def read_request(endpoint: str, body: Mapping[str, Any]) -> list[Draft]:
    """Return what the request says: its history too, where it sends one."""
    reader = _REQUESTS.get(endpoint)
    return _read(reader, body) if reader else []


def read_response(endpoint: str, body: Mapping[str, Any] | str) -> list[list[Draft]]:
    """Return what each choice of the whole response says; a transcription's may be a str."""
    if endpoint in ("chat", "completions"):
        reader = _chat_choice if endpoint == "chat" else _completion_choice
        return [_read(reader, choice) for choice in _list(_mapping(body).get("choices"))]
    reader = _RESPONSES.get(endpoint)
    return [_read(reader, body)] if reader else []


def _read(reader: Callable[[Any], Iterator[Draft]], payload: object) -> list[Draft]:
    global _warned
    try:
        return list(reader(payload))
    except Exception as error:
        if not _warned:
            _warned = True
            _log.warning("otel_costs could not read the messages of a call (%s); said once.", type(error).__name__)
        return []


# Chat completions.


def _chat_request(body: Any) -> Iterator[Draft]:
    for message in _list(_mapping(body).get("messages")):
        yield from _chat_message(_mapping(message))


def _chat_choice(choice: Any) -> Iterator[Draft]:
    message = _mapping(_mapping(choice).get("message"))
    return _chat_message(message, "assistant")


def _chat_message(message: Mapping[str, Any], default_role: str = "user") -> Iterator[Draft]:
    role = message.get("role")
    role = _ROLES.get(role, "user") if type(role) is str else default_role
    said = message.get("content")
    if role == "function":
        yield _result(message.get("tool_call_id"), said, name=message.get("name"))
        return
    if type(said) is str:
        if said or role != "assistant":
            yield Draft(role, "text", said)
            if len(message) == 2:
                return
    elif said is not None:
        yield from _parts(role, said)
    if role == "assistant":
        yield from _assistant_extras(message, part=bool(said))


def _assistant_extras(message: Mapping[str, Any], part: bool) -> Iterator[Draft]:
    """Yield what an assistant says beside its content: a refusal, speech, calls of functions."""
    if refusal := message.get("refusal"):
        yield Draft("assistant", "text", _text(refusal), part=part)
        part = True
    if audio := message.get("audio"):
        spoken = _mapping(audio)
        transcript = spoken.get("transcript")
        yield Draft(
            "assistant",
            "audio",
            None if transcript is None else _text(transcript),
            key=_key(spoken.get("id")),
            part=part,
        )
        part = True
    for call in _list(message.get("tool_calls")):
        call = _mapping(call)
        function = _mapping(call.get("function") or call.get("custom"))
        yield _call(call.get("id"), function.get("name"), function.get("arguments", function.get("input")), part)
        part = True
    if function_call := message.get("function_call"):
        function = _mapping(function_call)
        yield _call(None, function.get("name"), function.get("arguments"), part)


# Parts of a message, in chat completions' and responses' words.


def _parts(role: str, said: object) -> Iterator[Draft]:
    """Yield one draft per payload, and one for all text between two of them."""
    texts: list[str] = []
    first = True
    for part in said if isinstance(said, list | tuple) else (said,):
        draft = _part(role, part)
        if draft.type == "text" and isinstance(draft.content, str):
            texts.append(draft.content)
            continue
        if texts:
            yield Draft(role, "text", _joined(texts), part=not first)
            texts, first = [], False
        yield draft if first else draft._replace(part=True)
        first = False
    if texts:
        yield Draft(role, "text", _joined(texts), part=not first)


def _joined(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else "\n".join(texts)


def _part(role: str, part: object) -> Draft:
    if type(part) is str:
        return Draft(role, "text", part)
    fields = _mapping(part)
    if not fields:
        return Draft(role, "text", clean.to_json(part))
    kind = fields.get("type")
    for name in ("text", "refusal", "transcript"):
        if type(said := fields.get(name)) is str:
            return Draft(role, "audio" if name == "transcript" else "text", said)
    reader = _PARTS.get(kind) if type(kind) is str else None
    return reader(role, fields) if reader else Draft(role, "text", clean.to_json(fields))


def _image(role: str, fields: Mapping[str, Any]) -> Draft:
    image = fields.get("image_url")
    return _media(
        role, "image", image if type(image) is str else _mapping(image).get("url"), fields.get("file_id"), "image"
    )


def _audio(role: str, fields: Mapping[str, Any]) -> Draft:
    audio = _mapping(fields.get("input_audio") or fields.get("audio"))
    form = audio.get("format")
    return _media(role, "audio", audio.get("data"), None, f"audio/{form}" if type(form) is str else "audio")


def _file(role: str, fields: Mapping[str, Any]) -> Draft:
    file = _mapping(fields.get("file")) or fields
    data = file.get("file_data") or file.get("file_url")
    return _media(role, "file", data, file.get("file_id") or file.get("filename"), "application/octet-stream")


def _media(role: str, kind: str, payload: object, reference: object, media_type: str) -> Draft:
    """Return a payload to be described, the address of one without what may be a signature in it, or a reference."""
    if isinstance(payload, bytes | bytearray):
        return Draft(role, kind, bytes(payload), media_type=media_type)
    if type(payload) is str and payload:
        if payload.startswith(("http://", "https://", "gs://", "s3://")):
            return Draft(role, kind, payload.partition("?")[0].partition("#")[0])
        return Draft(role, kind, payload, media_type=media_type)
    return Draft(role, kind, None if reference is None else _text(reference))


_PARTS: Final[dict[str, Callable[[str, Mapping[str, Any]], Draft]]] = {
    "image_url": _image,
    "input_image": _image,
    "computer_screenshot": _image,
    "input_audio": _audio,
    "output_audio": _audio,
    "file": _file,
    "input_file": _file,
}


# Responses, and decisions, which speak the same.


def _responses_request(body: Any) -> Iterator[Draft]:
    fields = _mapping(body)
    if continued := _held(fields):
        yield Draft("", CONTEXT, key=continued)
    if type(instructions := fields.get("instructions")) is str:
        yield Draft("system", "text", instructions, instructions=True)
    if variables := _mapping(fields.get("prompt")).get("variables"):
        yield Draft("system", "text", clean.to_json(variables), instructions=True)
    yield from _items(fields.get("input"))
    for question in _list(fields.get("questions")):
        yield Draft("user", "text", clean.to_json(question))


def _held(fields: Mapping[str, Any]) -> str | None:
    """Return what the request continues at the provider's.

    A conversation's next request continues it at another place, which nobody tells us, so that its key is new each time:
    a second "yes" is a second message.
    """
    previous = fields.get("previous_response_id")
    if type(previous) is str:
        return previous
    return os.urandom(16).hex() if fields.get("conversation") else None


def _responses_response(body: Any) -> Iterator[Draft]:
    fields = _mapping(body)
    if fields.get("background") is True and type(fields.get("id")) is str:
        yield Draft("", CONTEXT, key=fields["id"])  # whoever polls it knows no request
    yield from _items(fields.get("output"))


def _items(items: object) -> Iterator[Draft]:
    if type(items) is str:
        yield Draft("user", "text", items)
        return
    for item in _list(items):
        fields = _mapping(item)
        kind = fields.get("type")
        if kind is None or kind == "message":
            yield from _chat_message(fields)
        elif type(kind) is str and kind not in _SILENT:
            yield from _item(kind, fields)


def _item(kind: str, fields: Mapping[str, Any]) -> Iterator[Draft]:
    """Yield a call of a function, its result, or both, of items of any tool, known or not."""
    key = fields.get("call_id") or fields.get("id")
    if kind == "image_generation_call":
        form = fields.get("output_format")
        yield _media("assistant", "image", fields.get("result"), None, f"image/{form if type(form) is str else 'png'}")
    elif kind.endswith("_output"):
        yield _result(key, fields.get("output", fields.get("result")), name=fields.get("name"))
    elif kind.endswith(("_call", "program")):
        name = fields.get("name") or kind.removesuffix("_call")
        yield _call(key, name, next((fields[k] for k in _ARGUMENTS if fields.get(k) is not None), None), False)
        for name_of_result in ("output", "outputs", "results"):
            if (said := fields.get(name_of_result)) is not None:
                yield _result(key, said, name=name)


_ARGUMENTS: Final = ("arguments", "input", "action", "operation", "code", "queries")
_SILENT: Final = frozenset(
    {"reasoning", "item_reference", "compaction", "compaction_trigger", "additional_tools", "mcp_list_tools"}
)


def _call(key: object, name: object, arguments: object, part: bool) -> Draft:
    said = arguments if type(arguments) is str else None if arguments is None else clean.to_json(arguments)
    return Draft("assistant", "function_call", None, _text(name), said, key=_key(key), part=part)


def _result(key: object, said: object, *, name: object = None) -> Draft:
    """Return a function's result; its parts become one text, payloads described in it."""
    if isinstance(said, list | tuple):
        said = (
            clean.to_json(said)
            if not all(type(_mapping(part).get("text")) is str for part in said)
            else "\n".join(_mapping(part)["text"] for part in said)
        )
    elif said is not None and type(said) is not str:
        said = clean.to_json(said)
    return Draft("function", "function_result", said, None if name is None else _text(name), key=_key(key))


# Everything else has no history: each call says something new, even in the same words.


def _alone(reader: Callable[[Mapping[str, Any]], Iterator[Draft]]) -> Callable[[Any], Iterator[Draft]]:
    def read(body: Any) -> Iterator[Draft]:
        yield Draft("", CONTEXT, key=os.urandom(16).hex())
        yield from reader(_mapping(body))

    return read


def _completion_request(body: Mapping[str, Any]) -> Iterator[Draft]:
    prompt = body.get("prompt")
    for said in prompt if isinstance(prompt, list | tuple) and not all(type(p) is int for p in prompt) else (prompt,):
        if type(said) is str:
            yield Draft("user", "text", said)
        elif isinstance(said, list | tuple):
            yield Draft("user", "text", f"[{len(said)} tokens]")


def _completion_choice(choice: Any) -> Iterator[Draft]:
    if type(said := _mapping(choice).get("text")) is str:
        yield Draft("assistant", "text", said)


def _speech_request(body: Mapping[str, Any]) -> Iterator[Draft]:
    if type(instructions := body.get("instructions")) is str:
        yield Draft("system", "text", instructions, instructions=True)
    if type(said := body.get("input")) is str:
        yield Draft("assistant", "audio", said)


def _prompt_request(body: Mapping[str, Any]) -> Iterator[Draft]:
    if type(said := body.get("prompt")) is str:
        yield Draft("user", "text", said)


def _transcription_request(body: Mapping[str, Any]) -> Iterator[Draft]:
    if type(hint := body.get("prompt")) is str:
        yield Draft("system", "text", hint, instructions=True)


def _transcription(body: Any) -> Iterator[Draft]:
    fields = _mapping(body)
    said = body if type(body) is str else fields.get("text")
    seconds = clean.number(fields.get("duration") or _mapping(fields.get("usage")).get("seconds"))
    if type(said) is str:
        yield Draft("user", "audio", said, audio_seconds=seconds)


def _images(body: Any) -> Iterator[Draft]:
    fields = _mapping(body)
    form = fields.get("output_format")
    for image in _list(fields.get("data")):
        image = _mapping(image)
        payload = image.get("b64_json") or image.get("url")
        yield _media("assistant", "image", payload, None, f"image/{form if type(form) is str else 'png'}")


_REQUESTS: Final[dict[str, Callable[[Any], Iterator[Draft]]]] = {
    "chat": _chat_request,
    "completions": _alone(_completion_request),
    "responses": _responses_request,
    "decisions": _responses_request,
    "speech": _alone(_speech_request),
    "transcription": _alone(_transcription_request),
    "translation": _alone(_transcription_request),
    "images": _alone(_prompt_request),
    "videos": _alone(_prompt_request),
}


def _decision(body: Any) -> Iterator[Draft]:
    for answer in _list(_mapping(body).get("answers")):
        yield Draft("assistant", "text", clean.to_json(answer))


_RESPONSES: Final[dict[str, Callable[[Any], Iterator[Draft]]]] = {
    "responses": _responses_response,
    "decisions": _decision,
    "transcription": _transcription,
    "translation": _transcription,
    "images": _images,
}


# Reading what may be anything.


def _mapping(value: object) -> Mapping[str, Any]:
    """Return `value` if it is a mapping, the fields of an object of the SDK's, or nothing."""
    if type(value) is dict or isinstance(value, Mapping):
        return value  # type: ignore[return-value]
    if hasattr(type(value), "model_dump"):
        dumped = value.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
        return dumped if isinstance(dumped, Mapping) else {}
    return {}


def _list(value: object) -> list[Any] | tuple[Any, ...]:
    """Return a list; nothing of an iterator, which belongs to the application."""
    return value if isinstance(value, list | tuple) else ()


def _text(value: object) -> str:
    return value if type(value) is str else clean.identifier(value)


def _key(value: object) -> str | None:
    return value if type(value) is str and value else None
