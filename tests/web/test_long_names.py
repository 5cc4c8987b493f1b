"""Names that are longer than a record carries them: cut when they are recorded, and found by the whole name."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from otel_costs.local import Stack
from otel_costs.values.sanitize import identifier
from tests.cli.support import run
from tests.local.support import export_logs, ledger_record, send

from .support import asked, got, refusal, sent

HEAD = "é" * 300
NAMES = {name: f"{HEAD} {name} a" for name in ("user", "kind", "scenario", "step", "provider", "operation", "tag.team")}
OTHERS = {name: f"{HEAD} {name} b" for name in NAMES}
"""Names with the same head: two that are long stay two."""
SESSION, OTHER = f"{HEAD}/session a", f"{HEAD}/session b"


def call(session: str, names: dict[str, str]) -> dict[str, Any]:
    texts = {name: value for name, value in names.items() if name != "tag.team"}
    return {**texts, "session": session, "tags": {"team": names["tag.team"]}, "usage": {}, "cost_usd": "0.25"}


@pytest.fixture(scope="module")
def url(emptied_stack: Stack) -> str:
    """Give the address of a store with a call of each of both."""
    url = emptied_stack.http_url
    for session, names in ((SESSION, NAMES), (OTHER, OTHERS)):
        answer = sent(f"{url}/api/v1/calls", call(session, names))
        assert answer.status == 200, answer.text
    return url


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_every_filter_knows_a_long_name(url: str, name: str) -> None:
    """In the API, in lists, and in the commands; another long name is another one."""
    parameter = name.replace("tag.", "tag_")
    for names in (NAMES, OTHERS):
        assert got(f"{url}/api/v1/summary", None, **{parameter: names[name]})["call_count"] == 1
        assert got(f"{url}/api/v1/sessions", None, **{parameter: names[name]})["total"] == 1
        option = ["--tag", f"team={names[name]}"] if name == "tag.team" else [f"--{name}", names[name]]
        said = run("report", "--format", "json", *option, url=url)
        assert json.loads(said.stdout)["call_count"] == 1, said.stderr
        assert json.loads(run("sessions", "--format", "json", *option, url=url).stdout)["total"] == 1
    assert got(f"{url}/api/v1/summary", None, **{parameter: HEAD})["call_count"] == 0


@pytest.mark.long
def test_a_session_is_found_by_its_whole_id(url: str) -> None:
    """Wherever one is asked for."""
    place = quote(SESSION, safe="")
    found = got(f"{url}/api/v1/sessions/{place}")
    assert (found["session_id"], found["call_count"]) == (identifier(SESSION), 1)
    assert got(f"{url}/sessions/{place}.json") == found
    (one,) = got(f"{url}/api/v1/calls", session=SESSION)["calls"]
    assert got(f"{url}/api/v1/calls/{one['call_id']}", session=SESSION)["session_id"] == identifier(SESSION)
    body = {"alternatives": [{"model": "gpt-4o-mini"}]}
    answer = sent(f"{url}/api/v1/what-if?session={place}", body)
    assert json.loads(answer.text)["recorded"]["call_count"] == 1
    assert json.loads(run("session", SESSION, "--format", "json", url=url).stdout)["call_count"] == 1
    looked = run("reprice", "--session", SESSION, "--dry-run", "--format", "json", url=url)
    assert json.loads(looked.stdout)["checked"] == 1
    assert "no calls of session" not in run("price", "--like", SESSION, "--model", "gpt-4o", url=url).stderr
    assert refusal(asked(f"{url}/api/v1/sessions/{quote(HEAD, safe='')}"), 404)


@pytest.mark.long
def test_a_session_that_others_wrote_whole(url: str, emptied_stack: Stack) -> None:
    """What does not cut ids wrote it: it is found as it is, and not taken for the one that is cut. Erased are both."""
    session = f"{SESSION} whole"
    cut = quote(identifier(session), safe="")
    assert sent(f"{url}/api/v1/calls", call(session, {**NAMES, "user": "eve", "scenario": ""})).status == 200
    assert export_logs(emptied_stack.otlp_http_url, [ledger_record(session)]).status == 200
    found = got(f"{url}/api/v1/sessions/{quote(session, safe='')}")
    assert (found["session_id"], found["call_count"]) == (session, 1)
    assert got(f"{url}/api/v1/sessions/{cut}")["session_id"] == identifier(session)
    assert len(got(f"{url}/api/v1/calls", session=session)["calls"]) == 1
    assert run("erase", "--session", session, "--yes", url=url).exit_code == 0
    assert [asked(f"{url}/api/v1/sessions/{place}").status for place in (quote(session, safe=""), cut)] == [404, 404]


@pytest.mark.long
def test_a_session_that_is_begun_ends_under_its_whole_id(url: str) -> None:
    """Its calls get what was told of it."""
    place, user = quote(f"{SESSION} begun", safe=""), f"{HEAD} who began"
    assert sent(f"{url}/api/v1/sessions/{place}", {"user": user}).status == 200
    assert got(f"{url}/api/v1/sessions/{place}")["user_id"] == identifier(user)
    assert sent(f"{url}/api/v1/calls", call(f"{SESSION} begun", {**NAMES, "user": ""})).status == 200
    answer = sent(f"{url}/api/v1/sessions/{place}/end", {})
    assert (answer.status, json.loads(answer.text)["user_id"]) == (200, identifier(user)), answer.text


@pytest.mark.some(1)
@pytest.mark.parametrize("scope", ["user", "scenario", "tag"])
def test_a_budget_of_a_long_name(url: str, scope: str) -> None:
    """It counts the calls of that name, however it was set, and is taken away by it."""
    name = f"team={NAMES['tag.team']}" if scope == "tag" else NAMES[scope]
    place = f"{url}/api/v1/budgets/{scope}/month/{quote(name, safe='')}"
    answer = sent(place, {"limit_usd": "1"}, method="PUT")
    assert json.loads(answer.text)["spent_usd"] != "0", answer.text
    assert run("budget", "set", "2", f"--{scope}", name, "--period", "month", url=url).exit_code == 0
    (found,) = got(f"{url}/api/v1/budgets")["budgets"]
    assert found["limit_usd"] == "2.000000"
    assert send(place, method="DELETE").status == 200
    assert got(f"{url}/api/v1/budgets")["budgets"] == []


def test_rules_of_long_names(url: str, tmp_path: Any) -> None:
    """A rule names a call's scenario, and gives a value, by the whole name."""
    rules = {"tags": {"desk": {"rules": [{"assign": f"{HEAD} desk", "scenario": OTHERS["scenario"]}]}}}
    path = tmp_path / "allocation.yaml"
    path.write_text(json.dumps(rules, ensure_ascii=False), encoding="utf-8")
    said = run("report", "--tag", f"desk={HEAD} desk", "--format", "json", "--allocation", str(path), url=url)
    assert json.loads(said.stdout)["call_count"] == 1, said.stderr


@pytest.mark.long
def test_who_has_a_long_name_is_erased(url: str) -> None:
    """A user and a session, of whom nothing is left."""
    for option, name in (("--user", OTHERS["user"]), ("--session", SESSION)):
        said = run("erase", option, name, "--yes", "--format", "json", url=url)
        erased = {row["table"]: row["before"] for row in json.loads(said.stdout)["erased"]}
        assert (said.exit_code, erased["calls"]) == (0, 1), said.stderr
    assert got(f"{url}/api/v1/summary", user=OTHERS["user"])["call_count"] == 0
    assert asked(f"{url}/api/v1/sessions/{quote(SESSION, safe='')}").status == 404
