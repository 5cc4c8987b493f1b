"""The demo, as a newcomer runs it."""

import json
import os
import re
import signal
import subprocess
import urllib.request
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from otel_costs.cli import demo, demo_env, package_files
from otel_costs.cli.failure import Failure

from .support import MAIN


@dataclass(frozen=True, slots=True)
class Shown:
    """What a demo showed, where its store is, and what it left."""

    text: str
    sessions: dict[str, Any]
    parcel: dict[str, Any]
    spoken: dict[str, Any]
    returncode: int
    errors: str
    data: Path


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Run `otel-costs demo --keep` without a key, look at its store, and press Ctrl-C."""
    data = tmp_path_factory.mktemp("data") / "kept"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "OTEL_"))}
    command = [*MAIN, "demo", "--keep", "--data", str(data)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environ, "COLUMNS": "80"},
        start_new_session=True,
    ) as process:
        text = "".join(_until("Ctrl-C", process))
        address = re.search(r"curl (http://127\.0\.0\.1:\d+)/sessions/parcel-1001", text)
        assert address is not None, text
        sessions = _get(f"{address[1]}/sessions")
        parcel, spoken = (_get(f"{address[1]}/sessions/{name}") for name in ("parcel-1001", "parcel-call-12"))
        # As a terminal does it: to the demo and to all that it started.
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    return Shown(text, sessions, parcel, spoken, process.returncode, errors, data)


def _until(last: str, process: "subprocess.Popen[str]") -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if last in line:
            return


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.long
def test_every_call_of_the_demo_has_its_price(shown: Shown) -> None:
    """Five sessions of four users went through instrumentation, OTLP and ClickHouse, and nothing is unpriced."""
    rows = {row["session_id"]: row for row in shown.sessions["sessions"]}
    assert {name: row["user_id"] for name, row in rows.items()} == {
        "parcel-1001": "ada",
        "strike-news": "ada",
        "lantern-2044": "grace",
        "voice-note-7": "alan",
        "parcel-call-12": "mary",
    }
    assert {name: row["call_count"] for name, row in rows.items()} == {
        "parcel-1001": 4,
        "strike-news": 1,
        "lantern-2044": 3,
        "voice-note-7": 3,
        "parcel-call-12": 6,
    }
    assert all(row["unpriced_calls"] == 0 and Decimal(row["cost_usd"]) > 0 for row in rows.values())


@pytest.mark.long
def test_a_web_search_and_sound_are_billed(shown: Shown) -> None:
    """What is no token costs too."""
    rows = {row["session_id"]: row for row in shown.sessions["sessions"]}
    assert Decimal(rows["strike-news"]["cost_usd"]) > Decimal("0.01")
    assert rows["voice-note-7"]["scenario"] == "voice"


@pytest.mark.long
def test_the_conversation_is_there_word_by_word(shown: Shown) -> None:
    """A program that knows nothing of us has its conversation in the store: tool, stream and all."""
    said = [(message["role"], message["content"]) for message in shown.parcel["messages"]]
    assert [role for role, _ in said] == [
        "system", "user", "assistant", "function", "assistant", "user", "assistant", "user", "assistant"
    ]  # fmt: skip
    assert said[5] == ("user", "And what if I want to return it?")
    assert shown.parcel["messages"][2]["metadata"]["function_name"] == "lookup_order"


@pytest.mark.long
def test_a_spoken_call_is_told_apart(shown: Shown) -> None:
    """Text, audio, what was cached of both, transcription and synthesis of a call over a WebSocket stand apart."""
    cost = shown.spoken["cost"]
    parts = {name: Decimal(usd) for name, usd in cost["cost_breakdown"].items()}
    assert {name for name, usd in parts.items() if usd} == {
        "text_input", "text_output", "audio_input", "audio_output", "speech_to_text", "text_to_speech"
    }  # fmt: skip
    assert sum(parts.values()) == Decimal(cost["cost_usd"])
    # By hand: 103 characters at 30 dollars a million; 150 audio and 52 text tokens of gpt-4o-mini-transcribe.
    assert parts["text_to_speech"] == 103 * Decimal("0.00003")
    assert parts["speech_to_text"] == 150 * Decimal("0.00000125") + 52 * Decimal("0.000005")
    assert cost["tokens"]["cached_input"] == 256
    assert cost["characters"] == 103


@pytest.mark.long
def test_a_spoken_call_reads_as_it_was(shown: Shown) -> None:
    """Who said what, in order, the interrupted answer as far as it was said, and the function with its result."""
    said = [(message["role"], message["type"]) for message in shown.spoken["messages"]]
    assert said == [
        ("system", "text"),
        ("user", "audio"),
        ("assistant", "function_call"),
        ("function", "function_call"),
        ("assistant", "audio"),
        ("user", "audio"),
        ("assistant", "audio"),
        ("assistant", "audio"),
    ]
    assert shown.spoken["messages"][1]["content"].startswith("Hello, this is Mary Fletcher.")
    assert shown.spoken["messages"][4]["content"] == "Your parcel A-1001 is"


@pytest.mark.long
def test_what_is_shown_is_what_is_stored(shown: Shown) -> None:
    """The conversation's total on the screen is the store's, its lines add up to it, and every line has its rate."""
    part = shown.text[shown.text.index("Session parcel-1001") : shown.text.index("$ otel-costs session parcel-call-12")]
    lines = re.findall(r"× \$[\d.]+/1M += \$([\d.]+)", part)
    assert len(lines) == len(re.findall(r"= \$", part)) == 10
    assert sum(map(Decimal, lines)) == Decimal(shown.parcel["cost_usd"])
    assert f"total         ${shown.parcel['cost_usd']}" in part
    assert "cached input  1,408 ×" in part


@pytest.mark.long
def test_the_report_adds_up(shown: Shown) -> None:
    """A user's report is the sum of that user's sessions."""
    costs = (Decimal(row["cost_usd"]) for row in shown.sessions["sessions"] if row["user_id"] == "ada")
    spent = sum(costs, Decimal())
    assert f"User ada · all time · 2 sessions · 5 calls · ${spent.normalize():f}" in shown.text


@pytest.mark.long
def test_it_fits_a_terminal_of_80_columns(shown: Shown) -> None:
    """No table is broken; only what is there to be copied may be longer, and that is in one piece."""
    longer = [line for line in shown.text.splitlines() if len(line) > 80]
    assert all(line.startswith(("  $ ", "  export ")) for line in longer)
    assert any(line.endswith("from billed_calls group by model'") for line in longer)


@pytest.mark.long
def test_it_ends_cleanly(shown: Shown) -> None:
    """Ctrl-C is no error; the data stays where it was asked for, and nothing else of it."""
    assert (shown.returncode, shown.errors) == (0, "")
    assert any(shown.data.iterdir())


def test_a_program_that_fails_is_told(tmp_path: Path) -> None:
    """What a program said last on standard error is kept for who looks for the reason."""
    program = tmp_path / "program.py"
    program.write_text("import sys; print('so far'); sys.exit('no more')")
    ran = demo_env.run(
        program, {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    )
    assert (ran.returncode, ran.output) == (1, "so far\n")
    assert ran.errors.splitlines()[-1] == "no more"


def test_a_call_that_is_watched_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its page is opened before anybody speaks, and then they speak as fast as people do."""
    happened: list[str] = []

    def ran(program: Path, environment: dict[str, str]) -> demo_env.Ran:
        assert environment["SUPPORT_PACE"] == "1"
        happened.append(program.name)
        return demo_env.Ran(0, "", "")

    stack = SimpleNamespace(http_url="http://127.0.0.1:1", otlp_grpc_url="http://127.0.0.1:2")
    monkeypatch.setattr(demo_env, "run", ran)
    monkeypatch.setattr(webbrowser, "open", happened.append)
    answering = demo_env.Provider("http://127.0.0.1:3/v1", "http://127.0.0.1:4/v1", pace=1)
    list(demo.programs(cast("Any", stack), answering, watched=True))
    assert happened == ["http://127.0.0.1:1/sessions/parcel-call-12", "voice_call.py", "assistant.py", "voice_note.py"]


def test_what_is_not_here_says_what_to_do() -> None:
    """A file that neither the package nor the checkout has is named."""
    with pytest.raises(Failure, match="nothing/here is not here: run it from a checkout"):
        package_files.path("nothing", "nothing/here")
