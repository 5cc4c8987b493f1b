"""What `include_usage` puts into a stream and an application that did not ask for it must not see.

Every chunk gets `"usage":null`, and one more comes that has the usage and says nothing else. How it says nothing is the
provider's choice: no choices (`[]`, null, or none at all), or choices whose delta is empty and that do not finish.
A chunk that says something is kept: it would have come unasked. So is its usage, unless earlier chunks had a null one:
then the provider puts a usage where it is asked for one.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from otel_costs.transports.http.body import BOUNDARY, end_of_last, events
from otel_costs.values.json_objects import parsed

_NULL_AS_WRITTEN: Final = b',"usage":null'
# Outside strings only: within one, the quotes would be escaped.
_NULL_USAGE: Final = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,')
_DATA: Final = re.compile(rb"((?:event: ?[^\r\n]*(?:\r\n|\n|\r))?data: ?)([^\r\n]*)([\r\n]*)")
_A_USAGE: Final = re.compile(rb'"usage"\s*:\s*\{')
_NO_CHOICES: Final = re.compile(rb'"choices"\s*:\s*(\[\s*\]|null)')
_A_CHOICE: Final = re.compile(rb'"choices"\s*:\s*\[\s*\{')

_SILENT_KEYS: Final = frozenset({"index", "role", "content_filter_results", "content_filter_offsets"})
"""Keys of a choice and of its delta that say nothing by themselves: an earlier chunk has said the role."""


class UsageFilter:
    """Removes the usage from a stream, which is byte by byte what it would have been without.

    An event that is not whole yet is held back until it is, as the application's decoder would do.
    """

    def __init__(self) -> None:
        self._incomplete = b""
        self._has_begun = False
        self._has_null_usage = False  # the provider has a usage in each chunk because it was asked for one
        self._reports_unasked = False  # the provider has a usage in chunks with content: it reports it unasked

    def feed(self, chunk: bytes) -> bytes:
        """Return those of the next bytes that the application gets."""
        if self._incomplete or not chunk.endswith(b"\n\n"):
            chunk = self._whole(chunk)
        # The usual case, one chunk with a null usage near its end, without a look at each event: this runs for all.
        at = chunk.rfind(_NULL_AS_WRITTEN)
        end = at + len(_NULL_AS_WRITTEN)
        if at >= 0 and chunk.find(b'"usage"', 0, at) < 0 and chunk.find(b'"usage"', end) < 0:
            self._has_begun = self._has_null_usage = True
            return chunk[:at] + chunk[end:]
        if chunk.rfind(b'"usage"') >= 0:
            return self._without_usage(chunk)
        self._has_begun = self._has_begun or b'"choices"' in chunk
        return chunk

    def _whole(self, chunk: bytes) -> bytes:
        """Return the events that are whole now, and hold the rest back."""
        data = self._incomplete + chunk
        end = end_of_last(data)
        self._incomplete = data[end:]
        return data[:end]

    def flush(self) -> bytes:
        """Return what is held back, at the end of the stream."""
        incomplete, self._incomplete = self._incomplete, b""
        if b'"usage"' not in incomplete:
            # A usage chunk that the end of the connection cut short, most likely.
            return b"" if _NO_CHOICES.search(incomplete) else incomplete
        visible = self._without_usage(incomplete)
        cut_short = _A_USAGE.search(visible) and not _A_CHOICE.search(visible)
        return b"" if cut_short or _NO_CHOICES.search(visible) else visible

    def _without_usage(self, data: bytes) -> bytes:
        visible, start = bytearray(), 0
        for boundary in BOUNDARY.finditer(data):
            visible += self._visible_event(data[start : boundary.end()])
            start = boundary.end()
        return bytes(visible + self._visible_event(data[start:]))

    def _visible_event(self, event: bytes) -> bytes:
        if b'"usage"' not in event:
            return event
        if self._is_usage_chunk(event):
            return b""
        self._has_begun = True
        visible = _NULL_USAGE.sub(b"", event)
        self._has_null_usage = self._has_null_usage or visible != event
        return _stripped(event) if self._has_null_usage and visible == event else visible

    def _is_usage_chunk(self, event: bytes) -> bool:
        """Whether this is the chunk that only `include_usage` brings: a usage, and no content."""
        for _, data in events(event):
            chunk = parsed(data)
            if chunk is None or chunk.get("usage") is None or chunk.get("error") is not None:
                return False
            choices = chunk.get("choices")
            if not choices:
                return True
            silent = isinstance(choices, list) and not any(map(_has_content, choices))
            if not silent and not any(map(_finishes, choices)):
                self._reports_unasked = True
            return silent and self._has_begun and not self._reports_unasked
        return False


def _stripped(event: bytes) -> bytes:
    """Return an event that says something without the usage that stands in it; as it is where it is no usual chunk."""
    line = _DATA.fullmatch(event)
    chunk = parsed(line[2].decode("utf-8", "replace")) if line else None
    if line is None or chunk is None or not chunk.get("choices") or chunk.get("error") or "usage" not in chunk:
        return event
    del chunk["usage"]
    return line[1] + json.dumps(chunk, separators=(",", ":")).encode() + line[3]


def _has_content(choice: object) -> bool:
    """Whether a choice of a chunk has more than its place, its role and what a filter thought of it."""
    if not isinstance(choice, Mapping):
        return True
    delta = choice.get("delta")
    fields: dict[str, Any] = {**choice, "delta": None, **(delta if isinstance(delta, Mapping) else {"text_": delta})}
    return any(value not in (None, "", [], {}) for key, value in fields.items() if key not in _SILENT_KEYS)


def _finishes(choice: object) -> bool:
    return isinstance(choice, Mapping) and choice.get("finish_reason") is not None
