"""Content with a key on: no plain word of it in any file, and all of it for who has the key."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_costs.local import Stack
from otel_costs.stand_in import Fault, Provider
from tests.support import canary
from tests.support.program import Program, environ

from .support import ask, send

pytestmark = pytest.mark.long

KEY = os.urandom(32).hex()


def recorded(folder: Path, provider: Provider, stack: Stack, **more: str) -> None:
    """Run the program that says the word, under `opentelemetry-instrument`, with content on."""
    folder.mkdir()
    provider.script(Fault(fields=canary.ANSWER))
    variables = {
        **environ(provider, stack.otlp_http_url),
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT",
        "OTEL_COSTS_SPOOL": str(folder / "spool"),
        **more,
    }
    with Program(canary.PROGRAM, folder, variables) as program:
        ended = program.ended()
    assert ended.code == 0, ended.err
    assert canary.WORD not in ended.err


def tables_with_the_word(stack: Stack) -> set[str]:
    """Return the tables that have it in any column: files of the store are compressed, and show only a part of it."""
    tables = "select name from system.tables where database = currentDatabase() and engine like '%MergeTree'"
    names = [row["name"] for row in ask(stack.http_url, tables)]
    assert {"otel_logs", "otel_traces", "messages", "calls"} <= set(names)
    rows = {name: send(stack.http_url, f"select * from {name} format JSONEachRow".encode()) for name in names}
    assert {answer.status for answer in rows.values()} == {200}
    return {name for name, answer in rows.items() if canary.WORD.encode() in answer.body}


def shown(stack: Stack, *command: str, key: str | None = None) -> str:
    """Return what a command of ours prints, in a process with the key or without."""
    main = "from otel_costs.cli import main; main()"
    variables = {**os.environ, "OTEL_COSTS_DSN": stack.http_url} | ({"OTEL_COSTS_CONTENT_KEY": key} if key else {})
    done = subprocess.run(
        [sys.executable, "-c", main, *command], env=variables, capture_output=True, timeout=100, check=True, text=True
    )
    return done.stdout + done.stderr


def test_no_plain_word_is_in_any_file(tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the store and the spool, with and without the key beside the store; with the key everything is there."""
    monkeypatch.delenv("OTEL_COSTS_CONTENT_KEY", raising=False)
    data = tmp_path / "data"
    with Stack(data) as stack:
        recorded(tmp_path / "program", provider, stack, OTEL_COSTS_CONTENT_KEY=f"k1:{KEY}")
        messages = ask(stack.http_url, "select role, content, arguments, content_state from session_messages")
        assert len(messages) == 5
        assert {row["content_state"] for row in messages} <= {"sealed", "not_recorded"}
        assert tables_with_the_word(stack) == set()
        assert canary.WORD not in send(f"{stack.http_url}/sessions/sealed-1").text
        without = shown(stack, "session", "sealed-1")
        assert canary.WORD not in without
        assert "sealed: OTEL_COSTS_CONTENT_KEY" in without
        assert "were not searched" in shown(stack, "search", canary.WORD)
        opened = json.loads(shown(stack, "session", "sealed-1", "--format", "json", key=f"k1:{KEY}"))
        said = [(one["content"], one["metadata"].get("arguments")) for one in opened["messages"]]
        words = [text for text, _ in said]
        assert {f"my {canary.WORD} question", f"{canary.WORD} be kind", f"{canary.WORD} result"} <= set(words)
        assert {"order": canary.WORD} in [arguments for _, arguments in said]
    folders = (data, tmp_path / "program" / "spool")
    (tmp_path / "program" / "app.py").unlink()  # the program says it, of course
    assert len(canary.files(*folders)) > 50
    assert canary.found(*folders, tmp_path / "program") == []


def test_the_page_opens_it_where_the_server_has_the_key(
    tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`otel-costs local` that was started with the key, as confined as it is, answers in plain words."""
    monkeypatch.setenv("OTEL_COSTS_CONTENT_KEY", KEY)
    with Stack(tmp_path / "data") as stack:
        recorded(tmp_path / "program", provider, stack, OTEL_COSTS_CONTENT_KEY=KEY)
        answer = send(f"{stack.http_url}/api/v1/sessions/sealed-1")
        assert answer.status == 200
        assert f"my {canary.WORD} question" in answer.text
        (tmp_path / "program" / "app.py").unlink()
    assert canary.found(tmp_path) == []


def test_the_canary_is_found_where_it_is_plain(
    tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key it is in the store, so that the look for it is one."""
    monkeypatch.delenv("OTEL_COSTS_CONTENT_KEY", raising=False)
    with Stack(tmp_path / "data") as stack:
        recorded(tmp_path / "program", provider, stack)
        assert canary.WORD in send(f"{stack.http_url}/sessions/sealed-1").text
        assert tables_with_the_word(stack) == {"otel_logs", "otel_traces", "messages"}
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "file").write_text(f"... {canary.WORD} ...")
    assert canary.found(plain) == [plain / "file"]
