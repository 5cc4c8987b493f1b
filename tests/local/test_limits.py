"""Time and memory of a query, and who waits for whom."""

import asyncio
import inspect
import select
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from urllib.parse import quote, urlencode, urlsplit

import clickhouse_connect
import pytest

from otel_costs.local import Stack, limits
from otel_costs.store import connect
from otel_costs.store.embedded import EngineError

from .support import Served, ask, export_logs, ledger_record, send

FOR_HOURS = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
ONE_SECOND = "from otel_costs.local import limits; object.__setattr__(limits.SQL, 'time_s', 1.0)"
"""Half a minute, shortened: what it is without that, test_more_time_cannot_be_asked_for says."""


@contextmanager
def queries_that_are_left(stack: Stack, count: int) -> Iterator[list[socket.socket]]:
    """Have queries that would run for hours run, and leave them afterwards: they end then."""
    url = urlsplit(stack.http_url)
    head = f"POST / HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {len(FOR_HOURS)}\r\n\r\n"
    with ExitStack() as opened:
        asking = [opened.enter_context(socket.create_connection((url.hostname, url.port))) for _ in range(count)]
        for one in asking:
            one.sendall((head + FOR_HOURS).encode())
        while len(running(stack)) < count:
            pass
        yield asking
    while running(stack):
        pass


def running(stack: Stack, what: str = "%(sipHash64%") -> list[dict[str, str]]:
    sql = "SELECT query_id FROM system.processes WHERE query LIKE {what:String} AND query NOT LIKE '%system.processes%'"
    return ask(stack.http_url, sql, what=what)


def test_four_slow_queries_keep_nobody_waiting(stack: Stack) -> None:
    """While they run, other queries, reports, commands and records are answered; who leaves one ends it."""
    with queries_that_are_left(stack, 4) as asking:
        ask_meanwhile(stack)
        assert select.select(asking, [], [], 0)[0] == []  # none is answered yet


def ask_meanwhile(stack: Stack) -> None:
    assert send(stack.http_url, b"SELECT 1").text == "1\n"
    assert send(f"{stack.http_url}/sessions").status == 200
    assert send(f"{stack.http_url}/ping").status == 200
    assert export_logs(stack.otlp_http_url, [ledger_record("meanwhile")]).status == 200
    for long_work in (True, False):
        client = connect(stack.http_url, long_work=long_work)
        assert client.command("SELECT 2") == 2
        client.close()


@pytest.mark.long
def test_each_slow_query_is_ended(serve: Callable[..., Served]) -> None:
    """After the time that a query may take, where it asks for no less: half a minute, here a second."""
    served = serve(prelude=ONE_SECOND)
    served.wait_until_ready()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: send(served.http_url, FOR_HOURS.encode()), range(4)))
    assert {answer.status for answer in answers} == {408}
    assert {answer.headers["x-clickhouse-exception-code"] for answer in answers} == {"159"}


@pytest.mark.parametrize("asked", ["1", "0.5"])
def test_less_time_can_be_asked_for(stack: Stack, asked: str) -> None:
    """A query that asks for a second has a second."""
    answer = send(f"{stack.http_url}/?max_execution_time={asked}", FOR_HOURS.encode())
    assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (408, "159")


@pytest.mark.parametrize(
    ("kind", "asked", "seconds"),
    [
        (limits.SQL, None, 30),
        (limits.SQL, "0", 30),
        (limits.SQL, "-1", 30),
        (limits.SQL, "3600", 30),
        (limits.SQL, "nan", 30),
        (limits.SQL, "inf", 30),
        (limits.SQL, "1e999", 30),
        (limits.SQL, "many", 30),
        (limits.SQL, "7.5", 7.5),
        (limits.WORK, "7", 7),
        (limits.REPORT, "3600", 60),
    ],
)
def test_more_time_cannot_be_asked_for(kind: limits.QueryClass, asked: str | None, seconds: float) -> None:
    """What is larger than the limit of a kind, or no limit at all, is cut to it."""
    settings = {} if asked is None else {"max_execution_time": asked}
    assert kind.seconds(settings) == seconds
    assert float(kind.settings(settings, "m")["max_execution_time"]) == seconds


def test_limits_reach_the_engine(stack: Stack) -> None:
    """Larger limits in a URL are cut, smaller ones hold; other settings are as they were asked for."""
    names = ("max_memory_usage", "max_result_bytes", "max_rows_to_read")
    sql = f"SELECT {', '.join(f'getSetting({name!r})' for name in names)}".encode()
    large = send(f"{stack.http_url}/?{urlencode(dict.fromkeys(names, '10000000000000'))}", sql).text.split()
    assert int(large[0]) == max(limits.machine_memory() // 16, 256 * 2**20)
    assert int(large[1]) == limits.SQL.result_bytes
    assert large[2] == "10000000000000"
    small = send(f"{stack.http_url}/?{urlencode(dict.fromkeys(names, '1000000'))}", sql).text.split()
    assert small == ["1000000"] * 3


@pytest.mark.some(11)
@pytest.mark.parametrize("name", sorted(limits.OWN - {"max_execution_time"}))
@pytest.mark.parametrize("value", ["0", "999999999999999", "'999999999999999'", "-1", "1e30", "'many'"])
def test_sql_gives_itself_no_more(stack: Stack, name: str, value: str) -> None:
    """Neither in the statement, nor in a part of it, nor by a SET, however it is written."""
    escaped = name.replace("_", r"\x5f", 1)
    for sql in (
        f"SELECT 1 SETTINGS {name} = {value}",
        f"SELECT * FROM (SELECT 1 SETTINGS {name.upper()}={value})",
        f"SELECT 1 SETTINGS max_block_size = 10, {name} /* no */ = {value}",
        f"SELECT 1 SETTINGS `{name}` -- no\n = {value}",
        f"SELECT 1 SETTINGS {name} # no\n = {value}",
        f"SELECT 1 SETTINGS {name} // no\n = {value}",
        f"SELECT 1 SETTINGS `{escaped}` = {value}",
        f"SELECT $$'$$ SETTINGS {name} = {value}, log_comment = 'x'",
        f"SET {name} = DEFAULT",
        f"INSERT INTO budgets (name) SETTINGS {name} = {value} FORMAT TSV\nx\n",
    ):
        answer = send(stack.http_url, sql.encode())
        assert answer.status >= 400, sql


def test_sql_gives_itself_less(stack: Stack) -> None:
    """Smaller limits hold; text that looks like a setting is text."""
    sql = "SELECT getSetting('max_memory_usage'), 'max_memory_usage = 0'"
    sql += " SETTINGS max_memory_usage = 1000000, max_threads = 1"
    assert send(stack.http_url, sql.encode()).text == "1000000\tmax_memory_usage = 0\n"
    for text in (
        b"SELECT '-- max_memory_usage = 0'",
        b"INSERT INTO FUNCTION null('s String') VALUES ('it''s \\' max_memory_usage = 0')",
        b"SELECT /* max_memory_usage = 0 */ 1",
        b"SELECT value FROM system.settings WHERE name = 'max_memory_usage'",
    ):
        assert send(stack.http_url, text).status == 200, text


@pytest.mark.long
def test_its_time_is_watched_whatever_it_says(stack: Stack) -> None:
    """A statement that gives itself an hour, or no limit, has the time that its request has."""
    for value in (0, 3600):
        sql = f"{FOR_HOURS} SETTINGS max_execution_time = {value}"
        answer = send(f"{stack.http_url}/?max_execution_time=1", sql.encode())
        assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (408, "159")


def test_memory_is_bounded(stack: Stack) -> None:
    """A query that wants more than its share ends with the engine's error, and the store goes on."""
    sql = f"SELECT length(groupArray(number)) FROM numbers({limits.machine_memory() // 16})"
    answer = send(stack.http_url, sql.encode())
    assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (500, "241")
    assert send(stack.http_url, b"SELECT 1").text == "1\n"


def test_who_is_gone_is_not_worked_for(stack: Stack) -> None:
    """A query ends when its client hangs up."""
    address = urlsplit(stack.http_url)
    sql = f"SELECT sum(cityHash64(number)) FROM numbers(1000000000000) -- {id(stack)}"
    with socket.create_connection((address.hostname or "", address.port or 0)) as client:
        client.sendall(f"GET /?query={quote(sql)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        while not running(stack, "%(cityHash64%"):
            pass
    while running(stack, "%(cityHash64%"):
        pass


@pytest.mark.some(7)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("way", ["url", "body", "both"])
def test_only_post_writes(stack: Stack, method: str, way: str) -> None:
    """No other method changes anything, wherever its statement stands and whatever settings come with it."""
    name = f"written_{method}_{way}".lower()
    send(stack.http_url, f"CREATE TABLE IF NOT EXISTS {name} (n UInt8) ENGINE = MergeTree ORDER BY n".encode())
    for statement in (
        f"INSERT INTO {name} VALUES (1)",
        f"INSERT INTO {name} SELECT 1",
        f"INSERT INTO {name} FORMAT TSV\n1\n",
        f"INSERT INTO {name} SETTINGS readonly = 0 VALUES (1)",
        f"DROP TABLE {name}",
        f"TRUNCATE TABLE {name}",
        f"CREATE TABLE {name}_more (n UInt8) ENGINE = Memory",
        f"ALTER TABLE {name} ADD COLUMN m UInt8",
        f"OPTIMIZE TABLE {name}",
    ):
        for settings in ("", "readonly=0&"):
            query = f"query={quote(statement)}" if way in ("url", "both") else ""
            body = statement.encode() if way in ("body", "both") else None
            answer = send(f"{stack.http_url}/?{settings}{query}", body, method=method)
            if method not in ("GET", "HEAD"):
                assert answer.status == 405
            elif query:
                assert answer.status >= 400
    assert ask(stack.http_url, f"SELECT count() AS c FROM {name}") == [{"c": 0}]
    assert ask(stack.http_url, f"SELECT count() AS c FROM system.columns WHERE table LIKE '{name}%'") == [{"c": 1}]


def test_a_head_reads(stack: Stack) -> None:
    """HEAD is GET without the body."""
    answer = send(f"{stack.http_url}/?query=SELECT+1", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert send(f"{stack.http_url}/", method="HEAD").status == 200


def test_who_finds_no_place_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer says so; nobody waits any longer for that client to leave."""
    monkeypatch.setattr(limits, "WAIT_S", 0.2)
    ended = threading.Event()

    async def ask_for_one_too_many() -> None:
        queries = limits.Queries(lambda _mark: None)
        wait, never = (lambda _mark: ended.wait()), asyncio.Event().wait
        running = [
            asyncio.ensure_future(queries.run(limits.WORK, 60, wait, never())) for _ in range(limits.WORK.places)
        ]
        await asyncio.sleep(0)
        with pytest.raises(EngineError, match="all 4 places for work are taken: ask again") as refused:
            await queries.run(limits.WORK, 60, wait, left := never())
        await asyncio.sleep(0)
        assert inspect.getcoroutinestate(left) == inspect.CORO_CLOSED
        assert refused.value.code == limits.TOO_MANY_QUERIES
        ended.set()
        assert await asyncio.gather(*running) == [True] * limits.WORK.places
        assert await queries.run(limits.WORK, 60, wait, never())
        queries.close()

    asyncio.run(ask_for_one_too_many())


def test_lanes_by_who_asks() -> None:
    """Our commands say who they are; inserts that bring their data wait for no query."""
    assert limits.class_of("curl/8", brings_data=False) is limits.SQL
    assert limits.class_of("curl/8", brings_data=True) is limits.INSERTS
    assert limits.class_of("otel-costs-reports clickhouse-connect/1.12", brings_data=False) is limits.REPORT
    assert limits.class_of("otel-costs-work clickhouse-connect/1.12", brings_data=True) is limits.WORK


def test_clients_of_ours_are_known(stack: Stack) -> None:
    """What `connect` opens is given the memory of its kind."""
    for long_work, kind in ((True, limits.WORK), (False, limits.REPORT)):
        client = connect(stack.http_url, long_work=long_work)
        memory = client.command("SELECT getSetting('max_memory_usage')")
        assert memory == max(int(limits.machine_memory() * kind.memory_share), 256 * 2**20)
        client.close()
    other = clickhouse_connect.get_client(dsn=stack.http_url)
    assert other.command("SELECT getSetting('max_memory_usage')") == max(limits.machine_memory() // 16, 256 * 2**20)
    other.close()
