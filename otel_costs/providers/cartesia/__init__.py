"""Cartesia: speech and transcription, over HTTP and on sockets.

It bills credits, about one for a character that is spoken and some for a second that is heard, and reports only the
seconds of a recording: characters are an estimate.
"""

from typing import Final

from otel_costs.providers import kit
from otel_costs.providers.cartesia.sockets import match
from otel_costs.providers.kit import speech_usage


def _speech(asked: kit.Asked, _: kit.Answer) -> kit.Reading:
    usage = speech_usage.spoken(None, asked.body.get("transcript"))
    return kit.Reading(usage, reasons=() if usage else (kit.CostReason.USAGE_NOT_REPORTED,))


def _infill(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    if (usage := _speech(asked, answer).usage) is None:
        return _speech(asked, answer)
    return kit.Reading(usage + kit.Usage.of({"requests": 1}), price_model=f"{kit.asked_model(asked)}/infill")


def _transcription(_: kit.Asked, answer: kit.Answer) -> kit.Reading:
    seconds = answer.json.get("duration")
    return kit.Reading(
        None if seconds is None else speech_usage.of_audio(seconds),
        response_id=answer.json.get("request_id"),
        outputs=[kit.heard(answer.json.get("text"), seconds)],
        reasons=(kit.CostReason.USAGE_NOT_REPORTED,) if seconds is None else (),
    )


_SAID: Final = kit.text_to_speak("transcript")

VENDOR: Final = kit.Vendor(
    name="cartesia",
    agent="cartesia-python/",
    match=match,
    clients=kit.stainless("cartesia._base_client"),
    endpoints=(
        kit.Endpoint("text_to_speech", "POST", "/tts/(bytes|sse)$", _speech, inputs=_SAID, is_read=False),
        kit.Endpoint("text_to_speech", "POST", "/infill/bytes$", _infill, inputs=_SAID, is_read=False),
        kit.Endpoint("speech_to_text", "POST", "/stt$", _transcription),
        kit.Endpoint(
            "speech_to_speech", "POST", "/voice-changer/(bytes|sse)$", _speech,
            default_model="voice-changer", is_read=False,
        ),
    ),
)  # fmt: skip
