"""The sound that recognizers are given: how many seconds of it, by bytes written, bytes read, or the file's header.

Bytes are counted and never kept. What is created before we instrument is not known, and counts by the results alone.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import wrapt

from otel_costs.runtime import telemetry
from otel_costs.usage.numbers import quotient
from otel_costs.values import audio_length


@dataclass(frozen=True, slots=True)
class Format:
    """What a stream carries; `bytes_per_second` is None where it is compressed."""

    bytes_per_second: int | None
    channels: int = 1


DEFAULT: Final = Format(32_000)
"""16 kHz, 16 bits, one channel."""

_LINEAR: Final = ("PCM", "ALAW", "MULAW")


class Source:
    """Sound of which nothing is known."""

    channels = 1
    is_live = False
    """Whether it goes on as time does."""

    @property
    def seconds(self) -> Decimal | None:
        """The seconds of it that there are so far; None where it does not tell."""
        return None


class Microphone(Source):
    """Sound that goes on as long as it is listened to."""

    is_live = True


class Stream(Source):
    """A stream that the application pushes or the SDK pulls."""

    def __init__(self, form: Format) -> None:
        self._rate, self.channels = form.bytes_per_second, form.channels
        self.size = 0

    @property
    def seconds(self) -> Decimal | None:
        return quotient(self.size, self._rate) if self._rate else None


class Recording(Source):
    """A wav file. Its header is read when a recognition starts: it may be gone when that ends."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seconds: Decimal | None = None
        self._is_read = False

    @property
    def seconds(self) -> Decimal | None:
        if not self._is_read:
            self._is_read = True
            self._seconds = audio_length.uploaded_seconds(Path(self._path))
        return self._seconds


_formats: WeakKeyDictionary[Any, Format] = WeakKeyDictionary()
_sources: WeakKeyDictionary[Any, Source] = WeakKeyDictionary()
"""By stream and by AudioConfig."""


def source_of(config: Any) -> Source:
    """Return what is known of the sound that an AudioConfig names."""
    return Microphone() if config is None else _sources.get(config) or Source()


def format_made(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `AudioStreamFormat.__init__`."""
    wrapped(*args, **kwargs)
    _note_format(instance, *args, **kwargs)


@telemetry.never_raises("read the format of a stream")
def _note_format(
    instance: Any,
    samples_per_second: int | None = None,
    bits_per_sample: int = 16,
    channels: int = 1,
    compressed_stream_format: Any = None,
    wave_stream_format: Any = None,
) -> None:
    if compressed_stream_format is not None or getattr(wave_stream_format, "name", "PCM") not in _LINEAR:
        _formats[instance] = Format(None, channels)
    elif samples_per_second:
        _formats[instance] = Format(samples_per_second * bits_per_sample // 8 * channels, channels)


def _format_of(stream_format: Any) -> Format:
    return DEFAULT if stream_format is None else _formats.get(stream_format, DEFAULT)


def push_stream_made(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `PushAudioInputStream.__init__`."""
    wrapped(*args, **kwargs)
    _note_push_stream(instance, *args, **kwargs)


@telemetry.never_raises("follow a stream of audio")
def _note_push_stream(instance: Any, stream_format: Any = None) -> None:
    _sources[instance] = Stream(_format_of(stream_format))


def written(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `PushAudioInputStream.write`: many times a second, so without anything that is not needed."""
    result = wrapped(*args, **kwargs)
    try:
        stream = _sources.get(instance)
        if isinstance(stream, Stream):
            stream.size += len(args[0] if args else kwargs["buffer"])
    except Exception as error:  # noqa: BLE001
        telemetry.warn_once("bug:write", "otel_costs could not count audio", error=error)
    return result


class _Counted(wrapt.ObjectProxy):  # type: ignore[type-arg, misc, unused-ignore]
    """The application's callback of a pull stream, whose bytes are counted as the SDK reads them."""

    def __init__(self, wrapped: Any, stream: Stream) -> None:
        super().__init__(wrapped)
        self._self_stream = stream

    def read(self, buffer: memoryview) -> Any:
        number = self.__wrapped__.read(buffer)
        if type(number) is int and number > 0:
            self._self_stream.size += number
        return number


def pull_stream_made(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `PullAudioInputStream.__init__`; the SDK gets a proxy of the callback."""
    made = _pull_stream(*args, **kwargs)
    if made is None:
        return wrapped(*args, **kwargs)
    counted, stream, rest = made
    result = wrapped(counted, **rest)
    _note(instance, stream)
    return result


@telemetry.never_raises("follow a stream of audio")
def _pull_stream(
    pull_stream_callback: Any, stream_format: Any = None
) -> tuple[_Counted, Stream, dict[str, Any]] | None:
    if pull_stream_callback is None:
        return None
    stream = Stream(_format_of(stream_format))
    return _Counted(pull_stream_callback, stream), stream, {"stream_format": stream_format}


@telemetry.never_raises("follow a stream of audio")
def _note(instance: Any, source: Source) -> None:
    _sources[instance] = source


def config_made(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `AudioConfig.__init__`."""
    wrapped(*args, **kwargs)
    _note_config(instance, *args, **kwargs)


@telemetry.never_raises("read where audio comes from")
def _note_config(
    instance: Any,
    use_default_microphone: bool = False,  # noqa: ARG001
    filename: str | None = None,
    stream: Any = None,
    device_name: str | None = None,  # noqa: ARG001
) -> None:
    if filename is not None:
        _sources[instance] = Recording(filename)
    elif stream is None:
        _sources[instance] = Microphone()
    elif (source := _sources.get(stream)) is not None:
        _sources[instance] = source
