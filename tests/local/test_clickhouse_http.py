"""ClickHouse's HTTP interface, as its clients use it."""

import gzip
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from otel_costs.local import Stack
from otel_costs.store import embedded
from tests.support.go_program import built

from .support import Answer, ask, export_logs, ledger_record, send

GO_PROGRAM = Path(__file__).with_name("clickhouse_go")


def connect(stack: Stack, **options: Any) -> Client:
    url = urlsplit(stack.http_url)
    return clickhouse_connect.get_client(host=url.hostname, port=url.port, **options)


def curl(*arguments: str, data: bytes | None = None) -> Answer:
    """Run curl; its own status line and headers are read from what it prints."""
    done = subprocess.run(["curl", "-sS", "-i", *arguments], input=data, capture_output=True, check=True, timeout=60)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(status.split()[1]), headers, body)


@pytest.fixture
def table(stack: Stack) -> Iterator[str]:
    """Make a table of the test's own."""
    name = f"t_{uuid.uuid4().hex}"
    assert (
        send(stack.http_url, f"CREATE TABLE {name} (n Int64, s String) ENGINE = MergeTree ORDER BY n".encode()).status
        == 200
    )
    yield name
    send(stack.http_url, f"DROP TABLE {name}".encode())


def test_ping_and_root(stack: Stack) -> None:
    """What a health check asks is answered as a server answers it."""
    assert curl(f"{stack.http_url}/ping").body == b"Ok.\n"
    assert curl(f"{stack.http_url}/").body == b"Ok.\n"


def test_curl_reads_and_writes(stack: Stack, table: str) -> None:
    """The examples of ClickHouse's documentation work: a query in the URL, in the body, data behind it or in a file."""
    base = stack.http_url
    assert curl(base, "--data-binary", f"INSERT INTO {table} VALUES (1, 'a'), (2, now()::String)").status == 200
    assert curl(f"{base}/?query={quote(f'INSERT INTO {table} VALUES')}", "--data-binary", "(3, 'c')").status == 200
    url = f"{base}/?query={quote(f'INSERT INTO {table} FORMAT TabSeparated')}"
    assert curl(url, "--data-binary", "@-", data=b"4\td\\t\n5\te").status == 200
    assert (
        curl(base, "--data-binary", "@-", data=f'INSERT INTO {table} FORMAT JSONEachRow\n{{"n":6}}'.encode()).status
        == 200
    )
    answer = curl(f"{base}/?query={quote(f'SELECT n, s FROM {table} WHERE n IN (1, 3, 4, 6) ORDER BY n')}")
    assert answer.body == b"1\ta\n3\tc\n4\td\\t\n6\t\n"
    assert answer.headers["content-type"] == "text/tab-separated-values; charset=utf-8"
    answer = curl(base, "-H", "X-ClickHouse-Format: JSONCompact", "-d", f"SELECT count() AS c FROM {table}")
    assert json.loads(answer.body)["data"] == [[6]]
    assert answer.headers["content-type"].startswith("application/json")


def test_a_get_may_only_read(stack: Stack, table: str) -> None:
    """A link cannot write."""
    writes = (f"INSERT INTO {table} VALUES (1, 'a')", f"DROP TABLE {table}", "SET readonly = 0")
    for sql in (*writes, "KILL QUERY WHERE 0", "SYSTEM STOP VIEWS", "/**/ kill MUTATION WHERE 0"):
        answer = curl(f"{stack.http_url}/?query={quote(sql)}")
        assert answer.headers["x-clickhouse-exception-code"] == "164"
    assert curl(f"{stack.http_url}/?query={quote(f'SELECT count() FROM {table}')}").body == b"0\n"


def test_parameters_and_settings_of_the_url(stack: Stack) -> None:
    """`param_x` fills `{x:Type}`, `database` chooses one, and all else is a setting, for this request only."""
    fields = {"param_x": "a\\tb", "max_threads": "7", "database": "system"}
    sql = "SELECT {x:String}, getSetting('max_threads'), currentDatabase(), (SELECT count() FROM one)"
    assert send(f"{stack.http_url}/?{urlencode(fields)}", sql.encode()).text == "a\\tb\t7\tsystem\t1\n"
    assert ask(stack.http_url, "SELECT getSetting('max_threads') = 7 AS same") == [{"same": 0}]
    answer = send(f"{stack.http_url}/?no_such_setting=1", b"SELECT 1")
    assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (404, "115")


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC 1", 400, "62"),
        ("SELECT * FROM no_such_table", 404, "60"),
        ("SELECT no_such_column", 404, "47"),
        ("SELECT throwIf(1)", 500, "395"),
        ("SELECT 1; SELECT 2", 400, "62"),
        ("SELECT * FROM file('/etc/passwd', 'LineAsString')", 403, "497"),
        ("SELECT * FROM `/etc/passwd`", 404, "60"),
        ("SELECT * FROM default.`/etc/passwd`", 404, "60"),
        ("", 400, "62"),
        ("-- nothing", 400, "62"),
    ],
)
def test_errors_have_a_servers_status_code_and_text(stack: Stack, sql: str, status: int, code: str) -> None:
    """A client learns what was wrong the way it learns it from a server."""
    answer = send(stack.http_url, sql.encode())
    assert (answer.status, answer.headers.get("x-clickhouse-exception-code")) == (status, code)
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")


def test_bad_data_is_refused_whole(stack: Stack, table: str) -> None:
    """An insert with one bad row leaves no row."""
    answer = send(stack.http_url, f"INSERT INTO {table} FORMAT TSV\n1\ta\nx\tb\n".encode())
    assert answer.status == 400
    assert ask(stack.http_url, f"SELECT count() AS c FROM {table}")[0]["c"] == 0


@pytest.mark.some(2)
@pytest.mark.parametrize("compress", [False, True, "lz4", "zstd", "gzip"])
def test_clickhouse_connect(stack: Stack, table: str, compress: bool | str) -> None:
    """The driver that our own commands use reads and writes, in all its compressions, and gets exact errors."""
    client = connect(stack, compress=compress)
    rows = [[number, f"é\n\0 {number}"] for number in range(3000)]
    assert client.insert(table, rows, column_names=["n", "s"]).written_rows == 3000
    assert [list(row) for row in client.query(f"SELECT n, s FROM {table} ORDER BY n").result_rows] == rows
    found = client.query(
        f"SELECT s FROM {table} WHERE n = {{n:Int64}} AND s = {{s:String}}", parameters={"n": 7, "s": "é\n\0 7"}
    )
    assert found.result_rows == [("é\n\0 7",)]
    long = client.query("SELECT length({s:String})", parameters={"s": "x" * 100_000})
    assert long.result_rows == [(100_000,)]
    assert client.command("SELECT 1 + 1") == 2
    assert client.query(f"SELECT n FROM {table} LIMIT 0").column_names == ("n",)
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.query("SELECT * FROM no_such_table")
    client.close()


@pytest.fixture(scope="module")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program with clickhouse-go."""
    untested = "clickhouse-go, the driver of the collector's exporter, is not tested"
    return built(GO_PROGRAM, tmp_path_factory.mktemp("go"), untested)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("compression", ["none", "lz4", "zstd", "gzip", "deflate"])
def test_clickhouse_go(stack: Stack, go_program: Path, compression: str) -> None:
    """The driver of the collector's exporter and of Grafana pings, describes, inserts, reads and understands errors."""
    environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    command = [str(go_program), stack.http_url, compression]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
    assert (done.stdout, done.returncode) == ("ok 5000\n", 0), done.stderr


@pytest.mark.parametrize(
    "body", [b"x" * 10, b"\0" * 100, b"\0" * 16 + b"\x82\xff\xff\xff\x7f\xff\xff\xff\x7f" + b"x" * 50]
)
def test_a_broken_compressed_block_is_refused(stack: Stack, body: bytes) -> None:
    """What does not carry its own checksum is not decompressed."""
    answer = send(f"{stack.http_url}/?decompress=1&query=INSERT+INTO+otel_logs+FORMAT+Native", body)
    assert answer.status == 400
    assert "compressed body" in answer.text


@pytest.mark.long
def test_compressed_requests(stack: Stack, table: str) -> None:
    """A body may be compressed by HTTP's own means, and a bomb does not go off."""
    sql = gzip.compress(f"INSERT INTO {table} VALUES (1, 'a')".encode())
    assert send(stack.http_url, sql, {"Content-Encoding": "gzip"}).status == 200
    bomb = gzip.compress(b"\0" * (600 * 2**20))
    assert send(stack.http_url, bomb, {"Content-Encoding": "gzip"}).status == 413


def test_sessions_are_served_from_their_definitions(stack: Stack) -> None:
    """`/sessions` and `/sessions/{id}` are the handlers of queries/, and give exact money."""
    session, user = uuid.uuid4().hex, uuid.uuid4().hex
    export_logs(stack.otlp_http_url, [ledger_record(session, seq=seq, more={"user.id": user}) for seq in (1, 2)])
    answer = curl(f"{stack.http_url}/sessions?user={user}&limit=5")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    listed = json.loads(answer.body)
    assert listed["total"] == 1
    assert (listed["sessions"][0]["session_id"], listed["sessions"][0]["cost_usd"]) == (session, "0.023500")
    assert json.loads(curl(f"{stack.http_url}/sessions/{session}").body)["cost"]["cost_usd"] == "0.023500"


@pytest.mark.some(3)
@pytest.mark.parametrize(
    "session", ["a/b c", 'it\'s "so"', "new\nline\ttab", "back\\slash\\n", "nul\0é%2F", "$(id)`;--"]
)
def test_a_session_of_any_name_is_found(stack: Stack, session: str) -> None:
    """Whatever characters a session's id has, its URL gives that session, byte for byte."""
    export_logs(stack.otlp_http_url, [ledger_record(session)])
    answer = send(f"{stack.http_url}/sessions/{quote(session, safe='')}")
    assert json.loads(answer.body)["session_id"] == session


def test_a_new_handler_is_there_at_once(stack: Stack) -> None:
    """Endpoints are what the engine says they are, when it says so; other paths are 404."""
    assert send(f"{stack.http_url}/mine/7").status == 404
    select = "SELECT {n:UInt8} + {more:UInt8} FORMAT TSV"
    sql = f"CREATE HANDLER mine URL REGEXP '/mine/(?P<n>[0-9]+)' METHODS (GET) AS {select}"
    assert send(stack.http_url, sql.encode()).status == 200
    assert send(f"{stack.http_url}/mine/7?more=5").text == "12\n"
    assert send(f"{stack.http_url}/mine/x").status == 404
    assert send(f"{stack.http_url}/mine/7", b"").status == 404


def test_a_pattern_that_only_a_server_knows_disturbs_no_other(stack: Stack) -> None:
    """A handler whose pattern is none of Python's is not found; all others are."""
    sql = r"CREATE HANDLER aaa URL REGEXP '/\\pL+' METHODS (GET) AS SELECT 1"
    assert send(stack.http_url, sql.encode()).status == 200
    assert send(f"{stack.http_url}/sessions").status == 200
    assert send(f"{stack.http_url}/abc").status == 404


def test_a_pattern_takes_no_longer_than_its_text(stack: Stack) -> None:
    """The engine matches paths: a pattern that Python would try for years ends at once, and its groups are found."""
    pattern = "/slow/((x+x+)+y|(?P<n>[0-9]+)|(?P<m>z))"
    sql = f"CREATE HANDLER slow URL REGEXP '{pattern}' METHODS (GET) AS SELECT {{n:String}}, {{m:String}}"
    assert send(stack.http_url, sql.encode()).status == 200
    assert send(f"{stack.http_url}/slow/{'x' * 60}").status == 404
    assert send(f"{stack.http_url}/slow/5").text == "5\t\n"
    assert send(f"{stack.http_url}/slow/5/").status == 404


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\n", "€", " a"])
def test_what_no_header_can_hold_is_left_out(stack: Stack, value: str) -> None:
    """The name of a query, and headers that a handler asks for, do not break the answer."""
    answer = send(f"{stack.http_url}/?{urlencode({'query_id': value})}", b"SELECT 1")
    assert (answer.status, answer.text) == (200, "1\n")
    headers = f"{{'X-Mine': {embedded.quote(value)}, 'X-Plain': 'a', 'Content-Length': '1'}}"
    select = f"SELECT 12 SETTINGS http_response_headers = {headers}"
    assert send(stack.http_url, b"DROP HANDLER IF EXISTS headers").status == 200
    assert send(stack.http_url, f"CREATE HANDLER headers URL '/headers' AS {select}".encode()).status == 200
    answer = send(f"{stack.http_url}/headers")
    assert (answer.text, answer.headers["x-plain"]) == ("12\n", "a")
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize(
    "sql",
    [f"SELECT {'abs(' * 450}1{')' * 450}", f"SELECT {'[' * 900}1{']' * 900}", f"SELECT 1{'+1' * 9000}"],
    ids=["functions", "arrays", "sums"],
)
def test_what_is_nested_too_deeply_is_an_error_of_the_statement(stack: Stack, sql: str) -> None:
    """It is said so, as a server says it."""
    answer = send(stack.http_url, sql.encode())
    assert (answer.status, answer.headers["x-clickhouse-exception-code"]) in {(400, "306"), (400, "167")}


def test_an_error_may_quote_any_bytes(stack: Stack) -> None:
    """What the engine cannot read need be no UTF-8."""
    answer = send(stack.http_url, b"SELECT CAST(unhex('fffe') AS Int8)")
    assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (400, "6")
