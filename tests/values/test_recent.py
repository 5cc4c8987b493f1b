"""Bounded memory."""

import threading

from otel_costs.values.recent import Recent


def test_it_keeps_what_was_used_last() -> None:
    """The last `size` keys are there, and there are never more than twice as many."""
    recent: Recent[int, int] = Recent(10)
    for i in range(1000):
        recent[i] = i
        assert len(recent) <= 20
    assert [recent.get(i) for i in range(990, 1000)] == list(range(990, 1000))
    assert recent.get(5) is None


def test_a_key_that_is_used_stays() -> None:
    """Reading a key counts as using it, however many others come."""
    recent: Recent[str, int] = Recent(10)
    recent["kept"] = 1
    for i in range(1000):
        recent[str(i)] = i
        if i % 5 == 0:
            assert recent.get("kept") == 1


def test_setdefault_finds_what_is_old() -> None:
    """A key of the older generation keeps its value."""
    recent: Recent[str, str] = Recent(2)
    recent["a"] = "first"
    recent["b"] = recent["c"] = "x"
    assert recent.setdefault("a", "second") == "first"
    assert recent.setdefault("d", "new") == "new"


def test_threads_agree_on_one_value() -> None:
    """Of all threads that set a default at once, one wins, and the others see its value."""
    recent: Recent[int, object] = Recent(10_000)
    barrier = threading.Barrier(8)
    found: list[list[object]] = []

    def work() -> None:
        mine = object()
        barrier.wait()
        found.append([recent.setdefault(i, mine) for i in range(2000)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(set(map(id, values))) == 1 for values in zip(*found, strict=True))
