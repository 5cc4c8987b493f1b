"""Reports, calls, budgets, prices and what needs a look, as scripts ask for them."""

import csv
import io
import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

import pytest

from docs import example
from otel_costs import pricing
from otel_costs.local import Stack
from otel_costs.store import connect, costs
from otel_costs.store.selection import Selection
from otel_costs.web import models
from tests.local.support import send

from .conftest import cookie
from .support import asked, got, refusal, sent

NOW = datetime.now(UTC).replace(microsecond=0)


def call(session: str, *, days: int = 0, **more: Any) -> dict[str, Any]:
    at = NOW - timedelta(days=days)
    usage = {"input_tokens": 1500, "output_tokens": 800}
    named = {"operation": "chat", "provider": "openai", "model": "gpt-4o", "usage": usage}
    return {**named, "session": session, "user": "ada", "at": at.isoformat(), **more}


@pytest.fixture(scope="module")
def api(emptied_stack: Stack) -> str:
    """Fill the store: conversations and a creation of ada's, one of bob's, a dear one, and calls without a price."""
    api = f"{emptied_stack.http_url}/api/v1"
    calls = [call(f"c{number}", days=number, scenario="sales") for number in range(10)]
    calls += [call("made", days=1, kind="creation", step="analysis")]
    calls += [call("b", days=2, user="bob", tags={"team": "red"})]
    calls += [call("dear", days=0, user="bob", usage={"input_tokens": 10**8})]
    calls += [call("odd", days=3, model="nobody-knows"), call("odd", days=3, usage={"input_tokens": 1, "dreams": 2})]
    calls += [call("", days=1, error="RateLimitError", usage={"input_tokens": 0})]
    answer = sent(f"{api}/calls", calls)
    assert answer.status == 200, answer.text
    return api


def test_a_users_report(api: str) -> None:
    """In the shape that scripts of the older tools read; each part adds up to the total."""
    found = got(f"{api}/report", user="ada", range="30d")
    summary = found["summary"]
    assert found["user"] == "ada"
    assert (summary["sessions"], summary["conversations"], summary["creations"]) == (12, 11, 1)
    assert (summary["calls"], summary["unpriced_calls"], summary["error_count"]) == (14, 1, 1)
    assert summary["by_kind"]["creation"] == {"sessions": 1, "calls": 1, "cost_usd": "0.011750"}
    assert summary["by_kind"][""] == {"sessions": 0, "calls": 1, "cost_usd": "0"}
    total = Decimal(summary["total_cost_usd"])
    assert total == 11 * Decimal("0.01175") + Decimal("0.0000025")
    for part in ("by_day", "by_model", "by_scenario"):
        assert sum(Decimal(row["cost_usd"]) for row in found[part]) == total
    assert sum(Decimal(row["cost_usd"]) for row in summary["by_kind"].values()) == total
    assert found["sessions"][0]["session_id"] == "c0"
    rows = list(csv.DictReader(io.StringIO(asked(f"{api}/report", user="ada", format="csv").text)))
    assert sum(Decimal(row["cost_usd"]) for row in rows if row["part"] == "by_day") == total
    numbers = asked(f"{api}/report", user="ada", range="30d", money="number").text
    assert json.loads(numbers, parse_float=Decimal)["summary"]["total_cost_usd"] == total


@pytest.mark.long
def test_a_call_with_its_lines(api: str) -> None:
    """Quantity times rate is the amount; with the session, and without."""
    (row,) = got(f"{api}/sessions", user="ada", kind="creation")["sessions"]
    found = sent(f"{api}/calls", call(row["session_id"], kind="creation", step="x", idempotency_key="k"))
    call_id = json.loads(found.text)["call_id"]
    one = got(f"{api}/calls/{call_id}")
    assert one == got(f"{api}/calls/{call_id.upper()}", session="made")
    assert (one["session_id"], one["kind"], one["step"], one["revision"]) == ("made", "creation", "x", 0)
    assert [(line["unit"], line["quantity"]) for line in one["lines"]] == [
        ("input_tokens", 1500),
        ("output_tokens", 800),
    ]
    for line in one["lines"]:
        assert Decimal(line["amount_usd"]) == line["quantity"] * Decimal(line["rate_usd"]) / line["per"]
    assert sum(Decimal(line["amount_usd"]) for line in one["lines"]) == Decimal(one["cost_usd"])
    assert "in session 'b'" in refusal(asked(f"{api}/calls/{call_id}", session="b"), 404)
    for name in ("nonsense", "0" * 32, "a/b", "%00"):
        assert "32 hex digits" in refusal(asked(f"{api}/calls/{name}"), 404)


def test_what_needs_a_look(api: str) -> None:
    """Each with its reason."""
    found = got(f"{api}/inbox")
    reasons = [(row["cost_status"], row["cost_reason"], row["call_count"]) for row in found["not_priced"]]
    assert reasons == [("unpriced", "unknown_model", 1), ("partial", "unknown_usage", 1)]
    assert [(row["session_id"], row["median_usd"]) for row in found["dear_sessions"]] == [("dear", "0.011750")]
    assert {*found["dear_sessions"][0]} == {*models.DearSession.model_fields}
    assert [row["day"] for row in found["dear_days"]] == [NOW.date().isoformat()]
    assert (found["missing_calls"], found["refused_records"], found["misdated_calls"]) == ([], 0, 0)
    assert got(f"{api}/inbox", user="nobody")["dear_sessions"] == []
    text = asked(f"{api}/inbox", format="csv").text
    assert [row["cost_reason"] for row in csv.DictReader(io.StringIO(text))] == ["unknown_model", "unknown_usage"]


@pytest.mark.long
def test_groups_of_equal_cost_begin_with_those_of_most_calls(emptied_stack: Stack, api: str) -> None:
    """Without a price all cost nothing: then it matters how many they are, before and behind the cut."""
    names = {"a-once": 1, "b-thrice": 3, "c-twice": 2}
    for name, count in names.items():
        assert sent(f"{api}/calls", [call("free", user=name, model="nobody-knows") for _ in range(count)]).status == 200
    of_the_calls = got(f"{api}/costs", by="user", model="nobody-knows", limit=2)["costs"]
    assert [row["user"] for row in of_the_calls] == ["b-thrice", "c-twice", None]
    of_the_days = got(f"{api}/costs", by="user", limit=4)["costs"]
    assert [row["user"] for row in of_the_days] == ["bob", "ada", "b-thrice", "c-twice", None]


@pytest.mark.long
def test_rows_add_up_to_the_total_while_calls_arrive(emptied_stack: Stack, api: str) -> None:
    """Both are of one answer of the store: what arrives behind it is in neither."""

    class Arriving:
        """The client of a store to which a call comes before each question."""

        def __getattr__(self, name: str) -> Any:
            sent(f"{api}/calls", call("arrived", user="eve"))
            return getattr(client, name)

    with closing(connect(emptied_stack.http_url)) as client:
        for by, limit in ((("day", "model"), None), (("step",), 1), ((), None)):
            listed, total = costs.split(cast("Any", Arriving()), Selection(user="eve"), by, limit)
            for measure in ("call_count", "cost_usd"):
                assert sum(row[measure] for row in listed) == total[measure]
            assert total["call_count"] > 0


@pytest.mark.parametrize(
    ("by", "measures"),
    [
        ("", "error_count,tokens"),
        ("day,model", "cost_breakdown,list_usd,audio_seconds"),
        ("user", ""),
        ("modality", "tokens,tokens,characters"),
        ("tag.team", "cost_usd"),
    ],
)
def test_some_measures_are_those_of_all(api: str, by: str, measures: str) -> None:
    """Rows and their total have what every report tells a cost by, and what is named; nothing else is another."""
    chosen = {"call_count", "unpriced_calls", "cost_usd", *filter(None, measures.split(","))}
    question = {"by": by, "limit": 2, "range": "5d"} if by else {"range": "5d"}
    whole, part = got(f"{api}/costs", **question), got(f"{api}/costs", **question, measures=measures)
    left = {"error_count", "list_usd", "audio_seconds", "characters", "tokens", "cost_breakdown"} - chosen
    assert len(whole["costs"]) > 1 or not by
    required = {name for name, field in models.Measures.model_fields.items() if field.is_required()}
    assert all(required <= row.keys() for row in (whole["total"], *whole["costs"]))
    for found, expected in [(part["total"], whole["total"]), *zip(part["costs"], whole["costs"], strict=True)]:
        assert found == {name: value for name, value in expected.items() if name not in left}
    assert chosen <= part["total"].keys()
    text = asked(f"{api}/costs", **question, measures=measures, format="csv").text
    assert ("error_count" in text.partition("\n")[0]) == ("error_count" in chosen)


def test_a_summary_of_some_measures(api: str) -> None:
    """It has the period before, sessions and the month whatever is named, and the share of cached input with tokens."""
    url = f"{api}/summary?{urlencode({'from': (NOW - timedelta(days=5)).isoformat(), 'to': NOW.isoformat()})}"
    whole, part = got(url), got(f"{url}&measures=tokens")
    # What the month will have cost is told from the moment of the question.
    assert whole["month"].pop("projected_usd")
    assert part["month"].pop("projected_usd")
    left = ("error_count", "list_usd", "audio_seconds", "characters", "cost_breakdown")
    assert part == {name: value for name, value in whole.items() if name not in left}
    assert got(f"{url}&measures=cost_usd").keys() == part.keys() - {"tokens", "cached_share"}


@pytest.mark.parametrize("measures", ["cost", "tokens,", "tokens,call_id", "tokens, error_count"])
def test_what_is_no_measure(api: str, measures: str) -> None:
    """Nothing is left out in silence: what is no measure is refused, with those that there are."""
    assert "no measure" in refusal(asked(f"{api}/costs", measures=measures), 400)


def test_no_more_tags_than_a_session_has(api: str) -> None:
    """Each makes a question slower: more than a session is given are refused, in filters and in groups."""
    most = {f"tag.t{number}": "x" for number in range(32)}
    assert got(f"{api}/costs", None, **most, by=",".join(most))["costs"] == []
    assert "more than 32 tags" in refusal(asked(f"{api}/costs", None, **most, tag_more="x"), 400)
    assert "32 at most" in refusal(asked(f"{api}/costs", by=",".join([*most, "tag.more"])), 400)


@pytest.mark.long
def test_a_budget_from_set_to_gone(api: str) -> None:
    """Its answer says what is spent of it; a name may have a slash."""
    for path, spent in (("user/month/ada", True), (f"scenario/day/{quote('a/b', safe='')}", False), ("all/week", True)):
        answer = sent(f"{api}/budgets/{path}", {"limit_usd": "12.50"}, method="PUT")
        assert answer.status == 200, answer.text
        one = json.loads(answer.text)
        assert (one["limit_usd"], one["period"]) == ("12.500000", path.split("/")[1])
        assert (Decimal(one["spent_usd"]) > 0) == spent
    assert [row["name"] for row in got(f"{api}/budgets")["budgets"]].count("a/b") == 1
    assert json.loads(sent(f"{api}/budgets/all/week", {"limit_usd": 0}, method="PUT").text)["used"] is None
    assert "limit_usd" in asked(f"{api}/budgets", format="csv").text
    burning = {row["name"]: row for row in got(f"{api}/budgets", days=1)["budgets"]}
    assert burning["ada"]["burn_down"][-1]["total_usd"] == burning["ada"]["spent_usd"]
    assert Decimal(burning["ada"]["projected_usd"]) >= Decimal(burning["ada"]["spent_usd"])
    assert "nothing for days" in refusal(asked(f"{api}/budgets", days="all"), 400)
    for path in ("user/month/ada", "scenario/day/a%2Fb", "all/week"):
        assert json.loads(send(f"{api}/budgets/{path}", method="DELETE").text) == {"removed": True}
        assert "there is no budget" in refusal(send(f"{api}/budgets/{path}", method="DELETE"), 404)
    assert got(f"{api}/budgets") == {"budgets": []}


def test_budgets_as_programs_are_held_to_them(api: str) -> None:
    """With what is carried over, for who asks with a process and without; the same again is 304."""
    terms = {"limit_usd": "2", "soft": True, "rollover": True, "zone": "Europe/Berlin"}
    one = json.loads(sent(f"{api}/budgets/tag/week/team=a%2Fb", terms, method="PUT").text)
    assert (one["scope"], one["name"], one["soft"], one["rollover"]) == ("tag", "team=a/b", True, True)
    answer = asked(f"{api}/budgets/enforced", process="ab" * 16)
    assert set(json.loads(answer.text)) == {"seen_seq", "budgets"}
    same = asked(f"{api}/budgets/enforced", {"If-None-Match": answer.headers["etag"]}, process="ab" * 16)
    assert (same.status, same.body) == (304, b"")
    assert "unknown parameter" in refusal(asked(f"{api}/budgets/enforced", who="me"), 400)
    assert json.loads(send(f"{api}/budgets/tag/week/team=a%2Fb", method="DELETE").text) == {"removed": True}


@pytest.mark.some(8)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("user/month/ada", {"limit_usd": "1", "zone": "Mars"}),
        ("user/month/ada", {"limit_usd": "1", "zone": "localtime"}),
        ("user/month/ada", {"limit_usd": "1", "zone": ""}),
        ("user/month/ada", {"limit_usd": "1,000"}),
        ("user/month/ada", {"limit_usd": "1_0"}),
        ("user/month/ada", {"limit_usd": "\u0661"}),
        ("tag/month/team=", {"limit_usd": "1"}),
        ("tag/month/=sales", {"limit_usd": "1"}),
        ("tag/month/=", {"limit_usd": "1"}),
        ("tag/month/ada", {"limit_usd": "1"}),
        ("user/month/ada", {"limit_usd": "-1"}),
        ("user/month/ada", {"limit_usd": "NaN"}),
        ("user/month/ada", {"limit_usd": "1e30"}),
        ("user/month/ada", {"limit_usd": "0.0000000000001"}),
        ("user/month/ada", {"limit_usd": "a lot"}),
        ("user/month/ada", {"limit_usd": True}),
        ("user/month/ada", {}),
        ("user/year/ada", {"limit_usd": "1"}),
        ("team/month/ada", {"limit_usd": "1"}),
        ("user/month/", {"limit_usd": "1"}),
    ],
)
def test_what_is_no_budget(api: str, path: str, body: dict[str, Any]) -> None:
    """It is refused, and nothing is set."""
    refusal(sent(f"{api}/budgets/{path}", body, method="PUT"), 400)
    assert got(f"{api}/budgets") == {"budgets": []}


def test_who_may_set_a_budget(program: str) -> None:
    """Reading is for all, setting for who may write."""
    path = f"{program}/api/v1/budgets/user/month/eve"
    assert "may not write" in refusal(sent(path, {"limit_usd": 1}, cookie("clerk"), "PUT"), 403)
    assert sent(path, {"limit_usd": 1}, cookie("robot"), "PUT").status == 200
    assert got(f"{program}/api/v1/budgets", cookie("clerk"))["budgets"][0]["name"] == "eve"
    assert "may not write" in refusal(send(path, headers=cookie("clerk"), method="DELETE"), 403)
    assert send(path, headers=cookie("robot"), method="DELETE").status == 200


def test_the_prices_in_force(api: str) -> None:
    """Exact rates, with where they are from; the first of a model is the one that calls have."""
    found = got(f"{api}/prices", provider="openai", model="gpt-4o-mini")
    assert found["version"] == pricing.current().version
    rates = {row["unit"]: row["rate_usd"] for row in found["prices"] if row["model"] == "gpt-4o-mini" and row["wins"]}
    assert rates["input_tokens"] == "0.150000"
    assert (found["more"], found["sources"][0]["fetched_at"]) == (False, None)
    few = got(f"{api}/prices", limit=3)
    assert (len(few["prices"]), few["more"]) == (3, True)
    assert got(f"{api}/prices", provider="nobody")["prices"] == []


@pytest.mark.long
def test_the_examples_of_the_page(api: str) -> None:
    """Each address that docs/api.md asks for is answered; a session or a call of its names need not be there."""
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    found = re.findall(r"curl '?http://localhost:8123/api/v1/([^' \n]+)", page)
    assert len(found) > 8
    for path in found:
        assert asked(f"{api}/{path}").status in (200, *([404] if path.startswith("sessions/") else [])), path


@pytest.mark.long
def test_the_questions_of_the_example(api: str) -> None:
    """All that the example data is recorded of is answered, with what the pages of statements and of prices ask."""
    answers = dict(example._answers(f"{api}/"))
    assert answers["statements"]["month"] == f"{datetime.now(UTC):%Y-%m}"
    assert answers["statements"]["by"] == "tag.team"
    assert answers["contracts"]["contracts"] == []
