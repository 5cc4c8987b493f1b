"""Any course of faults, kills and outages ends with every call stored and counted once.

`OTEL_COSTS_SCHEDULES=200` tries more of them than the few that a run of all tests has time for.
"""

import os
import random
import signal
import urllib.error
import uuid
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from otel_costs.local import Stack
from tests.local.support import export_logs, ledger_record
from tests.support.selection import examples

from .fault_proxy import FAULTS, Fault, FaultProxy
from .support import AUTHORIZED, Collector, stored, wait_until

pytestmark = pytest.mark.timeout(36_000)

SCHEDULES = int(os.environ.get("OTEL_COSTS_SCHEDULES") or examples(8).max_examples)

faults = st.sampled_from(FAULTS)
steps = st.one_of(
    st.tuples(st.just("send"), st.integers(1, 40)),
    st.tuples(st.just("harm the way in"), faults),
    st.tuples(st.just("harm the way out"), faults),
    st.tuples(st.sampled_from(["take the store away", "bring the store back", "kill", "stop"]), st.none()),
)


class Pipeline:
    """A sender that keeps what was not acknowledged, the collector, and the store, with a proxy before each."""

    def __init__(self, collector: Collector, way_in: FaultProxy, way_out: FaultProxy) -> None:
        self.collector, self.way_in, self.way_out = collector, way_in, way_out
        self.session = uuid.uuid4().hex
        self.made = 0

    def do(self, step: str, argument: int | Fault | None) -> None:
        """Do a step of the schedule."""
        if step == "send":
            assert isinstance(argument, int)
            self._send(argument)
        elif isinstance(argument, Fault):
            (self.way_in if step == "harm the way in" else self.way_out).plan([argument])
        elif step in ("take the store away", "bring the store back"):
            self.way_out.down = step == "take the store away"
        else:
            self.collector.kill(signal.SIGKILL if step == "kill" else signal.SIGTERM)
            self.collector.start()

    def _send(self, count: int) -> None:
        """Send calls until they are acknowledged, as OTLP wants it."""
        records = [ledger_record(self.session, seq=self.made + number + 1) for number in range(count)]
        self.made += count
        wait_until(lambda: self._acknowledged(records), "the calls are acknowledged")

    def _acknowledged(self, records: Sequence[LogRecord]) -> bool:
        try:
            return export_logs(self.way_in.url, records, **AUTHORIZED).status == 200
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture(scope="module")
def pipeline_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("schedules")


@pytest.mark.long
@settings(
    max_examples=SCHEDULES,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(schedule=st.lists(steps, min_size=4, max_size=14), seed=st.integers(0, 2**32))
def test_any_schedule_ends_with_every_call_counted_once(
    program: Path,
    stack: Stack,
    pipeline_folder: Path,
    impatient: Path,
    schedule: list[tuple[str, int | Fault | None]],
    seed: int,
) -> None:
    """Distinct calls stored are calls made, and their sum is exact, whatever happened in between."""
    folder = pipeline_folder / f"{random.Random(seed).getrandbits(64):x}"
    with FaultProxy(stack.http_url) as way_out, Collector(program, folder, way_out.url, "", impatient) as collector:
        with FaultProxy(collector.url) as way_in:
            pipeline = Pipeline(collector, way_in, way_out)
            for step in (("send", 5), *schedule, ("send", 1)):
                pipeline.do(*step)
            way_out.down = False
            made = pipeline.made
            wait_until(lambda: min(stored(stack.http_url, pipeline.session)[:2]) >= made, f"{made} calls are stored")
        assert stored(stack.http_url, pipeline.session) == (made, made, made * Decimal("0.01175"))
