"""Sound as it passes in base64: counted at once, hashed a moment later in our own thread, and never kept."""

import binascii
import threading
from collections import deque
from decimal import Decimal
from typing import Final

from otel_costs import messages
from otel_costs.messages import Recording
from otel_costs.runtime import background
from otel_costs.usage.numbers import quotient, to_milliseconds

BATCH: Final = 8
"""Pieces that are hashed together: so many of them, a second or two, exist a moment longer than for the application."""

WAITING: Final = 256
"""Pieces that may wait. Past that, what brings them so fast is no microphone, and takes part in the work."""


class PassingAudio:
    """A sound that arrives, or is sent, piece by piece."""

    __slots__ = ("_bytes", "_hash", "_lock", "_waiting", "_whole", "size")

    def __init__(self) -> None:
        self.size = 0
        """Bytes so far."""
        self._waiting: deque[str] = deque()
        self._hash = messages.hasher()
        # A keyed hash can be compared with none but those of this process: the base64 does for it, without the 30 us
        # that 8 KB take to decode.
        self._bytes = str.encode if messages.is_keyed() else binascii.a2b_base64
        self._lock = threading.RLock()  # a signal handler may send in the middle of it
        self._whole = True

    def add(self, data: str) -> None:
        """Add the next piece; its hash is made later."""
        self.size += len(data) * 3 // 4 - data.count("=", -2)
        self._waiting.append(data)
        waiting = len(self._waiting)
        if waiting == BATCH:
            background.put(self._digest)
        elif waiting >= WAITING:
            self._digest()

    def recording(self) -> Recording | None:
        """Return what is known of the sound, in a job; None if there is none."""
        self._digest()
        if not self.size:
            return None
        return Recording(self.size, self._hash.hexdigest() if self._whole else None)

    def seconds(self, bytes_per_second: int) -> Decimal | None:
        """Return how long it is, to the millisecond; None if there is none."""
        return to_milliseconds(quotient(self.size, bytes_per_second)) if self.size else None

    def _digest(self) -> None:
        waiting = self._waiting
        with self._lock:
            while waiting:
                try:
                    self._hash.update(self._bytes(waiting.popleft()))
                except ValueError:
                    self._whole = False
