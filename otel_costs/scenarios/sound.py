"""Sound for a transcription: a tone that is made here, and how long a file is."""

import math
import struct
import wave
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Final

_RATE: Final = 16_000  # samples per second, 16 bits each, one channel
_TONE_HZ: Final = 400
_LOUDNESS: Final = 800  # of 32,767


def tone(seconds: int) -> bytes:
    """Return `seconds` of a quiet tone as a wav file."""
    samples = _RATE // _TONE_HZ
    period = [round(_LOUDNESS * math.sin(2 * math.pi * place / samples)) for place in range(samples)]
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(struct.pack(f"<{samples}h", *period) * (_TONE_HZ * seconds))
    return out.getvalue()


def seconds_of(file: Path) -> Decimal | None:
    """Return how long a wav file is; None if it is none, and has to be decoded."""
    try:
        with wave.open(str(file)) as sound:
            return Decimal(sound.getnframes()) / Decimal(sound.getframerate())
    except (OSError, EOFError, wave.Error):
        return None
