"""The usage report, as scripts ask for it."""

import csv
import io
import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from otel_costs.local import Stack
from otel_costs.web import usage_api

from .conftest import cookie
from .support import asked, got, sent

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def api(emptied_stack: Stack) -> str:
    """Fill the store: a conversation a day for three days, and a creation, each with cached tokens."""
    api = f"{emptied_stack.http_url}/api/v1"
    used = {"input_tokens": 2000, "cache_read_tokens": 1000, "output_tokens": 100}
    named = {"operation": "chat", "provider": "openai", "model": "gpt-4o", "usage": used, "user": "ada"}
    calls = [
        {**named, "session": f"s{days}", "kind": kind, "at": (NOW - timedelta(days=days)).isoformat()}
        for days, kind in enumerate(["conversation", "conversation", "conversation", "creation"])
    ]
    assert sent(f"{api}/calls", calls).status == 200
    return api


def test_usage(api: str) -> None:
    """Averages, kinds, days, hours and the cache agree with the summary."""
    found, whole = got(f"{api}/usage", user="ada", range="30d"), got(f"{api}/summary", user="ada", range="30d")
    assert (found["user"], found["tz"], round(found["days"])) == ("ada", "UTC", 30)
    assert found["total"]["cost_usd"] == whole["cost_usd"] == "0.019000"
    assert Decimal(found["per_day"]["cost_usd"]).quantize(Decimal("1e-6")) == Decimal("0.000633")
    assert [(row["kind"], row["session_count"], row["p95_usd"]) for row in found["by_kind"]] == [
        ("conversation", 3, "0.004750"),
        ("creation", 1, "0.004750"),
    ]
    assert len(found["by_day"]) == 4
    assert sum(row["call_count"] for row in found["by_hour"]) == 4
    assert (found["cache"]["share"], found["cache"]["saved_usd"]) == (0.5, "0.005000")
    assert found["cache"]["share"] == whole["cached_share"]


@pytest.mark.long
def test_filters_and_zone(api: str) -> None:
    """Of a kind alone, in another zone; of nobody."""
    assert got(f"{api}/usage", kind="creation", tz="Asia/Kolkata")["total"]["call_count"] == 1
    assert got(f"{api}/usage", user="nobody")["by_kind"] == []


def test_as_csv(api: str) -> None:
    """One table, whose parts add up."""
    rows = list(csv.DictReader(io.StringIO(asked(f"{api}/usage", format="csv").text)))
    for part in ("total", "kind", "day", "hour"):
        assert sum(Decimal(row["cost_usd"]) for row in rows if row["part"] == part) == Decimal("0.019")
    (cache,) = (row for row in rows if row["part"] == "cache")
    assert (cache["share"], cache["saved_usd"]) == ("0.5", "0.005000")


@pytest.mark.long
@pytest.mark.usefixtures("api")
def test_more_cached_calls_than_a_request_prices(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cache saved is not told then, and that is said; the rest is."""
    monkeypatch.setattr(usage_api, "MOST_CALLS", 2)
    found = got(f"{program}/api/v1/usage", cookie("clerk"))
    assert (found["cache"]["saved_usd"], found["cache"]["not_counted_calls"]) == (None, 3)  # one more than is looked at
    assert found["total"]["cost_usd"] == "0.019000"
    assert got(f"{program}/api/v1/usage/cache", cookie("clerk"))["not_counted"] == found["cache"]["not_counted"]


@pytest.mark.long
def test_what_the_cache_saved_alone(api: str) -> None:
    """The same as in the usage, of the same filters, for a page that shows nothing else of it."""
    whole = got(f"{api}/usage", kind="conversation")["cache"]
    alone = got(f"{api}/usage/cache", kind="conversation")
    assert alone == {name: value for name, value in whole.items() if name not in ("cached_tokens", "share")}
    assert alone["saved_usd"] == "0.003750"
    (row,) = csv.DictReader(io.StringIO(asked(f"{api}/usage/cache", kind="conversation", format="csv").text))
    assert (row["saved_usd"], row["counted_calls"]) == ("0.003750", "3")


@pytest.mark.long
def test_how_many_sessions_cost_how_much(api: str) -> None:
    """Each with a price is in one bucket of its kind; buckets between have a row, too, and one without end is last."""
    for number, usd in enumerate(["0", "0.000001", "0.001", "1.999999999999", "2", "3000000000"]):
        told = {"operation": "chat", "provider": "x", "model": "y", "usage": {"input_tokens": 1}, "cost_usd": usd}
        assert sent(f"{api}/calls", {**told, "session": f"b{number}", "scenario": "dear"}).status == 200
    found = got(f"{api}/usage", scenario="dear")["distribution"]
    assert [(row["from_usd"], row["to_usd"]) for row in found if row["count"]] == [
        ("0", "0.000001"),
        ("0.000001", "0.000002"),
        ("0.001000", "0.002000"),
        ("1.000000", "2.000000"),
        ("2.000000", "5.000000"),
        ("1000000000.000000", None),
    ]
    assert all(row["to_usd"] == after["from_usd"] for row, after in itertools.pairwise(found))
    kinds = got(f"{api}/usage", user="ada")["distribution"]
    assert [(row["kind"], row["from_usd"], row["count"]) for row in kinds] == [
        ("conversation", "0.002000", 3),
        ("creation", "0.002000", 1),
    ]
    assert got(f"{api}/usage", user="nobody")["distribution"] == []


@pytest.mark.long
def test_tags(api: str) -> None:
    """The most frequent names and values; in the range, and of the sessions that are meant."""
    named = {"operation": "chat", "provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 1}}
    for number in range(30):
        tags = {"team": "west" if number < 20 else "east", "run": f"r{number:02}"}
        assert sent(f"{api}/calls", {**named, "session": f"t{number}", "user": "eve", "tags": tags}).status == 200
    run, team = got(f"{api}/tags")["tags"]
    assert (run["name"], run["session_count"], run["value_count"], len(run["values"])) == ("run", 30, 30, 20)
    assert (team["name"], team["call_count"]) == ("team", 30)
    assert team["values"] == [
        {"value": "west", "session_count": 20, "call_count": 20},
        {"value": "east", "session_count": 10, "call_count": 10},
    ]
    assert got(f"{api}/tags", user="ada") == {"tags": []}
    assert [tag["session_count"] for tag in got(f"{api}/tags", tag_team="east", limit=1)["tags"]] == [10]
    rows = list(csv.DictReader(io.StringIO(asked(f"{api}/tags", format="csv").text)))
    assert [row["value"] for row in rows if row["name"] == "team"] == ["west", "east"]
