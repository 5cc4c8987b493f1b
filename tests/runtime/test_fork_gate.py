"""A fork and the requests of our own threads: what one leaves to a child that has no such thread."""

import subprocess
import sys
import threading

import pytest

from otel_costs.runtime import fork_gate
from otel_costs.runtime.fork_gate import ForkGate


class Request:
    """A thread that is within a gate until it is let go."""

    def __init__(self, gate: ForkGate) -> None:
        self._gate, self.begun, self.go = gate, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self.begun.wait(60)

    def _run(self) -> None:
        with self._gate:
            self.begun.set()
            self.go.wait(60)

    def end(self) -> None:
        self.go.set()
        self._thread.join(60)


def test_a_fork_waits_for_a_request_that_has_just_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds locks, perhaps; no other begins until the fork is done."""
    monkeypatch.setattr(fork_gate, "SETTLE_S", 60.0)
    gate, paused = ForkGate(), threading.Event()
    request = Request(gate)

    def pause() -> None:
        gate.pause()
        paused.set()

    fork = threading.Thread(target=pause)
    fork.start()
    assert not paused.is_set()
    request.end()
    assert paused.wait(60)
    fork.join(60)
    later = threading.Thread(target=gate.__enter__)
    later.start()
    assert later.is_alive()
    gate.resume()
    later.join(60)
    assert not later.is_alive()


def test_a_fork_does_not_wait_for_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has begun long ago waits for an answer: the fork goes on at once, and takes nothing from it."""
    monkeypatch.setattr(fork_gate, "SETTLE_S", 0.0)
    gate = ForkGate()
    request = Request(gate)
    gate.pause()
    gate.resume()
    request.end()
    with gate:
        pass


CHILD = """
import os, threading
from otel_costs.runtime import fork_gate
fork_gate.SETTLE_S = 0.0
gate, begun, go = fork_gate.ForkGate(), threading.Event(), threading.Event()
def request():
    with gate:
        begun.set()
        go.wait(60)
thread = threading.Thread(target=request)
thread.start()
begun.wait(60)
child = os.fork()
if child == 0:
    with gate:
        os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
go.set()
thread.join()
with gate:
    raise SystemExit(code)
"""


def test_a_child_may_ask_by_itself() -> None:
    """Its gate is not held by the thread that its parent has; the parent's goes on as it was."""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", CHILD], timeout=60, check=False).returncode == 0
