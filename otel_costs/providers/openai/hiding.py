"""What `include_usage` puts into a stream and an application that did not ask for it must not see.

Every chunk gets `"usage":null`, and one more comes, without choices, that has the usage.
"""

import re
from typing import Final

from otel_costs.providers.server_events import BOUNDARY, end_of_last, events, parsed

_NULL_AS_WRITTEN: Final = b',"usage":null'
# Outside strings only: within one, the quotes would be escaped.
_NULL_USAGE: Final = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,')
_NO_CHOICES: Final = re.compile(rb'"choices"\s*:\s*\[\s*\]')


class UsageHider:
    """Takes the usage out of a stream, byte by byte what it would have been.

    An event that is not whole yet is held back until it is, as the application's decoder would do.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes and return those that may be seen."""
        if self._held or not chunk.endswith(b"\n\n"):
            chunk = self._whole(chunk)
        # The usual case, one chunk with a null usage near its end, without a look at each event: this runs for all.
        at = chunk.rfind(_NULL_AS_WRITTEN)
        end = at + len(_NULL_AS_WRITTEN)
        if at >= 0 and chunk.find(b'"usage"', 0, at) < 0 and chunk.find(b'"usage"', end) < 0:
            return chunk[:at] + chunk[end:]
        return _without_usage(chunk) if chunk.rfind(b'"usage"') >= 0 else chunk

    def _whole(self, chunk: bytes) -> bytes:
        """Return the events that are whole now, and hold the rest back."""
        data = self._held + chunk
        end = end_of_last(data)
        self._held = data[end:]
        return data[:end]

    def flush(self) -> bytes:
        """Return what is held back, at the end of the stream."""
        held, self._held = self._held, b""
        shown = _without_usage(held) if b'"usage"' in held else held
        # A usage chunk that the end of the connection cut short, most likely.
        return b"" if _NO_CHOICES.search(shown) else shown


def _without_usage(data: bytes) -> bytes:
    shown, start = bytearray(), 0
    for boundary in BOUNDARY.finditer(data):
        shown += _shown(data[start : boundary.end()])
        start = boundary.end()
    return bytes(shown + _shown(data[start:]))


def _shown(event: bytes) -> bytes:
    if b'"usage"' not in event:
        return event
    return b"" if _is_usage_chunk(event) else _NULL_USAGE.sub(b"", event)


def _is_usage_chunk(event: bytes) -> bool:
    """Whether this is the chunk that only `include_usage` brings: no choices, and a usage."""
    for _, data in events(event):
        found = parsed(data)
        return found is not None and found.get("choices") == [] and bool(found.get("usage"))
    return False
