"""Bodies of answers, JSON, text, sounds and event streams: followed as the application reads them, read at their end.

JSON and text are kept; of audio only the length is of interest. An event stream is kept as it came: 200 chunks parsed
one by one would cost more than everything else that is done for a call.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from otel_costs.calls.call import Call
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import background
from otel_costs.values.audio_length import HEAD, Sound

KEPT: Final = 32 * 1024 * 1024
"""Bytes of JSON or text that are kept while the application streams them; the usage of a longer one is not read."""

ACCUMULATE_AT: Final = 4 * 1024 * 1024
"""Bytes of a stream that are kept before they are accumulated: a long one does not stay in memory."""

BOUNDARY: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
"""Between two events of a stream."""
_ENDINGS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")

_CHECK_AFTER: Final = 64  # chunks; a chunk has at most 64 KB


class Answered(NamedTuple):
    """An answer, as far as it came."""

    headers: Mapping[str, str]
    body: Any = None
    """JSON, a text, a `Sound`, or what a stream amounts to; None when nothing is known of it."""
    error: str | None = None
    """The kind of error that ended it; None if none did."""
    doubts: tuple[CostReason, ...] = ()
    """Why this is not the whole answer."""


class Body(NamedTuple):
    """A body, as far as the application read it."""

    kept: bytes
    """Its beginning: all of it, unless it is longer than what was to be kept."""
    size: int
    is_read_out: bool
    """Whether it was read to its end."""
    error: str | None
    """The kind of error that ended it; None if none did."""


class BodyReader:
    """Follows a body that the application streams itself: keeps the first `most` bytes of it, and counts the others."""

    def __init__(self, call: Call | None, most: int, finish: Callable[[Body], object]) -> None:
        self._call, self._most, self._finish = call, most, finish
        self._kept: list[bytes] = []
        self._size = 0
        self._is_read_out = False

    def feed(self, chunk: bytes) -> None:
        if not self._size and self._call is not None:
            self._call.first_chunk()
        if self._size < self._most:
            self._kept.append(chunk)
        self._size += len(chunk)

    def read_out(self) -> None:
        self._is_read_out = True

    def end(self, error: BaseException | None) -> background.Job:
        if self._call is not None:
            self._call.stop()
        return partial(self._end, None if error is None else type(error).__name__)

    def _end(self, error: str | None) -> None:
        self._finish(Body(b"".join(self._kept), self._size, self._is_read_out, error))


class Accumulator(Protocol):
    """Adds up the events of one stream."""

    def add(self, name: str, data: str, /) -> None:
        """Add one event: its `event:` field, empty if it has none, and its data."""
        ...

    def body(self) -> Mapping[str, Any] | None:
        """Return what a call that does not stream would have returned, as far as it is known."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the provider said all that it had to say."""
        ...


class EventReader:
    """Follows an event stream: keeps its bytes, and finishes with what they amount to.

    `call` is None where it starts only when the end is known.
    """

    def __init__(
        self,
        call: Call | None,
        accumulator: Accumulator,
        headers: Mapping[str, str],
        finish: Callable[[Answered], object],
    ) -> None:
        self._call, self._accumulator, self._headers, self._finish = call, accumulator, headers, finish
        self._kept: list[bytes] = []
        self._chunks = 0

    def feed(self, chunk: bytes) -> None:
        kept = self._kept
        if not kept and self._call is not None:
            self._call.first_chunk()
        kept.append(chunk)
        if len(kept) % _CHECK_AFTER == 0 and sum(map(len, kept)) > ACCUMULATE_AT:
            self._read_whole_events()

    def end(self, error: BaseException | None) -> background.Job:
        if self._call is not None:
            self._call.stop()
        return partial(self._end, None if error is None else type(error).__name__)

    def _end(self, error: str | None) -> None:
        try:
            self._read(b"".join(self._kept))
        finally:
            if self._call is not None:
                self._call.chunks = self._chunks
            left = CostReason.STREAM_CLOSED_EARLY if error is None else CostReason.STREAM_FAILED
            doubts = () if self._accumulator.complete else (left,)
            self._finish(Answered(self._headers, self._accumulator.body(), error, doubts))

    def _read_whole_events(self) -> None:
        raw = b"".join(self._kept)
        end = end_of_last(raw)
        # Never empty, so that the first chunk stays the first. A single event of any size is kept until it is whole.
        self._kept = [raw[end:]]
        self._read(raw[:end])

    def _read(self, raw: bytes) -> None:
        add, chunks = self._accumulator.add, 0
        for name, data in events(raw):
            chunks += 1
            add(name, data)
        self._chunks += chunks


def answered(headers: Mapping[str, str], body: Body) -> Answered:
    """Return the answer of a body, without what it says where that was too long or not read to its end."""
    read: Any = None
    if not is_text(headers):
        read = Sound(body.kept[:HEAD], body.size)
    elif len(body.kept) == body.size and (body.size or body.is_read_out):
        read = json_or_text(body.kept)
    return Answered(headers, read, body.error, () if read is not None else (CostReason.RESPONSE_NOT_READ,))


def is_text(headers: Mapping[str, str]) -> bool:
    """Return whether a body is JSON or text, which is what a body without a type is taken for."""
    kind = headers.get("content-type", "application/json")
    return "json" in kind or kind.startswith("text/")


def json_or_text(raw: bytes) -> Any:
    """Return JSON, or the text itself where it is none: transcriptions come as text, srt and vtt too."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw.decode("utf-8", "replace")


def end_of_last(raw: bytes) -> int:
    """Return where the last whole event of `raw` ends; 0 if none is whole."""
    if raw.endswith(b"\n\n"):
        return len(raw)
    return max((raw.rfind(ending) + len(ending) for ending in _ENDINGS if ending in raw), default=0)


def events(raw: bytes) -> Iterator[tuple[str, str]]:
    """Return the events of a stream as pairs of name and data; what has no data is left out."""
    text = raw.decode("utf-8", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    for event in text.split("\n\n"):
        if event.startswith("data: ") and "\n" not in event:
            yield "", event[6:]
        elif event:
            yield from _fields(event)


def _fields(event: str) -> Iterator[tuple[str, str]]:
    name, data = "", []
    for line in event.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    if data:
        yield name, "\n".join(data)
