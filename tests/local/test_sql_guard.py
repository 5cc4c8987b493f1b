"""How a statement is cut: its first words, its data, and what may not stand in it at all."""

import pytest

from otel_costs.local import sql_guard
from otel_costs.local.sql_guard import SeveralStatementsError, UnreadableError


@pytest.mark.parametrize("sql", ["select 1; drop table t", "select 1;;", "insert into t select 1; select 1"])
def test_one_statement_at_a_time(sql: str) -> None:
    """A second statement is refused, as a server refuses it."""
    with pytest.raises(SeveralStatementsError):
        sql_guard.read(sql.encode())


def test_one_semicolon_may_end_a_statement() -> None:
    """People write one."""
    assert sql_guard.read(b"select 1 ;  -- done").verb == "select"


@pytest.mark.parametrize(
    "sql",
    [
        "select file\u00a0('x')",
        "select ‘a’",
        "select 1 \x00",
        "select\u2003 1",
        "select 'a",
        'select "a',
        "select /* 1",
        "select $a$ 1 $b$",
    ],
)
def test_what_cannot_be_cut_is_refused(sql: str) -> None:
    """Characters beyond ASCII stand in quotes and comments alone, and both end."""
    with pytest.raises(UnreadableError):
        sql_guard.read(sql.encode())


@pytest.mark.parametrize("sql", ["select 'ü\u00a0'", 'select 1 as "é"', "select 1 as `Ω` -- ü", "select $$ü$$ /* ü */"])
def test_any_character_stands_in_quotes_and_comments(sql: str) -> None:
    """Data and names are in all languages."""
    sql_guard.read(sql.encode())


@pytest.mark.parametrize(
    ("sql", "head", "name", "data"),
    [
        (b"INSERT INTO t FORMAT TSV\n\x00\xff;file(", "INSERT INTO t ", "TSV", b"\x00\xff;file("),
        (b"insert into t (a, `format`) format Native\r\n\x01", "insert into t (a, `format`) ", "Native", b"\x01"),
        (b"INSERT INTO t SETTINGS a=1 FORMAT JSONEachRow {}", "INSERT INTO t SETTINGS a=1 ", "JSONEachRow", b"{}"),
        (b"INSERT INTO t FORMAT CSV\n\n1", "INSERT INTO t ", "CSV", b"\n1"),
        (b"INSERT INTO t FORMAT CSV", "INSERT INTO t ", "CSV", b""),
    ],
)
def test_the_data_of_an_insert_begins_behind_its_format(sql: bytes, head: str, name: str, data: bytes) -> None:
    """Data is data: it is not read as SQL, and not one byte of it is lost."""
    found = sql_guard.read(sql)
    assert (found.head, found.data_format, found.data) == (head, name, data)


def test_the_settings_of_an_insert_stand_apart() -> None:
    """The engine wants them between the name of a file and the format."""
    found = sql_guard.read(b"insert into t (a) settings b = 1 format CSV 1")
    assert found.before_settings == ("insert into t (a) ", "settings b = 1 ")


@pytest.mark.parametrize("sql", ["insert into t (settings) ", "insert into settings ", "insert into d.settings (a) "])
def test_a_name_may_be_settings(sql: str) -> None:
    """A table and a column may have that name."""
    assert sql_guard.read(f"{sql}format CSV 1".encode()).before_settings == (sql, "")


@pytest.mark.parametrize(
    ("sql", "head", "rows"),
    [
        (b"insert into t (values) values (1);", "insert into t (values) ", b" (1);"),
        (b"insert into t format Values (1)", "insert into t ", b" (1)"),
    ],
)
def test_rows_stand_behind_values(sql: bytes, head: str, rows: bytes) -> None:
    """What stands there is run by the engine, unless it is constant."""
    found = sql_guard.read(sql)
    assert (found.head, found.has_rows, found.data) == (head, True, rows)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (b"(1, 'a'), (-2.5e-3, 'it''s'),\n(NULL, 'b\\'c)'), ({'k': [1]}, true);", True),
        (b"(now())", False),
        (b"('a' || f)", False),
        (b"(1); select 1", False),
        (b"('a", False),
        (b"(1) -- (\n", False),
        (b"(`a`)", False),
        (b"('" + b"a" * 1_000_000 + b"', 1) x", False),
    ],
)
def test_constants(rows: bytes, expected: bool) -> None:
    """Numbers, texts and their lists are constants; names are none."""
    assert sql_guard.are_constants(rows) is expected


def test_an_insert_of_a_select_has_no_data() -> None:
    """The FORMAT of an INSERT SELECT belongs to its SELECT."""
    assert sql_guard.read(b"insert into t select 1 format TSV").data_format is None


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("select 1 format JSON", "JSON"),
        ("select 1 FORMAT CSVWithNames settings max_threads = 1", "CSVWithNames"),
        ("select format('{}', 1)", None),
        ("select 1 as format", None),
        ("select * from (select 1) ", None),
    ],
)
def test_the_format_of_the_output(sql: str, name: str | None) -> None:
    """The response's type is that of the statement's own FORMAT, if it has one."""
    assert sql_guard.read(sql.encode()).output_format == name


@pytest.mark.long
def test_reading_a_statement_takes_no_longer_than_its_text() -> None:
    """Nothing in it is gone through again for each word: a million words in an INSERT would take days."""
    sql = b"insert into t " + b"a " * 200_000
    assert len(sql_guard.read(sql).tokens) == 200_003
