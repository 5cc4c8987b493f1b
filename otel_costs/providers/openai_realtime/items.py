"""What an item of a conversation says: a message of text, sound and images, a function's call, its result."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from otel_costs.messages import Draft
from otel_costs.providers.openai.parts import call, image, key, mapping, result, sequence, text
from otel_costs.providers.openai_realtime.sound import PassingAudio
from otel_costs.values import sanitize

_ROLES: Final = {"system": "system", "developer": "system", "assistant": "assistant"}


def drafts(item: Mapping[str, Any], bytes_per_second: int) -> Iterator[Draft]:
    """Yield what an item says; sound that is in it, as an application sends it, is described and let go."""
    kind = item.get("type")
    if kind == "message":
        role = item.get("role")
        for part in sequence(item.get("content")):
            if draft := _part(
                _ROLES.get(role, "user") if isinstance(role, str) else "user", mapping(part), bytes_per_second
            ):
                yield draft
    elif kind == "function_call":
        yield call(item.get("call_id") or item.get("id"), item.get("name"), item.get("arguments"))
    elif kind == "function_call_output":
        yield from result(item.get("call_id") or item.get("id"), item.get("output"))
    elif kind == "mcp_call":
        yield call(item.get("id"), item.get("name"), item.get("arguments"))
        output = item.get("output") if item.get("output") is not None else item.get("error")
        if output is not None:
            output = output if isinstance(output, str) else sanitize.to_json(output)
            yield from result(item.get("id"), output, name=item.get("name"))


def _part(role: str, part: Mapping[str, Any], bytes_per_second: int) -> Draft | None:
    kind = part.get("type")
    if kind == "input_image":
        return image(role, part)
    if kind in ("input_audio", "output_audio", "audio"):
        transcript = part.get("transcript")
        words = text(transcript) if isinstance(transcript, str) else None
        draft = Draft(role, "audio", words)
        return _recorded(draft, part.get("audio"), bytes_per_second)
    if isinstance(words := part.get("text"), str):
        return Draft(role, "text", text(words))
    return None


def _recorded(draft: Draft, data: object, bytes_per_second: int) -> Draft:
    if not isinstance(data, str) or not data:
        return draft
    sound = PassingAudio()
    sound.add(data)
    seconds: Decimal | None = sound.seconds(bytes_per_second)
    return draft._replace(recording=sound.recording(), audio_seconds=seconds)


def item_key(item: object) -> str | None:
    """Return the id of an item; None if it has none."""
    return key(mapping(item).get("id"))
