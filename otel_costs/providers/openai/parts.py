"""One message as OpenAI writes it, and the parts of it; the same for chat completions and for items of responses."""

import binascii
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from otel_costs.messages.drafts import Draft
from otel_costs.values import sanitize
from otel_costs.values.audio_length import Sound, seconds

_ROLES: Final = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
    "tool": "function",
    "function": "function",
}


BESIDE: Final = ("refusal", "audio", "images", "tool_calls", "function_call")
"""What an assistant's message may have beside its content."""


def mapping(value: object) -> Mapping[str, Any]:
    """Return `value` if it is a mapping, the fields of an object of the SDK's, or nothing."""
    if type(value) is dict or isinstance(value, Mapping):
        return value
    if hasattr(type(value), "model_dump"):
        dumped = value.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
        return dumped if isinstance(dumped, Mapping) else {}
    return {}


def sequence(value: object) -> list[Any] | tuple[Any, ...]:
    """Return a list; nothing of an iterator, which belongs to the application."""
    return value if isinstance(value, list | tuple) else ()


def message(fields: Mapping[str, Any], default_role: str = "user") -> Iterator[Draft]:
    """Yield the drafts of a message: its text and payloads, a refusal, speech, function calls, a function's result."""
    role, content = fields.get("role"), fields.get("content")
    role = _ROLES.get(role, "user") if isinstance(role, str) else default_role
    if role == "function":
        yield from result(fields.get("tool_call_id"), content, name=fields.get("name"))
    elif isinstance(content, str):
        if content or role != "assistant":
            yield Draft(role, "text", text(content))
    elif content is not None:
        yield from parts(role, content)
    if role == "assistant" and not (content and len(fields) == 2 and "role" in fields):
        yield from _beside(fields, part=bool(content))


def _beside(fields: Mapping[str, Any], part: bool) -> Iterator[Draft]:
    """Yield what an assistant's message has beside its content."""
    if refusal := fields.get("refusal"):
        yield Draft("assistant", "text", text(refusal), part=part)
        part = True
    if audio := fields.get("audio"):
        spoken = mapping(audio)
        transcript = spoken.get("transcript")
        words = None if transcript is None else text(transcript)
        yield Draft("assistant", "audio", words, key=key(spoken.get("id")), part=part)
        part = True
    for made in sequence(fields.get("images")):  # of OpenRouter's image models
        yield image("assistant", mapping(made))._replace(part=part)
        part = True
    for made in sequence(fields.get("tool_calls")):
        made = mapping(made)
        function = mapping(made.get("function") or made.get("custom"))
        yield call(made.get("id"), function.get("name"), function.get("arguments", function.get("input")), part=part)
        part = True
    if function_call := mapping(fields.get("function_call")):
        yield call(None, function_call.get("name"), function_call.get("arguments"), part=part)


def parts(role: str, content: object) -> Iterator[Draft]:
    """Yield one draft for each payload, and one for all text between two of them."""
    texts: list[str] = []
    begun = False
    for part in content if isinstance(content, list | tuple) else (content,):
        draft = _part(role, part)
        if draft.type == "text" and isinstance(draft.content, str):
            texts.append(draft.content)
            continue
        if texts:
            yield Draft(role, "text", "\n".join(texts), part=begun)
            texts, begun = [], True
        yield draft._replace(part=begun)
        begun = True
    if texts:
        yield Draft(role, "text", "\n".join(texts), part=begun)


def call(call_id: object, name: object, arguments: object, *, part: bool = False) -> Draft:
    """Return a call of a function."""
    if arguments is not None:
        arguments = text(arguments) if isinstance(arguments, str) else sanitize.to_json(arguments)
    return Draft("assistant", "function_call", None, text(name), arguments, key=key(call_id), part=part)


def result(call_id: object, output: object, *, name: object = None) -> Iterator[Draft]:
    """Yield a function's result: its text, and the payloads in it."""
    known = None if name is None else text(name)
    if output is None or isinstance(output, str):
        yield Draft("function", "function_result", None if output is None else text(output), known, key=key(call_id))
        return
    found = list(parts("function", output))
    texts = [draft.content for draft in found if draft.type == "text" and isinstance(draft.content, str)]
    yield Draft("function", "function_result", "\n".join(texts), known, key=key(call_id))
    yield from (draft._replace(part=True) for draft in found if draft.type != "text")


def payload(role: str, kind: str, data: object, media_type: str, reference: object = None) -> Draft:
    """Return bytes or base64 to be described, an address without what may be a signature in it, or a reference."""
    if isinstance(data, bytes | bytearray):
        return Draft(role, kind, bytes(data), media_type=media_type)
    if not isinstance(data, str) or not data:
        return Draft(role, kind, None if reference is None else text(reference))
    data = text(data)
    if "://" in data[:40]:
        return Draft(role, kind, sanitize.without_credentials(data))
    return Draft(role, kind, data, media_type=media_type)


def text(value: object) -> str:
    """Return a plain str of what should be one: of a subclass its text, of anything else its name."""
    if type(value) is str:
        return value
    return str.__str__(value) if isinstance(value, str) else sanitize.identifier(value)


def key(value: object) -> str | None:
    """Return an id of the provider's; None when it is none."""
    return text(value) if isinstance(value, str) and value else None


def _part(role: str, part: object) -> Draft:
    if isinstance(part, str):
        return Draft(role, "text", text(part))
    fields = mapping(part)
    for name in ("text", "refusal"):
        if isinstance(value := fields.get(name), str):
            return Draft(role, "text", text(value))
    kind = fields.get("type")
    reader = _PARTS.get(kind) if isinstance(kind, str) else None
    return (
        reader(role, fields)
        if reader
        else Draft(role, "text", sanitize.without_credentials(sanitize.to_json(fields or part)))
    )


def image(role: str, fields: Mapping[str, Any]) -> Draft:
    """Return an image, of a part or of an edit's references."""
    found = fields.get("image_url")
    data = found if isinstance(found, str) else mapping(found).get("url")
    return payload(role, "image", data, "image", fields.get("file_id"))


def _audio(role: str, fields: Mapping[str, Any]) -> Draft:
    audio = mapping(fields.get("input_audio") or fields.get("audio")) or fields
    form, data = text(audio.get("format") or "wav"), audio.get("data")
    if isinstance(transcript := audio.get("transcript"), str):
        return Draft(role, "audio", text(transcript), audio_seconds=_seconds(data, form))
    return payload(role, "audio", data, f"audio/{form}")._replace(audio_seconds=_seconds(data, form))


def _seconds(data: object, form: str) -> Decimal | None:
    """Return the seconds of base64 that says it: wav in its header, pcm by its length."""
    if not isinstance(data, str) or form not in ("wav", "pcm16", "pcm"):
        return None
    try:
        head = binascii.a2b_base64(data[:4096])
    except ValueError:
        return None
    return seconds(Sound(head, len(data) * 3 // 4 - data.count("=", -2)), form)


def _file(role: str, fields: Mapping[str, Any]) -> Draft:
    file = mapping(fields.get("file") or fields.get("video_url")) or fields
    data = file.get("file_data") or file.get("file_url") or file.get("url")
    return payload(role, "file", data, "application/octet-stream", file.get("file_id") or file.get("filename"))


_PARTS: Final[dict[str, Callable[[str, Mapping[str, Any]], Draft]]] = {
    "image_url": image,
    "input_image": image,
    "computer_screenshot": image,
    "input_audio": _audio,
    "output_audio": _audio,
    "file": _file,
    "input_file": _file,
    "video_url": _file,
}
