"""Deepgram: transcription, speech and text analysis over HTTP, and its sockets.

What it says of its bill counts: `metadata.duration` of a transcription, for each channel that is transcribed, and the
header `dg-char-count` of speech.
"""

from dataclasses import replace
from typing import Final

from otel_costs import semconv as names
from otel_costs.providers import kit
from otel_costs.providers.deepgram import prices
from otel_costs.providers.deepgram.sockets import match
from otel_costs.providers.kit import speech_usage


def _listen(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    metadata = kit.mapping(answer.json, "metadata")
    channels = kit.objects(kit.mapping(answer.json, "results"), "channels")
    seconds = metadata.get("duration")
    number = len(channels) if asked.has("multichannel") else 1
    likeliest = [one for channel in channels for one in kit.objects(channel, "alternatives")[:1]]
    return replace(
        prices.billed(asked.text("model"), asked.query, seconds, channels=number or 1),
        response_id=_id(answer, metadata.get("request_id") or answer.json.get("request_id")),
        outputs=[[draft for one in likeliest for draft in kit.heard(one.get("transcript"), seconds)]],
        attributes={names.SPEECH_INPUT_LANGUAGE: asked.text("language")},
    )


def _speak(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    usage = speech_usage.spoken(answer.headers.get("dg-char-count"), asked.body.get("text"))
    return kit.Reading(usage, answer.headers.get("dg-model-name"), _id(answer))


def _analyze(_: kit.Asked, answer: kit.Answer) -> kit.Reading:
    metadata = kit.mapping(answer.json, "metadata")
    infos = [info for name in metadata if name.endswith("_info") and (info := kit.mapping(metadata, name))]
    usage = speech_usage.total(kit.read_usage(info, "deepgram") for info in infos)
    return kit.Reading(usage, response_id=_id(answer, metadata.get("request_id")))


def _id(answer: kit.Answer, in_body: str | None = None) -> str | None:
    return in_body or answer.headers.get("dg-request-id")


VENDOR: Final = kit.Vendor(
    name="deepgram",
    agent="deepgram-sdk",
    match=match,
    clients=kit.fern("deepgram.core.http_client"),
    endpoints=(
        kit.Endpoint("speech_to_text", "POST", "/v1/listen$", _listen, default_model=prices.DEFAULT_MODEL),
        kit.Endpoint(
            "text_to_speech", "POST", "/v[12]/speak$", _speak, inputs=kit.text_to_speak("text"), is_read=False
        ),
        kit.Endpoint("text_analysis", "POST", "/v1/read$", _analyze),
    ),
)
