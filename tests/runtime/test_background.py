"""Work that is done after the user's call."""

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider

import otel_costs
from otel_costs.messages import redaction
from otel_costs.runtime import background, telemetry
from otel_costs.runtime.background import BATCH, LIMIT, MOST, JobQueue
from otel_costs.runtime.telemetry import Telemetry
from tests.support.collector import PATIENCE_S
from tests.support.recorded import Recorded, instrumented


def test_jobs_keep_their_order() -> None:
    """Jobs are done in the order they came, whoever does them."""
    jobs, done = JobQueue(), list[int]()
    for number in range(50):
        jobs.put(lambda number=number: done.append(number))  # type: ignore[misc]
    assert jobs.drain(PATIENCE_S)
    assert done == list(range(50))


def test_jobs_are_done_without_a_drain() -> None:
    """Nobody has to ask: a job is done by the thread in the background."""
    done = threading.Event()
    JobQueue().put(done.set)
    assert done.wait(PATIENCE_S)


def test_nothing_is_dropped_when_too_many_wait() -> None:
    """Past the limit, who brings a job does the oldest, so that as many are done as were brought."""
    jobs, done, block = JobQueue(), list[int](), threading.Event()
    started = threading.Event()
    jobs.put(lambda: started.set() or block.wait(PATIENCE_S))  # type: ignore[func-returns-value]
    assert started.wait(PATIENCE_S)
    threading.Timer(0.0, block.set).start()
    for number in range(LIMIT * 2):
        jobs.put(lambda number=number: done.append(number))  # type: ignore[misc]
    assert jobs.drain(PATIENCE_S)
    assert done == list(range(LIMIT * 2))


@pytest.fixture
def however_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a machine that stalls for a while change nothing: the thread waits for quiet, and no job is a slow one."""
    monkeypatch.setattr(background, "GATHER_S", PATIENCE_S)
    monkeypatch.setattr(background, "SLOW_S", PATIENCE_S)
    monkeypatch.setattr(background, "ALONE_S", PATIENCE_S)
    monkeypatch.setattr(background, "may_wait", lambda: False)


@pytest.mark.usefixtures("however_slow")
def test_who_brings_many_does_them() -> None:
    """In a program that calls without a pause, the jobs are done by those who call, in batches and in order."""
    jobs, done = JobQueue(), list[tuple[int, int]]()
    for number in range(BATCH * 3):
        jobs.put(lambda number=number: done.append((number, threading.get_ident())))  # type: ignore[misc]
    assert len(done) > BATCH * 2
    assert jobs.drain(PATIENCE_S)
    assert [number for number, _ in done] == list(range(BATCH * 3))
    assert {thread for _, thread in done} == {threading.get_ident()}


def test_who_brings_a_job_waits_for_nobody() -> None:
    """A caller does not wait for the job that another thread is in the middle of, until too many wait."""
    jobs, block, started = JobQueue(), threading.Event(), threading.Event()
    jobs.put(lambda: started.set() or block.wait(PATIENCE_S))  # type: ignore[func-returns-value]
    assert started.wait(PATIENCE_S)
    for _ in range(LIMIT):
        jobs.put(lambda: None)
    assert not jobs.drain(0.0)
    block.set()
    assert jobs.drain(PATIENCE_S)


class Doers:
    """Jobs that note which thread does them."""

    def __init__(self) -> None:
        self.jobs, self.threads = JobQueue(), list[int]()
        self._changed = threading.Condition()

    @property
    def are_mine(self) -> int:
        """How many of them were done by the thread that asks."""
        return self.threads.count(threading.get_ident())

    def put(self, number: int) -> None:
        for _ in range(number):
            self.jobs.put(self._do)

    def wait_for(self, number: int) -> None:
        """Wait until so many are done, without doing any."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.threads) >= number, PATIENCE_S)
        while self.jobs.waiting():
            time.sleep(0)  # the last one is done, and its time is about to be looked at

    def _do(self) -> None:
        with self._changed:
            self.threads.append(threading.get_ident())
            self._changed.notify_all()


def test_slow_jobs_are_left_to_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a job waits for an exporter, those who call do not wait with it: one is enough to know."""
    monkeypatch.setattr(background, "SLOW_S", -1.0)
    monkeypatch.setattr(background, "ALONE_S", PATIENCE_S)
    doers = Doers()
    doers.put(BATCH * 8)
    doers.wait_for(BATCH * 8)
    assert doers.are_mine <= 1


def test_a_slow_job_among_quick_ones_changes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine any job may wait for a processor: after sixteen quick ones those who bring jobs do them."""
    monkeypatch.setattr(background, "ALONE_S", PATIENCE_S)
    monkeypatch.setattr(background, "SLOW_S", -1.0)
    monkeypatch.setattr(background, "may_wait", lambda: False)
    doers = Doers()
    doers.put(BATCH)
    doers.wait_for(BATCH)
    mine = doers.are_mine
    monkeypatch.setattr(background, "SLOW_S", PATIENCE_S)
    doers.put(BATCH)
    doers.wait_for(BATCH * 2)
    assert doers.are_mine == mine
    monkeypatch.setattr(background, "GATHER_S", PATIENCE_S)
    doers.put(BATCH * 2)
    assert doers.are_mine > mine + BATCH
    assert doers.jobs.drain(PATIENCE_S)


@pytest.mark.usefixtures("however_slow")
def test_jobs_that_come_in_bursts_are_done_by_those_who_bring_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as they do, the thread does none, however often it looks: it would but take the interpreter."""
    monkeypatch.setattr(background, "PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(background, "QUIET_S", PATIENCE_S)
    looks, go_on, slept = threading.Semaphore(0), threading.Semaphore(0), list[float]()

    others = set(threading.enumerate())  # the thread of the process's own queue may be at work

    def sleep(seconds: float) -> None:
        if threading.current_thread() in others:
            time.sleep(min(seconds, 0.1))
            return
        slept.append(seconds)
        looks.release()
        go_on.acquire()

    clock = SimpleNamespace(perf_counter=time.perf_counter, monotonic=time.monotonic, sleep=sleep)
    monkeypatch.setattr(background, "time", clock)
    doers = Doers()
    for _ in range(20):
        doers.put(BATCH * 2)
        assert looks.acquire(timeout=PATIENCE_S)
        go_on.release()
    assert set(doers.threads) == {threading.get_ident()}
    assert len(doers.threads) > 20 * BATCH * 2 - BATCH
    # The thread may have begun behind the first batch, and look again before the second.
    assert min(slept[2:]) > PATIENCE_S / 2, "to look takes the interpreter: once in PATIENCE_S is enough"


def test_a_job_that_raises_costs_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """A bug of ours is logged once, by its type alone, and the next job is done."""
    jobs, done = JobQueue(), list[int]()
    for _ in range(2):
        jobs.put(lambda: 1 / 0)
    jobs.put(lambda: done.append(1))
    assert jobs.drain(PATIENCE_S)
    assert done == [1]
    assert [record.message for record in caplog.records].count(
        "otel_costs could not record a call (ZeroDivisionError)"
    ) <= 1


def test_a_drain_within_a_job_does_not_wait_for_itself() -> None:
    """A redactor may look at `session.cost_usd`, which drains, while its own job is under way."""
    jobs, found = JobQueue(), list[bool]()
    jobs.put(lambda: found.append(jobs.drain()))
    assert jobs.drain(PATIENCE_S)
    assert found == [False]


def test_a_job_may_put_another_however_many_wait() -> None:
    """A job that brings one past the limit does not wait for itself."""
    jobs, done = JobQueue(), list[int]()

    def bring() -> None:
        for _ in range(LIMIT + 10):
            jobs.put(lambda: done.append(1))

    jobs.put(bring)
    assert jobs.drain(PATIENCE_S)
    assert len(done) == LIMIT + 10


def test_a_drain_waits_for_the_job_that_is_under_way() -> None:
    """What the thread has begun is finished before `drain` returns; past its timeout it says that it is not."""
    jobs, block, started = JobQueue(), threading.Event(), threading.Event()
    jobs.put(lambda: started.set() or block.wait(PATIENCE_S))  # type: ignore[func-returns-value]
    assert started.wait(PATIENCE_S)
    assert not jobs.drain(0.0)
    block.set()
    assert jobs.drain(PATIENCE_S)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_job_that_comes_while_a_drain_waits_is_done_by_it() -> None:
    """A finalizer may put one in the moment between the last look at the queue and the end of the job under way."""
    jobs, done = JobQueue(), list[str]()

    class Late:
        """The lock of who does a job; a finalizer runs when it is first taken."""

        def __init__(self) -> None:
            self.lock = threading.Lock()
            self.late = [lambda: done.append("late")]

        def acquire(self, timeout: float) -> bool:
            taken = self.lock.acquire(timeout=timeout)
            while self.late:
                jobs.put_from_finalizer(self.late.pop())
            return taken

        def release(self) -> None:
            self.lock.release()

        def locked(self) -> bool:
            return self.lock.locked()

    jobs._busy = Late()  # type: ignore[assignment]
    jobs.put_from_finalizer(lambda: done.append("first"))
    assert jobs.drain(PATIENCE_S)
    assert done == ["first", "late"]


def test_a_forked_child_leaves_its_parents_jobs_alone() -> None:
    """A job that waits at a fork is done once, by the parent."""
    read, write = os.pipe()
    background.put(lambda: os.write(write, b"%d " % os.getpid()))
    child = os.fork()
    if child == 0:
        background.drain()
        os._exit(0)
    os.waitpid(child, 0)
    assert background.drain(PATIENCE_S)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        assert file.read().split() == [b"%d" % os.getpid()]


def test_flushing_a_provider_has_the_jobs_done() -> None:
    """Whoever flushes a provider, as a Lambda's wrapper does, gets what the last call left to do."""
    done = list[int]()
    with instrumented(Recorded()):
        background.put(lambda: done.append(1))
        TracerProvider(shutdown_on_exit=False).force_flush()
        assert done == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_waits_for_the_job_that_is_under_way() -> None:
    """A child must not be born into the middle of a job, whose locks nobody would release there."""
    read, write = os.pipe()
    block, started = threading.Event(), threading.Event()
    background.put(lambda: started.set() or (block.wait(PATIENCE_S) and os.write(write, b"job ")))  # type: ignore[func-returns-value]
    assert started.wait(PATIENCE_S)
    threading.Timer(0.0, block.set).start()
    child = os.fork()
    if child == 0:
        os.write(write, b"child ")
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        assert file.read().split() == [b"job", b"child"]


def test_a_job_that_never_comes_back_does_not_hold_the_application(caplog: pytest.LogCaptureFixture) -> None:
    """Past the limit a call waits once, says so, and no more; what can be kept is done when the job comes back."""
    jobs, done, started, block = JobQueue(), list[int](), threading.Event(), threading.Event()
    jobs.put(lambda: started.set() or block.wait())  # type: ignore[func-returns-value]
    assert started.wait(PATIENCE_S)
    for number in range(MOST + LIMIT):
        jobs.put(lambda number=number: done.append(number))  # type: ignore[misc]
    assert jobs.waiting() == MOST + 1
    assert caplog.text.count("has not come back") == 1
    block.set()
    assert jobs.drain(PATIENCE_S)
    assert done == list(range(MOST))
    assert jobs.waiting() == 0


def test_code_of_others_is_left_to_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a redactor is set, who brings jobs does none, however many: it may never come back."""
    monkeypatch.setattr(background, "may_wait", lambda: True)
    jobs, block, started, done = JobQueue(), threading.Event(), threading.Event(), list[int]()
    jobs.put(lambda: started.set() or block.wait())  # type: ignore[func-returns-value]
    for _ in range(BATCH * 4):
        jobs.put(lambda: done.append(1))
    assert started.wait(PATIENCE_S)
    assert jobs.waiting() == BATCH * 4 + 1
    assert not jobs.drain(0.01)
    block.set()
    assert jobs.drain(PATIENCE_S)
    assert len(done) == BATCH * 4


def test_what_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A redactor, and an exporter that sends each record or span when it ends."""
    providers = LoggerProvider(shutdown_on_exit=False), TracerProvider(shutdown_on_exit=False)
    monkeypatch.setattr(telemetry, "_telemetry", Telemetry(providers[1], None, providers[0]))
    assert not background.may_wait()
    otel_costs.redact(str.upper)
    assert background.may_wait()
    redaction.use(None)
    assert not background.may_wait()
    providers[0].add_log_record_processor(SimpleLogRecordProcessor(Recorded().log_exporter))
    assert background.may_wait()


class Stop(Exception):  # noqa: N818
    """What a host may have its handlers raise, as Celery's SoftTimeLimitExceeded is."""


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal on this system")
@pytest.mark.parametrize("kind", [Stop, SystemExit, TimeoutError, KeyboardInterrupt])
@pytest.mark.parametrize("here", [False, True])
def test_what_a_signal_handler_raises_reaches_the_application(
    kind: type[BaseException], here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a job that it does itself, in a drain or a batch; the others are done all the same."""

    def handler(*_: object) -> None:
        raise kind

    jobs, done = JobQueue(), list[int]()
    before = signal.signal(signal.SIGUSR1, handler)
    interrupt = telemetry.never_raises("interrupt")(lambda: signal.raise_signal(signal.SIGUSR1))
    try:
        if here:
            monkeypatch.setattr(background, "may_wait", lambda: False)
            monkeypatch.setattr(background, "GATHER_S", PATIENCE_S)
            jobs.put_from_finalizer(interrupt)
            for _ in range(BATCH - 2):
                jobs.put_from_finalizer(lambda: done.append(1))
            with pytest.raises(kind):
                jobs.put(lambda: done.append(1))
        else:
            jobs.put_from_finalizer(interrupt)
            jobs.put_from_finalizer(lambda: done.append(1))
            with pytest.raises(kind):
                jobs.drain(PATIENCE_S)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert jobs.drain(PATIENCE_S)
    assert done == [1] * (BATCH - 1 if here else 1)
