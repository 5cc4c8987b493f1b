"""ElevenLabs: speech, transcription, changed voices and made sounds over HTTP, and its sockets.

The header `character-cost` is what a call costs in credits, which once were called characters: a character of a fast
model is half of one. It counts where it is there, as characters at the price of a credit.
"""

import re
from typing import Any, Final

from otel_costs import attributes as names
from otel_costs.call import Call
from otel_costs.cost_reason import CostReason
from otel_costs.messages.drafts import Draft
from otel_costs.patching import Patches
from otel_costs.providers import fern, spoken
from otel_costs.providers.elevenlabs.sockets import claim
from otel_costs.providers.vendor_call import Answer, Vendor
from otel_costs.providers.vendor_request import Asked, Endpoint
from otel_costs.usage import Usage

__all__ = ["VENDOR", "claim", "install"]

MODULE: Final = "elevenlabs.core.http_client"

_ENDPOINTS: Final = (
    Endpoint("speech", "text_to_speech", "POST", re.compile(r"/v1/text-to-speech/[^/]+(/stream)?(/with-timestamps)?$")),
    Endpoint("dialogue", "text_to_speech", "POST", re.compile(r"/v1/text-to-dialogue(/stream)?(/with-timestamps)?$")),
    Endpoint("transcription", "speech_to_text", "POST", re.compile(r"/v1/speech-to-text$"), is_read=True),
    Endpoint("voice", "speech_to_speech", "POST", re.compile(r"/v1/(speech-to-speech|voice-changer)/[^/]+(/stream)?$")),
    Endpoint("sound", "sound_generation", "POST", re.compile(r"/v1/sound-generation$")),
    Endpoint("isolation", "audio_isolation", "POST", re.compile(r"/v1/audio-isolation(/stream)?$")),
    Endpoint("music", "music_generation", "POST", re.compile(r"/v1/music(/detailed)?(/stream)?$")),
)
_DEFAULTS: Final = {  # documented, where a request names no model
    "speech": "eleven_multilingual_v2",
    "dialogue": "eleven_v3",
    "voice": "eleven_english_sts_v2",
    "sound": "eleven_text_to_sound_v2",
    "isolation": "audio_isolation",  # ours: it has none
    "music": "music_v1",
}
_BILLED: Final = frozenset({
    "keyterms", "entity_detection", "entity_redaction", "entity_redaction_mode", "use_multi_channel",
    "multichannel_output_style", "detect_speaker_roles", "transcript_edit", "use_speaker_library",
})  # fmt: skip
"""Options of a transcription that cost more, or may; how much is not known to us."""

_FREE: Final = frozenset({
    "model_id", "token", "enable_logging", "file", "language_code", "secondary_language_codes", "numbers_format",
    "tag_audio_events", "num_speakers", "timestamps_granularity", "diarize", "diarization_threshold",
    "additional_formats", "file_format", "cloud_storage_url", "source_url", "webhook", "webhook_id", "temperature",
    "seed", "webhook_metadata", "no_verbatim",
})  # fmt: skip
"""The options of a transcription that are documented and cost nothing (elevenlabs 2.78)."""


def install(patches: Patches) -> None:
    """Patch the client that Fern generates, which tries again."""
    fern.install(patches, VENDOR, MODULE)


def _model(asked: Asked) -> str | None:
    return asked.text("model_id") or _DEFAULTS.get(asked.endpoint.name)


def _said(asked: Asked) -> str | None:
    """Return what is to be spoken; None where nothing is, or it is not known."""
    if asked.endpoint.name == "speech":
        return asked.text("text")
    if asked.endpoint.name != "dialogue" or not isinstance(asked.body.get("inputs"), list):
        return None
    lines = [line.get("text") for line in asked.body["inputs"] if isinstance(line, dict)]
    return "\n".join(line for line in lines if isinstance(line, str))


def _length(asked: Asked) -> int | None:
    """Return the characters that are to be spoken; the lines of a dialogue are joined by us."""
    if (text := _said(asked)) is None:
        return None
    return len(text) - text.count("\n") if asked.endpoint.name == "dialogue" else len(text)


def _inputs(asked: Asked) -> list[Draft]:
    return spoken.synthesized(_said(asked))


def _read(call: Call, asked: Asked, answer: Answer) -> None:
    call.set(names.RESPONSE_ID, answer.headers.get("request-id"))
    if asked.endpoint.name == "transcription":
        _read_transcription(call, asked, answer.body if isinstance(answer.body, dict) else {})
    elif (cost := answer.headers.get("character-cost")) is not None:
        call.bill.usage = Usage.of({"credits": cost, "input_characters": _length(asked)})
        call.bill.price_model = f"credits/{asked.endpoint.operation}"
    elif length := _length(asked):
        call.bill.usage = Usage.of({"input_characters": length}, estimated=True)  # some voices cost a multiple
    else:
        call.bill.reasons.append(CostReason.USAGE_NOT_REPORTED)


def _read_transcription(call: Call, asked: Asked, body: dict[str, Any]) -> None:
    call.set(names.RESPONSE_ID, body.get("transcription_id"))
    seconds = body.get("audio_duration_secs")
    if seconds is None:
        call.bill.reasons.append(CostReason.USAGE_NOT_REPORTED)
    else:
        call.bill.usage = Usage.of({"audio_seconds": seconds, "input_audio_seconds": seconds})
        if any(asked.has(option) for option in _BILLED):
            call.bill.reasons.append(CostReason.FEATURE_NOT_PRICED)
        call.bill.unknown += asked.beyond(_BILLED | _FREE)
    several = body.get("transcripts")
    channels = several if isinstance(several, list) else [body]
    texts = [channel.get("text") for channel in channels if isinstance(channel, dict)]
    call.choices = [[draft for text in texts for draft in spoken.heard(text, seconds)]]


VENDOR: Final = Vendor("elevenlabs", "elevenlabs/", _ENDPOINTS, _model, _inputs, _read)
