"""The instrumentor: it starts under `opentelemetry-instrument`, and nothing that is broken stops the application."""

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import openai
import pytest
from openai._base_client import SyncAPIClient
from opentelemetry import context
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.messages import content, redaction
from otel_costs.providers import openai as openai_provider
from otel_costs.runtime import background, ledger, shutdown, telemetry
from otel_costs.runtime.patching import Patches
from otel_costs.sessions import baggage, thread_context
from otel_costs.stand_in import Provider

from .support.collector import Collector
from .support.program import CLIENT, Program, environ
from .support.recorded import Recorded, instrumented


@pytest.fixture
def ask(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")
    with openai.OpenAI(base_url=provider.base_url, api_key="sk-none", max_retries=0) as client:
        yield lambda: client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])


def test_it_is_found_under_its_own_name() -> None:
    """The entry point is `otel_costs`: `openai` is another instrumentation's. It waits for no package."""
    (found,) = entry_points(group="opentelemetry_instrumentor", name="otel_costs")
    assert found.load() is CostsInstrumentor
    assert CostsInstrumentor().instrumentation_dependencies() == ()


def test_it_is_one_of_opentelemetrys_instrumentors() -> None:
    """Whoever asks for a `BaseInstrumentor` gets one, and there is one of it."""
    assert isinstance(CostsInstrumentor(), BaseInstrumentor)
    assert CostsInstrumentor() is CostsInstrumentor()


def test_the_start_imports_nothing_that_it_does_not_need(provider: Provider, tmp_path: Path) -> None:
    """A program that checks no requirements and fetches no prices does not import what does."""
    source = """
    import sys
    import otel_costs
    otel_costs.CostsInstrumentor().instrument()
    needless = {"packaging", "opentelemetry.instrumentation.instrumentor", "otel_costs.pricing.price_update"}
    print(*needless & {*sys.modules})
    from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
    print(isinstance(otel_costs.CostsInstrumentor(), BaseInstrumentor))
    """
    with Program(source, tmp_path, environ(provider, "http://127.0.0.1:9"), instrumented=False) as program:
        ended = program.ended()
    assert ended.out.split() == ["True"], ended.err


def test_misconfiguration_is_said_once_at_the_start_and_the_application_runs(
    provider: Provider, tmp_path: Path
) -> None:
    """No log exporter, a malformed price file, a mode that does not exist: each is named with what to do.

    The application runs as it would, and the built-in prices hold.
    """
    (tmp_path / "prices.yaml").write_text("prices:\n  - provider: openai\n    model: [gpt-4o\n")
    environment = {
        **environ(provider, "http://127.0.0.1:9"),
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_COSTS_PRICES": "prices.yaml",
        "OTEL_COSTS_BAGGAGE": "sideways",
    }
    source = """
    import sys
    print("started", file=sys.stderr, flush=True)
    import otel_costs
    with otel_costs.session("a") as session:
        ask(); ask()
        print(session.cost_usd)
    """.replace("\n    ", "\n")
    with Program(source.replace("import otel_costs", f"{CLIENT}\nimport otel_costs"), tmp_path, environment) as program:
        found = program.ended()
    assert (found.code, found.out) == (0, "0.00028\n"), found.err
    start = found.err.partition("started\n")[0]
    assert "Set OTEL_LOGS_EXPORTER=otlp" in start
    assert "OTEL_COSTS_BAGGAGE is 'sideways'" in start
    assert "prices.yaml, line 4: " in found.err  # prices are read while the application starts
    assert "The built-in prices are used" in found.err
    assert found.err.count("\n") == 4


@pytest.mark.long
def test_it_can_be_switched_off_by_its_name(provider: Provider, tmp_path: Path) -> None:
    """With OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=otel_costs nothing is patched and nothing is recorded."""
    source = "ask(); print(type(vars(openai._base_client.SyncAPIClient)['request']).__name__)"
    with Collector() as collector:
        environment = {**environ(provider, collector), "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "otel_costs"}
        with Program(CLIENT + source, tmp_path, environment) as program:
            found = program.ended()
    assert (found.code, found.out, found.err) == (0, "function\n", "")
    assert collector.logs == collector.spans == []


BROKEN: list[tuple[Any, str, str]] = [
    (telemetry, "configure", "set its providers"),
    (baggage, "configure", "read the mode of baggage"),
    (content, "configure", "read the mode of content"),
    (thread_context, "install", "carry sessions into threads"),
    (background, "install", "write calls before a flush"),
    (shutdown, "install", "take over the end of the process"),
    (openai_provider, "install", "patch openai"),
    (ledger, "check", "look for a ledger"),
]


@pytest.mark.some(4)
@pytest.mark.parametrize(("module", "name", "what"), BROKEN, ids=[what for *_, what in BROKEN])
def test_whatever_is_broken_the_application_runs(
    module: Any,
    name: str,
    what: str,
    ask: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Instrumenting never raises: that would stop every other instrumentation. It says what is broken, and goes on."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    recorded = Recorded()
    with monkeypatch.context() as patch:
        patch.setattr(module, name, broken)
        CostsInstrumentor().instrument(**recorded.providers)
    try:
        assert f"otel_costs could not {what}" in caplog.text
        assert ask().choices
        lost = (module, name) in ((openai_provider, "install"), (telemetry, "configure"))
        assert len(recorded.calls) == (0 if lost else 1)
    finally:
        CostsInstrumentor().uninstrument()


def test_taking_it_back_never_raises(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be taken back is said, and the rest is taken back."""
    with monkeypatch.context() as patch:
        patch.setattr(Patches, "remove", lambda _: 1 // 0)
        CostsInstrumentor().uninstrument()
    assert "otel_costs could not take its patches back: integer division or modulo by zero" in caplog.text
    assert shutdown._spare_threads is None
    CostsInstrumentor().instrument(**recorded.providers)
    CostsInstrumentor().uninstrument()
    assert not hasattr(SyncAPIClient.request, "__wrapped__")


def test_an_application_that_instruments_first_is_not_warned(caplog: pytest.LogCaptureFixture) -> None:
    """While nobody has set a provider, the first call looks for the ledger; one without an exporter is told at once."""
    CostsInstrumentor().instrument()
    CostsInstrumentor().uninstrument()
    assert caplog.text == ""
    empty = Recorded()
    empty.logger_provider._multi_log_record_processor._log_record_processors = ()
    with instrumented(empty):
        assert caplog.text.count("add_log_record_processor(") == 1


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, ParentBased(ALWAYS_OFF)], ids=["always off", "parent based"])
def test_the_ledger_is_written_whatever_the_sampler_says(sampler: Sampler, ask: Callable[[], Any]) -> None:
    """Money is not sampled."""
    recorded = Recorded(sampler=sampler)
    with instrumented(recorded):
        ask()
        assert recorded.call[names.COST_USD] == "0.00014"
        assert recorded.spans == []


def test_a_caller_cannot_switch_the_ledger_off(recorded: Recorded, ask: Callable[[], Any]) -> None:
    """A `traceparent` from outside that ends in -00 is not sampled: no span, but a record, in that trace."""
    recorded = Recorded(sampler=ParentBased(ALWAYS_OFF))
    header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    token = context.attach(TraceContextTextMapPropagator().extract({"traceparent": header}))
    try:
        CostsInstrumentor().uninstrument()
        with instrumented(recorded):
            ask()
            assert recorded.call[names.COST_USD] == "0.00014"
            assert recorded.spans == []
            traces = {written.log_record.trace_id for written in recorded.log_exporter.get_finished_logs()}
            assert traces == {int(header.split("-")[1], 16)}
    finally:
        context.detach(token)


def test_a_redactor_is_of_one_instrumenting(recorded: Recorded) -> None:
    """It is forgotten when instrumenting is taken back."""
    CostsInstrumentor().uninstrument()
    with instrumented(recorded, redact=lambda _text, _draft: None):
        assert redaction.is_set()
    assert not redaction.is_set()
