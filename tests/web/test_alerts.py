"""Alerts over the API: what was found, what is done with it, and rules that stand in the store."""

import csv
import io
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otel_costs.alerts.state import Event, State
from otel_costs.local import Stack
from otel_costs.store import connect

from .support import asked, got, refusal, sent

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
DEAR = Event("dear", "s1", "session s1 has cost $5.00 and still runs", BEGAN, "ada", "s1")


@pytest.fixture
def api(emptied_stack: Stack) -> str:
    """Fill the store with an event that lasts and one that has ended."""
    ended = Event("dear", "=s0", "=s0", BEGAN - timedelta(hours=1), ended_at=BEGAN)
    with closing(connect(emptied_stack.http_url)) as client:
        client.command("truncate table alerts")
        for event in (DEAR, ended):
            State(client).write(event)
    return f"{emptied_stack.http_url}/api/v1"


def test_listed_acknowledged_silenced(api: str) -> None:
    """The newest first, with their states; an event that nobody knows is 404."""
    found = got(f"{api}/alerts")
    assert [(one["message"], one["state"]) for one in found["alerts"]] == [(DEAR.message, "open"), ("=s0", "ended")]
    assert (found["rules"], found["silences"], found["is_watched"], found["receivers"]) == ([], [], False, [])
    assert got(f"{api}/alerts", limit=1)["alerts"] == found["alerts"][:1]
    rows = list(csv.DictReader(io.StringIO(asked(f"{api}/alerts", format="csv").text)))
    assert [row["message"] for row in rows] == [DEAR.message, "'=s0"]
    assert "GET alerts" in refusal(sent(f"{api}/alerts/acknowledge", {"id": "nobody"}), 404)
    assert sent(f"{api}/alerts/acknowledge", {"id": DEAR.id}).status == 200
    assert got(f"{api}/alerts")["alerts"][0]["state"] == "acknowledged"
    assert sent(f"{api}/alerts/silence", {"name": "dear", "hours": 2}).status == 200
    assert sent(f"{api}/alerts/silence", {}).status == 200
    assert [one["name"] for one in got(f"{api}/alerts")["silences"]] == ["", "dear"]
    for name in ("dear", ""):
        assert sent(f"{api}/alerts/silence", {"name": name, "hours": 0}).status == 200
    assert got(f"{api}/alerts")["silences"] == []


@pytest.mark.parametrize("name", ["dear", "o/d?d & 100%", "..", "𐀀\x85\n"])
def test_rules_are_put_and_taken_away(api: str, name: str) -> None:
    """As they were written; again under the same name they take the place of the one before."""
    first = {"name": name, "when": "session_cost", "usd": 4.10, "active": "90s"}
    second = {"name": name, "when": "spend_rate", "by": "tag.team", "times": "3", "min_usd": "1", "to": ["team"]}
    assert json.loads(sent(f"{api}/alerts/rules", first).text)["usd"] == "4.1"
    assert sent(f"{api}/alerts/rules", second).status == 200
    assert got(f"{api}/alerts")["rules"] == [{**second, "source": "store"}]
    assert json.loads(sent(f"{api}/alerts/rules/remove", {"name": name}).text) == {"removed": True}
    assert "no rule" in refusal(sent(f"{api}/alerts/rules/remove", {"name": name}), 404)
    assert got(f"{api}/alerts")["rules"] == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "r", "when": "never"}, "none of budget"),
        ({"name": "r", "when": "session_cost"}, "needs `usd`"),
        ({"name": "r", "when": "session_cost", "usd": 0}, "a number above 0"),
        ({"name": "r", "when": "session_cost", "usd": 1, "by": "user"}, "`by` is no field here"),
        ({"name": "r", "when": "day_total", "usd": 1, "zone": "Nowhere"}, "a time zone"),
        ({"name": "r", "when": "new_model", "why": "?"}, "why"),
        ({"when": "new_model"}, "name"),
    ],
)
def test_what_is_no_rule_is_refused(api: str, body: dict[str, Any], said: str) -> None:
    """With what is wrong, as of a file."""
    assert said in refusal(sent(f"{api}/alerts/rules", body), 400)
    assert got(f"{api}/alerts")["rules"] == []
