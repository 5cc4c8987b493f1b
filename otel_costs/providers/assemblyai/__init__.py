"""AssemblyAI: transcripts, speech and its gateway to language models over HTTP, and its sockets.

Its package tries nothing again.
"""

from typing import Final

from otel_costs.providers import kit
from otel_costs.providers.assemblyai import transcript
from otel_costs.providers.assemblyai.gateway import CHAT
from otel_costs.providers.assemblyai.sockets import match
from otel_costs.providers.kit import speech_usage
from otel_costs.usage.numbers import quotient


def _short(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    milliseconds = answer.json.get("audio_duration_ms")
    return kit.Reading(
        speech_usage.of_audio(quotient(milliseconds, 1000)) if isinstance(milliseconds, int) else None,
        response_id=answer.json.get("session_id"),
        outputs=[kit.heard(answer.json.get("text"))],
        price_model="sync" if "x-aai-model" in asked.headers and isinstance(milliseconds, int) else None,
    )


def _speech(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    usage = speech_usage.spoken(answer.headers.get("x-tts-billed-characters"), asked.body.get("text"))
    return kit.Reading(usage, answer.headers.get("x-tts-model"), answer.headers.get("x-request-id"))


VENDOR: Final = kit.Vendor(
    name="assemblyai",
    agent="assemblyai/",
    match=match,
    endpoints=(
        kit.Endpoint("speech_to_text", "POST", "/v2/transcript$", transcript.read, transcript.model),
        kit.Endpoint("speech_to_text", "GET", "/v2/transcript/[^/]+$", transcript.read, is_poll=True),
        kit.Endpoint(
            "speech_to_text", "POST", "/v1/transcribe(/live)?$", _short, lambda asked: asked.headers.get("x-aai-model"),
            default_model="dictation",
        ),
        kit.Endpoint("text_to_speech", "POST", "/v1/speech$", _speech, inputs=kit.text_to_speak("text"), is_read=False),
        CHAT,
    ),
)  # fmt: skip
