"""How many tokens, seconds and bytes a text, an image or a sound has: a fixed rule, so that figures are the same."""

import base64
import binascii
import io
import math
import struct
import wave
from typing import Any

CHARACTERS_PER_TOKEN = 4
CHARACTERS_PER_SPOKEN_SECOND = 15
INPUT_AUDIO_TOKENS_PER_SECOND = 10
OUTPUT_AUDIO_TOKENS_PER_SECOND = 20
TOKENS_PER_MESSAGE = 4
TOKENS_PER_REPLY = 3
IMAGE_TOKENS = {"low": 85, "high": 765, "auto": 765}
SAMPLE_RATE = 24_000


def count(text: str) -> int:
    """Return the tokens of `text`: one for every four characters that were begun."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def pieces(text: str) -> list[str]:
    """Cut `text` into what a stream sends: words, each with the space before it."""
    words = text.split(" ")
    return [word if index == 0 else " " + word for index, word in enumerate(words)] if text else []


def spoken_seconds(text: str) -> float:
    """Return how long it takes to say `text`, in seconds, never less than a tenth."""
    return max(round(len(text) / CHARACTERS_PER_SPOKEN_SECOND, 1), 0.1)


def pcm(seconds: float) -> bytes:
    """Return `seconds` of a quiet 16-bit mono tone at 24 kHz."""
    period = struct.pack("<4h", 0, 800, 0, -800)
    samples = round(seconds * SAMPLE_RATE)
    return (period * (samples // 4 + 1))[: samples * 2]


def wav(seconds: float) -> bytes:
    """Return `seconds` of tone as a wav file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm(seconds))
    return out.getvalue()


def sound(seconds: float, audio_format: str) -> bytes:
    """Return `seconds` of sound: true wav and pcm, and bytes with the right beginning for the others."""
    if audio_format == "wav":
        return wav(seconds)
    if audio_format in ("pcm", "pcm16"):
        return pcm(seconds)
    begin = {"mp3": b"\xff\xfb\x90\x64", "flac": b"fLaC", "opus": b"OggS", "aac": b"\xff\xf1\x50\x80"}
    size = max(round(seconds * 4_000), 64)  # 32 kbit/s
    return (begin.get(audio_format, b"") + bytes(range(256)) * (size // 256 + 1))[:size]


def heard_seconds(data: bytes) -> float:
    """Return the seconds of an uploaded sound: read from a wav's header, otherwise taken as 32 kbit/s."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            # A wav that was streamed says a size that it does not have, this stand-in's own too.
            frames = min(file.getnframes(), len(data) // (file.getnchannels() * file.getsampwidth()))
            return float(round(frames / file.getframerate(), 3))
    except (wave.Error, EOFError):
        return round(max(len(data) / 4_000, 0.1), 3)


def part_tokens(part: dict[str, Any]) -> tuple[int, int, int]:
    """Return (text, audio, image) tokens of one part of a message, as chat or as responses write it."""
    kind = part.get("type", "")
    if kind == "input_audio":
        try:
            data = base64.b64decode(part["input_audio"]["data"], validate=True)
        except binascii.Error:
            data = b""
        return 0, math.ceil(heard_seconds(data) * INPUT_AUDIO_TOKENS_PER_SECOND), 0
    if kind in ("image_url", "input_image"):
        image = part.get("image_url")
        detail = image.get("detail") if isinstance(image, dict) else part.get("detail")
        return 0, 0, IMAGE_TOKENS.get(detail or "auto", IMAGE_TOKENS["auto"])
    if kind in ("file", "input_file"):
        return 250, 0, 0
    return count(part.get("text") or part.get("refusal") or ""), 0, 0


def content_tokens(content: Any) -> tuple[int, int, int]:
    """Return (text, audio, image) tokens of a message's content: a text, a list of parts, or nothing."""
    if not content:
        return 0, 0, 0
    if isinstance(content, str):
        return count(content), 0, 0
    counted = [part_tokens(part) for part in content]
    return sum(c[0] for c in counted), sum(c[1] for c in counted), sum(c[2] for c in counted)
