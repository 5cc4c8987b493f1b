"""How long sounds are."""

import io
import struct
import wave
from decimal import Decimal
from pathlib import Path

import pytest

from otel_costs.values.audio_length import Sound, last_timestamp, seconds, uploaded_seconds


def wav(length_s: float, rate: int = 24_000) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\0\0" * round(length_s * rate))
    return out.getvalue()


def whole(data: bytes) -> Sound:
    return Sound(data, len(data))


def test_wav() -> None:
    """A wav's length is what its header says."""
    assert seconds(whole(wav(1.5))) == Decimal("1.5")
    assert seconds(whole(wav(0.25, rate=8_000))) == Decimal("0.25")


def test_streamed_wav() -> None:
    """A wav whose writer did not know its size, as OpenAI's, is as long as what came."""
    data = bytearray(wav(2))
    data[40:44] = b"\xff\xff\xff\xff"
    assert seconds(whole(bytes(data))) == 2


def test_only_the_head_is_needed() -> None:
    """The beginning of a sound and its size tell as much as all of it."""
    data = wav(60)
    assert seconds(Sound.of(data[i : i + 4096] for i in range(0, len(data), 4096))) == 60
    assert len(Sound.of([data]).head) < len(data)


def test_cut_wav() -> None:
    """A wav that was cut is as long as what came of it."""
    data = wav(2)
    assert seconds(Sound(data[:44], 44 + 24_000)) == Decimal("0.5")


@pytest.mark.parametrize(
    "data", [b"", b"RIFF", b"RIFF\0\0\0\0WAVEfmt ", b"RIFF\0\0\0\0WAVEdata\0\0\0\0", b"\xff\xfb\x90"]
)
def test_what_is_no_wav_is_unknown(data: bytes) -> None:
    """Broken wavs and other formats have no length, and raise nothing."""
    assert seconds(whole(data)) is None


def test_pcm() -> None:
    """Raw samples have a length only where the request says that they are raw samples."""
    assert seconds(Sound(b"", 72_000), "pcm") == Decimal("1.5")
    assert seconds(Sound(b"", 72_000), "mp3") is None


def test_uploads(tmp_path: Path) -> None:
    """A file is read in each of the forms that the SDK takes, and an open one is left where it was."""
    data = wav(3)
    path = tmp_path / "call.wav"
    path.write_bytes(data)
    with path.open("rb") as file:
        file.seek(100)
        assert uploaded_seconds(file) == 3
        assert file.tell() == 100
    assert uploaded_seconds(data) == 3
    assert uploaded_seconds(path) == 3
    assert uploaded_seconds(("call.wav", data, "audio/wav")) == 3


class Unseekable(io.RawIOBase):
    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("it must not be read")


@pytest.mark.parametrize("file", [None, 5, "call.wav", Path("/nowhere.wav"), ("call.wav",), Unseekable()])
def test_what_cannot_be_read_again_is_unknown(file: object) -> None:
    """A file that is gone, or whose reading the upload would miss, has no length, and raises nothing."""
    assert uploaded_seconds(file) is None


def test_closed_file_is_unknown() -> None:
    """A file that the application has closed has no length, and raises nothing."""
    file = io.BytesIO(wav(1))
    file.close()
    assert uploaded_seconds(file) is None


def test_timestamps() -> None:
    """The last end of srt and of vtt subtitles, with and without hours."""
    assert last_timestamp(
        "1\n00:00:00,000 --> 00:00:04,500\nHello\n\n2\n00:00:04,500 --> 01:02:03,250\nyou\n"
    ) == Decimal("3723.250")
    assert last_timestamp("WEBVTT\n\n00:00.000 --> 00:04.120 align:start\nHello\n") == Decimal("4.120")
    assert last_timestamp("We talked from 00:00:01,000 to 00:00:02,000") is None


def test_wav_with_other_chunks_first() -> None:
    """Chunks before the samples are skipped, odd sizes padded."""
    data = wav(1)
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    assert seconds(whole(data[:12] + extra + data[12:])) == 1
