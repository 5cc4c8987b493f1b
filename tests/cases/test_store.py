"""Cases 36 and 37: what exporters deliver again, late and out of order."""

import random
from collections.abc import Iterator
from decimal import Decimal

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

import otel_costs
from otel_costs import semconv as names
from otel_costs.local import Stack
from tests.cases.conftest import Case
from tests.local.support import ask, export_logs, send

pytestmark = pytest.mark.long

THREE_DAYS_NS = 3 * 86_400 * 10**9


@pytest.fixture
def served(emptied_stack: Stack) -> Iterator[Stack]:
    """Return a stack where no copy is merged away before it is counted."""
    assert send(emptied_stack.http_url, b"system stop merges").status == 200
    yield emptied_stack
    assert send(emptied_stack.http_url, b"system start merges").status == 200


COST_USD = Decimal("0.00018")
"""Of one call of a case."""


def written(case: Case, session: str, count: int) -> list[LogRecord]:
    """Make calls and return the records of the ledger, as the exporter sends them."""
    with otel_costs.session(session, user="u"):
        for _ in range(count):
            case.ask()
    assert len(case.recorded.calls) >= count
    request = ExportLogsServiceRequest.FromString(
        encode_logs(case.recorded.log_exporter.get_finished_logs()).SerializeToString()
    )
    case.recorded.log_exporter.clear()
    records = [
        record for resource in request.resource_logs for scope in resource.scope_logs for record in scope.log_records
    ]
    return [record for record in records if record.event_name == names.CALL_EVENT]


def billed(served: Stack, session: str) -> tuple[int, Decimal]:
    """Return the calls and the cost of a session, which its report and the sum over its calls agree on."""
    found = {
        (int(row["calls"]), Decimal(row["usd"]))
        for sql in (
            "select call_count as calls, toString(cost_usd) as usd from sessions where session_id = {id:String}",
            "select count() as calls, toString(sum(cost_usd)) as usd from billed_calls where session_id = {id:String}",
        )
        for row in ask(served.http_url, sql, id=session)
    }
    (agreed,) = found
    return agreed


def test_case_36_what_is_delivered_eight_times_is_counted_once(case: Case, served: Stack) -> None:
    """In other batches each time, as after a 503 or a connection that was cut."""
    records = written(case, "a", 6)
    shuffled = random.Random(36)
    for _ in range(8):
        shuffled.shuffle(records)
        cut = shuffled.randint(1, 5)
        for batch in (records[:cut], records[cut:]):
            assert export_logs(served.otlp_http_url, batch).status == 200
    assert billed(served, "a") == (6, 6 * COST_USD)
    case.ask()


def test_case_37_what_comes_late_and_out_of_order_has_the_same_totals(case: Case, served: Stack) -> None:
    """Three days late, the last call first: the session is the one that came in time."""
    in_time, late = written(case, "in time", 4), written(case, "late", 4)
    assert export_logs(served.otlp_http_url, in_time).status == 200
    for record in reversed(late):
        record.time_unix_nano -= THREE_DAYS_NS
        assert export_logs(served.otlp_http_url, [record]).status == 200
    assert billed(served, "late") == billed(served, "in time") == (4, 4 * COST_USD)
    case.ask()
