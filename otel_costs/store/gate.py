"""A gate: many pass at the same time, and it is closed while none is within."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Open at first. A thread that is within must not close it: it would wait for itself."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._within = 0
        self._is_closed = False

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Be within, once it is open."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closed)
            self._within += 1
        try:
            yield
        finally:
            with self._changed:
                self._within -= 1
                self._changed.notify_all()

    @contextmanager
    def closed(self, timeout_s: float) -> Iterator[None]:
        """Close it, once no other thread has, and wait until all threads that are within have gone.

        Raises TimeoutError, and opens it again, when that takes longer than `timeout_s` seconds each.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._is_closed, timeout_s):
                raise TimeoutError
            self._is_closed = True
        try:
            with self._changed:
                if not self._changed.wait_for(lambda: not self._within, timeout_s):
                    raise TimeoutError
            yield
        finally:
            with self._changed:
                self._is_closed = False
                self._changed.notify_all()
