"""Deepgram: transcription, speech and text analysis over HTTP, and its sockets.

What it says of its bill counts: `metadata.duration` of a transcription, for each channel that is transcribed, and the
header `dg-char-count` of speech.
"""

import re
from typing import Any, Final

from otel_costs import attributes as names
from otel_costs.call import Call
from otel_costs.messages.drafts import Draft
from otel_costs.patching import Patches
from otel_costs.providers import fern, spoken
from otel_costs.providers.deepgram import prices
from otel_costs.providers.deepgram.sockets import claim
from otel_costs.providers.vendor_call import Answer, Vendor
from otel_costs.providers.vendor_request import Asked, Endpoint
from otel_costs.reported_usage import read
from otel_costs.usage import Usage

__all__ = ["VENDOR", "claim", "install"]

MODULE: Final = "deepgram.core.http_client"

_ENDPOINTS: Final = (
    Endpoint("listen", "speech_to_text", "POST", re.compile(r"/v1/listen$"), is_read=True),
    Endpoint("speak", "text_to_speech", "POST", re.compile(r"/v[12]/speak$")),
    Endpoint("read", "text_analysis", "POST", re.compile(r"/v1/read$"), is_read=True),
)


def install(patches: Patches) -> None:
    """Patch the client that Fern generates, which tries again."""
    fern.install(patches, VENDOR, MODULE)


def _model(asked: Asked) -> str | None:
    default = {"listen": prices.DEFAULT_MODEL, "speak": None}
    return asked.text("model") or default.get(asked.endpoint.name)


def _inputs(asked: Asked) -> list[Draft]:
    return spoken.synthesized(asked.body.get("text")) if asked.endpoint.name == "speak" else [spoken.alone()]


def _read(call: Call, asked: Asked, answer: Answer) -> None:
    call.set(names.RESPONSE_ID, answer.headers.get("dg-request-id"))
    {"listen": _read_listen, "speak": _read_speak, "read": _read_read}[asked.endpoint.name](call, asked, answer)


def _read_listen(call: Call, asked: Asked, answer: Answer) -> None:
    call.show(names.SPEECH_INPUT_LANGUAGE, asked.text("language"))
    body = answer.body if isinstance(answer.body, dict) else {}
    metadata, results = _mapping(body, "metadata"), _mapping(body, "results")
    call.set(names.RESPONSE_ID, metadata.get("request_id") or body.get("request_id"))
    channels = _objects(results, "channels")
    count = len(channels) if asked.has("multichannel") else 1
    prices.bill(call, asked.query, metadata.get("duration"), channels=count or 1)
    call.choices = [_transcripts(channels, metadata.get("duration"))]


def _transcripts(channels: list[dict[str, Any]], seconds: object) -> list[Draft]:
    """Return what was heard in each channel, by the likeliest of its transcripts."""
    found = []
    for channel in channels:
        for likeliest in _objects(channel, "alternatives")[:1]:
            found += spoken.heard(likeliest.get("transcript"), seconds)
    return found


def _read_speak(call: Call, asked: Asked, answer: Answer) -> None:
    call.response_model = answer.headers.get("dg-model-name")
    counted = answer.headers.get("dg-char-count")
    text = asked.body.get("text")
    if counted is not None:
        call.bill.usage = Usage.of({"input_characters": counted})
    elif isinstance(text, str):
        call.bill.usage = Usage.of({"input_characters": len(text)}, estimated=True)


def _read_read(call: Call, _: Asked, answer: Answer) -> None:
    metadata = _mapping(answer.body if isinstance(answer.body, dict) else {}, "metadata")
    call.set(names.RESPONSE_ID, metadata.get("request_id"))
    infos = [value for name, value in metadata.items() if name.endswith("_info") and isinstance(value, dict)]
    for info in infos:
        if (used := read(info, call.provider)) is not None:
            call.bill.usage = used if call.bill.usage is None else call.bill.usage + used


def _mapping(body: dict[str, Any], name: str) -> dict[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _objects(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = body.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


VENDOR: Final = Vendor("deepgram", "deepgram-sdk", _ENDPOINTS, _model, _inputs, _read)
