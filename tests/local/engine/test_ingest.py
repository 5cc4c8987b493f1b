"""Many requests, one insert, and what happens to a row that the store will not have."""

import threading
import uuid
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from otel_costs.local import Stack
from otel_costs.local.ingest import Ingest, UnavailableError
from otel_costs.store.embedded import Engine

from ..support import ask, export_logs, ledger_record, send


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as opened:
        opened.execute("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
        yield opened


def count(engine: Engine) -> int:
    return int(engine.execute("SELECT count() FROM t"))


def test_requests_that_wait_share_an_insert(engine: Engine) -> None:
    """What came while an insert ran is one insert, each request is answered, and every row is there once."""
    ingest = Ingest(engine)
    answers = [ingest.submit("t", [f'{{"n":{number}}}'.encode()]) for number in range(500)]
    assert [answer.result(60) for answer in answers] == [0] * 500
    assert ingest.close(60)
    assert count(engine) == 500
    parts = int(engine.execute("SELECT max(max_block_number) FROM system.parts WHERE table = 't'"))
    assert parts < 250


def test_a_bad_row_costs_itself_alone(engine: Engine) -> None:
    """Two bad rows are counted as refused; all others of their request and of those beside it are stored."""
    ingest = Ingest(engine)
    good = [ingest.submit("t", [f'{{"n":{number}}}'.encode()]) for number in range(20)]
    bad = ingest.submit("t", [b'{"n":"x"}' if number in (3, 17) else b'{"n":7}' for number in range(20)])
    assert bad.result(60) == 2
    assert {answer.result(60) for answer in good} == {0}
    assert ingest.close(60)
    assert count(engine) == 38


def test_an_error_may_cut_a_character_in_two(engine: Engine) -> None:
    """The engine quotes a row that it cannot read up to some byte: that row is refused, the others are stored."""
    ingest = Ingest(engine)
    for before in ("", "x", "xx"):
        row = '{"n":"' + before + "€" * 4000 + '"}'
        assert ingest.submit("t", [row.encode(), b'{"n":7}']).result(60) == 1
    assert ingest.close(60)
    assert count(engine) == 3


def test_a_store_that_fails_is_told_to_all(engine: Engine) -> None:
    """When the table is not there the rows may come again: nobody is told that they are stored, or for ever refused."""
    ingest = Ingest(engine)
    with pytest.raises(UnavailableError, match="error 60"):
        ingest.submit("gone", [b'{"n":1}']).result(60)
    assert ingest.close(60)


def test_what_waits_is_bounded(engine: Engine) -> None:
    """With too much under way a request is sent away, to come again; a closed one takes nothing."""
    ingest = Ingest(engine, pending_bytes=100)
    row = b'{"n":1}'
    taken, refused = 0, 0
    for _ in range(2000):
        try:
            ingest.submit("t", [row])
            taken += 1
        except UnavailableError:
            refused += 1
    assert refused > 0
    assert ingest.close(60)
    assert count(engine) == taken
    with pytest.raises(UnavailableError, match="stopping"):
        ingest.submit("t", [row])


def test_a_record_that_a_view_throws_on_is_rejected_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A view of the user's that throws on one record costs that record; the answer says how many were rejected."""
    session = uuid.uuid4().hex
    view = "SELECT throwIf(LogAttributes['poison'] = 'yes') AS x FROM otel_logs"
    with Stack(tmp_path_factory.mktemp("data")) as stack:
        send(stack.http_url, b"CREATE TABLE seen (x UInt8) ENGINE = MergeTree ORDER BY x")
        assert send(stack.http_url, f"CREATE MATERIALIZED VIEW mine TO seen AS {view}".encode()).status == 200
        records = [ledger_record(session, seq=seq, more={"poison": "yes" if seq == 5 else "no"}) for seq in range(10)]
        answer = export_logs(stack.otlp_http_url, records)
        said = ExportLogsServiceResponse.FromString(answer.body).partial_success
        assert (answer.status, said.rejected_log_records) == (200, 1)
        assert said.error_message
        sql = "SELECT uniqExact(call_seq) AS c FROM calls FINAL WHERE session_id = {s:String} AND call_seq != 5"
        assert ask(stack.http_url, sql, s=session) == [{"c": 9}]


def test_what_was_refused_is_not_missing(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Who sent it knows: the number of a refused call is no gap in the numbers of its process, others are."""
    process = uuid.uuid4().hex
    view = "SELECT throwIf(LogAttributes['poison'] = 'yes') AS x FROM otel_logs"
    with Stack(tmp_path_factory.mktemp("data")) as stack:
        send(stack.http_url, b"CREATE TABLE seen (x UInt8) ENGINE = MergeTree ORDER BY x")
        assert send(stack.http_url, f"CREATE MATERIALIZED VIEW mine TO seen AS {view}".encode()).status == 200
        records = [
            ledger_record("s", seq=seq, more={"poison": poison, "otel_costs.process.id": process})
            for seq, poison in ((1, "no"), (3, "yes"), (4, "yes"), (9, "no"))
        ]
        answer = export_logs(stack.otlp_http_url, records)
        assert ExportLogsServiceResponse.FromString(answer.body).partial_success.rejected_log_records == 2
        sql = "SELECT arraySort(bitmapToArray(groupBitmapMergeState(seqs))) AS seqs FROM call_sequences"
        sql += " WHERE process_id = unhex({p:String})"
        assert ask(stack.http_url, sql, p=process) == [{"seqs": [1, 3, 4, 9]}]


def test_long_queries_do_not_hold_records_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    """While more queries run than there are threads for, records are stored and health checks answered."""
    with Stack(tmp_path_factory.mktemp("data")) as stack:
        sql = b"SELECT sleepEachRow(3) FROM numbers(40) SETTINGS function_sleep_max_microseconds_per_block = 0"
        ended = threading.Event()

        def query() -> None:
            send(stack.http_url, sql)
            ended.set()

        queries = [threading.Thread(target=query) for _ in range(6)]
        for one in queries:
            one.start()
        assert send(f"{stack.http_url}/ping").status == 200
        assert export_logs(stack.otlp_http_url, [ledger_record("quick")]).status == 200
        assert not ended.is_set()
        stack.stop()
        for one in queries:
            one.join()
