"""The end of a process: nothing that finished is lost, however it ends, and nobody is kept waiting."""

import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from otel_costs import CostsInstrumentor
from otel_costs.stand_in import Fault, Provider
from tests.support.collector import Collector
from tests.support.program import CLIENT, Ended, Program, environ
from tests.support.recorded import Recorded, instrumented
from tests.support.selection import long

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks")

BOUND_S = 50
"""Far more than the 3 s that the end may take, for a slow machine, and far less than the time that the SDK's exporters
wait for a collector that hangs, PATIENT. A process that is still there then fails the test."""

SIGNALS = [signal.SIGTERM, long(signal.SIGHUP), long(signal.SIGINT)]

PATIENT = {"OTEL_EXPORTER_OTLP_TIMEOUT": "600"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def assert_complete(calls: Sequence[dict[str, Any]], count: int) -> None:
    """No call is missing and none is there twice: by its id, and by the numbers that each process gave."""
    assert len({call["otel_costs.call.id"] for call in calls}) == len(calls) == count
    numbers: dict[str, list[int]] = {}
    for call in calls:
        numbers.setdefault(call["otel_costs.process.id"], []).append(call["otel_costs.call.seq"])
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values())


def ended(
    source: str,
    folder: Path,
    provider: Provider,
    collector: Collector,
    *,
    by: signal.Signals | None = None,
    environment: dict[str, str] | None = None,
) -> Ended:
    """Run a program to its end, or until it is ready and then a signal comes."""
    with Program(CLIENT + source, folder, {**environ(provider, collector), **(environment or {})}) as program:
        if by is not None:
            program.heard("ready")
            program.signal(by)
        return program.ended()


class TestEnds:
    @pytest.mark.parametrize(
        ("end", "code"),
        [long("pass", 0), ("sys.exit(3)", 3), long("raise RuntimeError('of the application')", 1)],
        ids=["normal", "exit", "exception"],
    )
    def test_a_program_that_comes_to_its_end_loses_nothing(
        self, end: str, code: int, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """Normal exit, sys.exit, an exception: all calls are in the ledger, those of the host's exit handlers too."""
        source = f"import atexit, sys; atexit.register(lambda: ask() and print('goodbye')); ask(); ask(); {end}"
        found = ended(source, tmp_path, provider, collector)
        assert (found.code, found.out) == (code, "goodbye\n")
        assert_complete(collector.calls(), 3)
        assert len(collector.spans) == 3

    @pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
    def test_a_program_that_a_signal_ends_loses_nothing(
        self, number: signal.Signals, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """The process flushes and then ends by the signal, as it would have without us."""
        source = "import signal; ask(); ask(); print('ready', flush=True); signal.pause()"
        assert ended(source, tmp_path, provider, collector, by=number).code == -number
        assert_complete(collector.calls(), 2)
        assert len(collector.spans) == 2

    @pytest.mark.long
    def test_the_handler_of_the_host_is_respected(
        self, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """An application that handles SIGTERM itself decides how it ends, and what it calls on its way is kept."""
        source = """
        import signal, sys
        def stop(number, frame):
            ask()
            sys.exit(7)
        signal.signal(signal.SIGTERM, stop)
        ask()
        print("ready", flush=True)
        signal.pause()
        """.replace("\n        ", "\n")
        assert ended(source, tmp_path, provider, collector, by=signal.SIGTERM).code == 7
        assert_complete(collector.calls(), 2)

    @pytest.mark.long
    def test_a_signal_that_interrupts_us_loses_nothing(
        self, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """SIGTERM in the middle of writing a call, in the main thread: that call and those behind it are kept."""
        source = """
        import os, signal
        import otel_costs
        from opentelemetry import _logs
        from opentelemetry.sdk._logs import LogRecordProcessor
        # On a busy machine our thread would write the first while the next is asked.
        otel_costs.runtime.background.GATHER_S = 60.0
        class Interrupts(LogRecordProcessor):
            def on_emit(self, record):
                os.kill(os.getpid(), signal.SIGTERM)
            def shutdown(self): pass
            def force_flush(self, timeout_millis=0): return True
        _logs.get_logger_provider().add_log_record_processor(Interrupts())
        with otel_costs.session("a") as session:
            ask(); ask(); ask()
            session.cost_usd
            signal.pause()
        """.replace("\n        ", "\n")
        assert ended(source, tmp_path, provider, collector).code == -signal.SIGTERM
        assert_complete(collector.calls(), 3)

    @pytest.mark.long
    def test_a_second_signal_does_not_cut_the_first_one_short(
        self, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """Terminals and service managers send SIGHUP beside SIGTERM: the flush of the first one is waited for."""
        collector.open.clear()
        source = "import signal; ask(); print('ready', flush=True); signal.pause()"
        with Program(CLIENT + source, tmp_path, environ(provider, collector)) as program:
            program.heard("ready")
            program.signal(signal.SIGTERM)
            collector.wait_for(lambda found: found.requests > 0)
            program.signal(signal.SIGHUP)
            collector.open.set()
            assert program.ended().code == -signal.SIGTERM
        assert_complete(collector.calls(), 1)

    @pytest.mark.long
    @pytest.mark.parametrize("hangs", [False, True], ids=["working", "hanging"])
    def test_providers_that_are_set_later_are_flushed(
        self, hangs: bool, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """An application may instrument first and set its providers then: no false alarm, no loss, and no waiting."""
        source = """
        from otel_costs import CostsInstrumentor
        CostsInstrumentor().instrument()
        from opentelemetry import _logs
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        provider = LoggerProvider()
        provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(), schedule_delay_millis=600000))
        _logs.set_logger_provider(provider)
        """.replace("\n        ", "\n")
        source += CLIENT + "import signal; ask(); print('ready', flush=True)"
        environment = {**environ(provider, collector), **PATIENT}
        if hangs:
            collector.open.clear()
            with Program(source, tmp_path, environment, instrumented=False) as program:
                assert program.ended(BOUND_S).code == 0
            return
        with Program(source + "; signal.pause()", tmp_path, environment, instrumented=False) as program:
            program.heard("ready")
            program.signal(signal.SIGTERM)
            found = program.ended()
        assert (found.code, found.err) == (-signal.SIGTERM, "")
        assert_complete(collector.calls(), 1)


STREAM = """
def stream():
    stream = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True)
    next(stream)
    return stream
"""
"""What opens a stream, and reads the beginning of it."""


def assert_cut(calls: Sequence[dict[str, Any]]) -> None:
    """There is one call, of a stream that nobody read to its end."""
    assert_complete(calls, 1)
    assert calls[0]["otel_costs.cost.reason"] == "stream_closed_early,usage_estimated"


class TestOpenStreams:
    @pytest.fixture(autouse=True)
    def gated(self, provider: Provider) -> None:
        """Have the next stream stop after a few events, so that its end is not read by chance."""
        provider.script(Fault(gate=threading.Event(), gate_events=4))

    @pytest.mark.some(1)
    @pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
    def test_a_stream_that_is_half_read_at_a_signal_is_recorded(
        self, number: signal.Signals, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """What was said until then is billed, once."""
        source = STREAM + "import signal; kept = stream(); print('ready', flush=True); signal.pause()"
        assert ended(source, tmp_path, provider, collector, by=number).code == -number
        assert_cut(collector.calls())

    @pytest.mark.long
    def test_a_stream_that_is_read_on_is_recorded_once(
        self, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """A thread that waits for more of it when the signal comes, and may get an error, leaves no second record."""
        source = STREAM + "import threading; threading.Thread(target=list, args=(stream(),)).start(); "
        source += "import signal; print('ready', flush=True); signal.pause()"
        assert ended(source, tmp_path, provider, collector, by=signal.SIGTERM).code == -signal.SIGTERM
        assert_cut(collector.calls())

    @pytest.mark.long
    def test_a_stream_of_a_child_is_recorded(self, provider: Provider, collector: Collector, tmp_path: Path) -> None:
        """A child of multiprocessing that returns with its stream half read leaves a record."""
        source = """
        import multiprocessing
        def child():
            global client, kept
            client = openai.OpenAI()
            kept = stream()
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join()
        """.replace("\n        ", "\n")
        assert ended(STREAM + source, tmp_path, provider, collector).code == 0
        assert_cut(collector.calls())

    @pytest.mark.long
    def test_a_stream_is_the_parents_after_a_fork(
        self, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """A child that a signal ends says nothing of the stream that its parent has; the parent does."""
        source = """
        import os, signal
        kept = stream()
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        print("ready", flush=True)
        signal.pause()
        """.replace("\n        ", "\n")
        found = ended(STREAM + source, tmp_path, provider, collector, by=signal.SIGTERM)
        assert found.code == -signal.SIGTERM, found.err
        assert_cut(collector.calls())

    @pytest.mark.long
    def test_a_host_that_shuts_its_providers_down(
        self, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """An exit handler of the application's that was there before the stream may be the end of its providers."""
        source = STREAM + "import atexit; from opentelemetry import _logs; "
        source += "atexit.register(_logs.get_logger_provider().shutdown); kept = stream()"
        assert ended(source, tmp_path, provider, collector).code == 0
        assert_cut(collector.calls())


class TestServers:
    @pytest.mark.long
    def test_case_39_uvicorn_stops_without_a_loss(
        self, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """uvicorn takes SIGTERM, shuts the application down, and raises the signal again: all of that is kept."""
        source = """
        import uvicorn
        async def app(scope, receive, send):
            assert scope["type"] == "lifespan"
            for stage in ("startup", "shutdown"):
                await receive()
                ask()
                await send({"type": f"lifespan.{stage}.complete"})
                print("ready", flush=True)
        uvicorn.run(app, port=0, log_level="critical")
        """.replace("\n        ", "\n")
        assert ended(source, tmp_path, provider, collector, by=signal.SIGTERM).code == -signal.SIGTERM
        assert_complete(collector.calls(), 2)

    @pytest.mark.long
    def test_gunicorn_stops_without_a_loss(self, provider: Provider, collector: Collector, tmp_path: Path) -> None:
        """Its workers are forks, which end by an exit of their own."""
        pytest.importorskip("gunicorn")
        (tmp_path / "gunicorn.conf.py").write_text(
            f"{CLIENT}\ndef post_worker_init(worker):\n    ask(); ask()\n    print('ready', flush=True)\n"
        )
        command = (sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--log-level", "critical", "app:app")
        with Program("def app(environ, start): ...", tmp_path, environ(provider, collector), *command) as program:
            program.heard("ready")
            program.signal(signal.SIGTERM)
            assert program.ended().code == 0
        assert_complete(collector.calls(), 2)

    @pytest.mark.long
    @pytest.mark.parametrize("worker", ["uvicorn_worker.UvicornWorker", "uvicorn.workers.UvicornWorker"])
    def test_gunicorn_stops_workers_of_uvicorn_without_a_loss(
        self, worker: str, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """They give SIGTERM back to its default after the fork, and raise it again when the server has stopped."""
        source = """
        async def app(scope, receive, send):
            assert scope["type"] == "lifespan"
            await receive()
            for _ in range(40):
                ask()
            await send({"type": "lifespan.startup.complete"})
            print("ready", flush=True)
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        """.replace("\n        ", "\n")
        server = (sys.executable, "-W", "ignore", "-m", "gunicorn", "--bind", "127.0.0.1:0", "--log-level", "critical")
        command = (*server, "--worker-class", worker, "app:app")
        with Program(CLIENT + source, tmp_path, environ(provider, collector), *command) as program:
            program.heard("ready")
            program.signal(signal.SIGTERM)
            assert program.ended().code == 0
        assert_complete(collector.calls(), 40)

    @pytest.mark.long
    def test_a_signal_that_is_given_back_to_its_default(
        self, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """By the program, by asyncio, in a child: the process ends by it as before, and nothing is lost."""
        source = """
        import asyncio, os, signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        async def main():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, print)
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        asyncio.run(main())
        child = os.fork()
        if child == 0:
            client = openai.OpenAI()
            ask()
            os.kill(os.getpid(), signal.SIGHUP)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGHUP
        ask()
        print("ready", flush=True)
        signal.pause()
        """.replace("\n        ", "\n")
        assert ended(source, tmp_path, provider, collector, by=signal.SIGTERM).code == -signal.SIGTERM
        assert_complete(collector.calls(), 2)


class TestChildren:
    @pytest.mark.long
    def test_case_39_the_children_of_multiprocessing_lose_nothing(
        self, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """Fork, forkserver, spawn and pools: all calls of all children arrive, each child's under its own process id.

        The parent has a connection to the collector when it forks, and the children use theirs at the same time.
        """
        source = """
        import multiprocessing, sys, threading
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing.util import Finalize
        import otel_costs
        from opentelemetry import _logs, trace

        def child(name, barrier=None):
            global client
            client = openai.OpenAI()  # its connections are its own
            with otel_costs.session(name):
                ask(); ask()
            if barrier:
                barrier.wait()
            if name == "fork-0":
                ending = threading.Event()
                threading.Thread(target=late, args=(name, ending)).start()
                if sys.version_info < (3, 13):
                    Finalize(None, ending.set, exitpriority=0)
                else:
                    ending.set()  # threads are waited for before finalizers
            return name

        def late(name, ending):
            ending.wait()
            with otel_costs.session(name):
                ask()

        if __name__ == "__main__":
            child("parent")
            _logs.get_logger_provider().force_flush()
            trace.get_tracer_provider().force_flush()
            fork, server, spawn = map(multiprocessing.get_context, ("fork", "forkserver", "spawn"))
            barrier = fork.Barrier(4)
            started = [fork.Process(target=child, args=(f"fork-{n}", barrier)) for n in range(4)]
            started += [server.Process(target=child, args=("server",)), spawn.Process(target=child, args=("spawn",))]
            for process in started:
                process.start()
            for process in started:
                process.join()
            with fork.Pool(2) as pool:
                assert pool.map(child, ["pool-0", "pool-1"]) == ["pool-0", "pool-1"]
            with ProcessPoolExecutor(1, mp_context=fork) as executor:
                assert executor.submit(child, "executor").result() == "executor"
            child("parent")
            sys.exit(sum(process.exitcode for process in started))
        """.replace("\n        ", "\n")
        found = ended(source, tmp_path, provider, collector)
        assert (found.code, found.out) == (0, ""), found.err
        expected = {"parent": 4, "fork-0": 3, "server": 2, "spawn": 2, "pool-0": 2, "pool-1": 2, "executor": 2}
        expected |= {f"fork-{number}": 2 for number in (1, 2, 3)}
        calls = collector.calls()
        assert Counter(call["session.id"] for call in calls) == expected
        assert_complete(calls, 23)
        assert len({call["otel_costs.process.id"] for call in calls}) >= 9
        assert len(collector.spans) == 23

    @pytest.mark.long
    def test_case_39_greenlets_keep_their_sessions(
        self, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """gevent, as OpenTelemetry starts it: sessions in greenlets do not mix, and nothing is lost."""
        pytest.importorskip("gevent")
        source = """
        import gevent, threading, otel_costs
        def work(name):
            with otel_costs.session(name) as session:
                ask(); gevent.sleep(0); ask()
                thread = threading.Thread(target=ask)
                thread.start()
                thread.join()
                assert session.totals.calls == 3
        gevent.joinall([gevent.spawn(work, f"green-{n}") for n in range(6)], raise_error=True)
        """.replace("\n        ", "\n")
        patched = {"OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH": "patch_all"}
        found = ended(source, tmp_path, provider, collector, environment=patched)
        assert (found.code, found.err) == (0, "")
        assert_complete(collector.calls(), 18)
        sessions = Counter(call["session.id"] for call in collector.calls())
        assert sessions == {f"green-{number}": 3 for number in range(6)}


class TestCollectorsThatFail:
    @pytest.mark.long
    @pytest.mark.parametrize("end", ["normal", "SIGTERM"])
    def test_a_collector_that_hangs_does_not_hold_the_process(
        self, end: str, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """The end takes about three seconds, and not as long as two exporters wait one after the other."""
        collector.open.clear()
        source = "import signal; ask(); print('ready', flush=True)" + ("; signal.pause()" if end == "SIGTERM" else "")
        environment = {**environ(provider, collector), **PATIENT}
        with Program(CLIENT + source, tmp_path, environment) as program:
            program.heard("ready")
            if end == "SIGTERM":
                program.signal(signal.SIGTERM)
            found = program.ended(BOUND_S)
        assert collector.requests > 0
        assert found.code == (-signal.SIGTERM if end == "SIGTERM" else 0)
        assert found.err.count("the ledger records of 1 of 1 calls of this process are lost") == 1

    @pytest.mark.long
    @pytest.mark.parametrize("end", ["", "signal.pause()"], ids=["normal", "SIGTERM"])
    def test_what_a_collector_refuses_is_counted(
        self, end: str, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """It answers 400: at the end one warning says how many calls are lost, at a signal too."""
        collector.status = 400
        source = "import signal; ask(); ask(); print('ready', flush=True); " + end
        with Program(CLIENT + source, tmp_path, environ(provider, collector)) as program:
            program.heard("ready")
            if end:
                program.signal(signal.SIGTERM)
            found = program.ended()
        assert found.code == (-signal.SIGTERM if end else 0)
        assert found.err.count("the ledger records of 2 of 2 calls of this process are lost") == 1

    @pytest.mark.long
    def test_what_a_child_loses_is_counted(self, provider: Provider, collector: Collector, tmp_path: Path) -> None:
        """A child of multiprocessing says what it lost, and its parent what was its own."""
        collector.open.clear()
        source = """
        import multiprocessing
        def child():
            global client
            client = openai.OpenAI()
            ask(); ask(); ask()
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join()
        ask()
        """.replace("\n        ", "\n")
        environment = {**environ(provider, collector), **PATIENT}
        with Program(CLIENT + source, tmp_path, environment) as program:
            found = program.ended(2 * BOUND_S)
        assert [line.split(" of ")[2] for line in found.err.splitlines() if "are lost" in line] == [
            "3 calls",
            "1 calls",
        ]

    @pytest.mark.long
    def test_what_the_spool_keeps_is_not_lost(self, provider: Provider, collector: Collector, tmp_path: Path) -> None:
        """Records that lie on disk wait for the next process: nothing is said to be lost."""
        collector.open.clear()
        environment = {**PATIENT, "OTEL_COSTS_SPOOL": str(tmp_path / "spool")}
        with Program(CLIENT + "ask()", tmp_path, {**environ(provider, collector), **environment}) as program:
            found = program.ended(BOUND_S)
        assert "the ledger records of" not in found.err
        assert "Queued spans and metrics are lost; the ledger is in the spool or was sent" in found.err

    @pytest.mark.long
    def test_a_collector_that_is_absent_does_not_hold_the_process(self, provider: Provider, tmp_path: Path) -> None:
        """Nobody listens: the exporters try again and again, and the process ends in time."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
            environment = {**environ(provider, nobody), **PATIENT}
            with Program(CLIENT + "ask()", tmp_path, environment) as program:
                assert program.ended(BOUND_S).code == 0

    @pytest.mark.long
    def test_collectors_that_hang_do_not_cost_another_one_its_records(
        self, provider: Provider, collector: Collector, tmp_path: Path
    ) -> None:
        """Spans and metrics go to one that hangs, the ledger to one that works: the ledger is complete."""
        with Collector() as hanging:
            hanging.open.clear()
            environment = {
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{hanging.endpoint}/v1/traces",
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{hanging.endpoint}/v1/metrics",
                "OTEL_METRICS_EXPORTER": "otlp",
            }
            source = "import signal; ask(); ask(); print('ready', flush=True); signal.pause()"
            found = ended(source, tmp_path, provider, collector, by=signal.SIGTERM, environment=environment)
        assert found.code == -signal.SIGTERM
        assert_complete(collector.calls(), 2)


def test_what_was_taken_over_is_given_back(recorded: Recorded) -> None:
    """Instrumenting takes signals that nobody handles, and uninstrumenting leaves them as they were."""
    CostsInstrumentor().uninstrument()
    before = signal.getsignal(signal.SIGTERM)
    theirs = signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        mine = signal.getsignal(signal.SIGHUP)
        with instrumented(recorded):
            assert signal.getsignal(signal.SIGTERM) is not before
            assert signal.getsignal(signal.SIGHUP) is mine
        assert signal.getsignal(signal.SIGTERM) is before is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, theirs)
