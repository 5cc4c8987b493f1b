"""A variable shows what the logger `otel_costs` says; without it nothing is changed."""

import logging
from pathlib import Path

import pytest

from otel_costs.runtime import log_output
from otel_costs.stand_in import Provider
from tests.support.collector import Collector
from tests.support.program import CLIENT, Ended, Program, environ

SESSION = CLIENT + "import otel_costs\nwith otel_costs.session('abc-123'):\n    ask()\n"
LINE = "[COST] Session abc-123: $"


def ended(provider: Provider, folder: Path, source: str = SESSION, **environment: str) -> Ended:
    """Run a program with one session to its end."""
    with (
        Collector() as collector,
        Program(source, folder, {**environ(provider, collector), **environment}) as running,
    ):
        found = running.ended()
        assert found.code == 0
        assert len(collector.calls()) == 1
        return found


def test_the_cost_of_a_session_is_shown(provider: Provider, tmp_path: Path) -> None:
    """`OTEL_COSTS_LOG=info` is enough: no logger has to be known, and no line of the program's to be changed."""
    found = ended(provider, tmp_path, OTEL_COSTS_LOG="info")
    assert found.err.count(LINE) == 1
    assert "INFO otel_costs: [COST]" in found.err
    assert len(found.err.splitlines()) == 1


@pytest.mark.long
def test_nothing_is_shown_without_it(provider: Provider, tmp_path: Path) -> None:
    """A program that does not ask for it writes nothing."""
    assert ended(provider, tmp_path).err == ""
    assert ended(provider, tmp_path, OTEL_LOG_LEVEL="info").err == ""


def test_the_applications_own_handler_is_enough(provider: Provider, tmp_path: Path) -> None:
    """An application that logs by itself has each line once, in its own form."""
    source = "import logging\nlogging.basicConfig(level=logging.WARNING, format='mine %(message)s')\n" + SESSION
    found = ended(provider, tmp_path, source, OTEL_COSTS_LOG="info")
    assert [line for line in found.err.splitlines() if LINE in line] == [
        line for line in found.err.splitlines() if line.startswith(f"mine {LINE}")
    ]
    assert found.err.count(LINE) == 1


@pytest.mark.long
def test_records_that_are_exported_are_shown_all_the_same(provider: Provider, tmp_path: Path) -> None:
    """The handler that exports the application's logs shows nobody anything."""
    environment = {"OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true", "OTEL_COSTS_LOG": "info"}
    assert ended(provider, tmp_path, **environment).err.count(LINE) == 1


@pytest.mark.long
@pytest.mark.parametrize(("handler", "level"), [("NullHandler()", "NOTSET"), ("FileHandler('errors.log')", "ERROR")])
def test_a_handler_that_does_not_take_the_line(provider: Provider, tmp_path: Path, handler: str, level: str) -> None:
    """One that drops what it gets, or wants graver lines alone, keeps no line from who asked for it."""
    source = f"import logging\nhandler = logging.{handler}\nhandler.setLevel(logging.{level})\n"
    source += "logging.getLogger().addHandler(handler)\n" + SESSION
    assert ended(provider, tmp_path, source, OTEL_COSTS_LOG="info").err.count(LINE) == 1


@pytest.mark.long
def test_the_level_of_the_sdk_shows_decisions(provider: Provider, tmp_path: Path) -> None:
    """`OTEL_LOG_LEVEL=debug`, OpenTelemetry's own variable, is as good as ours for that."""
    assert "price chosen:" in ended(provider, tmp_path, OTEL_LOG_LEVEL="debug").err


@pytest.fixture
def _given_back() -> None:
    log_output.remove()


@pytest.mark.usefixtures("_given_back")
def test_a_level_that_does_not_exist(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It is one warning, which names those that do, and changes nothing."""
    monkeypatch.setenv("OTEL_COSTS_LOG", "loud")
    log_output.configure()
    assert caplog.messages == ["OTEL_COSTS_LOG=loud is no level: give one of debug, info, warning, error"]
    assert logging.getLogger("otel_costs").level == logging.NOTSET


def test_it_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards the logger is as it was; twice is as once."""
    log = logging.getLogger("otel_costs")
    before = [*log.handlers]
    monkeypatch.setenv("OTEL_COSTS_LOG", "info")
    log_output.configure()
    log_output.configure()
    assert log.level == logging.INFO
    assert len(log.handlers) == len(before) + 1
    log_output.remove()
    assert log.level == logging.NOTSET
    assert log.handlers == before
