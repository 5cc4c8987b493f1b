"""How long a sound is: from its bytes, from the file that was uploaded, or from the timestamps of its subtitles.

Only wav and raw pcm say it exactly without decoding; for every other format the answer is None, unknown.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from otel_costs.usage.numbers import quotient, to_milliseconds

PCM_BYTES_PER_SECOND: Final = 48_000
"""OpenAI's raw pcm: 24,000 samples a second, 16 bits, one channel."""

HEAD: Final = 65_536
"""Bytes from the beginning of a sound that are enough to read its header."""

_STREAMED: Final = 0xFFFFFFF0  # a size of this and more says that the writer did not know it, as in OpenAI's own wav
_TIMESTAMP: Final = re.compile(r"(?:(\d{1,4}):)?(\d{2}):(\d{2})[.,](\d{3})")


@dataclass(frozen=True, slots=True)
class Sound:
    """The beginning of a sound that was not kept, and the size of all of it in bytes."""

    head: bytes
    size: int

    @classmethod
    def of(cls, pieces: Iterable[bytes]) -> "Sound":
        """Return what `pieces` are together, keeping only the beginning."""
        head, size = b"", 0
        for piece in pieces:
            head += piece[: HEAD - len(head)]
            size += len(piece)
        return cls(head, size)


def seconds(sound: Sound, audio_format: str = "") -> Decimal | None:
    """Return the seconds of `sound` to the millisecond, or None when its format does not say."""
    if sound.head[:4] in (b"RIFF", b"RF64"):
        return _wav_seconds(sound)
    return _seconds(sound.size, PCM_BYTES_PER_SECOND) if audio_format in ("pcm", "pcm16") else None


def uploaded_seconds(file: object) -> Decimal | None:
    """Return the seconds of a file as the SDK takes it: bytes, a path, an open file, or a tuple of a name and one.

    An open file is left where it was. None when it cannot be read again, or is no wav.
    """
    try:
        if isinstance(file, tuple):
            file = file[1]
        sound = _sound(file)
        return seconds(sound) if sound else None
    except Exception:  # noqa: BLE001  # closed, not seekable, gone: then the length is unknown
        return None


def last_timestamp(text: str) -> Decimal | None:
    """Return the last timestamp of srt or vtt subtitles in seconds: what was heard, silence after it left out."""
    last = None
    for line in text.splitlines():
        if "-->" in line:
            found = _TIMESTAMP.search(line.rpartition("-->")[2])
            last = found or last
    if last is None:
        return None
    hours, minutes, whole, milliseconds = (int(group or 0) for group in last.groups())
    return quotient(((hours * 60 + minutes) * 60 + whole) * 1000 + milliseconds, 1000)


def _sound(file: Any) -> Sound | None:
    if isinstance(file, (bytes, bytearray)):
        return Sound(bytes(file[:HEAD]), len(file))
    if isinstance(file, os.PathLike):
        with Path(file).open("rb") as opened:
            return Sound(opened.read(HEAD), os.fstat(opened.fileno()).st_size)
    if not file.seekable():
        return None
    place = file.tell()
    try:
        file.seek(0)
        head = file.read(HEAD)
        return Sound(head, file.seek(0, os.SEEK_END)) if isinstance(head, bytes) else None
    finally:
        file.seek(place)


def _wav_seconds(sound: Sound) -> Decimal | None:
    head, rate, place = sound.head, 0, 12
    while place + 8 <= len(head):
        name, size = head[place : place + 4], int.from_bytes(head[place + 4 : place + 8], "little")
        place += 8
        if name == b"fmt ":
            rate = int.from_bytes(head[place + 8 : place + 12], "little")  # bytes a second
        elif name == b"data":
            there = sound.size - place
            return _seconds(there if size >= _STREAMED else min(size, there), rate)
        place += size + size % 2
    return None


def _seconds(size: int, rate: int) -> Decimal | None:
    return to_milliseconds(quotient(size, rate)) if rate else None
