"""Every panel, variable and alert of `grafana/`, asked of ClickHouse as Grafana asks it."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.grafana.macros import ALL, expanded
from tests.queries.ledger import Store, call, message

GRAFANA: Final = Path(__file__).resolve().parents[2] / "grafana"
DASHBOARDS: Final = {path.stem: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("dashboards/*.json"))}
ALERTS: Final = yaml.safe_load((GRAFANA / "provisioning/alerting/otel_costs.yaml").read_text())["groups"][0]["rules"]
SOURCES: Final = yaml.safe_load((GRAFANA / "provisioning/datasources/otel_costs.yaml").read_text())["datasources"]

NAMES: Final = ("user", "scenario", "kind", "tag", "model", "service")
EVERYTHING: Final[dict[str, list[str]]] = {**{name: [ALL] for name in NAMES}, "session": ["s1"]}
ONE: Final = {
    **EVERYTHING,
    "user": ["it's u1", "u1"],
    "scenario": ["support"],
    "model": ["gpt-realtime"],
    "kind": ["conversation"],
    "tag": ["team=it's west", "team=east"],
}

NOTHING_BEFORE: Final = (
    "Missing calls",
    "The period before",
    "Against the period before",
    "Against the four weeks before",
)
"""Panels that have nothing to say of a store in which nothing is older than two hours."""

PANELS: Final = [
    pytest.param(dashboard, panel, id=f"{name}: {panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
]
VARIABLES: Final = [
    pytest.param(variable, id=f"{name}: {variable['name']}")
    for name, dashboard in DASHBOARDS.items()
    for variable in dashboard["templating"]["list"]
    if variable["type"] == "query"
]


def now() -> datetime:
    """Return the time, which dashboards end with."""
    return datetime.now(UTC)


@pytest.fixture
def full(store: Store) -> Store:
    """Return a store that has something to show in every panel."""
    # Today, whenever it is: budgets begin at midnight.
    recently = max(now() - timedelta(hours=2), now().replace(hour=0, minute=0, second=0, microsecond=0))
    support: dict[str, Any] = {"otel_costs__scenario": "support", "otel_costs__tag__team": "it's west"}
    speech = {**support, "gen_ai__provider__name": "azure.speech", "cost": "0.5"}
    turn: dict[str, Any] = {
        **support,
        "gen_ai__operation__name": "realtime_inference",
        "gen_ai__response__model": "gpt-realtime",
        "gen_ai__response__time_to_first_chunk": "0.4",
        "otel_costs__realtime__time_to_first_audio": "0.6",
        "gen_ai__usage__input_tokens": 1000,
        "gen_ai__usage__audio__input_tokens": 800,
        "gen_ai__usage__cache_read__input_tokens": 200,
        "gen_ai__usage__output_tokens": 300,
    }
    lines = {"input_audio_tokens": "6", "cache_read_tokens": "1", "output_audio_tokens": "2"}
    store.insert(
        call(recently, cost="9", lines=lines, **turn),
        call(recently, cost="1", gen_ai__response__finish_reasons='["turn_detected"]', **turn),
        call(recently, gen_ai__operation__name="speech_to_text", otel_costs__usage__audio_seconds="15", **speech),
        call(recently, gen_ai__operation__name="text_to_speech", otel_costs__usage__input_characters=9, **speech),
        call(recently, cost=None, gen_ai__response__model="acme-1", user="u2", session="s2"),
        call(recently, cost="1", error__type="RateLimitError", user="it's u1", session="s3", **support),
        message(recently, "Where is my order?"),
    )
    store.count_sessions()
    limits = "('user', 'u1', 'day', 13), ('user', 'u1', 'month', 5), ('all', '', 'month', 1000)"
    store.client.command(f"insert into budgets (scope, name, period, limit_usd) values {limits}")
    return store


@pytest.mark.some(10)
@pytest.mark.parametrize(("dashboard", "panel"), PANELS)
@pytest.mark.parametrize("chosen", [EVERYTHING, ONE], ids=["all", "chosen"])
def test_panel(full: Store, dashboard: dict[str, Any], panel: dict[str, Any], chosen: dict[str, list[str]]) -> None:
    """It is answered; and where everything is chosen, there is something to see."""
    for target in panel["targets"]:
        found = full.ask(expanded(target["rawSql"], now() - timedelta(days=1), now(), chosen))
        if chosen is EVERYTHING and panel["title"] not in NOTHING_BEFORE:
            assert found
            assert any(value is not None for value in found[0].values())


def test_a_choice_narrows(full: Store) -> None:
    """With one user of one model chosen, the cost is that of their calls."""
    sql = DASHBOARDS["costs"]["panels"][0]["targets"][0]["rawSql"]
    day = now() - timedelta(days=1), now()
    assert full.one(expanded(sql, *day, EVERYTHING))["cost"] == 12.0
    assert full.one(expanded(sql, *day, ONE))["cost"] == 10.0
    assert full.one(expanded(sql, *day, {**EVERYTHING, "user": ["it's u1"]}))["cost"] == 1.0
    assert full.one(expanded(sql, day[0], now() - timedelta(hours=3), EVERYTHING))["cost"] == 0.0


def panel(dashboard: str, title: str) -> str:
    """Return the statement of a panel."""
    [found] = [one for one in DASHBOARDS[dashboard]["panels"] if one["title"] == title]
    sql: str = found["targets"][0]["rawSql"]
    return sql


def test_kinds_and_tags_narrow(full: Store) -> None:
    """Everywhere where a scenario does, in the lines of calls too."""
    day = now() - timedelta(days=1), now()
    west = {**EVERYTHING, "tag": ["team=it's west"]}
    assert full.one(expanded(panel("costs", "Cost"), *day, west))["cost"] == 12.0
    assert full.one(expanded(panel("costs", "Cost"), *day, {**EVERYTHING, "tag": ["team=east"]}))["cost"] == 0.0
    assert full.one(expanded(panel("costs", "Cost"), *day, {**EVERYTHING, "kind": ["creation"]}))["cost"] == 0.0
    by_modality = panel("costs", "Cost by modality")
    assert sum(row["cost"] for row in full.ask(expanded(by_modality, *day, west))) > 0
    assert full.ask(expanded(by_modality, *day, {**EVERYTHING, "kind": ["creation"]})) == []


def test_against_what_was_before(store: Store) -> None:
    """The period before is as long as this one; a day is held against those of the four weeks before it."""
    end = now()
    days = [call(end - timedelta(days=back, hours=1), cost="2", session=f"d{back}") for back in range(1, 11)]
    store.insert(*days, call(end - timedelta(hours=1), cost="9", session="today"))
    store.count_sessions()
    day = end - timedelta(days=1), end
    assert store.one(expanded(panel("costs", "The period before"), *day, EVERYTHING))["cost"] == 2.0
    assert store.one(expanded(panel("costs", "Against the period before"), *day, EVERYTHING))["change"] == 3.5
    assert store.one(expanded(panel("costs", "Against the four weeks before"), *day, EVERYTHING))["times"] == 4.5
    dearest = store.ask(expanded(panel("sessions", "Dearest sessions"), end - timedelta(days=20), end, EVERYTHING))
    assert (dearest[0]["session_id"], len(dearest)) == ("today", 11)
    [rule] = [rule for rule in ALERTS if rule["uid"] == "otel-costs-spike"]
    found = store.ask(expanded(rule["data"][0]["model"]["rawSql"], end - timedelta(days=29), end, {}))
    assert [row["times"] for row in found] == [4.5]


def test_every_panel_says_what_it_shows() -> None:
    """In a sentence, and no legend adds up shares or times."""
    for dashboard in DASHBOARDS.values():
        for one in dashboard["panels"]:
            assert one["description"].endswith(".")
            if one["fieldConfig"]["defaults"].get("unit") in ("percentunit", "s"):
                assert "sum" not in one["options"].get("legend", {}).get("calcs", [])


@pytest.mark.some(3)
@pytest.mark.parametrize("variable", VARIABLES)
def test_variable(full: Store, variable: dict[str, Any]) -> None:
    """Its values are found, the empty one left out."""
    found = full.ask(expanded(variable["query"], now() - timedelta(days=1), now(), EVERYTHING))
    values = [value for row in found for value in row.values()]
    assert values
    assert "" not in values


@pytest.mark.some(3)
@pytest.mark.parametrize(
    ("uid", "rows"),
    [
        ("otel-costs-session", [("s1", "u1", 11.0)]),
        ("otel-costs-budget-80", [("user", "u1", "day", 84.615)]),
        ("otel-costs-budget-100", [("user", "u1", "month", 220.0)]),
        ("otel-costs-unpriced", [("openai", "acme-1", 1)]),
        ("otel-costs-missing", []),
        ("otel-costs-spike", []),
    ],
)
def test_alert(full: Store, uid: str, rows: list[tuple[Any, ...]]) -> None:
    """It fires for what it is for, one row each, above its threshold; and for nothing else."""
    [rule] = [rule for rule in ALERTS if rule["uid"] == uid]
    query, threshold = rule["data"]
    since = now() - timedelta(seconds=query["relativeTimeRange"]["from"])
    found = [tuple(row.values()) for row in full.ask(expanded(query["model"]["rawSql"], since, now(), {}))]
    assert [(*row[:-1], round(row[-1], 3)) for row in found] == rows
    [limit] = threshold["model"]["conditions"][0]["evaluator"]["params"]
    assert all(row[-1] > limit for row in found)
    assert rule["condition"] == threshold["refId"]
    assert threshold["model"]["expression"] == query["refId"]


def test_nothing_fires_in_an_empty_store(store: Store) -> None:
    """No row is no alert."""
    assert {rule["noDataState"] for rule in ALERTS} == {"OK"}
    for rule in ALERTS:
        assert store.ask(expanded(rule["data"][0]["model"]["rawSql"], now() - timedelta(days=1), now(), {})) == []


def statements() -> Iterator[tuple[str, str]]:
    """Yield the data source and the SQL of everything."""
    for dashboard in DASHBOARDS.values():
        for panel in dashboard["panels"]:
            yield from ((target["datasource"]["uid"], target["rawSql"]) for target in panel["targets"])
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                yield variable["datasource"]["uid"], variable["query"]
    yield from ((rule["data"][0]["datasourceUid"], rule["data"][0]["model"]["rawSql"]) for rule in ALERTS)


def test_they_read_views_alone() -> None:
    """Never a table of raw records; and the words through the data source that may read them."""
    folder = GRAFANA.parent / "queries" / "reports"
    views = {path.stem for path in folder.glob("*.sql")}
    for source, sql in statements():
        named = set(re.findall(r"\b(?:from|join)\s+(\w+)", sql)) - set(re.findall(r"\bwith\s+(\w+) as\b", sql))
        assert named
        assert named <= views
        assert (source == "otel-costs-content") == ("session_messages" in named)


def test_data_sources_and_links_are_there() -> None:
    """Who names a data source or a dashboard names one that is provisioned."""
    assert {source for source, _ in statements()} <= {source["uid"] for source in SOURCES}
    uids = {dashboard["uid"] for dashboard in DASHBOARDS.values()}
    linked = set(re.findall(r"/d/([\w-]+)", json.dumps(DASHBOARDS)))
    assert linked
    assert linked <= uids
    assert len(uids) == len(DASHBOARDS)


def test_panels_stand_side_by_side() -> None:
    """Each has a place of its own on the 24 columns, and an id."""
    for dashboard in DASHBOARDS.values():
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken
            assert max(x for x, _ in cells) < 24
            taken |= cells
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_passwords_are_not_in_the_files() -> None:
    """They come from the environment."""
    assert [source["secureJsonData"]["password"] for source in SOURCES if "secureJsonData" in source] == [
        "$OTEL_COSTS_READER_PASSWORD",
        "$OTEL_COSTS_AUDITOR_PASSWORD",
    ]
