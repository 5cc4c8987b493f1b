"""Cartesia: speech and transcription, over HTTP and on sockets.

It bills credits, about one for a character that is spoken and some for a second that is heard, and reports only the
seconds of a recording: characters are an estimate.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs

from otel_costs import attributes as names
from otel_costs.call import Call
from otel_costs.cost_reason import CostReason
from otel_costs.messages.drafts import Draft
from otel_costs.patching import Patches
from otel_costs.providers import spoken, vendor_http
from otel_costs.providers.vendor_call import Answer, Vendor
from otel_costs.providers.vendor_request import Asked, Endpoint
from otel_costs.providers.vendor_socket import Listening, Speaking, outline
from otel_costs.sockets.claims import Handshake, Observer
from otel_costs.usage import Usage

MODULE: Final = "cartesia._base_client"

_ENDPOINTS: Final = (
    Endpoint("speech", "text_to_speech", "POST", re.compile(r"/tts/(bytes|sse)$")),
    Endpoint("infill", "text_to_speech", "POST", re.compile(r"/infill/bytes$")),
    Endpoint("transcription", "speech_to_text", "POST", re.compile(r"/stt$"), is_read=True),
    Endpoint("voice", "speech_to_speech", "POST", re.compile(r"/voice-changer/(bytes|sse)$")),
)
_BYTES: Final = {"pcm_s16le": 2, "pcm_s32le": 4, "pcm_f16le": 2, "pcm_f32le": 4, "pcm_mulaw": 1, "pcm_alaw": 1}


def install(patches: Patches) -> None:
    """Patch the client that Stainless generates, which tries again."""
    clients = ("SyncAPIClient.request", "AsyncAPIClient.request")
    vendor_http.install(patches, VENDOR, MODULE, *clients, route=_route)


def _route(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str]:
    options = kwargs["options"] if "options" in kwargs else args[1]
    return options.method.upper(), options.url


def _model(asked: Asked) -> str | None:
    return (
        asked.text("model_id") or asked.text("model") or ("voice-changer" if asked.endpoint.name == "voice" else None)
    )


def _inputs(asked: Asked) -> list[Draft]:
    return spoken.synthesized(asked.body.get("transcript"))


def _read(call: Call, asked: Asked, answer: Answer) -> None:
    if asked.endpoint.name == "transcription":
        _read_transcription(call, answer.body if isinstance(answer.body, dict) else {})
    elif isinstance(text := asked.body.get("transcript"), str):
        used: dict[str, object] = {"input_characters": len(text)}
        if asked.endpoint.name == "infill":
            used["requests"] = 1
            call.bill.price_model = f"{call.request_model}/infill"
        call.bill.usage = Usage.of(used, estimated=True)
    else:
        call.bill.reasons.append(CostReason.USAGE_NOT_REPORTED)


def _read_transcription(call: Call, body: Mapping[str, Any]) -> None:
    call.set(names.RESPONSE_ID, body.get("request_id"))
    if (seconds := body.get("duration")) is None:
        call.bill.reasons.append(CostReason.USAGE_NOT_REPORTED)
    else:
        call.bill.usage = Usage.of({"audio_seconds": seconds, "input_audio_seconds": seconds})
    call.choices = [spoken.heard(body.get("text"), seconds)]


def claim(handshake: Handshake) -> Observer | None:
    """Return who follows a socket to Cartesia; None if nothing on it is billed."""
    if handshake.path.endswith("/tts/websocket"):
        return _Speech(handshake)
    if handshake.path.endswith(("/stt/websocket", "/stt/turns/websocket")):
        return _Transcription(handshake, parse_qs(handshake.query))
    return None


class _Speech:
    """Texts that are spoken, each in a context that has a name, several at a time."""

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        self._speaking: dict[str, Speaking] = {}

    def sent(self, frame: str | bytes) -> None:
        message = json.loads(frame)
        context, text = str(message.get("context_id") or ""), message.get("transcript")
        if not isinstance(text, str) or (not text and context not in self._speaking):
            return
        if context not in self._speaking:
            self._speaking[context] = Speaking(self._handshake, message.get("model_id"))
        self._speaking[context].says(text)

    def received(self, frame: str | bytes) -> None:
        if not isinstance(frame, str):
            return
        around = outline(frame)
        if '"done":true' not in around and '"done": true' not in around:
            for context, speaking in self._speaking.items():
                if f'"{context}"' in around:
                    speaking.sounds()
            return
        event = json.loads(frame)
        if (ended := self._speaking.pop(str(event.get("context_id") or ""), None)) is not None:
            # What fails costs nothing.
            failed = event.get("type") == "error"
            ended.closed(str(event.get("status_code") or "error") if failed else None, refused=failed)

    def closed(self, error: str | None) -> None:
        for speaking in self._speaking.values():
            speaking.closed(error)
        self._speaking.clear()


class _Transcription:
    """A live transcription, silence too; seconds are those of the sound that is sent."""

    def __init__(self, handshake: Handshake, query: Mapping[str, list[str]]) -> None:
        asked = {name: values[0] for name, values in query.items()}
        rate = asked.get("sample_rate", "16000")
        per_second = _BYTES.get(asked.get("encoding", ""), 0) * int(rate if rate.isdecimal() else 0)
        self._listening = Listening(handshake, asked.get("model"), _bill, per_second or None)

    def sent(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._listening.takes(len(frame))

    def received(self, frame: str | bytes) -> None:
        if isinstance(frame, str) and any(
            mark in frame for mark in ('"is_final":true', '"is_final": true', '"turn.end"')
        ):
            event = json.loads(frame)
            self._listening.hears(event.get("text") or event.get("transcript"))

    def closed(self, error: str | None) -> None:
        self._listening.closed(error)


def _bill(call: Call, seconds: Decimal) -> None:
    call.bill.usage = Usage.of({"audio_seconds": seconds, "input_audio_seconds": seconds})
    call.bill.price_model = f"{call.request_model}/streaming"


VENDOR: Final = Vendor("cartesia", "cartesia-python/", _ENDPOINTS, _model, _inputs, _read)
