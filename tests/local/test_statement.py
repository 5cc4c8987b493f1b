"""What a statement is read as, and what it may not reach for."""

import pytest

from otel_costs.local.statement import ForbiddenError, Reader, SeveralStatementsError, check_settings

READER = Reader(
    ["file", "url", "executable", "remote", "numbers", "values", "python", "newInventedReach"],
    ["File", "URL", "MergeTree", "ReplacingMergeTree", "Memory", "Filesystem", "NewInventedEngine"],
)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "select FILE ('/etc/passwd')",
        "select file/* a comment */('/etc/passwd')",
        "select file -- a comment\n('/etc/passwd')",
        "select /* /* nested */ file( */ url('http://a')",
        "select `file`('/etc/passwd')",
        "select `\\x66ile`('/etc/passwd')",
        "select 'it''s', file('/etc/passwd')",
        "select 'a\\'', file('/etc/passwd')",
        "select $a$ $b$ ' $a$, file('/etc/passwd')",
        "select ‘’, file('/etc/passwd')",
        "select 1 # ' \n, file('/etc/passwd')",
        "insert into function file('/tmp/x') select 1",
        "insert into t values (file('/etc/passwd'))",
        "select * from executable('id', 'TSV', 'a String')",
        "select * from newInventedReach('x')",
        "create view v as select * from url('http://a')",
        "create table t (a String) engine = File(CSV, '/tmp/x')",
        "create table t (a String) engine File",
        "create table t (a String) engine = `File`(CSV)",
        "create table t (a String) engine = NewInventedEngine",
        "create database d engine = Filesystem('/')",
        "create dictionary d (a String) primary key a source(executable(command 'id')) layout(flat())",
        "create dictionary d (a String) primary key a source(http(url 'http://a')) layout(flat())",
        "create table t (a Int8) engine = MergeTree order by a settings disk = disk(type = local, path = '/')",
        "attach table t from '/var/lib' (a String) engine = MergeTree order by a",
        "select 1 into outfile '/tmp/x'",
        "insert into t from infile '/etc/passwd' format CSV",
        "select 1 format Template settings format_template_resultset = '/etc/passwd'",
        "select 1 settings format_schema = '/etc/passwd:a' format Protobuf",
        "system shutdown",
        "SYSTEM KILL",
    ],
)
def test_what_reaches_out_of_the_database_is_forbidden(sql: str) -> None:
    """Files, networks and programs are out of reach, however the statement is written."""
    with pytest.raises(ForbiddenError):
        READER.read(sql.encode())


@pytest.mark.parametrize(
    "sql",
    [
        "select 'file(', \"file\", url from numbers(3) where url != '$' -- url('x')",
        "select $$url('x')$$, ‘file(’ /* file('x') */",
        "select file from t where url in (select 1)",
        "select engine from system.tables where engine = 'File'",
        "select values(1), 'into', 'outfile'",
        "create table t (a String) engine = ReplacingMergeTree order by a",
        "create temporary table t (a String) engine = Memory",
        "insert into t (a) values ('file(')",
        "create dictionary d (a String) primary key a source(clickhouse(table 't')) layout(flat()) lifetime(0)",
        "select 'into outfile', \"unclosed",
    ],
)
def test_what_stays_in_the_database_is_allowed(sql: str) -> None:
    """Names, strings and comments that look like a reach are none."""
    READER.read(sql.encode())


@pytest.mark.parametrize("sql", ["select 1; drop table t", "select 1;;", "insert into t values (1); select 1"])
def test_one_statement_at_a_time(sql: str) -> None:
    """A second statement is refused, as a server refuses it."""
    with pytest.raises(SeveralStatementsError):
        READER.read(sql.encode())


def test_one_semicolon_may_end_a_statement() -> None:
    """People write one."""
    assert READER.read(b"select 1 ;  -- done").verb == "select"


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
    statement = READER.read(sql)
    assert (statement.insert, statement.data_format, statement.data) == (head, name, data)


def test_an_insert_of_a_select_has_no_data() -> None:
    """The FORMAT of an INSERT SELECT belongs to its SELECT."""
    assert READER.read(b"insert into t select 1 format TSV").data_format is None


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
    assert READER.read(sql.encode()).output_format == name


def test_settings_of_a_url_are_held_to_the_same() -> None:
    """A setting that makes a format read a file is refused wherever it stands."""
    check_settings(["max_threads", "date_time_input_format"])
    with pytest.raises(ForbiddenError):
        check_settings(["format_template_row"])
