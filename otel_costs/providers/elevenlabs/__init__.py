"""ElevenLabs: speech, transcription, changed voices and made sounds over HTTP, and its sockets.

The header `character-cost` is what a call costs in credits, which once were called characters: a character of a fast
model is half of one. It counts where it is there, as characters at the price of a credit.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from otel_costs.providers import kit
from otel_costs.providers.elevenlabs.sockets import match
from otel_costs.providers.elevenlabs.transcription import read as read_transcription


def _texts(asked: kit.Asked) -> list[str]:
    """Return what is to be spoken: a text, or the lines of a dialogue."""
    lines = kit.objects(asked.body, "inputs") or [asked.body]
    return [text for line in lines if isinstance(text := line.get("text"), str)]


def _inputs(asked: kit.Asked) -> Sequence[kit.Draft]:
    return kit.synthesized("\n".join(_texts(asked)))


def _speech(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    return _sound(asked, answer, sum(map(len, _texts(asked))) or None)


def _sound(asked: kit.Asked, answer: kit.Answer, length: int | None = None) -> kit.Reading:
    response_id = answer.headers.get("request-id")
    if (cost := answer.headers.get("character-cost")) is not None:
        usage = kit.Usage.of({"credits": cost, "input_characters": length})
        return kit.Reading(usage, response_id=response_id, price_model=f"credits/{asked.endpoint.operation}")
    if length is None:
        return kit.Reading(response_id=response_id, reasons=(kit.CostReason.USAGE_NOT_REPORTED,))
    usage = kit.Usage.of({"input_characters": length}, estimated=True)  # or a multiple
    return kit.Reading(usage, response_id=response_id)


_speaks = partial(kit.Endpoint, "text_to_speech", "POST", read=_speech, inputs=_inputs, is_read=False)
_makes = partial(kit.Endpoint, method="POST", read=_sound, is_read=False)
_CHANGERS: Final = r"/v1/(speech-to-speech|voice-changer)/[^/]+(/stream)?$"

VENDOR: Final = kit.Vendor(
    name="elevenlabs",
    agent="elevenlabs/",
    match=match,
    clients=kit.fern("elevenlabs.core.http_client"),
    endpoints=(
        _speaks(r"/v1/text-to-speech/[^/]+(/stream)?(/with-timestamps)?$", default_model="eleven_multilingual_v2"),
        _speaks(r"/v1/text-to-dialogue(/stream)?(/with-timestamps)?$", default_model="eleven_v3"),
        kit.Endpoint("speech_to_text", "POST", r"/v1/speech-to-text$", read_transcription),
        _makes("speech_to_speech", path=_CHANGERS, default_model="eleven_english_sts_v2"),
        _makes("sound_generation", path=r"/v1/sound-generation$", default_model="eleven_text_to_sound_v2"),
        _makes("audio_isolation", path=r"/v1/audio-isolation(/stream)?$", default_model="audio_isolation"),  # our name
        _makes("music_generation", path=r"/v1/music(/detailed)?(/stream)?$", default_model="music_v1"),
    ),
)
"""With the models that are documented where a request names none."""
