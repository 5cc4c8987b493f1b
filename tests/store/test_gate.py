"""A gate that is closed has nobody within, opens again whatever happens, and is not waited for without an end."""

import threading

import pytest

from otel_costs.store.gate import Gate


def test_it_opens_again_when_somebody_does_not_leave() -> None:
    """Who wanted it closed is told, and others pass on."""
    gate = Gate()
    with gate.passed():
        with pytest.raises(TimeoutError), gate.closed(0.01):
            pass
        with gate.passed():
            pass
    with gate.closed(0.01):
        pass


def test_who_closes_it_second_does_not_wait_for_ever() -> None:
    """And leaves it closed for the first."""
    gate = Gate()
    passed = threading.Event()

    def enter() -> None:
        with gate.passed():
            passed.set()

    with gate.closed(0.01):
        with pytest.raises(TimeoutError), gate.closed(0.01):
            pass
        thread = threading.Thread(target=enter)
        thread.start()
        assert not passed.is_set()
    thread.join(60)
    assert passed.is_set()
