"""What is written, and what a terminal makes of it."""

import csv
import io
import json
import subprocess
import sys

import pytest

from otel_costs.cli import output

from .support import MAIN, Ledger, at, run

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202egpj.exe [bold red]x[/] :smile:\r\nline two"


def test_what_a_terminal_acts_on_is_inert() -> None:
    """Escapes, C1 controls and reordering become visible signs; lines, tabs and other languages stay."""
    shown = output.inert(HOSTILE)
    assert shown == "␛]0;owned␇␛[2J\ufffd31m␡\ufffdgpj.exe [bold red]x[/] :smile:\nline two"
    assert output.inert("a\tb\n漢字 é 👋") == "a\tb\n漢字 é 👋"


def test_no_command_lets_a_model_talk_to_the_terminal(store: str) -> None:
    """Every table shows what a model or a user said, and every name, without a control character in it."""
    ledger = Ledger(store)
    name = f"evil{HOSTILE[:12]}"
    whose = {"user__id": name, "otel_costs__scenario": name, "otel_costs__tag__x": name, "otel_costs__step": name}
    ledger.message(name, at("08:00:00"), "assistant", HOSTILE, **whose)
    ledger.message(name, at("08:00:00"), name, "", otel_costs__message__function_name=name, **whose)
    ledger.call(name, at("08:00:01"), gen_ai__response__model=name, error__type=name, **whose)
    tables = (["sessions"], ["session", name], ["report"], ["report", "--user", name], ["search", "line"])
    for command in tables:
        said = run(*command, url=store, environ={"FORCE_COLOR": ""})
        assert said.exit_code == 0
        assert "evil" in said.stdout
        bad = [c for c in said.stdout if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c == "\u202e")]
        assert bad == []


def test_markup_and_emoji_codes_are_text(store: str) -> None:
    """A message that looks like the table's own markup is shown as it was written."""
    Ledger(store).message("markup", at("08:10:00"), "user", "[bold]no[/bold] :smile: [link=x]y[/link]")
    said = run("session", "markup", url=store)
    assert "[bold]no[/bold] :smile: [link=x]y[/link]" in said.stdout


def test_json_is_exact_and_inert(store: str) -> None:
    """JSON reads back as what was said to the last character, and holds none that a terminal would act on."""
    Ledger(store).message("exact", at("08:20:00"), "user", HOSTILE)
    said = run("session", "exact", "--format", "json", url=store)
    assert json.loads(said.stdout)["messages"][0]["content"] == HOSTILE
    assert not any(0x7F <= ord(c) < 0xA0 or ord(c) < 32 for c in said.stdout if c != "\n")


def test_csv_is_exact(store: str) -> None:
    """CSV reads back as what was said, line breaks and quotes included."""
    text = 'He said "no",\nthen ' + HOSTILE
    Ledger(store).message("csv", at("08:30:00"), "user", text)
    said = run("session", "csv", "--format", "csv", url=store)
    rows = list(csv.DictReader(io.StringIO(said.stdout_bytes.decode(), newline="")))
    assert rows[0]["content"] == text


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_tables_work_in_a_pipe_of_any_encoding(store: str, encoding: str) -> None:
    """A pipe that speaks no UTF-8 gets question marks, not a traceback; nothing is on standard error."""
    Ledger(store).message("piped", at("08:40:00"), "user", "漢字 → é")
    command = [*MAIN, "session", "piped"]
    environ = {"OTEL_COSTS_DSN": store, "PYTHONIOENCODING": encoding, "PATH": ""}
    done = subprocess.run(command, capture_output=True, env=environ, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"?" if encoding == "ascii" else "漢字 → é".encode()) in done.stdout
    assert b"\x1b" not in done.stdout
    assert max(len(line) for line in done.stdout.decode(encoding).splitlines()) <= output.PIPED_WIDTH


def test_a_closed_pipe_is_no_error(store: str) -> None:
    """`otel-costs prices | head -1` ends without a traceback."""
    command = f"{sys.executable} -c 'from otel_costs.cli import main; main()' prices | head -1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
