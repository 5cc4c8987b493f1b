"""Cartesia: speech and transcription, over HTTP and on sockets.

It bills credits, about one for a character that is spoken and some for a second that is heard, and reports only the
seconds of a recording: characters are an estimate.
"""

from typing import Final

from otel_costs.cost_reason import CostReason
from otel_costs.patching import Patches
from otel_costs.providers import speech_usage, spoken, vendor_http
from otel_costs.providers.cartesia.sockets import claim
from otel_costs.providers.vendor import Vendor, stainless
from otel_costs.providers.vendor_answer import Answer
from otel_costs.providers.vendor_request import Asked, Endpoint, asked_model, to_be_spoken
from otel_costs.reading import Reading
from otel_costs.usage import Usage

__all__ = ["VENDOR", "claim", "install"]


def install(patches: Patches) -> None:
    """Record what is asked of Cartesia over HTTP."""
    vendor_http.install(patches, VENDOR)


def _speech(asked: Asked, _: Answer) -> Reading:
    usage = speech_usage.spoken(None, asked.body.get("transcript"))
    return Reading(usage, reasons=() if usage else (CostReason.USAGE_NOT_REPORTED,))


def _infill(asked: Asked, answer: Answer) -> Reading:
    if (usage := _speech(asked, answer).usage) is None:
        return _speech(asked, answer)
    return Reading(usage + Usage.of({"requests": 1}), price_model=f"{asked_model(asked)}/infill")


def _transcription(_: Asked, answer: Answer) -> Reading:
    seconds = answer.json.get("duration")
    return Reading(
        None if seconds is None else speech_usage.heard(seconds),
        response_id=answer.json.get("request_id"),
        outputs=[spoken.heard(answer.json.get("text"), seconds)],
        reasons=(CostReason.USAGE_NOT_REPORTED,) if seconds is None else (),
    )


_SAID: Final = to_be_spoken("transcript")

VENDOR: Final = Vendor(
    name="cartesia",
    agent="cartesia-python/",
    clients=stainless("cartesia._base_client"),
    endpoints=(
        Endpoint("text_to_speech", "POST", "/tts/(bytes|sse)$", _speech, inputs=_SAID, is_read=False),
        Endpoint("text_to_speech", "POST", "/infill/bytes$", _infill, inputs=_SAID, is_read=False),
        Endpoint("speech_to_text", "POST", "/stt$", _transcription),
        Endpoint(
            "speech_to_speech", "POST", "/voice-changer/(bytes|sse)$", _speech,
            default_model="voice-changer", is_read=False,
        ),
    ),
)  # fmt: skip
