"""A look at a frame before it is parsed: most of a spoken conversation is audio, which is counted and let go.

An event's type stands near its beginning, or near its end where an application writes the audio first. Only types that
name no part of another event are trusted; whatever looks different is parsed whole.
"""

import re
from typing import Final, NamedTuple

HEAD: Final = 320  # characters

SOUND_SENT: Final = frozenset({"input_audio_buffer.append", "session.input_audio_buffer.append"})
SOUND_RECEIVED: Final = frozenset({"response.output_audio.delta", "response.audio.delta", "session.output_audio.delta"})
SILENT: Final = frozenset(
    {
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.segment",
        "conversation.item.retrieved",  # with all of its audio
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "rate_limits.updated",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_audio.done",
        "response.audio.done",
    }
)
"""Events that say nothing that others do not say, too."""

_TYPE: Final = re.compile(r'"type"\s*:\s*"([a-z_.]+)"')
_RESPONSE: Final = re.compile(r'"response_id"\s*:\s*"([^"\\]*)"')
_ITEM: Final = re.compile(r'"item_id"\s*:\s*"([^"\\]*)"')
_AUDIO: Final = re.compile(r'"(?:delta|audio)"\s*:\s*"')


class Sound(NamedTuple):
    """A piece of audio, and what it belongs to; empty where the frame does not say it."""

    data: str
    """Base64."""
    response_id: str = ""
    item_id: str = ""


def kind(frame: str) -> str:
    """Return the type of the event in a frame if it can be seen without parsing; else the empty string."""
    found = _TYPE.search(frame, 0, HEAD) or _TYPE.search(frame, max(0, len(frame) - HEAD))
    return found[1] if found else ""


def sound(frame: str) -> Sound | None:
    """Return the audio of a frame that is known to have some; None where it must be parsed to be found."""
    begin = _AUDIO.search(frame, 0, HEAD)
    if begin is None:
        return None
    start = begin.end()
    end = frame.find('"', start)
    if end < 0 or frame.find("\\", start, end) >= 0:
        return None
    # The ids stand in front as OpenAI writes them; behind the audio they are found as well.
    response = _RESPONSE.search(frame, 0, start) or _RESPONSE.search(frame, end)
    item = _ITEM.search(frame, 0, start) or _ITEM.search(frame, end)
    return Sound(frame[start:end], response[1] if response else "", item[1] if item else "")
