"""Exports: every row, exact, in every format."""

import csv
import io
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow.parquet
import pytest

from otel_costs.store import StoreError, exports
from otel_costs.store.exports import EXPORTS, Format, export, export_file
from tests.queries.engine import beside
from tests.queries.ledger import Store, at, call, message


@pytest.fixture
def filled(store: Store) -> Store:
    """Return a store with calls and messages of two users."""
    store.insert(
        call(at("10:00:00"), user="ada", session="a", cost="0.123456789012", lines={"input_tokens": "0.123456789012"}),
        call(at("10:00:01"), user="ada", session="a", cost=None),
        call(at("11:00:00"), user="bob", session="b", cost="2"),
        message(at("10:00:00"), 'He said "no";\nso be it', user="ada", session="a"),
    )
    return store


@pytest.mark.some(1)
@pytest.mark.parametrize(("what", "count"), [("calls", 3), ("lines", 3), ("messages", 1), ("sessions", 2)])
def test_every_row_is_there(filled: Store, what: str, count: int) -> None:
    """As dictionaries and in every format, with the same columns."""
    found = list(export(filled.client, what))
    assert len(found) == count
    parsed = {file_format: _read(filled, what, file_format) for file_format in ("csv", "json", "parquet")}
    assert {file_format: len(parsed[file_format]) for file_format in parsed} == dict.fromkeys(parsed, count)
    assert tuple(parsed["json"][0]) == tuple(parsed["parquet"][0]) == tuple(found[0])
    assert [name for name in found[0] if name != "tags"] == list(parsed["csv"][0])


@pytest.mark.long
def test_times_and_tags_have_one_shape(store: Store) -> None:
    """Times in ISO 8601 with their zone; a tag is a column of CSV, whatever its name is, and what is nested is JSON."""
    tagged: dict[str, Any] = {'otel_costs.tag.it\'s `a`, "b"': "x,y"}
    odd = 'it\'s `a`, "b"'
    store.insert(
        call(at("10:00:00"), session="a", cost="2", lines={"input_tokens": "2"}, otel_costs__tag__team="west"),
        call(at("10:00:01"), session="b", cost="3", **tagged),
    )
    for what in ("calls", "sessions"):
        first, second = _read(store, what, "csv")
        assert (first["tag.team"], first[f"tag.{odd}"]) == ("west", "")
        assert (second["tag.team"], second[f"tag.{odd}"]) == ("", "x,y")
        assert _read(store, what, "json")[0]["tags"] == {"team": "west"}
    for file_format in ("csv", "json"):
        rows = _read(store, "calls", file_format)
        assert [datetime.fromisoformat(row["end_time"]) for row in rows] == [at("10:00:00"), at("10:00:01")]
    assert json.loads(_read(store, "calls", "csv")[0]["cost_lines"]) == {"input_tokens": "2"}


@pytest.mark.long
@pytest.mark.parametrize("what", sorted(EXPORTS))
def test_a_user_and_a_time(filled: Store, what: str) -> None:
    """What is exported can be chosen."""
    assert {row["user_id"] for row in export(filled.client, what, user="ada")} == {"ada"}
    assert list(export(filled.client, what, user="' or 1 = 1 --")) == []
    assert list(export(filled.client, what, since=at("12:00:00"))) == []
    assert "bob" not in {row["user_id"] for row in export(filled.client, what, until=at("10:30:00"))}


def test_money_is_exact_in_every_format(filled: Store) -> None:
    """The oldest first; no digit is lost, and JSON has strings that no parser takes for doubles."""
    expected = [Decimal("0.123456789012"), None, Decimal(2)]
    assert [row["cost_usd"] for row in export(filled.client, "calls")] == expected
    assert [row["cost_usd"] for row in _read(filled, "calls", "parquet")] == expected
    assert [row["cost_usd"] for row in _read(filled, "calls", "json")] == ["0.123456789012", None, "2"]
    assert [row["cost_usd"] for row in _read(filled, "calls", "csv")] == ["0.123456789012", "", "2"]


def test_text_comes_back_as_it_was(filled: Store) -> None:
    """Quotes, semicolons and newlines are content."""
    for file_format in ("csv", "json", "parquet"):
        (row,) = _read(filled, "messages", file_format)
        assert row["content"] == 'He said "no";\nso be it'


def test_what_cannot_be_exported(filled: Store) -> None:
    """An unknown name is an error before anything is asked."""
    with pytest.raises(KeyError, match="secrets"):
        next(export(filled.client, "secrets"))
    with pytest.raises(KeyError, match="xml"):
        next(export_file(filled.client, "calls", "xml"))  # type: ignore[arg-type]


def test_a_store_that_fails() -> None:
    """The error says what to do."""
    client = beside("nothing_to_export")
    with pytest.raises(StoreError, match="run `otel-costs schema`"):
        next(export(client, "calls"))
    with pytest.raises(StoreError, match="run `otel-costs schema`"):
        next(export_file(client, "calls", "csv"))
    client.command("drop database nothing_to_export sync")
    client.close()


def test_the_names_of_what_there_is() -> None:
    """The keys are part of the command line."""
    assert set(exports.EXPORTS) == {"calls", "lines", "messages", "sessions"}


def _read(store: Store, what: str, file_format: Format) -> list[dict[str, Any]]:
    body = b"".join(export_file(store.client, what, file_format))
    if file_format == "parquet":
        return pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist()  # type: ignore[no-any-return]
    if file_format == "json":
        return [json.loads(line) for line in body.splitlines()]
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))
