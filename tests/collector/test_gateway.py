"""Several collectors: those beside applications send to gateways, with the same promises."""

import uuid
from decimal import Decimal
from pathlib import Path

import pytest

from otel_costs.local import Stack
from tests.local.support import ask, export_logs, ledger_record

from .support import AUTHORIZED, CONFIG, Collector, stored, wait_until
from .test_config import said

pytestmark = [pytest.mark.timeout(1500), pytest.mark.long]


def test_records_pass_both_collectors(program: Path, collector: Collector, stack: Stack, tmp_path: Path) -> None:
    """A ledger record arrives as it was, content redacted; and it waits while no gateway is there."""
    session = uuid.uuid4().hex
    gateway = {"GATEWAY_ENDPOINT": f"127.0.0.1:{collector.grpc_port}", "GATEWAY_INSECURE": "true"}
    overlay = CONFIG.with_name("gateway.yaml")
    collector.kill()
    with Collector(program, tmp_path, "http://127.0.0.1:9", "", overlay, **gateway) as beside:
        records = [ledger_record(session), said(session, "anna@example.com")]
        assert export_logs(beside.url, records, **AUTHORIZED).status == 200
        wait_until(
            lambda: beside.metrics("otelcol_exporter_queue_size", exporter="otlp_grpc/ledger") > 0, "the record waits"
        )
        collector.start()
        wait_until(lambda: min(stored(stack.http_url, session)[:2]) == 1, "the call is stored")
        assert stored(stack.http_url, session) == (1, 1, Decimal("0.01175"))
        sql = "select Body from otel_logs where LogAttributes['session.id'] = {s:String} and Body != ''"
        wait_until(lambda: ask(stack.http_url, sql, s=session), "the message is stored")
        assert ask(stack.http_url, sql, s=session) == [{"Body": "[redacted]"}]
