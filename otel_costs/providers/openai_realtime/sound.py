"""Sound as it passes in base64: counted at once, hashed a moment later in our own thread, and never kept."""

import binascii
import threading
from collections import deque
from decimal import Decimal
from typing import Final

from otel_costs import messages, outbox
from otel_costs.messages import Recording

BATCH: Final = 8
"""Pieces that are hashed together: so many of them, a second or two, exist a moment longer than for the application."""

WAITING: Final = 256
"""Pieces that may wait. Past that, what brings them so fast is no microphone, and takes part in the work."""

_MILLI: Final = Decimal("0.001")
_BACKSLASH: Final = "\\"  # JSON may write a slash with one in front


class Passing:
    """A sound that arrives, or is sent, piece by piece."""

    __slots__ = ("_hash", "_lock", "_waiting", "_whole", "size")

    def __init__(self) -> None:
        self.size = 0
        """Bytes so far."""
        self._waiting: deque[str] = deque()
        self._hash = messages.hasher()
        self._lock = threading.Lock()
        self._whole = True

    def add(self, data: str) -> None:
        """Take the next piece; decoding 8 KB takes 30 us, so that is done later."""
        if _BACKSLASH in data:
            data = data.replace(_BACKSLASH, "")
        self.size += len(data) * 3 // 4 - data.count("=", -2)
        self._waiting.append(data)
        if len(self._waiting) == BATCH:
            outbox.put(self._digest)
        elif len(self._waiting) >= WAITING:
            self._digest()

    def recording(self) -> Recording | None:
        """Return what is known of the sound, in a job; None if there is none."""
        self._digest()
        if not self.size:
            return None
        return Recording(self.size, self._hash.hexdigest() if self._whole else None)

    def seconds(self, bytes_per_second: int) -> Decimal | None:
        """Return how long it is, to the millisecond; None if there is none."""
        return (Decimal(self.size) / bytes_per_second).quantize(_MILLI) if self.size else None

    def _digest(self) -> None:
        waiting = self._waiting
        with self._lock:
            while waiting:
                try:
                    self._hash.update(binascii.a2b_base64(waiting.popleft()))
                except ValueError:
                    self._whole = False
