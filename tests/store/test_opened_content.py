"""Sealed content in the store: opened for who has the key, told as sealed to others, and never found by its letters."""

import csv
import io
import json
from typing import Any

import pytest

from otel_costs.privacy.sealing import ARGUMENTS, CONTENT, Sealer
from otel_costs.store import StoreError, exports, reports
from tests.queries.ledger import Store, at, message

KEY, OTHER = "1f" * 32, "2e" * 32
SEALER = Sealer(f"k1:{KEY}")
WORDS = "Where is my canary?"


@pytest.fixture
def filled(store: Store) -> Store:
    """Return a store with a message in plain words, a sealed one, a sealed function call, and one that was moved."""
    sealed = SEALER.seal(WORDS, "s1", "m2", CONTENT)
    called = SEALER.seal('{"id": "canary"}', "s1", "m3", ARGUMENTS)
    function: dict[str, Any] = {"otel_costs.message.function_name": "lookup", "otel_costs.message.arguments": called}
    store.insert(
        message(at("10:00:01"), "hello", message_id="m1"),
        message(at("10:00:02"), sealed, message_id="m2"),
        message(at("10:00:03"), "", message_id="m3", role="assistant", type="function_call", **function),
        message(at("10:00:04"), sealed, message_id="m4"),
        message(at("10:00:05"), "", message_id="m5"),
    )
    return store


def read(store: Store) -> list[tuple[str, str, str]]:
    """Return content, arguments and state of each message."""
    found = reports.session(store.client, "s1")
    assert found is not None
    said = [(one["content"], one["metadata"]) for one in found["messages"]]
    assert "message_id" not in said[0][1]
    return [(text, of.get("arguments", ""), of.get("content_state", "")) for text, of in said]


def test_with_the_key(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sealed is read as if it were not; what was moved to another message is not read."""
    monkeypatch.setenv("OTEL_COSTS_CONTENT_KEY", f"new:{OTHER},k1:{KEY}")
    assert read(filled) == [
        ("hello", "", ""),
        (WORDS, "", ""),
        ("", '{"id": "canary"}', ""),
        ("", "", "altered"),
        ("", "", "not_recorded"),
    ]


@pytest.mark.parametrize("keys", [None, "", OTHER])
def test_without_the_key(filled: Store, keys: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told apart from what was not recorded, and no letter of what is sealed is in the answer."""
    if keys is None:
        monkeypatch.delenv("OTEL_COSTS_CONTENT_KEY", raising=False)
    else:
        monkeypatch.setenv("OTEL_COSTS_CONTENT_KEY", keys)
    sealed = ("", "", "sealed")
    assert read(filled) == [("hello", "", ""), sealed, sealed, sealed, ("", "", "not_recorded")]


def test_a_key_that_is_none(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader is told, and not shown a conversation without words."""
    monkeypatch.setenv("OTEL_COSTS_CONTENT_KEY", "nonsense")
    with pytest.raises(StoreError, match="OTEL_COSTS_CONTENT_KEY"):
        reports.session(filled.client, "s1")


def test_search_does_not_see_it(filled: Store) -> None:
    """Neither its words nor its letters, and it says so."""
    (stored,) = filled.ask("select content from session_messages where message_id = 'm2'")
    letters = stored["content"].rpartition(":")[2]
    parts = [part for part in letters.replace("+", "/").replace("=", "/").split("/") if part]
    for words in ("canary", "sealed", "v1", parts[0]):
        assert reports.search(filled.client, words) == []
        assert reports.search(filled.client, words, anywhere=True) == []
    assert [row["content"] for row in reports.search(filled.client, "hello")] == ["hello"]
    assert reports.has_sealed(filled.client)
    assert reports.has_sealed(filled.client, session="s1", since=at("10:00:00"))
    assert not reports.has_sealed(filled.client, session="s2")
    assert not reports.has_sealed(filled.client, role="system")


def test_a_copy_is_stored_once(filled: Store) -> None:
    """Another process sends the history again: the same is sealed the same."""
    filled.insert(message(at("11:00:00"), SEALER.seal(WORDS, "s1", "m2", CONTENT), message_id="m2"))
    filled.client.command("optimize table messages final")
    assert filled.one("select count() as n from messages where message_id = 'm2'") == {"n": 1}


@pytest.mark.parametrize("form", ["json", "csv"])
def test_exports_open_it(filled: Store, form: exports.Format, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same columns and values as without a key, but for what is opened."""
    monkeypatch.delenv("OTEL_COSTS_CONTENT_KEY", raising=False)
    before = _rows(filled, form)
    monkeypatch.setenv("OTEL_COSTS_CONTENT_KEY", f"k1:{KEY}")
    after = _rows(filled, form)
    assert [row["content"] for row in after] == ["hello", WORDS, "", "", ""]
    assert [row["content_state"] for row in after] == ["recorded", "recorded", "recorded", "altered", "not_recorded"]
    said = {"content", "arguments", "content_state"}
    kept = [{name: value for name, value in row.items() if name not in said} for row in after]
    assert kept == [{name: value for name, value in row.items() if name not in said} for row in before]
    assert list(after[0]) == list(before[0])


def _rows(store: Store, form: exports.Format) -> list[dict[str, Any]]:
    body = b"".join(exports.export_file(store.client, "messages", form)).decode()
    if form == "json":
        return [json.loads(line) for line in body.splitlines()]
    return list(csv.DictReader(io.StringIO(body, newline="")))
