"""Nothing is lost and nothing is counted twice, whatever happens between application, collector and store."""

import contextlib
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otel_costs.local import Stack
from otel_costs.stand_in import Provider
from tests.local.support import ask, export_logs, free_ports, ledger_record, send
from tests.support.program import CLIENT, Program, environ

from .fault_proxy import FAULTS, Fault, FaultProxy
from .support import AUTHORIZED, Caller, Collector, instrumented_environ, stored, wait_until

pytestmark = [pytest.mark.timeout(1500), pytest.mark.long]

TEN_OF_EACH = FAULTS * 10

Run = Callable[[str], Collector]


@pytest.fixture
def to_store(stack: Stack) -> Iterator[FaultProxy]:
    with FaultProxy(stack.http_url) as proxy:
        yield proxy


@pytest.fixture
def session() -> str:
    return uuid.uuid4().hex


def shuffled(seed: str) -> list[Fault]:
    """Return ten faults of each kind among as many requests that pass, in an order that the seed decides."""
    faults: list[Fault] = [*TEN_OF_EACH, *[Fault.PASS] * len(TEN_OF_EACH)]
    random.Random(seed).shuffle(faults)
    return faults


def settle(stack: Stack, caller: Caller) -> None:
    """Stop a caller, and hold what is stored of it to what it made."""
    calls, usd = caller.stop()
    wait_until(lambda: min(stored(stack.http_url, caller.session)[:2]) >= calls, f"{calls} calls are stored")
    assert stored(stack.http_url, caller.session) == (calls, calls, usd)


def copies(stack: Stack, session: str) -> int:
    """Return how often the calls of a session arrived."""
    sql = "select count() as n from otel_logs where LogAttributes['session.id'] = {session:String}"
    return int(ask(stack.http_url, f"{sql} and EventName = 'otel_costs.call'", session=session)[0]["n"])


@pytest.mark.parametrize("spooled", [False, True], ids=["queue", "spool"])
def test_ten_faults_of_each_kind_on_both_ways(
    stack: Stack, to_store: FaultProxy, run_collector: Run, tmp_path: Path, session: str, spooled: bool
) -> None:
    """Cut, late, refused, stored but cut, sent twice, half a body: calls stored are calls made, to the last digit."""
    collector = run_collector(to_store.url)
    with FaultProxy(collector.url) as to_collector, contextlib.ExitStack() as callers:
        variables = {"OTEL_COSTS_SPOOL": str(tmp_path / "spool")} if spooled else {}
        running = [
            callers.enter_context(Caller(tmp_path, f"{session}-{number}", to_collector.url, **variables))
            for number in range(3)
        ]
        to_collector.plan(shuffled(f"{spooled} in"))
        to_store.plan(shuffled(f"{spooled} out"))
        wait_until(lambda: not to_collector.planned and not to_store.planned, "all faults have struck", 300)
        for caller in running:
            settle(stack, caller)
    for proxy in (to_collector, to_store):
        assert all(proxy.struck[fault] >= 10 for fault in FAULTS)
    assert sum(copies(stack, caller.session) for caller in running) > sum(
        stored(stack.http_url, caller.session)[0] for caller in running
    ), "no duplicate has arrived: then nothing was shown"


def test_a_collector_that_is_killed_loses_nothing(
    stack: Stack, to_store: FaultProxy, run_collector: Run, tmp_path: Path, session: str
) -> None:
    """Killed with -9 ten times while calls come in and the store is slow, down or there."""
    collector = run_collector(to_store.url)
    with Caller(tmp_path, session, collector.url) as caller:
        for number in range(10):
            to_store.down = number % 3 == 0
            to_store.plan(FAULTS[number % len(FAULTS) :])
            seen = collector.metrics("otelcol_receiver_accepted_log_records")
            wait_until(
                lambda seen=seen: collector.metrics("otelcol_receiver_accepted_log_records") > seen,  # type: ignore[misc]
                "calls come in",
            )
            collector.kill(signal.SIGKILL)
            collector.start()
        to_store.down = False
        settle(stack, caller)


def test_a_store_that_is_down_loses_nothing(
    stack: Stack, to_store: FaultProxy, run_collector: Run, tmp_path: Path, session: str
) -> None:
    """It is down when the collector starts, and while the collector is restarted; then all comes, event names too."""
    to_store.down = True
    collector = run_collector(to_store.url)
    with Caller(tmp_path, session, collector.url) as caller:
        wait_until(lambda: collector.metrics("otelcol_exporter_queue_size") > 0, "calls wait in the queue")
        assert collector.kill(signal.SIGTERM) == 0
        collector.start()
        wait_until(lambda: collector.metrics("otelcol_exporter_queue_size") > 0, "they still do")
        assert stored(stack.http_url, session)[0] == 0
        to_store.down = False
        settle(stack, caller)


def test_uvicorn_stops_without_a_loss(
    stack: Stack, run_collector: Run, provider: Provider, tmp_path: Path, session: str
) -> None:
    """An application under uvicorn is stopped by SIGTERM in the middle of its work: every call it made is stored."""
    source = f"""
import otel_costs, uvicorn
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for stage in ("startup", "shutdown"):
            await receive()
            await send({{"type": f"lifespan.{{stage}}.complete"}})
        return
    with otel_costs.session("{session}"):
        ask()
    await send({{"type": "http.response.start", "status": 200}})
    await send({{"type": "http.response.body", "body": b""}})
"""
    collector = run_collector(stack.http_url)
    (port,) = free_ports(1)
    command = (sys.executable, "-m", "uvicorn", "--port", str(port), "--log-level", "critical", "app:app")
    variables = {**environ(provider, collector.url), **instrumented_environ(collector.url)}
    with Program(CLIENT + source, tmp_path, variables, *command) as program:
        wait_until(lambda: _asks(port), "uvicorn answers")
        assert all(_asks(port) for _ in range(19))
        program.signal(signal.SIGTERM)
        assert program.ended().code in (0, -signal.SIGTERM)
    wait_until(lambda: min(stored(stack.http_url, session)[:2]) >= 20, "20 calls are stored")
    assert stored(stack.http_url, session)[:2] == (20, 20)


def _asks(port: int) -> bool:
    with contextlib.suppress(OSError):
        return send(f"http://127.0.0.1:{port}/").status == 200
    return False


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


class TestKilledApplication:
    """An application with a queue of eight, while its collector is away, and then killed with -9."""

    @pytest.fixture
    def wire(self, stack: Stack, run_collector: Run) -> Iterator[FaultProxy]:
        """Stand before a collector, at an address that stays the same for the application's next process."""
        with FaultProxy(run_collector(stack.http_url).url) as proxy:
            yield proxy

    @classmethod
    def killed(cls, wire: FaultProxy, stack: Stack, folder: Path, session: str, **environ: str) -> int:
        """Run it through an outage, and return how many calls it made."""
        small = {"OTEL_BLRP_MAX_QUEUE_SIZE": "8", "OTEL_EXPORTER_OTLP_TIMEOUT": "1", "TMPDIR": str(folder)}
        with Caller(folder, session, wire.url, **small, **environ) as caller:
            wait_until(lambda: stored(stack.http_url, session)[0] >= 5, "calls come in")
            log = folder / f"{session}.log"
            made = log.read_text().count("made")
            wire.down = True
            # More than are under way and in the queue together: without a spool some of them are lost.
            wait_until(lambda: log.read_text().count("made") >= made + 10, "a hundred calls are made in the outage")
            made = log.read_text().count("made")
            wire.down = False
            # Those of the outage that the queue kept come first, and leave no gap yet.
            wait_until(lambda: max(cls.arrived(stack, session)) > 10 * (made + 1), "calls made after it come in")
            wire.down = True
            calls, _ = caller.stop()
            caller.kill()
            wire.down = False
            return calls

    def test_missing_calls_are_exactly_those_that_are_missing(
        self, wire: FaultProxy, stack: Stack, tmp_path: Path, session: str
    ) -> None:
        """What the SDK's queue dropped appears number by number, up to the last call that arrived."""
        self.killed(wire, stack, tmp_path, session)
        assert self.gaps(stack, session)
        # What the collector took may still be on its way to the store.
        wait_until(lambda: self.missing(stack, session) == self.gaps(stack, session), "the gaps are what is missing")

    def test_with_the_spool_none_is_missing(self, wire: FaultProxy, stack: Stack, tmp_path: Path, session: str) -> None:
        """The next process of the application delivers what the killed one left, and tells how much it was."""
        spool = {"OTEL_COSTS_SPOOL": str(tmp_path / "spool")}
        made = self.killed(wire, stack, tmp_path, session, **spool)
        with Caller(tmp_path, f"{session}-next", wire.url, **spool):
            wait_until(lambda: len(self.arrived(stack, session)) >= made, "all calls are stored")
            wait_until(lambda: self.told(stack, session) == made, "the next process has told of it")
        assert self.arrived(stack, session) == set(range(1, made + 1))
        assert self.missing(stack, session) == set()

    @staticmethod
    def told(stack: Stack, session: str) -> int:
        """Return up to which number the calls of the session's process went, by what was told of it; 0 so far."""
        of_session = "select process_id from calls where session_id = {session:String}"
        sql = f"select max(last_seq) as n from call_sequences where process_id in ({of_session})"
        return int(ask(stack.http_url, sql, session=session)[0]["n"])

    @staticmethod
    def arrived(stack: Stack, session: str) -> set[int]:
        sql = "select distinct call_seq as n from calls where session_id = {session:String}"
        return {int(row["n"]) for row in ask(stack.http_url, sql, session=session)}

    @classmethod
    def gaps(cls, stack: Stack, session: str) -> set[int]:
        """Return the numbers below the highest that arrived which did not."""
        arrived = cls.arrived(stack, session)
        return set(range(1, max(arrived) + 1)) - arrived

    @staticmethod
    def missing(stack: Stack, session: str) -> set[int]:
        """Ask the shipped view, without the quarter of an hour that it waits for what is late."""
        (view,) = ask(
            stack.http_url,
            "select as_select from system.tables where name = 'missing_calls_at' and database = currentDatabase()",
        )
        now = view["as_select"].replace("toIntervalMinute(15)", "toIntervalMinute(-15)")
        assert now != view["as_select"]
        of_session = "select lower(hex(process_id)) from calls where session_id = {session:String}"
        sql = f"select * from ({now}) where process_id in ({of_session})"
        rows = ask(stack.http_url, sql, session=session, at=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
        return {n for row in rows for n in range(int(row["first_seq"]), int(row["last_seq"]) + 1)}


def test_how_far_a_process_went_is_money(stack: Stack, run_collector: Run, session: str) -> None:
    """It goes with the ledger, once, and not with content: what would be redacted there is left as it is."""
    collector = run_collector(stack.http_url)
    record = ledger_record(session, more={"event.name": "otel_costs.process"})
    record.body.string_value = "anna@example.com"
    call = ledger_record(session)
    assert export_logs(collector.url, [record, call], **AUTHORIZED).status == 200
    wait_until(lambda: stored(stack.http_url, session)[0] == 1, "the call of the same request is stored")
    wait_until(lambda: collector.metrics("otelcol_exporter_queue_size") == 0, "all that came is stored")
    sql = "select Body from otel_logs where LogAttributes['session.id'] = {s:String} and Body != ''"
    assert ask(stack.http_url, sql, s=session) == [{"Body": "anna@example.com"}]


def test_the_proxy_can_fail(stack: Stack) -> None:
    """What is cut is cut: a fault that did nothing would show nothing."""
    with FaultProxy(stack.otlp_http_url) as proxy:
        proxy.plan(FAULTS)
        url = f"{proxy.url}/v1/logs"
        done = [
            subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url, "-d", "x" * 100], check=False,
                           capture_output=True, text=True).stdout
            for _ in FAULTS
        ]  # fmt: skip
    assert done == ["000", "415", "503", "000", "415", "000"]
