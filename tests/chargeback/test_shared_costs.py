"""Own, shared and total: what rules assign and what is split adds up to the plain sum, whatever is drawn."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_costs.chargeback import focus, rules_file, shared_costs
from otel_costs.chargeback.shares import apportion
from otel_costs.store import call_list, costs, session_list
from otel_costs.store.reports import CHOICES, COST
from otel_costs.store.selection import Selection
from tests.queries import conftest
from tests.queries.engine import engine
from tests.queries.ledger import Store
from tests.support.selection import examples

from .support import NOW, Call, allocation, spent_by_team, usd, written

MONTH = NOW.replace(day=1, hour=0, minute=0, second=0) - timedelta(days=40)
FIRST = MONTH.replace(day=1)
"""The first moment of a month that is over."""

RULES: dict[str, Any] = {
    "tags": {
        "team": {
            "rules": [
                {"assign": "search", "service": ["search", "index*"]},
                {"assign": "platform", "scenario": "evaluation"},
                {"assign": "late", "scenario": "evaluation"},
            ],
            "shared": [{"value": "platform", "split": "by_spend"}],
        }
    }
}


def at(day: int, clock: str = "12:00:00") -> datetime:
    """Return a time of the month."""
    return datetime.fromisoformat(f"{FIRST + timedelta(days=day - 1):%Y-%m-%d}T{clock}+00:00")


@pytest.fixture
def filled(store: Store) -> Store:
    """Fill a store: a call with a tag of its own, calls that rules assign, one of nobody, and one without a price."""
    calls = [
        Call(at(1), Decimal(3), tags={"team": "sales"}, service="search"),
        Call(at(2), Decimal(1), service="search"),
        Call(at(3), Decimal("0.5"), service="indexer"),
        Call(at(4), Decimal(2), scenario="evaluation", session="s"),
        Call(at(5), Decimal("0.25"), service="else"),
        Call(at(6), None, service="else"),
        Call(at(7), None, scenario="evaluation", session="s"),
    ]
    store.insert(*(one.record() for one in calls))
    return store


def test_own_shared_and_total(filled: Store, tmp_path: Path) -> None:
    """The tag of a call wins, then the first rule; what is shared is split by what each spent; nobody's stays so."""
    selection = Selection(allocation=allocation(tmp_path, RULES))
    found = shared_costs.report(filled.client, selection, ("tag.team",), 10)
    shown = {row["tag.team"]: (row["cost_usd"], row["shared_usd"], row["total_usd"]) for row in found["costs"]}
    assert shown == {
        "sales": (Decimal(3), Decimal("1.333333333333"), Decimal("4.333333333333")),
        "search": (Decimal("1.5"), Decimal("0.666666666667"), Decimal("2.166666666667")),
        "": (Decimal("0.25"), Decimal(0), Decimal("0.25")),
        "platform": (Decimal(2), Decimal(-2), Decimal(0)),
    }
    assert [row["tag.team"] for row in found["costs"]] == ["sales", "search", "", "platform"]
    assert {row["tag.team"]: row["unpriced_calls"] for row in found["costs"] if row["unpriced_calls"]} == {
        "": 1,
        "platform": 1,
    }
    plain = costs.total(filled.client, Selection())
    assert found["total"] == {**plain, "shared_usd": Decimal(0), "total_usd": plain["cost_usd"]}


def test_what_a_limit_cuts_off(filled: Store, tmp_path: Path) -> None:
    """It has one row, which has its parts too."""
    selection = Selection(allocation=allocation(tmp_path, RULES))
    found = shared_costs.report(filled.client, selection, ("tag.team",), 1)
    first, rest = found["costs"]
    assert first["tag.team"] == "sales"
    assert (rest["tag.team"], rest["others"]) == (None, 3)
    for column in ("cost_usd", "shared_usd", "total_usd"):
        assert first[column] + rest[column] == found["total"][column]
    costs_alone = shared_costs.report(filled.client, selection, ("tag.team",), 1, COST)
    for part, whole in zip((costs_alone["total"], *costs_alone["costs"]), (found["total"], first, rest), strict=True):
        assert part == {name: value for name, value in whole.items() if name in part}
        assert part.keys() == {*COST, *whole} - {*CHOICES} | {*COST}


def test_a_part_of_a_month_is_split_as_the_month(filled: Store, tmp_path: Path) -> None:
    """Also where neither spent anything in it; a filter splits what it leaves in the same way."""
    rules = allocation(tmp_path, RULES)
    for chosen in (Selection(since=at(4, "00:00:00"), until=at(5, "00:00:00")), Selection(scenario="evaluation")):
        found = shared_costs.report(filled.client, replace(chosen, allocation=rules), ("tag.team",), 10)
        assert {row["tag.team"]: row["total_usd"] for row in found["costs"]} == {
            "sales": Decimal("1.333333333333"),
            "search": Decimal("0.666666666667"),
            "platform": Decimal(0),
        }


@pytest.mark.some(2)
@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ({"split": {"sales": 1, "support": 3}}, {"sales": "0.5", "support": "1.5"}),
        ({"split": "evenly"}, {"sales": "1", "search": "1"}),
        (
            {"split": "evenly", "among": ["a", "b", "c"]},
            {"a": "0.666666666667", "b": "0.666666666667", "c": "0.666666666666"},
        ),
        ({"split": "by_spend", "among": ["sales", "a"]}, {"sales": "2"}),
        ({"split": "by_spend", "among": ["a"]}, {"platform": "2"}),  # nobody spent anything: it stays
        ({"split": "evenly", "from": f"{at(5):%Y-%m-%d}"}, {"platform": "2"}),
        ({"split": {"x": 1}, "until": f"{at(4):%Y-%m-%d}"}, {"x": "2"}),
    ],
)  # fmt: skip
def test_ways_to_split(filled: Store, tmp_path: Path, split: dict[str, Any], expected: dict[str, str]) -> None:
    """By fixed shares, evenly and by spend, on the days that it holds; what nobody gets a part of stays."""
    rules = {"tags": {"team": {**RULES["tags"]["team"], "shared": [{"value": "platform", **split}]}}}
    selection = Selection(allocation=allocation(tmp_path, rules), scenario="evaluation")
    found = shared_costs.report(filled.client, selection, ("tag.team",), 10)
    assert {row["tag.team"]: row["total_usd"] for row in found["costs"] if row["total_usd"]} == {
        name: Decimal(usd_) for name, usd_ in expected.items()
    }


def test_other_splits_have_what_is_own(filled: Store, tmp_path: Path) -> None:
    """Split by something else too, what is shared is a value like others."""
    selection = Selection(allocation=allocation(tmp_path, RULES))
    found = shared_costs.report(filled.client, selection, ("tag.team", "model"), 10)
    assert {row["tag.team"]: row["cost_usd"] for row in found["costs"]} == {
        "sales": Decimal(3), "search": Decimal("1.5"), "platform": Decimal(2), "": Decimal("0.25")
    }  # fmt: skip
    assert all("shared_usd" not in row for row in found["costs"])


@pytest.mark.long
def test_a_filter_means_what_is_assigned(filled: Store, tmp_path: Path) -> None:
    """Of calls and of sessions; an empty value is what nothing assigns, with rules or without."""
    rules = allocation(tmp_path, RULES)
    for value, expected in (("search", "1.5"), ("sales", "3"), ("platform", "2"), ("", "0.25"), ("late", "0")):
        chosen = Selection(tags=(("team", value),), allocation=rules)
        assert costs.total(filled.client, chosen)["cost_usd"] == Decimal(expected)
        listed = call_list.calls(filled.client, chosen, limit=10)["calls"]
        assert sum((row["cost_usd"] or Decimal() for row in listed), Decimal()) == Decimal(expected)
        sessions = session_list.sessions(filled.client, chosen)["sessions"]
        assert [row["session_id"] for row in sessions] == (["s"] if value == "platform" else [])
    assert costs.total(filled.client, Selection(tags=(("team", ""),)))["cost_usd"] == Decimal("3.75")


def test_days_are_those_of_the_rules(store: Store, tmp_path: Path) -> None:
    """A rule holds up to and with its last day in its own zone, whatever zone is asked in."""
    calls = [Call(at(3, "22:59:59"), Decimal(1)), Call(at(3, "23:00:00"), Decimal(2))]
    store.insert(*(one.record() for one in calls))
    berlin = ZoneInfo("Europe/Berlin")
    last = (at(3, "22:59:59").astimezone(berlin)).date()
    rule = {"assign": "a", "service": "*", "until": last.isoformat()}
    rules = allocation(tmp_path, {"zone": "Europe/Berlin", "tags": {"team": {"rules": [rule]}}})
    expected = {
        team: usd([one for one in calls if (one.end.astimezone(berlin).date() <= last) == (team == "a")])
        for team in ("a", "")
    }
    for tz in ("UTC", "Pacific/Auckland"):
        found = costs.costs(store.client, Selection(tz=ZoneInfo(tz), allocation=rules), ("tag.team",))
        assert {row["tag.team"]: row["cost_usd"] for row in found} == {k: v for k, v in expected.items() if v}


TEAMS = ("", "sales", "search", "platform")
SERVICES = ("shop", "search", "indexer", "100%_odd\\name")
calls_drawn = st.lists(
    st.builds(
        Call,
        end=st.integers(0, 70 * 86_400 - 1).map(lambda seconds: FIRST + timedelta(seconds=seconds)),
        usd=st.none() | st.integers(0, 10**13).map(lambda n: Decimal(n).scaleb(-12)),
        service=st.sampled_from(SERVICES),
        user=st.sampled_from(("", "ada", "bob")),
        model=st.sampled_from(("gpt-4o", "gpt-4o-mini")),
        scenario=st.sampled_from(("", "evaluation")),
        operation=st.sampled_from(("chat", "embeddings")),
        tags=st.fixed_dictionaries(
            {}, optional={"team": st.sampled_from(TEAMS), "product": st.sampled_from(("a", "b"))}
        ),
    ).filter(lambda one: one.end < NOW),
    min_size=1,
    max_size=10,
)  # fmt: skip
days = st.integers(0, 69).map(lambda n: (FIRST + timedelta(days=n)).date().isoformat())
rule_drawn = st.fixed_dictionaries(
    {"assign": st.sampled_from(TEAMS[1:])},
    optional={
        "service": st.sampled_from((*SERVICES, "*", "s*", "*%*", "100%_odd\\*", ["shop", "in*er"])),
        "user": st.sampled_from(("ada", "", ["ada", "bob"])),
        "model": st.just("gpt-4o*"),
        "scenario": st.sampled_from(("evaluation", "")),
        "operation": st.just("chat"),
        "tag.product": st.sampled_from(("a", "")),
        "from": days,
    },
).filter(lambda rule: set(rule) - {"assign", "from"})
shared_drawn = st.sampled_from(
    ({"split": "evenly"}, {"split": "by_spend"}, {"split": {"sales": 2, "other": 1, "none": 0}},
     {"split": "by_spend", "among": ["sales", "never"]}, {"split": "evenly", "among": ["x", "y", "z"]})
)  # fmt: skip


@pytest.mark.timeout(900)
@given(calls_drawn, st.lists(rule_drawn, max_size=4), shared_drawn, st.none() | st.integers(0, 69), st.integers(1, 4))
@settings(examples(25), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_whatever_is_drawn_adds_up(
    tmp_path_factory: pytest.TempPathFactory,
    calls: Sequence[Call],
    rules: list[dict[str, Any]],
    split: dict[str, Any],
    since_day: int | None,
    limit: int,
) -> None:
    """Whose a call is, is what plain Python says; own, shared and total add up to the plain sum, cut off or not."""
    store = Store(engine())
    for table in conftest._TABLES:
        store.client.command(f"truncate table {table}")
    store.insert(*(one.record() for one in calls))
    given_ = {"tags": {"team": {"rules": rules, "shared": [{"value": "platform", **split}]}}}
    path = written(tmp_path_factory.getbasetemp(), given_)
    since = None if since_day is None else FIRST + timedelta(days=since_day)
    selection = Selection(since=since, allocation=rules_file.read(path))
    chosen = [one for one in calls if since is None or one.end >= since]
    by_team: Mapping[str, list[Call]] = defaultdict(list)
    for one in chosen:
        by_team[one.team(rules)].append(one)
    found = shared_costs.report(store.client, selection, ("tag.team",), 100)["costs"]
    assert {row["tag.team"]: (row["cost_usd"], row["call_count"]) for row in found if row["call_count"]} == {
        team: (usd(of), len(of)) for team, of in by_team.items()
    }
    assert {row["tag.team"]: row["shared_usd"] for row in found if row["shared_usd"]} == _shared(
        calls, chosen, rules, split
    )
    cut = shared_costs.report(store.client, selection, ("tag.team",), limit)
    for listed in (found, cut["costs"]):
        assert sum(row["cost_usd"] for row in listed) == sum(row["total_usd"] for row in listed) == usd(chosen)
        assert sum(row["shared_usd"] for row in listed) == 0
        assert all(row["cost_usd"] + row["shared_usd"] == row["total_usd"] for row in listed)
    assert cut["total"]["cost_usd"] == cut["total"]["total_usd"] == usd(chosen)
    exported = {team: amount for team, amount in spent_by_team(focus.rows(store.client, selection)).items() if amount}
    assert exported == {row["tag.team"]: row["total_usd"] for row in found if row["total_usd"]}


def _shared(
    calls: Sequence[Call], chosen: Sequence[Call], rules: Sequence[Mapping[str, Any]], split: Mapping[str, Any]
) -> dict[str, Decimal]:
    """Return what each team gets of what is shared, as plain Python has it."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for month in {one.end.date().replace(day=1) for one in chosen}:
        amount = usd([one for one in chosen if _month(one) == month and one.team(rules) == "platform"])
        own: dict[str, Decimal] = defaultdict(Decimal)
        for one in calls:
            if _month(one) == month and one.team(rules) not in ("", "platform"):
                own[one.team(rules)] += one.usd or Decimal()
        if isinstance(split["split"], dict):
            weights = {team: Decimal(share) for team, share in split["split"].items()}
        else:
            among = split.get("among", list(own))
            weights = {team: own.get(team, Decimal()) if split["split"] == "by_spend" else Decimal(1) for team in among}
        weights = {team: weight for team, weight in sorted(weights.items()) if weight}
        if weights:
            found["platform"] -= amount
            for team, part in zip(weights, apportion(amount, list(weights.values())), strict=True):
                found[team] += part
    return {team: part for team, part in found.items() if part}


def _month(one: Call) -> date:
    return one.end.astimezone(UTC).date().replace(day=1)
