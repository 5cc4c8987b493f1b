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


@pytest.mark.long
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


@pytest.mark.some(2)
@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1"])
def test_csv_has_no_formulas(store: str, text: str) -> None:
    """What a spreadsheet would run is a text, as in the API's CSV."""
    Ledger(store).message(f"formula {text!r}", at("08:31:00"), "user", text)
    said = run("session", f"formula {text!r}", "--format", "csv", url=store)
    (row,) = csv.DictReader(io.StringIO(said.stdout_bytes.decode(), newline=""))
    assert row["content"] == f"'{text}"


@pytest.mark.some(1)
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


@pytest.mark.long
def test_a_closed_pipe_is_no_error(store: str) -> None:
    """`otel-costs prices | head -1` ends without a traceback."""
    command = f"{sys.executable} -c 'from otel_costs.cli import main; main()' prices | head -1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def cells(table: str) -> list[list[str]]:
    """Return the words of each line."""
    return [line.split() for line in table.splitlines()]


LONG = "a-session-with-a-name-that-is-longer-than-any-terminal-" + "x" * 100


@pytest.fixture(scope="module")
def long(store: str) -> str:
    """Return a store with a session whose name is long, as is what was said in it."""
    ledger = Ledger(store)
    whose = {"user__id": f"user-{LONG}", "otel_costs__scenario": "claims"}
    ledger.message(LONG, at("08:50:00"), "user", "Where is my order? " * 10, **whose)
    ledger.call(LONG, at("08:50:01"), otel_costs__cost__usd="1.234567", **whose)
    return store


@pytest.mark.long
def test_what_is_piped_is_whole(long: str) -> None:
    """Nothing is folded, cut, left out or padded: a line is a row."""
    for command in (["sessions"], ["report", "--by", "user"], ["report", "--user", f"user-{LONG}"], ["session", LONG]):
        said = run(*command, url=long, environ={"COLUMNS": None})
        assert said.exit_code == 0
        assert LONG in said.stdout
        assert not any(line.endswith(" ") for line in said.stdout.splitlines())
    rows = [row for row in cells(run("sessions", url=long, environ={"COLUMNS": None}).stdout) if row[:1] == [LONG]]
    assert [(row[1], row[-1]) for row in rows] == [(f"user-{LONG}", "$1.234567")]
    shown = run("session", LONG, url=long, environ={"COLUMNS": None}).stdout
    assert ("Where is my order? " * 10).strip() in shown


@pytest.mark.long
def test_a_narrow_terminal_keeps_names_and_costs(long: str) -> None:
    """At 40 columns the id and the cost are there, whole, and what has no room is left out."""
    narrow = {"COLUMNS": "40"}
    rows = cells(run("sessions", url=long, environ=narrow).stdout)
    assert [LONG, "$1.234567"] in rows
    Ledger(long).call("short", at("08:51:00"), otel_costs__cost__usd="1.25", user__id="ada")
    shown = run("sessions", "--user", "ada", url=long, environ=narrow).stdout
    assert next(row for row in cells(shown) if row[:1] == ["short"])[-1] == "$1.250000"
    assert max(map(len, shown.splitlines())) <= 40
    assert [f"user-{LONG}", "$1.234567"] in cells(run("report", "--by", "user", url=long, environ=narrow).stdout)
    said = run("session", "short", url=long, environ=narrow).stdout
    assert "$1.250000" in said
    assert all(part in said.replace("\n", "") for part in ("chat gpt-4o-2024-08-06", "total"))


def test_a_name_is_one_line(store: str) -> None:
    """Line breaks and tabs in an id are shown as signs, and take no row of their own."""
    Ledger(store).call("two\nlines\there", at("08:55:00"), user__id="bo\nb")
    said = run("sessions", "--user", "bo\nb", url=store).stdout
    assert "two␊lines␉here" in said
    assert "bo␊b" in said
