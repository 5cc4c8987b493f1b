"""Backups of a store that is served: what was acknowledged is in them, nothing is half there, and so after kill -9."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from tests.cli.support import run

from .support import LATELY_NS, Served, ask, export_logs, key_values, ledger_record, send

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]  # processes that start, one after the other

_MAIN = "from otel_costs.cli import main; main()"
_KILLED = """
import os, signal
from otel_costs.store.backups import {module}
left = {number}
original = {module}.{name}
def killed(*arguments, **named):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **named)
{module}.{name} = killed
"""


class Sender(threading.Thread):
    """Sends 500 records a second, calls with a message each, fifty in a request; remembers what was acknowledged."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._enough = threading.Event()
        self._changed = threading.Condition()
        self.sent: dict[str, Decimal] = {}
        self.acknowledged: dict[str, Decimal] = {}

    def run(self) -> None:
        number = 0
        while not self._enough.wait(0.1):
            calls = {uuid.uuid4().hex: Decimal(1) / 10**12 * (number * 25 + n + 1) for n in range(25)}
            self.sent |= calls
            records = [record for n, call in enumerate(calls.items()) for record in _records(number, n, *call)]
            number += 1
            if export_logs(self._url, records).status == 200:
                with self._changed:
                    self.acknowledged |= calls
                    self._changed.notify_all()

    def wait_for(self, calls: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.acknowledged) >= calls, timeout=60)

    def stop(self) -> None:
        self._enough.set()
        self.join(60)


def _records(number: int, n: int, call_id: str, cost: Decimal) -> list[LogRecord]:
    session = f"s{number}"
    more = {
        "otel_costs.call.id": call_id,
        "otel_costs.cost.usd": f"{cost:f}",
        "otel_costs.cost.line.input_tokens": f"{cost:f}",
        "otel_costs.cost.line.output_tokens": "0",
    }
    said = {
        "event.name": "otel_costs.message",
        "otel_costs.message.id": call_id,
        "otel_costs.call.id": call_id,
        "otel_costs.message.role": "user",
        "session.id": session,
        "user.id": "user-1",
    }
    message = LogRecord(time_unix_nano=LATELY_NS, event_name="otel_costs.message", attributes=key_values(said))
    message.body.string_value = f"what was said in {call_id}"
    return [ledger_record(session, seq=number * 25 + n + 1, more=more), message]


def command(dsn: str, *arguments: str, prelude: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command: in a process of its own where it is to be killed, or opens the one engine of a process."""
    if not prelude and not dsn.startswith("chdb:"):
        done = run(*arguments, url=dsn)
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)
    return subprocess.run(
        [sys.executable, "-c", prelude + _MAIN, *arguments],
        env={**os.environ, "OTEL_COSTS_DSN": dsn},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def calls_of(url: str) -> dict[str, Decimal]:
    found = ask(url, "select call_id as id, toString(cost_usd) as usd from billed_calls")
    return {row["id"]: Decimal(row["usd"]) for row in found}


@pytest.fixture
def written_to(serve: Callable[..., Served]) -> Any:
    """Return a store into which 500 records arrive in each second."""
    served = serve()
    served.wait_until_ready()
    sender = Sender(served.otlp_http_url)
    sender.start()
    yield served, sender
    sender.stop()


def test_a_backup_while_records_arrive(
    written_to: tuple[Served, Sender], serve: Callable[..., Served], tmp_path: Path
) -> None:
    """All that was acknowledged before is in it, to the last digit; what came meanwhile is whole, or not there."""
    served, sender = written_to
    folder = str(tmp_path / "kept")
    sender.wait_for(250)
    before = dict(sender.acknowledged)
    made = told(command(served.http_url, "backup", "--to", folder, "--format", "json"))
    sender.wait_for(len(before) + 25)
    again = told(command(served.http_url, "backup", "--to", folder, "--format", "json"))
    assert again["calls"] > made["calls"]
    restored = serve(tmp_path / "restored")
    restored.wait_until_ready()
    found = told(command(restored.http_url, "restore", "--from", folder, "--backup", made["id"], "--format", "json"))
    assert found["equal"]
    calls = calls_of(restored.http_url)
    assert before.items() <= calls.items()
    assert calls.items() <= dict(sender.sent).items()
    assert (len(calls), sum(calls.values())) == (made["calls"], Decimal(made["cost_usd"]))
    rows = ask(
        restored.http_url,
        "select session_id, call_count, message_count, toString(cost_usd) as usd from sessions",
    )
    assert {(row["call_count"], row["message_count"]) for row in rows} == {(25, 25)}
    assert sum(Decimal(row["usd"]) for row in rows) == sum(calls.values())
    (counted,) = ask(
        restored.http_url,
        "select countIf(EventName = 'otel_costs.call') as calls, countIf(EventName = 'otel_costs.message') as said,"
        " (select count() from missing_calls) as missing from otel_logs",
    )
    assert counted == {"calls": len(calls), "said": len(calls), "missing": 0}
    assert not ask(served.http_url, "select name from system.databases where startsWith(name, 'otel_costs_')")


def test_kill_9_leaves_no_half_backup(written_to: tuple[Served, Sender], tmp_path: Path) -> None:
    """Wherever it hits: the list has whole ones alone, the next is whole, and nothing of the killed one is left."""
    served, sender = written_to
    folder = str(tmp_path / "kept")
    sender.wait_for(50)
    first = told(command(served.http_url, "backup", "--to", folder, "--format", "json"))
    # Six tables have new parts with each batch, one step for each: all of these come before the backup is whole.
    for number in random.Random(os.urandom(4)).sample(range(6), 2):
        killed = command(
            served.http_url, "backup", "--to", folder,
            prelude=_KILLED.format(module="folder", name="_sync", number=number),
        )  # fmt: skip
        assert killed.returncode == -signal.SIGKILL, f"after {number} steps"
        listed = told(command(served.http_url, "backup", "--to", folder, "--list", "--format", "json"))["backups"]
        assert [row["id"] for row in listed] == [first["id"]], f"after {number} steps"
    last = told(command(served.http_url, "backup", "--to", folder, "--keep", "1", "--format", "json"))
    assert last["deleted"] == [first["id"]]
    assert told(command(served.http_url, "backup", "--to", folder, "--check", "--format", "json")) == {"damaged": []}
    assert list((tmp_path / "kept" / "tmp").iterdir()) == []


def test_kill_9_of_a_restore_is_finished_by_another(written_to: tuple[Served, Sender], tmp_path: Path) -> None:
    """Wherever it hits, in the folder of a store: what is there afterwards is the backup, once."""
    served, sender = written_to
    sender.wait_for(100)
    folder, data = str(tmp_path / "kept"), f"chdb://{tmp_path}/restored"
    made = told(command(served.http_url, "backup", "--to", folder, "--format", "json"))
    number = random.Random(os.urandom(4)).randrange(3, 40)
    killed = command(
        data, "restore", "--from", folder,
        prelude=_KILLED.format(module="staging", name="Staging.note", number=number),
    )  # fmt: skip
    assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
    if killed.returncode:
        assert told(command(data, "restore", "--from", folder, "--format", "json"))["equal"], f"after {number} steps"
    anew = told(command(data, "backup", "--to", str(tmp_path / "anew"), "--format", "json"))
    assert [anew[name] for name in ("calls", "cost_usd", "messages")] == [
        made[name] for name in ("calls", "cost_usd", "messages")
    ]
    again = command(data, "restore", "--from", folder)
    assert again.returncode == 2
    assert "is not empty" in again.stderr


def test_a_move_from_a_store_that_is_served(
    written_to: tuple[Served, Sender], serve: Callable[..., Served], tmp_path: Path
) -> None:
    """Killed and run again, and once more for what came meanwhile: the two add up to the same."""
    served, sender = written_to
    target = serve(tmp_path / "target")
    target.wait_until_ready()
    sender.wait_for(100)
    number = random.Random(os.urandom(4)).randrange(3, 20)
    killed = command(
        served.http_url, "move", "--to", target.http_url,
        prelude=_KILLED.format(module="staging", name="Staging.note", number=number),
    )  # fmt: skip
    assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
    assert told(command(served.http_url, "move", "--to", target.http_url, "--format", "json"))["equal"]
    sender.stop()
    assert told(command(served.http_url, "move", "--to", target.http_url, "--format", "json"))["equal"]
    assert calls_of(target.http_url) == calls_of(served.http_url) == sender.acknowledged
    assert not ask(target.http_url, "select name from system.databases where startsWith(name, 'otel_costs_')")


def test_a_snapshot_is_for_who_may_speak_to_the_port(serve: Callable[..., Served]) -> None:
    """With a token nobody else gets one; a password in the address is enough for the command. GET makes none."""
    served = serve(token="a-token-of-some-length")
    served.wait_until_ready()
    assert send(f"{served.http_url}/snapshot", b"").status == 401
    assert send(f"{served.http_url}/snapshot", headers={"Authorization": "Bearer a-token-of-some-length"}).status == 405


def test_snapshots_of_killed_programs_are_gone_after_a_start(serve: Callable[..., Served], tmp_path: Path) -> None:
    served = serve(tmp_path / "data")
    served.wait_until_ready()
    assert send(f"{served.http_url}/snapshot", b"").status == 200
    served.stop()
    served = serve(tmp_path / "data")
    served.wait_until_ready()
    assert not ask(served.http_url, "select name from system.databases where startsWith(name, 'otel_costs_')")


def test_an_insert_that_does_not_end_holds_nothing_up(serve: Callable[..., Served]) -> None:
    """A snapshot waits for what a SELECT inserts, too, and gives up: records are stored meanwhile, and after it."""
    served = serve()
    served.wait_until_ready()
    sql = "INSERT INTO otel_logs (Body) SELECT toString(sum(sipHash64(number))) FROM numbers(1000000000000)"
    inserting = threading.Thread(target=send, args=(served.http_url, sql.encode()))
    inserting.start()
    mine = "query LIKE 'INSERT INTO otel_logs (Body) SELECT%'"
    try:
        while not ask(served.http_url, f"SELECT query_id FROM system.processes WHERE {mine}"):
            pass
        answer = send(f"{served.http_url}/snapshot", b"")
        assert answer.status == 503
        assert b"an insert does not end" in answer.body
        assert export_logs(served.otlp_http_url, _records(0, 0, uuid.uuid4().hex, Decimal(1))).status == 200
    finally:
        send(served.http_url, f"KILL QUERY WHERE {mine} SYNC".encode())
        inserting.join(60)
    assert send(f"{served.http_url}/snapshot", b"").status == 200


def test_a_restore_that_was_cut_is_told(serve: Callable[..., Served], tmp_path: Path) -> None:
    """When `local` starts, by its state, and by doctor: what is in the store is not all of it."""
    served = serve(tmp_path / "data")
    served.wait_until_ready()
    send(served.http_url, b"create database otel_costs_restore_1")
    health = json.loads(send(f"{served.http_url}/state").body)
    assert "otel_costs_restore_1 to give it up" in health["unfinished"][0]
    found = command(served.http_url, "doctor", "--format", "json").stdout
    assert "A restore into the store runs, or was cut half way" in found
    send(served.http_url, b"drop database otel_costs_restore_1")
    assert json.loads(send(f"{served.http_url}/state").body)["unfinished"] == []
