"""Calls as a session's timeline and as lists, and all of one call, as scripts ask for them."""

import csv
import io
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from otel_costs.local import Stack
from otel_costs.store import connect
from otel_costs.store.reprice import Chosen, reprice
from otel_costs.web import call_models
from tests.local.support import export_logs, key_values, ledger_record, send

from .conftest import cookie
from .support import asked, got, refusal

NOW = datetime.now(UTC).replace(microsecond=0)
STARTS = [NOW - timedelta(minutes=10 - number) for number in range(6)]
CUT = {"otel_costs.realtime.status": "cancelled", "otel_costs.realtime.status_reason": "turn_detected"}
IDS = [f"{number:032x}" for number in range(6)]


@pytest.fixture(scope="module")
def api(emptied_stack: Stack) -> str:
    """Fill the store: a spoken session of four calls, which names its user once, and two calls outside of any."""
    records = []
    for number, start in enumerate(STARTS):
        ended = int(start.timestamp()) * 10**9 + (number + 1) * 10**9
        more: dict[str, object] = {
            "otel_costs.call.id": IDS[number],
            "user.id": "ada" if number in (0, 5) else "",
            "otel_costs.scenario": "sales",
            "otel_costs.tag.team": "west",
            "otel_costs.start_time_unix_nano": int(start.timestamp()) * 10**9,
            **(CUT if number == 1 else {}),
            **({"error.type": "Timeout", "otel_costs.cost.usd": ""} if number == 2 else {}),
        }
        session = "spoken" if number < 4 else ""
        records.append(ledger_record(session, seq=number + 1, time_ns=ended, more=more))
    records.append(_said("spoken", IDS[1]))
    assert export_logs(emptied_stack.otlp_http_url, records).status == 200
    return f"{emptied_stack.http_url}/api/v1"


def _said(session: str, call_id: str) -> LogRecord:
    attributes = {
        "event.name": "otel_costs.message",
        "otel_costs.message.id": "m1",
        "otel_costs.message.role": "assistant",
        "otel_costs.message.type": "text",
        "otel_costs.call.id": call_id,
        "session.id": session,
    }
    return LogRecord(
        time_unix_nano=int(NOW.timestamp()) * 10**9,
        event_name="otel_costs.message",
        attributes=key_values(attributes),
        body=AnyValue(string_value="Hello"),
    )


def listed(api: str, **parameters: object) -> list[str]:
    return [row["call_id"] for row in got(f"{api}/calls", None, **parameters)["calls"]]


def test_the_timeline_of_a_session(api: str) -> None:
    """All that is drawn of a call, in the order in which they began; they add up to the session."""
    found = got(f"{api}/calls", session="spoken", sort="oldest", limit=5000)
    assert [row["call_id"] for row in found["calls"]] == IDS[:4]
    assert (found["total"], "cursor" in found) == (4, False)
    first = found["calls"][0]
    assert {*first} >= {*call_models.ListedCall.model_fields}
    assert (first["session_id"], first["scenario"], first["tags"]) == ("spoken", "sales", {"team": "west"})
    assert first["start_time"] == STARTS[0].isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert (first["tokens"]["text_input"], first["cost_usd"], first["trace_id"]) == (1500, "0.011750", "0" * 32)
    assert sum(Decimal(usd) for usd in first["cost_lines"].values()) == Decimal(first["cost_usd"])
    # Whose the calls are that name nobody follows from the session.
    assert {row["user_id"] for row in found["calls"]} == {"ada"}
    whole = got(f"{api}/sessions/spoken")
    assert sum(Decimal(row["cost_usd"] or 0) for row in found["calls"]) == Decimal(whole["cost_usd"])
    assert [row["interrupted"] for row in found["calls"]] == ["", "turn_detected", "", ""]
    assert [row["error_type"] for row in found["calls"]] == ["", "", "Timeout", ""]


@pytest.mark.long
@pytest.mark.parametrize("sort", ["newest", "oldest", "cost", "duration"])
@pytest.mark.parametrize("more", [{}, {"session": "spoken"}])
def test_pages_of_any_size_are_the_whole_list(api: str, sort: str, more: dict[str, object]) -> None:
    """Each call once, in one order, however it is paged."""
    whole = listed(api, sort=sort, **more)
    assert sorted(whole) == (IDS[:4] if more else IDS)
    for limit in (1, 4):
        seen: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            page = got(f"{api}/calls", None, sort=sort, limit=limit, **more, **cursor)
            assert page["total"] == len(whole)
            seen += [row["call_id"] for row in page["calls"]]
            if "cursor" not in page:
                break
            cursor = {"cursor": page["cursor"]}
        assert seen == whole


@pytest.mark.some(2)
@pytest.mark.parametrize(
    ("parameters", "numbers"),
    [
        ({"sort": "duration"}, [5, 4, 3, 2, 1, 0]),
        ({"sort": "cost"}, [0, 1, 3, 4, 5, 2]),
        ({"sort": "newest", "errors": 1}, [2]),
        ({"session": "spoken", "unpriced": 1}, [2]),
        ({"session": "spoken", "user": "ada", "sort": "oldest"}, [0, 1, 2, 3]),
        ({"session": "spoken", "tag_team": "east"}, []),
        ({"session": "spoken", "kind": "creation"}, []),
        ({"session": "nobody"}, []),
        ({"session": ""}, [5, 4]),
        ({"kind": "", "sort": "oldest"}, [4, 5]),
        ({"range": f"{STARTS[3].isoformat()}..{NOW.isoformat()}", "sort": "oldest"}, [3, 4, 5]),
    ],
)
def test_which_calls_in_which_order(api: str, parameters: dict[str, object], numbers: list[int]) -> None:
    """The filters hold for the calls of a session, too; an empty session is that of calls outside of any."""
    assert listed(api, **parameters) == [IDS[number] for number in numbers]


def test_as_csv(api: str) -> None:
    """The same rows; money exact, tokens as columns."""
    text = asked(f"{api}/calls", session="spoken", sort="oldest", format="csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["call_id"] for row in rows] == IDS[:4]
    assert (rows[0]["cost_usd"], rows[2]["cost_usd"], rows[0]["text_input_tokens"]) == ("0.011750", "", "1500")


def test_what_is_refused(api: str, program: str) -> None:
    """A cursor that is none, too many at a time, and a search of who may not read."""
    assert "is no cursor" in refusal(asked(f"{api}/calls", cursor="x"), 400)
    assert "1 to 5000" in refusal(asked(f"{api}/calls", limit=5001), 400)
    assert "q" in refusal(asked(f"{program}/api/v1/calls", cookie("clerk"), q="hello"), 403)
    assert len(got(f"{program}/api/v1/calls", cookie("clerk"), session="spoken")["calls"]) == 4


def test_a_message_names_its_call(api: str, program: str) -> None:
    """For who may not read what was said, too."""
    for url, headers in ((api, None), (f"{program}/api/v1", cookie("clerk"))):
        (message,) = got(f"{url}/sessions/spoken", headers)["messages"]
        assert message["call_id"] == IDS[1]


@pytest.mark.long
def test_the_revisions_of_a_call(api: str, emptied_stack: Stack) -> None:
    """What was recorded first, and what a re-price made of it, the oldest first."""
    (first,) = got(f"{api}/calls/{IDS[2]}")["revisions"]
    assert (first["revision"], first["cost_usd"], first["repriced"]) == (0, None, False)
    assert {*first} == {*call_models.CallRevision.model_fields}
    merges = f"{emptied_stack.http_url}/"
    assert send(merges, b"SYSTEM STOP MERGES calls").status == 200
    try:
        with closing(connect(emptied_stack.http_url)) as client:
            reprice(client, Chosen(session="spoken"))
        found = got(f"{api}/calls/{IDS[2]}", session="spoken")
    finally:
        assert send(merges, b"SYSTEM START MERGES calls").status == 200
    assert found["revisions"][0] == first
    newest = found["revisions"][1]
    assert (newest["revision"], newest["cost_usd"], newest["repriced"]) == (1, "0.011750", True)
    assert (found["revision"], found["price_id"]) == (1, newest["price_id"])
    assert newest["price_id"]
