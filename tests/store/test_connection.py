"""connect(): the store that was meant, or what to do about it."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from otel_costs.store import DEFAULT_DSN, StoreError, connect
from tests.queries.ledger import Store


@pytest.fixture
def nobody() -> int:
    """Return a port on which nobody listens."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def refusing(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a server that answers everything with one ClickHouse error."""
    status, code, text = request.param

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = text.encode()
            self.send_response(status)
            self.send_header("X-ClickHouse-Exception-Code", str(code))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://reader:secret@127.0.0.1:{server.server_port}/costs"
        server.shutdown()
        thread.join()


def test_nobody_listens(nobody: int, capfd: pytest.CaptureFixture[str]) -> None:
    """The error names the address and the command that starts a store, and nothing else is printed."""
    with pytest.raises(StoreError) as caught:
        connect(f"http://127.0.0.1:{nobody}")
    assert f"http://127.0.0.1:{nobody}" in str(caught.value)
    assert "otel-costs local" in str(caught.value)
    assert "OTEL_COSTS_DSN" in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_the_environment_says_where(nobody: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_COSTS_DSN counts where nothing is given."""
    monkeypatch.setenv("OTEL_COSTS_DSN", f"http://127.0.0.1:{nobody}/elsewhere")
    with pytest.raises(StoreError, match=f"127.0.0.1:{nobody}/elsewhere"):
        connect()
    assert DEFAULT_DSN == "http://localhost:8123"


@pytest.mark.parametrize("dsn", ["clickhouse://localhost:9000", "localhost:8123", "postgres://x", "/var/data"])
def test_an_address_that_is_none(dsn: str) -> None:
    """The error says which forms there are."""
    with pytest.raises(StoreError, match=r"http://host:8123 or chdb:///folder"):
        connect(dsn)


@pytest.mark.parametrize(
    ("refusing", "advice"),
    [
        ((404, 81, "Code: 81. DB::Exception: Database costs does not exist. (UNKNOWN_DATABASE)"), "no such database"),
        ((403, 516, "Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)"), "user or password"),
        ((500, 241, "Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)"), "Memory limit"),
    ],
    indirect=["refusing"],
)
def test_a_store_that_refuses(refusing: str, advice: str) -> None:
    """The error says what the store said, and never the password."""
    with pytest.raises(StoreError) as caught:
        connect(refusing)
    assert advice in str(caught.value)
    assert "reader:***@" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_password_is_not_shown(nobody: int) -> None:
    """An unreachable address is named without its secret."""
    with pytest.raises(StoreError) as caught:
        connect(f"http://reader:secret@127.0.0.1:{nobody}/costs")
    assert f"http://reader:***@127.0.0.1:{nobody}/costs" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_folder_that_is_open_elsewhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The error names the process that has it and how to ask that one; the engine's own complaint is not printed."""
    holding = f"""
from otel_costs.store import connect
client = connect("chdb://{tmp_path}")
print("open", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreError) as caught:
            connect(f"chdb://{tmp_path}")
        other.communicate("\n")
    assert f"is open in process {other.pid}" in str(caught.value)
    assert "OTEL_COSTS_DSN=http://localhost:8123" in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_cannot_be() -> None:
    """The error names it."""
    with pytest.raises(StoreError, match="cannot open chdb:///proc/nothing/here"):
        connect("chdb:///proc/nothing/here")


def test_no_expression_is_compiled_in_a_folder(store: Store) -> None:
    """To compile one takes longer than it saves."""
    sql = "select groupUniqArray(value) as values from system.settings where match(name, '^compile_(exp|agg|sort)')"
    assert store.one(sql) == {"values": ["0"]}
