"""Cases 26 to 32: what happens around a call, in the client, the SDK and the exporter."""

import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import openai
import pytest
from openai._base_client import AsyncAPIClient, BaseClient, SyncAPIClient
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_costs
from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.stand_in import Fault, Provider
from tests.cases.conftest import WORDS, Case
from tests.support.recorded import Recorded, instrumented

PATCHED = [(owner, name) for owner in (SyncAPIClient, AsyncAPIClient) for name in ("request", "_process_response")]
ORIGINALS = [vars(owner)[name] for owner, name in PATCHED]


def test_case_26_a_call_that_is_tried_again_is_billed_once(case: Case) -> None:
    """429, 429, 200: three requests, one record, with the usage of the one that was answered."""
    case.client = case.new_client(max_retries=2)
    with otel_costs.session("a") as session:
        case.ask(Fault(status=429, headers={"retry-after-ms": "1"}, times=2))
    assert len(case.provider.requests) == 3
    assert case.call[names.COST_STATUS] == "priced"
    assert names.ERROR_TYPE not in case.call
    assert str(session.cost_usd) == case.call[names.COST_USD]


def test_case_27_a_client_of_a_subclass_is_recorded(case: Case) -> None:
    """One that overrides the transport's methods, too; it stays what it is."""

    class Client(openai.OpenAI):
        asked = 0

        def request(self, *args: Any, **kwargs: Any) -> Any:
            self.asked += 1
            return super().request(*args, **kwargs)

    case.client = Client(base_url=case.provider.base_url, api_key="sk-none")
    case.ask()
    assert isinstance(case.client, openai.OpenAI)
    assert (type(case.client), case.client.asked) == (Client, 1)
    assert case.call[names.COST_STATUS] == "priced"


def test_case_28_what_is_patched_twice_is_recorded_once(case: Case) -> None:
    """By two instrumentors, one after the other, and under the wrapper of somebody else."""
    CostsInstrumentor().instrument(**case.recorded.providers)
    CostsInstrumentor()._instrument(**case.recorded.providers)
    case.ask()
    assert len(case.calls) == len(case.spans) == len(case.provider.requests) == 1


@pytest.mark.long
def test_case_29_a_hundred_cycles_leave_the_originals(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods, signals and threads are what they were; and the hundred-and-first records, once."""
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")
    recorded = Recorded()
    with instrumented(recorded):
        pass  # the thread in the background is started once and stays
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    start = vars(threading.Thread)["start"]
    for _ in range(100):
        with instrumented(recorded):
            assert vars(SyncAPIClient)["request"] is not ORIGINALS[0]
    assert [vars(owner)[name] for owner, name in PATCHED] == ORIGINALS
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == handlers
    assert vars(threading.Thread)["start"] is start
    for thread in threading.enumerate():
        if thread.name == "otel_costs spare":
            thread.join()  # it is on its way
    with instrumented(recorded):
        Case(recorded, provider).ask()
        assert len(recorded.calls) == 1


def test_case_30_a_method_that_is_renamed_gives_a_warning(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A later SDK has it elsewhere: the application runs, and the call is in the ledger without its cost."""
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")
    monkeypatch.setattr(BaseClient, "_process_response", SyncAPIClient._process_response, raising=False)
    monkeypatch.delattr(SyncAPIClient, "_process_response")
    recorded = Recorded()
    with instrumented(recorded):
        case = Case(recorded, provider)
        for _ in range(2):
            assert case.ask().choices[0].message.content
        assert [found[names.COST_REASON] for found in case.calls] == ["response_not_seen"] * 2
    assert caplog.text.count("SyncAPIClient._process_response is not there in this version of openai") == 1


class StopTheWorldError(BaseException):
    """No Exception."""


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("xyzzy"),
        StopTheWorldError("xyzzy"),
        SystemExit(3),
    ],
    ids=lambda error: type(error).__name__,
)
def test_case_31_an_exporter_that_raises_does_not_reach_the_application(
    error: BaseException, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exceptions, and what is none: calls, sessions and streams come out as ever, and recording goes on afterwards."""
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")
    broken = True

    class Logs(InMemoryLogRecordExporter):
        def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
            if broken:
                raise error
            return super().export(batch)

    class Spans(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            if broken:
                raise error
            return super().export(spans)

    logs: InMemoryLogRecordExporter = Logs()  # type: ignore[no-untyped-call]
    recorded = Recorded(span_exporter=Spans(), log_exporter=logs)
    with instrumented(recorded):
        case = Case(recorded, provider)
        try:
            with otel_costs.session("a") as session:
                assert case.ask().choices
                asked: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": WORDS}], "stream": True}
                assert len(list(case.client.chat.completions.create(**asked))) > 2
                assert session.totals.calls == 2
                otel_costs.record("chat", provider="openai", model="gpt-4o", usage={"input_tokens": 1})
        finally:
            broken = False
        case.ask()
        assert len(recorded.calls) == 1


@pytest.fixture
def redacting(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    def redact(text: str, draft: object) -> str:
        raise RuntimeError(text)

    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")
    recorded = Recorded()
    with instrumented(recorded, redact=redact):
        content.configure(content.Capture.SPAN_AND_EVENT)
        yield Case(recorded, provider)
    content.configure(content.Capture.NO_CONTENT)


def test_case_32_a_redactor_that_raises_drops_the_content_and_keeps_the_cost(
    redacting: Case, caplog: pytest.LogCaptureFixture
) -> None:
    """Rather no words than words that should have been removed; the money is not affected, and it is said once."""
    redacting.ask()
    redacting.ask()
    assert [found[names.COST_STATUS] for found in redacting.calls] == ["priced", "priced"]
    assert {found["body"] for found in redacting.messages} == {""}
    assert "xyzzy" not in str(redacting.messages) + str(redacting.spans) + caplog.text
    assert caplog.text.count("The redactor raised RuntimeError") == 1
