"""The command `watch`, over a real store."""

import json
import signal
import subprocess
from datetime import UTC, datetime

import pytest

from .support import MAIN, Ledger, run


def test_calls_that_have_just_arrived(store: str) -> None:
    """Those of the last minutes first, a line each, with what today costs."""
    ledger = Ledger(store)
    ledger.call("w1", datetime.now(UTC), otel_costs__cost__usd="0.5", user__id="ada")
    ledger.call("w2", datetime.now(UTC), otel_costs__cost__usd="0.25", error__type="\x1b[31mTimeout")
    said = run("watch", "--count", "2", url=store)
    assert (said.exit_code, said.stderr) == (0, "")
    lines = {line.split()[2]: line for line in said.stdout.splitlines()}
    assert "$0.500000  w1  ada  chat gpt-4o-2024-08-06  today $0.750000" in lines["w1"]
    assert "failed: ␛[31mTimeout" in lines["w2"]


@pytest.mark.long
def test_calls_that_arrive_meanwhile(store: str) -> None:
    """Each is shown once, as an object per line, behind those of the last minutes."""
    ledger = Ledger(store)
    ledger.call("first", datetime.now(UTC), otel_costs__cost__usd="0.1")
    command = [*MAIN, "watch", "--past", "60", "--interval", "0.1", "--format", "json", "--dsn", store]
    seen: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        for line in watching.stdout:
            seen.append(json.loads(line)["session_id"])
            if seen[-1] == "third":
                watching.send_signal(signal.SIGINT)
                break
            if seen[-1] == "second":
                ledger.call("third", datetime.now(UTC), otel_costs__cost__usd="0.1")
            elif seen[-1] == "first":
                ledger.call("second", datetime.now(UTC), otel_costs__cost__usd="0.1")
        watching.communicate()
    assert watching.returncode == 0
    assert seen[-3:] == ["first", "second", "third"]
    assert len(set(seen)) == len(seen)
