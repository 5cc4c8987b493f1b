"""A bounded memory of what was used last."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping that keeps the last `size` keys that were used, and at most twice as many.

    Two generations instead of an ordered list: no lock that a fork could inherit taken, and no work for an eviction.
    Threads that meet may forget a key; they never mix two up.
    """

    __slots__ = ("_new", "_old", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._new: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the value of `key`, which counts as used now; None when it is not known any more."""
        value = self._new.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self[key] = value
        return value

    def setdefault(self, key: K, value: V) -> V:
        """Return the value of `key`, which is `value` if there was none; two threads get the same one."""
        known = self._new.get(key)
        if known is not None:
            return known
        return self._room().setdefault(key, self._old.get(key, value))

    def __setitem__(self, key: K, value: V) -> None:
        new = self._new
        if len(new) >= self._size:
            new = self._room()
        new[key] = value

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def _room(self) -> dict[K, V]:
        """Return the younger generation, a fresh one if it was full."""
        new = self._new
        if len(new) >= self._size:
            self._old, new = new, {}
            self._new = new
        return new
