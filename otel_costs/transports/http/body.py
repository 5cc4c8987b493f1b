"""Bodies that are no event streams: JSON, text, or audio, of which only the length is of interest."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from otel_costs.calls.call import Call
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import background
from otel_costs.values.audio_length import HEAD, Sound

KEPT: Final = 32 * 1024 * 1024
"""Bytes of JSON or text that are kept while the application streams them; the usage of a longer one is not read."""


class BodyReader:
    """Follows a body that the application streams itself: keeps it if it may hold the usage, counts it if it is audio.

    `finish` gets the body, None if it was too long or not read to its end, and the kind of error that ended it.
    """

    def __init__(
        self, call: Call | None, headers: Mapping[str, str], finish: Callable[[Any, str | None], object]
    ) -> None:
        self._call, self._finish = call, finish
        self._is_text = is_text(headers)
        self._limit = KEPT if self._is_text else HEAD
        self._kept: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        if not self._size and self._call is not None:
            self._call.first_chunk()
        if self._size < self._limit:
            self._kept.append(chunk)
        self._size += len(chunk)

    def end(self, error: BaseException | None) -> background.Job:
        if self._call is not None:
            self._call.stop()
        return partial(self._end, None if error is None else type(error).__name__)

    def _end(self, error: str | None) -> None:
        raw = b"".join(self._kept)
        body: Any = None
        if not self._is_text:
            body = Sound(raw[:HEAD], self._size)
        elif len(raw) == self._size > 0:
            body = json_or_text(raw)
        if body is None and self._call is not None:
            self._call.bill.reasons.append(CostReason.RESPONSE_NOT_READ)
        self._finish(body, error)


def read_body(raw: bytes, headers: Mapping[str, str]) -> Any:
    """Return what a whole body says: JSON, a text, or a `Sound`."""
    return json_or_text(raw) if is_text(headers) else Sound(raw[:HEAD], len(raw))


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
