"""Content with a key on, through the real collector: no plain word in its queue, its log, or the store behind it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_costs.local import Stack
from otel_costs.privacy.sealing import CONTENT, Sealer
from otel_costs.stand_in import Fault, Provider
from tests.local.support import ask
from tests.support import canary
from tests.support.program import Program, environ

from .fault_proxy import FaultProxy
from .support import AUTHORIZED, Collector, wait_until

pytestmark = pytest.mark.long  # the collector may have to be built

KEY = os.urandom(32).hex()

MESSAGES = "select message_id, content from session_messages where session_id = 'sealed-1' and content != ''"


def test_no_plain_word_is_in_the_queue(
    tmp_path: Path, provider: Provider, run_collector: Callable[[str], Collector], emptied_stack: Stack
) -> None:
    """While the store is away everything lies in the queue, sealed; and it opens when it has arrived."""
    with FaultProxy(emptied_stack.http_url) as way:
        way.refused = b"HTTP"
        collector = run_collector(way.url)
        folder = tmp_path / "program"
        folder.mkdir()
        provider.script(Fault(fields=canary.ANSWER))
        variables = {
            **environ(provider, collector.url),
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={AUTHORIZED['Authorization'].replace(' ', '%20')}",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT",
            "OTEL_COSTS_CONTENT_KEY": f"k1:{KEY}",
        }
        with Program(canary.PROGRAM, folder, variables) as program:
            ended = program.ended()
        assert ended.code == 0, ended.err
        wait_until(lambda: collector.metrics("otelcol_exporter_queue_size") > 0, "it waits in the queue")
        queue = Path(collector.environ["QUEUE_FOLDER"])
        (folder / "app.py").unlink()
        assert any(b"sealed:v1:k1:" in path.read_bytes() for path in canary.files(queue))
        assert canary.found(tmp_path) == []
        way.refused = None
        wait_until(lambda: len(ask(emptied_stack.http_url, MESSAGES)) == 4, "all has arrived")
    sealer = Sealer(f"k1:{KEY}")
    stored = ask(emptied_stack.http_url, MESSAGES)
    opened = {sealer.open(row["content"], "sealed-1", row["message_id"], CONTENT) for row in stored}
    assert f"my {canary.WORD} question" in opened
    assert canary.WORD not in collector.log
