"""Two sides side by side, as scripts ask for them."""

import csv
import io
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from otel_costs.local import Stack
from otel_costs.store import comparison, connect
from otel_costs.store.selection import Selection

from .support import asked, got, refusal, sent

NOW = datetime.now(UTC).replace(microsecond=0)
LAST, THIS = NOW - timedelta(days=9), NOW - timedelta(days=2)
DAYS = [f"{when:%Y-%m-%d}" for when in (LAST, THIS)]
GROUPS = [("gpt-4o", "west", LAST), ("gpt-4o", "east", THIS), ("gpt-4o-mini", "west", THIS), ("gpt-4o", "west", THIS)]


@pytest.fixture(scope="module")
def api(emptied_stack: Stack) -> str:
    """Fill the store: one call a session, of two models, on two days, of two teams."""
    api = f"{emptied_stack.http_url}/api/v1"
    used = {"input_tokens": 1000, "output_tokens": 100}
    calls = [
        {
            "operation": "chat",
            "provider": "openai",
            "model": model,
            "usage": used,
            "user": f"u{number}",
            "session": f"s{number}",
            "tags": {"team": team},
            "at": at.isoformat(),
        }
        for number, (model, team, at) in enumerate(GROUPS)
    ]
    assert sent(f"{api}/calls", calls).status == 200
    return api


@pytest.mark.long
def test_two_days(api: str) -> None:
    """The parts, the groups and the total say the same."""
    found = got(f"{api}/compare", a=DAYS[0], b=DAYS[1])
    assert (found["a"]["cost_usd"], found["b"]["cost_usd"]) == ("0.003500", "0.007210")
    assert (found["total"]["change_usd"], found["total"]["a_calls"], found["total"]["b_calls"]) == ("0.003710", 1, 3)
    assert found["total"]["change_share"] == pytest.approx(1.06)
    for part in ("groups", "breakdown"):
        assert sum(Decimal(row["change_usd"]) for row in found[part]) == Decimal("0.00371")
    assert [(row["name"], row["change_usd"]) for row in found["groups"]] == [
        ("gpt-4o", "0.003500"),
        ("gpt-4o-mini", "0.000210"),
    ]
    tokens = {row["name"]: row["change_tokens"] for row in found["tokens"]}
    assert (tokens["text_input"], tokens["text_output"]) == (2000, 200)
    sessions = {row["name"]: (row["a_usd"], row["b_usd"]) for row in found["sessions"]}
    assert sessions["p50"] == ("0.003500", "0.003500")
    assert found["a"]["sessions"]["count"] == 1
    both = got(f"{api}/summary", range=DAYS[1])
    assert both["cost_usd"] == found["b"]["cost_usd"]
    assert both["sessions"] == found["b"]["sessions"]


def test_two_groups(api: str) -> None:
    """Of any filter, or of a tag, in the period that is asked for."""
    models = got(f"{api}/compare", a="model=gpt-4o", b="model=gpt-4o-mini", by="user", range="5d")
    assert (models["a"]["call_count"], models["b"]["call_count"]) == (2, 1)
    assert {row["name"] for row in models["groups"]} == {"u1", "u2", "u3"}
    west = got(f"{api}/compare", a="tag.team=west", b="tag.team=east", tag_team="west")
    assert (west["a"]["call_count"], west["b"]["call_count"], west["total"]["change_share"]) == (3, 0, -1.0)
    assert west["sessions"][1] == {"name": "mean", "a_usd": west["sessions"][1]["a_usd"]} | dict.fromkeys(
        ("b_usd", "change_usd", "change_share")
    )


def test_a_period_and_the_one_before(api: str) -> None:
    """Without sides it is the last seven days."""
    found = got(f"{api}/compare")
    assert [(found[side]["name"], found[side]["call_count"]) for side in "ab"] == [("before", 1), ("now", 3)]
    assert got(f"{api}/compare", range=DAYS[1])["b"]["call_count"] == 3


@pytest.mark.long
def test_groups_that_are_cut_add_up(api: str) -> None:
    """As rows of the answer, and as CSV."""
    found = got(f"{api}/compare", by="user", limit=1, a=DAYS[0], b=DAYS[1])
    assert [row["name"] for row in found["groups"]][1:] == [None]
    assert found["groups"][1]["others"] == 3
    assert sum(Decimal(row["change_usd"]) for row in found["groups"]) == Decimal(found["total"]["change_usd"])
    text = asked(f"{api}/compare", by="user", limit=1, a=DAYS[0], b=DAYS[1], format="csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    for part in ("user", "breakdown", "total"):
        assert sum(Decimal(row["change_usd"]) for row in rows if row["part"] == part) == Decimal("0.00371")


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("most", [1, 2])
def test_more_groups_than_are_read(emptied_stack: Stack, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """What cannot be told apart is together in one row."""
    monkeypatch.setattr(comparison, "MOST_GROUPS", most)
    with closing(connect(emptied_stack.http_url)) as client:
        first, second = comparison.sides(DAYS, Selection(), NOW)
        found = comparison.compared(client, first, second, "user")
    assert found["groups"][-1]["name"] is None
    assert sum(row["change_usd"] for row in found["groups"]) == found["total"]["change_usd"]
    assert sum(row["b_calls"] for row in found["groups"]) == 3


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"a": "2026-10"}, "two sides"),
        ({"a": "soon", "b": "7d"}, "'soon' is neither a period"),
        ({"a": "colour=red", "b": "7d"}, "neither a period"),
        ({"a": "tag.=x", "b": "7d"}, "neither a period"),
        ({"by": "day,model"}, "one dimension"),
        ({"by": "colour"}, "nothing to split by"),
        ({"from": "2099-01-01"}, "not begun yet"),
    ],
)
def test_what_is_refused(api: str, parameters: dict[str, object], said: str) -> None:
    """With what can be asked."""
    assert said in refusal(asked(f"{api}/compare", None, **parameters), 400)
