"""The commands that run a store and make its tables."""

import json
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from .support import ANY_PORTS, MAIN, run


@pytest.mark.long
def test_local_says_where_things_are_and_stops_on_ctrl_c(tmp_path: Path) -> None:
    """It announces its ports once they answer, and Ctrl-C ends it with exit code 0 and no traceback."""
    command = [*MAIN, "local", "--data", str(tmp_path), *ANY_PORTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = ""
        while process.poll() is None and "  Data" not in said:
            said += process.stdout.readline()
        address = re.search(r"OTEL_COSTS_DSN=(http://127\.0\.0\.1:\d+)", said)
        assert address is not None
        assert said.startswith(f"otel-costs local is ready: {address[1]}/ shows")
        with urllib.request.urlopen(f"{address[1]}/sessions", timeout=30) as answer:
            assert json.load(answer) == {"sessions": [], "total": 0}
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


def test_local_on_a_port_that_is_taken(store: str, tmp_path: Path) -> None:
    """The port and the option that chooses another are named."""
    port = store.rpartition(":")[2]
    said = run("local", "--data", str(tmp_path), *ANY_PORTS[:4], "--http-port", port)
    assert (said.exit_code, said.stdout) == (2, "")
    assert f"port {port}" in said.stderr
    assert "--http-port" in said.stderr


def test_local_for_other_machines_needs_a_token(tmp_path: Path) -> None:
    """No open door by mistake."""
    said = run("local", "--data", str(tmp_path), "--host", "0.0.0.0", environ={"OTEL_COSTS_TOKEN": ""})
    assert said.exit_code == 2
    assert "--token" in said.stderr


@pytest.fixture
def empty(store: str) -> str:
    """Return the address of a database without tables."""
    name = "empty"
    urllib.request.urlopen(store, f"create database if not exists {name}".encode(), timeout=30).close()
    return f"{store}/{name}"


@pytest.mark.long
def test_schema_says_what_it_made_and_does_it_once(empty: str) -> None:
    """The first run lists every table and view, the second has nothing to do."""
    reading = run("sessions", url=empty)
    assert reading.exit_code == 2
    assert "otel-costs schema" in reading.stderr
    first = json.loads(run("schema", "--format", "json", url=empty).stdout)
    assert {("created", "table", "calls"), ("created", "view", "sessions")} <= {
        (change["action"], change["kind"], change["name"]) for change in first["changes"]
    }
    assert run("schema", url=empty).stdout == "the schema is up to date\n"
    assert run("sessions", url=empty).exit_code == 0
