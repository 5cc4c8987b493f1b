"""The two protocols of Realtime: that of general availability, and the beta that a header asks for."""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_BETA_EVENTS = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "conversation.item.added": "conversation.item.created",
}
_BETA_PARTS = {"output_audio": "audio", "output_text": "text"}
_BETA_FORMATS = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}


def is_beta(headers: Mapping[str, str]) -> bool:
    """Return which of the two a client speaks."""
    return "realtime=v1" in headers.get("openai-beta", "")


def in_beta(event: Json) -> Json | None:
    """Return an event as the beta writes it, None if it has none such."""
    kind = event["type"]
    if kind == "conversation.item.done":
        return None
    event = {**event, "type": _BETA_EVENTS.get(kind, kind)}
    for key in ("part", "item", "session", "response"):
        if key in event:
            event[key] = _in_beta(key, event[key])
    return event


def _in_beta(key: str, value: Json) -> Json:
    if key == "part":
        return {**value, "type": _BETA_PARTS.get(value["type"], value["type"])}
    if key == "item":
        return (
            {**value, "content": [_in_beta("part", part) for part in value["content"]]} if "content" in value else value
        )
    if key == "session":
        return _session(value)
    changed = {**value, "output": [_in_beta("item", item) for item in value["output"]]}
    changed["modalities"] = ["audio", "text"] if changed.pop("output_modalities") == ["audio"] else ["text"]
    if usage := changed.get("usage"):
        changed["usage"] = _usage(usage)
    return changed


def _usage(usage: Json) -> Json:
    details = usage.get("input_token_details")
    if not isinstance(details, dict):
        return usage
    kept = {name: count for name, count in details.items() if name not in ("image_tokens", "cached_tokens_details")}
    return {**usage, "input_token_details": kept}


def _session(session: Json) -> Json:
    entered, output = session["audio"]["input"], session["audio"].get("output", {})
    flat: Json = {
        "id": session["id"],
        "object": session["object"],
        "expires_at": session["expires_at"],
        "input_audio_format": _BETA_FORMATS[entered["format"]["type"]],
        "input_audio_transcription": entered["transcription"],
        "turn_detection": entered["turn_detection"],
    }
    if session["type"] == "realtime":
        flat |= {
            "model": session["model"],
            "modalities": ["audio", "text"] if session["output_modalities"] == ["audio"] else ["text"],
            "instructions": session["instructions"],
            "voice": output["voice"],
            "output_audio_format": _BETA_FORMATS[output["format"]["type"]],
            "tools": session["tools"],
            "tool_choice": session["tool_choice"],
            "temperature": 0.8,
            "max_response_output_tokens": session["max_output_tokens"],
        }
    return flat


def session_update(fields: Json) -> Json:
    """Return what a `session.update` of either protocol says, in the words of general availability."""
    kept = ("instructions", "tools", "tool_choice", "output_modalities")
    update: Json = {key: fields[key] for key in kept if key in fields}
    if "modalities" in fields:
        update["output_modalities"] = ["audio"] if "audio" in fields["modalities"] else ["text"]
    formats = {old: new for new, old in _BETA_FORMATS.items()}
    entered: Json = dict((fields.get("audio") or {}).get("input") or {})
    output: Json = dict((fields.get("audio") or {}).get("output") or {})
    for old, side in (("input_audio_format", entered), ("output_audio_format", output)):
        if old in fields:
            side["format"] = {"type": formats[fields[old]]}
    if "input_audio_transcription" in fields:
        entered["transcription"] = fields["input_audio_transcription"]
    if "turn_detection" in fields:
        entered["turn_detection"] = fields["turn_detection"]
    if "voice" in fields:
        output["voice"] = fields["voice"]
    return {**update, "audio": {"input": entered, "output": output}}
