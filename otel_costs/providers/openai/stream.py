"""Event streams: followed as the application reads them, and read once, at their end.

A stream is kept as it came: 200 chunks parsed one by one would cost more than everything else that is done for a call.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from otel_costs.calls.call import Call
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai.accumulators import Accumulator
from otel_costs.runtime import background
from otel_costs.transports.http.sse import end_of_last, events

FOLD_AT: Final = 4 * 1024 * 1024
"""Bytes kept before they are accumulated: a long stream does not stay in memory."""

_LOOK_AFTER: Final = 64  # chunks; a chunk has at most 64 KB

Finish = Callable[[Mapping[str, Any] | None, str | None], object]
"""Called with what a stream amounts to, and the kind of error that ended it, if one did."""


class EventReader:
    """Follows an event stream: keeps its bytes, and finishes with what they amount to.

    `call` is None where it starts only when the end is known.
    """

    def __init__(self, call: Call | None, accumulator: Accumulator, finish: Finish) -> None:
        self._call, self._accumulator, self._finish = call, accumulator, finish
        self._kept: list[bytes] = []
        self._chunks = 0

    def feed(self, chunk: bytes) -> None:
        kept = self._kept
        if not kept and self._call is not None:
            self._call.first_chunk()
        kept.append(chunk)
        if len(kept) % _LOOK_AFTER == 0 and sum(map(len, kept)) > FOLD_AT:
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
                if not self._accumulator.complete:
                    self._call.bill.reasons.append(
                        CostReason.STREAM_CLOSED_EARLY if error is None else CostReason.STREAM_FAILED
                    )
            self._finish(self._accumulator.body(), error)

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
