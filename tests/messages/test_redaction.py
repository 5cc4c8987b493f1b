"""Redaction: one function that every content passes, whoever named it and however the program was started."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import otel_costs
from otel_costs import CostsInstrumentor
from otel_costs.messages import content, redaction
from otel_costs.messages.content import Capture
from otel_costs.messages.drafts import Draft
from otel_costs.runtime import telemetry
from otel_costs.stand_in import Provider
from tests.support.collector import Collector
from tests.support.program import CLIENT, Program, environ
from tests.support.recorded import Recorded, instrumented
from tests.support.selection import long

SAID = Draft("user", "text", "write to ada@example.org")


@pytest.fixture(autouse=True)
def reset(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OTEL_COSTS_REDACT", raising=False)
    monkeypatch.setattr(telemetry, "_warned", set())
    redaction.forget()
    yield
    redaction.forget()
    content.configure(Capture.NO_CONTENT)


def test_a_function_is_declared_as_a_decorator() -> None:
    """`@otel_costs.redact` returns the function as it is, and it is used from then on; the last one holds."""

    @otel_costs.redact
    def first(text: str, message: Draft) -> str | None:
        return f"{message.role}: ***"

    assert content.of(SAID).body == "user: ***"
    assert first("", SAID) == "user: ***"
    otel_costs.redact(lambda text: text.upper())
    assert content.of(SAID).body == "WRITE TO ADA@EXAMPLE.ORG"


async def _asynchronous(text: str, message: Draft) -> str:
    return text


@pytest.mark.parametrize("function", ["no function", 5, _asynchronous])
def test_what_cannot_redact_is_refused_at_once(function: Any) -> None:
    """It raises where it is set, and until another one is set nothing is recorded."""
    with pytest.raises(TypeError, match="a redactor is a function"):
        otel_costs.redact(function)
    assert content.of(SAID) == content.NOTHING
    assert redaction.is_set()


def test_instrumenting_with_what_cannot_redact_drops_the_content(caplog: pytest.LogCaptureFixture) -> None:
    """`instrument` never raises: it says what is wrong, and content is dropped."""
    with instrumented(Recorded(), redact=_asynchronous):
        assert "otel_costs could not set the redactor: a redactor is a function" in caplog.text
        assert content.of(SAID) == content.NOTHING


def test_instrumenting_leaves_what_was_declared() -> None:
    """A redactor that the application declared before it instruments holds on, over instrumenting and its end."""
    otel_costs.redact(lambda text: "***")
    with instrumented(Recorded()):
        assert content.of(SAID).body == "***"
    assert redaction.is_set()


def test_it_may_be_given_to_an_instrumentor_that_instruments_already() -> None:
    """As in a program under `opentelemetry-instrument`; its end takes that one back."""
    with instrumented(Recorded()):
        CostsInstrumentor().instrument(redact=lambda text: "***")
        assert content.of(SAID).body == "***"
    assert not redaction.is_set()


def test_the_environment_names_the_one_that_comes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pii`; and what the application declares goes before it."""
    monkeypatch.setenv("OTEL_COSTS_REDACT", "pii")
    assert redaction.is_set()
    assert content.of(SAID).body == "write to [email]"
    otel_costs.redact(lambda text: "***")
    assert content.of(SAID).body == "***"


def test_the_environment_names_a_function(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`package.module:function`, of a class too, imported when the first content is recorded."""
    (tmp_path / "wordings.py").write_text("class Rules:\n    @staticmethod\n    def hide(text): return 'hidden'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("OTEL_COSTS_REDACT", " wordings:Rules.hide ")
    assert "wordings" not in sys.modules
    assert content.of(SAID).body == "hidden"
    del sys.modules["wordings"]


@pytest.mark.parametrize(
    "named",
    ["nowhere:f", "json:nothing", "json", "json:__doc__", "tests.messages.test_redaction:_asynchronous", ":", "a b:c"],
)
def test_a_name_that_leads_nowhere_drops_the_content(
    named: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A typing error must not publish what was to be hidden; it is said once."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OTEL_COSTS_REDACT", named)
    for _ in range(3):
        assert content.of(SAID) == content.NOTHING
    assert len(caplog.records) == 1
    assert "content is dropped" in caplog.text
    assert "ada@" not in caplog.text


SAY = 'ask("I am ada@example.org")\n'
HIDE = "def hide(text, message):\n    return text.replace('ada', '***')\n"


@pytest.mark.some(1)
@pytest.mark.parametrize(
    ("named", "source"),
    [
        long(None, f"{HIDE}import otel_costs\notel_costs.redact(hide)\n{SAY}"),
        (None, f"{HIDE}import otel_costs\notel_costs.CostsInstrumentor().instrument(redact=hide)\n{SAY}"),
        long("app:hide", f"{HIDE}{SAY}"),  # the program itself, which must not run twice
        (
            "app:hide",
            f"{SAY}from otel_costs.runtime import background\nassert background.drain(60)\n{HIDE}{SAY}",
        ),  # too late
        ("pii", SAY),
    ],
    ids=["declared", "instrumented again", "of the program", "defined late", "pii"],
)
def test_it_holds_under_the_command(named: str | None, source: str, provider: Provider, tmp_path: Path) -> None:
    """Under the real `opentelemetry-instrument` no way to set a redactor is without effect, on spans or in records."""
    with Collector() as collector:
        environment = {
            **environ(provider, collector),
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT",
            **({"OTEL_COSTS_REDACT": named} if named else {}),
        }
        with Program(f"{CLIENT}\nprint('once')\n{source}", tmp_path, environment) as program:
            found = program.ended()
        assert (found.code, found.out) == (0, "once\n"), found.err
        written = [repr(record) for record in (*collector.logs, *collector.spans)]
        assert any("otel_costs.call" in record for record in written)
        assert any("@example.org" in record or "[email]" in record for record in written)
        assert not any("ada@" in record for record in written)
