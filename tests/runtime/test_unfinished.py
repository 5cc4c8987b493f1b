"""What is open when everything ends: each ends once, and none waits for another."""

import threading
from contextvars import copy_context

from otel_costs.runtime import unfinished
from otel_costs.transports.websocket.watch import Watch


class Busy:
    """An observer of a socket that is told something for as long as it may."""

    def __init__(self) -> None:
        self.reached, self.go_on, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.ends: list[str | None] = []

    def sent(self, _: str | bytes) -> None:
        self.reached.set()
        self.go_on.wait(60)

    def received(self, frame: str | bytes) -> None:
        """Do nothing."""

    def closed(self, error: str | None) -> None:
        self.ends.append(error)
        self.ended.set()


def test_who_is_busy_holds_nobody_up() -> None:
    """Of a hundred sockets of which one is told something, all others end before that one is waited for."""
    observers = [Busy() for _ in range(100)]
    watches = [Watch(observer, copy_context()) for observer in observers]
    for watch in watches:
        unfinished.add(watch)
    held = observers[50]
    busy = threading.Thread(target=watches[50].sent, args=("a message",))
    busy.start()
    assert held.reached.wait(60)
    ending = threading.Thread(target=unfinished.end_all, args=(60,))
    ending.start()
    assert all(observer.ended.wait(20) for observer in observers if observer is not held)
    assert held.ends == []
    held.go_on.set()
    ending.join()
    busy.join()
    assert [observer.ends for observer in observers] == [[None]] * 100
    assert not unfinished._open & set(watches)


def test_who_stays_busy_is_left() -> None:
    """What is held for longer than there is time does not end, and is still open."""
    held = Busy()
    watch = Watch(held, copy_context())
    unfinished.add(watch)
    busy = threading.Thread(target=watch.sent, args=("a message",))
    busy.start()
    assert held.reached.wait(60)
    unfinished.end_all(0)
    assert (held.ends, watch in unfinished._open) == ([], True)
    held.go_on.set()
    busy.join()
    watch.end()
    assert held.ends == [None]


def test_what_has_ended_is_not_kept() -> None:
    """What ends by itself is forgotten, and not ended again."""
    observer = Busy()
    watch = Watch(observer, copy_context())
    unfinished.add(watch)
    watch.end()
    assert watch not in unfinished._open
    unfinished.end_all(0)
    assert observer.ends == [None]
