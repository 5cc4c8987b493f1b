"""ElevenLabs: speech, transcription, changed voices and made sounds over HTTP, and its sockets.

The header `character-cost` is what a call costs in credits, which once were called characters: a character of a fast
model is half of one. It counts where it is there, as characters at the price of a credit.
"""

from collections.abc import Sequence
from typing import Final

from otel_costs.cost_reason import CostReason
from otel_costs.json_objects import objects
from otel_costs.messages.drafts import Draft
from otel_costs.patching import Patches
from otel_costs.providers import speech_usage, spoken, vendor_http
from otel_costs.providers.elevenlabs.options import BILLED, FREE
from otel_costs.providers.elevenlabs.sockets import claim
from otel_costs.providers.vendor import Vendor, fern
from otel_costs.providers.vendor_answer import Answer
from otel_costs.providers.vendor_request import Asked, Endpoint
from otel_costs.reading import Reading
from otel_costs.usage import Usage

__all__ = ["VENDOR", "claim", "install"]


def install(patches: Patches) -> None:
    """Record what is asked of ElevenLabs over HTTP."""
    vendor_http.install(patches, VENDOR)


def _texts(asked: Asked) -> list[str]:
    """Return what is to be spoken: a text, or the lines of a dialogue."""
    lines = objects(asked.body, "inputs") or [asked.body]
    return [text for line in lines if isinstance(text := line.get("text"), str)]


def _inputs(asked: Asked) -> Sequence[Draft]:
    return spoken.synthesized("\n".join(_texts(asked)))


def _speech(asked: Asked, answer: Answer) -> Reading:
    return _sound(asked, answer, sum(map(len, _texts(asked))) or None)


def _sound(asked: Asked, answer: Answer, length: int | None = None) -> Reading:
    response_id = answer.headers.get("request-id")
    if (cost := answer.headers.get("character-cost")) is not None:
        usage = Usage.of({"credits": cost, "input_characters": length})
        return Reading(usage, response_id=response_id, price_model=f"credits/{asked.endpoint.operation}")
    if length is None:
        return Reading(response_id=response_id, reasons=(CostReason.USAGE_NOT_REPORTED,))
    return Reading(Usage.of({"input_characters": length}, estimated=True), response_id=response_id)  # or a multiple


def _transcription(asked: Asked, answer: Answer) -> Reading:
    seconds, known = answer.json.get("audio_duration_secs"), BILLED | FREE
    channels = objects(answer.json, "transcripts") or [answer.json]
    more = CostReason.FEATURE_NOT_PRICED if asked.any_of(BILLED) else None
    return Reading(
        None if seconds is None else speech_usage.heard(seconds),
        response_id=answer.json.get("transcription_id") or answer.headers.get("request-id"),
        outputs=[[draft for one in channels for draft in spoken.heard(one.get("text"), seconds)]],
        reasons=(CostReason.USAGE_NOT_REPORTED if seconds is None else more,),
        unknown=() if seconds is None else asked.beyond(known),
    )


VENDOR: Final = Vendor(
    name="elevenlabs",
    agent="elevenlabs/",
    clients=fern("elevenlabs.core.http_client"),
    endpoints=(
        Endpoint(
            "text_to_speech", "POST", r"/v1/text-to-speech/[^/]+(/stream)?(/with-timestamps)?$", _speech,
            default_model="eleven_multilingual_v2", inputs=_inputs, is_read=False,
        ),
        Endpoint(
            "text_to_speech", "POST", r"/v1/text-to-dialogue(/stream)?(/with-timestamps)?$", _speech,
            default_model="eleven_v3", inputs=_inputs, is_read=False,
        ),
        Endpoint("speech_to_text", "POST", r"/v1/speech-to-text$", _transcription),
        Endpoint(
            "speech_to_speech", "POST", r"/v1/(speech-to-speech|voice-changer)/[^/]+(/stream)?$", _sound,
            default_model="eleven_english_sts_v2", is_read=False,
        ),
        Endpoint(
            "sound_generation", "POST", r"/v1/sound-generation$", _sound,
            default_model="eleven_text_to_sound_v2", is_read=False,
        ),
        Endpoint(
            "audio_isolation", "POST", r"/v1/audio-isolation(/stream)?$", _sound,
            default_model="audio_isolation", is_read=False,
        ),  # the name is ours: it has none
        Endpoint(
            "music_generation", "POST", r"/v1/music(/detailed)?(/stream)?$", _sound,
            default_model="music_v1", is_read=False,
        ),
    ),
)  # fmt: skip
"""With the models that are documented where a request names none."""
