"""What the store makes of the records of a Live session: one bill, whoever saw the session and in whichever order."""

import itertools
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.providers import openai_live
from otel_costs.providers.openai_live.connection import LiveConnection
from otel_costs.transports.websocket import Handshake
from tests.support.recorded import Recorded, instrumented

from . import ledger

EXPIRES_AT = int(time.time()) + 3600
SESSION: Any = {"model": "gpt-live-1", "id": "live_0123456789abcdef", "expires_at": EXPIRES_AT}
SESSIONS = "/v1/live/sessions"
ATTACH = f"{SESSIONS}/{SESSION['id']}/attach"


@pytest.fixture(autouse=True)
def _known_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openai")


def open_at(path: str) -> LiveConnection:
    socket = openai_live.match(Handshake("127.0.0.1", 80, path, "", {}))
    assert socket is not None
    return socket


def tell(socket: LiveConnection, kind: str, seconds: float | None = None, **fields: Any) -> None:
    usage = {} if seconds is None else {"usage": {"seconds": seconds}}
    socket.received(json.dumps({"type": kind, **usage, **fields}))


def row(record: Mapping[str, Any]) -> ledger.LogRow:
    at = datetime.fromtimestamp(record["timestamp"] / 1e9, UTC)
    facts = {name: value for name, value in record.items() if name not in ("body", "timestamp")}
    return ledger._row(at, facts, event_name=names.CALL_EVENT)


def talked() -> list[ledger.LogRow]:
    """Return what the process writes that holds the session: notes at 15 and 30 seconds, and the bill."""
    kept = Recorded()
    with instrumented(kept), otel_costs.session("s-1", user="u-1"):
        socket = open_at(SESSIONS)
        tell(socket, "session.started", session=SESSION)
        for seconds in (15, 30):
            tell(socket, "session.usage.updated", seconds)
        tell(socket, "session.closed", 60, session=SESSION)
        socket.closed(None)
        return [row(call) for call in kept.calls]


def looked_on() -> list[ledger.LogRow]:
    """Return what another process writes that looks on until a moment before the end."""
    kept = Recorded()
    with instrumented(kept):
        socket = open_at(ATTACH)
        tell(socket, "session.updated", session=SESSION)
        tell(socket, "session.usage.updated", 45)
        socket.closed("1006")
        return [row(call) for call in kept.calls]


@pytest.mark.some(1)
@pytest.mark.parametrize("order", range(6))
def test_counted_once(order: int, store: ledger.Store) -> None:
    """Notes, looks from the side and copies of them do not add to the bill, in whichever order they arrive."""
    ours, theirs = talked(), looked_on()
    assert [len(ours), len(theirs)] == [3, 2]
    batches = [ours[:2], ours[2:], theirs]
    for batch in list(itertools.permutations(batches))[order]:
        store.insert(*batch)
        store.insert(*batch)
    billed = store.ask("select session_id, toString(cost_usd) as usd, audio_seconds, cost_status from billed_calls")
    assert ledger.only(billed, "session_id", "usd", "audio_seconds", "cost_status") == [("s-1", "0.05", 60, "priced")]


def test_killed(store: ledger.Store) -> None:
    """Of a process that is killed the last note is left, as an estimate that says so."""
    store.insert(*talked()[:2])
    found = store.one("select cost_usd, audio_seconds, cost_status, cost_reason from billed_calls")
    assert (found["audio_seconds"], found["cost_status"]) == (30, "estimated")
    assert found["cost_reason"].startswith("session_not_ended")
