"""Whether something takes the ledger, in the set-ups that there are, and what is said where nothing does."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LoggerProvider as ApiLoggerProvider
from opentelemetry._logs import NoOpLoggerProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from otel_costs import CostsInstrumentor
from otel_costs.runtime import ledger, telemetry
from otel_costs.stand_in import Provider
from tests.support import environments
from tests.support.environments import HERE, Environment
from tests.support.program import CLIENT, Program, environ
from tests.support.recorded import Recorded, instrumented

LOGFIRE = Environment("logfire/5", HERE, ("logfire>=5,<6", "openai[realtime]<4"), free=None)


def provider_of(*processors: Any) -> LoggerProvider:
    found = LoggerProvider(shutdown_on_exit=False)
    for processor in processors:
        found.add_log_record_processor(processor)
    return found


def keeping() -> SimpleLogRecordProcessor:
    return SimpleLogRecordProcessor(InMemoryLogRecordExporter())  # type: ignore[no-untyped-call]


class ProxyLoggerProvider(ApiLoggerProvider):
    """A vendor's, whatever it is called."""

    def get_logger(self, *_: Any, **__: Any) -> Any:
        return NoOpLoggerProvider().get_logger("vendor")


@dataclasses.dataclass
class Scrubbing:
    """A provider that wraps another one, and whose processor changes records, as logfire's does."""

    provider: Any

    def get_logger(self, *args: Any, **options: Any) -> Any:
        return self.provider.get_logger(*args, **options)


class Processor:
    def __init__(self, scrubber: Any) -> None:
        self.scrubber = scrubber

    def on_emit(self, record: Any) -> None: ...
    def shutdown(self) -> None: ...
    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


class Scrubber:
    def __init__(self, *kept: str) -> None:
        self.kept = kept

    def scrub_value(self, path: Any, value: Any) -> Any:
        return {key: item if key in self.kept else "[Scrubbed]" for key, item in value.items()}, []


@pytest.mark.parametrize(
    ("provider", "remedy"),
    [
        (NoOpLoggerProvider(), "set_logger_provider(provider)"),
        (provider_of(), "add_log_record_processor("),
        (provider_of(keeping()), None),
        (ProxyLoggerProvider(), None),
        (Scrubbing(provider_of(keeping())), None),
        (Scrubbing(provider_of(Processor(Scrubber("session.id")))), None),
        (Scrubbing(provider_of(Processor(Scrubber()))), "ScrubbingOptions(callback="),
        (provider_of(keeping(), Processor(Scrubber())), "ScrubbingOptions(callback="),
    ],
)
def test_a_warning_names_what_helps_here(provider: Any, remedy: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """In code a call helps and no variable does; what another vendor's provider does with records is its own affair.

    One that replaces a session's id is named, with the remedy: records arrive, and reports would be wrong.
    """
    telemetry.configure(logger_provider=provider)
    try:
        assert ledger.check() is (remedy is None or "Scrubbing" in remedy)
        ledger.check()
        assert [remedy in record.getMessage() for record in caplog.records if remedy] == ([True] if remedy else [])
        assert "OTEL_LOGS_EXPORTER" not in caplog.text
    finally:
        telemetry.forget()


def test_an_sdk_that_is_switched_off_is_not_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """OTEL_SDK_DISABLED says that nothing is to be recorded."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    telemetry.configure(logger_provider=NoOpLoggerProvider())
    try:
        assert ledger.check()
        assert caplog.text == ""
    finally:
        telemetry.forget()


@pytest.mark.long
def test_a_program_that_was_instrumented_may_set_its_providers_later(provider: Provider, tmp_path: Path) -> None:
    """Under `opentelemetry-instrument` a program that instruments in code, too, gets what it gives."""
    source = """
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
    from otel_costs import CostsInstrumentor
    kept = InMemoryLogRecordExporter()
    own = LoggerProvider()
    own.add_log_record_processor(SimpleLogRecordProcessor(kept))
    CostsInstrumentor().instrument(logger_provider=own)
    ask()
    own.force_flush()
    print(any(data.log_record.event_name == "otel_costs.call" for data in kept.get_finished_logs()))
    """.replace("\n    ", "\n")
    environment = {**environ(provider, "http://127.0.0.1:9"), "OTEL_TRACES_EXPORTER": "none"}
    with Program(CLIENT + source, tmp_path, environment) as program:
        found = program.ended()
    assert (found.code, found.out) == (0, "True\n"), found.err
    assert found.err == ""


def test_instrumenting_again_keeps_what_is_not_given() -> None:
    """A logger provider that is given later leaves the tracer provider as it is."""
    recorded, later = Recorded(), Recorded()
    with instrumented(recorded):
        CostsInstrumentor().instrument(logger_provider=later.logger_provider)
        assert telemetry.current().providers == (
            recorded.tracer_provider,
            recorded.meter_provider,
            later.logger_provider,
        )


PROGRAM = """
import logging, sys
warnings = []
handler = logging.Handler()
handler.emit = lambda record: warnings.append(record.getMessage())
logging.getLogger("otel_costs").addHandler(handler)
import logfire, openai, otel_costs
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from otel_costs.runtime import background
kept = InMemoryLogRecordExporter()
def keep(match):
    return match.value if str(match.path[-1]).startswith(("session.id", "user.id", "otel_costs.")) else None
logfire.configure(
    send_to_logfire=False, console=False,
    scrubbing=logfire.ScrubbingOptions(callback=keep if sys.argv[1] == "kept" else None),
    advanced=logfire.AdvancedOptions(log_record_processors=[SimpleLogRecordProcessor(kept)]),
)
otel_costs.CostsInstrumentor().instrument()
with otel_costs.session("abc", user="secretary"):
    otel_costs.record("chat", provider="openai", model="gpt-4o", usage={"input_tokens": 8000})
assert background.drain(60)
records = [data.log_record.attributes for data in kept.get_finished_logs()]
print(records[0]["session.id"], records[0]["user.id"], records[0]["otel_costs.cost.usd"])
print(*warnings, sep="\\n")
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("callback", "first", "warned"),
    [("none", "[Scrubbed due to 'session'] [Scrubbed due to 'secret'] 0.02", 1), ("kept", "abc secretary 0.02", 0)],
)
def test_the_scrubbing_of_logfire(callback: str, first: str, warned: int, tmp_path: Path) -> None:
    """The real logfire replaces the session's id: it is said; with the callback of the message it is kept."""
    path = tmp_path / "app.py"
    path.write_text(PROGRAM)
    ends, written = environments.run(LOGFIRE, str(path), callback)
    if ends == "skipped":
        pytest.skip(written)
    assert ends == "passed", written
    out, _, warnings = written.partition("\n")
    assert out == first
    assert warnings.count("replaces the session of each call") == warned
    assert "No log" not in warnings
