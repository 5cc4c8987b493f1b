"""Deepgram: transcription, speech and text analysis over HTTP, and its sockets.

What it says of its bill counts: `metadata.duration` of a transcription, for each channel that is transcribed, and the
header `dg-char-count` of speech.
"""

from dataclasses import replace
from typing import Final

from otel_costs import attributes as names
from otel_costs.json_objects import mapping, objects
from otel_costs.patching import Patches
from otel_costs.providers import speech_usage, spoken, vendor_http
from otel_costs.providers.deepgram import prices
from otel_costs.providers.deepgram.sockets import claim
from otel_costs.providers.vendor import Vendor, fern
from otel_costs.providers.vendor_answer import Answer
from otel_costs.providers.vendor_request import Asked, Endpoint, to_be_spoken
from otel_costs.reading import Reading
from otel_costs.reported_usage import read

__all__ = ["VENDOR", "claim", "install"]


def install(patches: Patches) -> None:
    """Record what is asked of Deepgram over HTTP."""
    vendor_http.install(patches, VENDOR)


def _listen(asked: Asked, answer: Answer) -> Reading:
    metadata, channels = mapping(answer.json, "metadata"), objects(mapping(answer.json, "results"), "channels")
    seconds = metadata.get("duration")
    number = len(channels) if asked.has("multichannel") else 1
    likeliest = [one for channel in channels for one in objects(channel, "alternatives")[:1]]
    return replace(
        prices.billed(asked.text("model"), asked.query, seconds, channels=number or 1),
        response_id=_id(answer, metadata.get("request_id") or answer.json.get("request_id")),
        outputs=[[draft for one in likeliest for draft in spoken.heard(one.get("transcript"), seconds)]],
        attributes={names.SPEECH_INPUT_LANGUAGE: asked.text("language")},
    )


def _speak(asked: Asked, answer: Answer) -> Reading:
    usage = speech_usage.spoken(answer.headers.get("dg-char-count"), asked.body.get("text"))
    return Reading(usage, answer.headers.get("dg-model-name"), _id(answer))


def _analyze(_: Asked, answer: Answer) -> Reading:
    metadata = mapping(answer.json, "metadata")
    infos = [info for name in metadata if name.endswith("_info") and (info := mapping(metadata, name))]
    usage = speech_usage.total(read(info, "deepgram") for info in infos)
    return Reading(usage, response_id=_id(answer, metadata.get("request_id")))


def _id(answer: Answer, said: str | None = None) -> str | None:
    return said or answer.headers.get("dg-request-id")


VENDOR: Final = Vendor(
    name="deepgram",
    agent="deepgram-sdk",
    clients=fern("deepgram.core.http_client"),
    endpoints=(
        Endpoint("speech_to_text", "POST", "/v1/listen$", _listen, default_model=prices.DEFAULT_MODEL),
        Endpoint("text_to_speech", "POST", "/v[12]/speak$", _speak, inputs=to_be_spoken("text"), is_read=False),
        Endpoint("text_analysis", "POST", "/v1/read$", _analyze),
    ),
)
