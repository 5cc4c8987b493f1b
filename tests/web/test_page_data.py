"""Pages as data: the same as the API says, whatever the id of what a page is of."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from otel_costs.local import Stack
from otel_costs.web import page_data, page_paths
from otel_costs.web.page_paths import PagePath, find
from tests.local.support import Answer, send
from tests.support.selection import examples

from .conftest import cookie
from .support import asked, got, refusal, sent

NOW = datetime.now(UTC).replace(microsecond=0)
PAGE = {"Accept": "text/html,*/*;q=0.8"}
PERIOD = f"{NOW - timedelta(days=1):%Y-%m-%d}..{NOW:%Y-%m-%d}"
ODD = ["s", "a/b", "x.json", "x.csv", "both", "both.json", "line\nbreak", "é ü", "%2F", "?q=1", "a//b", "..", "."]
ODD += [".json"]
PLACES = [("sessions", name) for name in ODD]
PLACES += [(kind, name) for kind in ("users", "scenarios") for name in ("a/b", "both.json", "..", ".json")]


@pytest.fixture(scope="module")
def url(emptied_stack: Stack) -> str:
    """Fill the store: a call of each odd session, user and scenario, two models, and one without a price."""
    used = {"input_tokens": 1500, "output_tokens": 800}
    chat = {"operation": "chat", "provider": "openai", "model": "gpt-4o", "usage": used, "at": NOW.isoformat()}
    calls = [
        {**chat, "session": name, "user": name, "scenario": name, "at": (NOW - timedelta(hours=number)).isoformat()}
        for number, name in enumerate(ODD, 1)
    ]
    calls += [{**chat, "session": "s", "user": "s", "model": "nobody-knows"}, {**chat, "model": "o/d.json"}]
    answered = sent(f"{emptied_stack.http_url}/api/v1/calls", calls)
    assert answered.status == 200, answered.text
    return emptied_stack.http_url


def rows(answer: Answer) -> list[dict[str, str]]:
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.some(1)
@pytest.mark.parametrize(
    ("page", "endpoint", "table"),
    [
        ("sessions", "sessions", "sessions"),
        ("budgets", "budgets", "budgets"),
        ("inbox", "inbox", "not_priced"),
        ("prices", "prices", "prices"),
        ("compare", "compare", "groups"),
        ("sessions/s", "sessions/s", None),
    ],
)
def test_a_page_says_what_the_api_says(url: str, page: str, endpoint: str, table: str | None) -> None:
    """As JSON the same answer, with its parameters; as CSV the rows of its main table."""
    more: dict[str, Any] = {"limit": 3, "provider": "openai"} if page == "prices" else {}
    if page in ("compare", "sessions", "inbox"):
        more = {"range": PERIOD, "model": "gpt-4o", "tz": "Europe/Berlin"}
    if page == "compare":
        more |= {"a": "model=gpt-4o", "b": "model=nobody-knows"}
    said = got(f"{url}/api/v1/{endpoint}", None, **more)
    found = got(f"{url}/{page}.json", None, **more)
    assert {name: found[name] for name in said} == said
    assert got(f"{url}/{page}", None, **more) == found
    listed = rows(asked(f"{url}/{page}.csv", None, **more))
    if table is not None:
        parts = [row for row in listed if row.get("part", "model") == "model"]
        assert len(parts) == len(said[table])


@pytest.mark.long
def test_the_overview(url: str) -> None:
    """Its parts are those of the API, for one question; each adds up to the total."""
    more = {"range": PERIOD, "tz": "UTC", "by": "scenario", "limit": 3}
    found = got(f"{url}/overview.json", None, **more)
    assert set(found) == {"summary", "trend", "breakdown", "sessions", "budgets", "inbox"}
    assert found["breakdown"] == got(f"{url}/api/v1/costs", None, **more)
    total = Decimal(found["summary"]["cost_usd"])
    for part in ("trend", "breakdown"):
        assert sum(Decimal(row["cost_usd"]) for row in found[part]["costs"]) == total
    assert found["trend"]["by"] == ["hour", "scenario"]
    dearest = {"range": PERIOD, "sort": "cost", "limit": 10}
    assert found["sessions"] == got(f"{url}/api/v1/sessions", None, **dearest)["sessions"]
    assert (found["inbox"]["unpriced_calls"], found["inbox"]["refused_records"]) == (2, 0)
    table = rows(asked(f"{url}/overview.csv", None, **more))
    assert sum(Decimal(row["cost_usd"]) for row in table) == total
    assert [row["scenario"] for row in table][-1] == ""
    assert got(f"{url}/overview.json", None, model="gpt-4o")["breakdown"]["by"] == ["operation"]
    assert "unknown parameter 'colour'" in refusal(asked(f"{url}/overview.json", colour="red"), 400)


@pytest.mark.some(1)
@pytest.mark.parametrize(
    ("length", "piece"), [("12h", "hour"), ("2d", "hour"), ("3d", "day"), ("190d", "day"), ("400d", "month")]
)
def test_the_piece_of_time(url: str, length: str, piece: str) -> None:
    """As the page draws it."""
    assert got(f"{url}/overview.json", range=length)["trend"]["by"] == [piece, "model"]


@pytest.mark.some(2)
@pytest.mark.parametrize("place", PLACES)
def test_whatever_the_id_is(url: str, place: tuple[str, str]) -> None:
    """In the path as it was encoded, or in the query; an id that ends like a suffix is itself where there is one."""
    kind, name = place
    column = {"sessions": "session_id", "users": "user_id", "scenarios": "scenario"}[kind]
    written = quote(name, safe="")
    places = [f"/?id={written}", f"/?id={written}&tz=UTC"]
    if name not in (".", ".."):
        places.append(f"/{written}")
        encoded = written.replace(".", "%2E")
        places.append(f"/{encoded}.json" if name != "both" else f"/{encoded}")
    for path in places:
        found = got(f"{url}/{kind}{path}")
        assert (found if kind == "sessions" else found["sessions"][0])[column] == name, path


def test_a_suffix_and_an_id(url: str) -> None:
    """`both.json` is an id here, so `both.json.json` is its data; `s.json` is the data of s, and never an id."""
    assert got(f"{url}/sessions/both.json")["session_id"] == "both.json"
    assert got(f"{url}/sessions/both.json.json")["session_id"] == "both.json"
    assert got(f"{url}/sessions/s.json")["session_id"] == "s"
    assert "'s.json'" in refusal(send(f"{url}/sessions/s%2Ejson"), 404)
    assert "'none'" in refusal(send(f"{url}/sessions/none.json"), 404)
    assert "'none'" in refusal(send(f"{url}/sessions/none.csv"), 404)
    assert send(f"{url}/sessions/both.json", headers=PAGE).headers["content-type"].startswith("text/html")
    assert send(f"{url}/sessions/s.json", headers=PAGE).headers["content-type"].startswith("application/json")
    assert send(f"{url}/sessions/s%2Ejson", headers=PAGE).headers["content-type"].startswith("text/html")


def test_a_session_line_by_line(url: str) -> None:
    """The amounts add up to its cost; what has no price has a row, and no amount."""
    found = rows(send(f"{url}/sessions/s.csv"))
    assert sum(Decimal(row["amount_usd"] or 0) for row in found) == Decimal("0.01175")
    assert [(row["unit"], row["quantity"], row["amount_usd"]) for row in found] == [
        ("input_tokens", "1500", "0.003750"),
        ("output_tokens", "800", "0.008000"),
        ("", "", ""),
    ]


@pytest.mark.long
def test_one_user_or_model(url: str) -> None:
    """The overview of that one, with how much it is used; the path and a filter cannot disagree."""
    found = got(f"{url}/users/s.json", range=PERIOD)
    whole = got(f"{url}/api/v1/summary", user="s", range=PERIOD)
    moving = dict.fromkeys(("month", "before"))  # up to now
    assert {**found["summary"], **moving} == {**whole, **moving}
    assert sum(row["count"] for row in found["usage"]["distribution"]) == 1
    model = got(f"{url}/models/openai/gpt-4o")
    assert model["summary"]["call_count"] == len(ODD)
    for place in ("models/?provider=openai&model=gpt-4o", "models/openai/gpt-4o.json"):
        assert got(f"{url}/{place}")["breakdown"] == model["breakdown"]
    for place in ("models/openai/o%2Fd.json", "models/openai/o/d.json", "models/openai/o%2Fd%2Ejson.json"):
        assert got(f"{url}/{place}")["summary"]["call_count"] == 1
    assert "PROVIDER/MODEL" in refusal(send(f"{url}/models/openai"), 404)
    assert "the path names 's'" in refusal(send(f"{url}/users/s.json?user=t"), 400)
    assert got(f"{url}/users/s.json?user=s")["summary"]["call_count"] == 2
    assert "unknown parameter 'id'" in refusal(send(f"{url}/users/s.json?id=t"), 400)
    assert got(f"{url}/users/nobody")["summary"]["call_count"] == 0


@pytest.mark.long
def test_a_call(url: str) -> None:
    """All of it as JSON, its lines as CSV."""
    call = got(f"{url}/api/v1/calls", session="s", sort="cost")["calls"][0]
    one = got(f"{url}/calls/{call['call_id']}.json", session="s")
    assert one == got(f"{url}/api/v1/calls/{call['call_id']}") == got(f"{url}/calls/{call['call_id']}")
    assert [row["unit"] for row in rows(send(f"{url}/calls/{call['call_id']}.csv"))] == [
        "input_tokens",
        "output_tokens",
    ]
    for name in ("0" * 32, "nonsense"):
        assert "32 hex digits" in refusal(send(f"{url}/calls/{name}.json"), 404)


@pytest.mark.long
def test_what_if(url: str) -> None:
    """By GET what POST answers; models together or one by one, or another tier alone."""
    body = {"alternatives": [{"model": "gpt-4o-mini"}, {"model": "gpt-4.1"}]}
    said = json.loads(sent(f"{url}/api/v1/what-if?session=s", body).text)
    assert got(f"{url}/what-if.json?session=s&alternative=gpt-4o-mini,gpt-4.1") == said
    assert got(f"{url}/what-if.json?session=s&alternative=gpt-4o-mini&alternative=gpt-4.1") == said
    body = {"alternatives": [{"processing": "batch"}]}
    batch = json.loads(sent(f"{url}/api/v1/what-if?range=30d", body).text)
    found = got(f"{url}/what-if.json?range=30d&processing=batch")
    assert found["alternatives"] == batch["alternatives"]
    assert got(f"{url}/what-if.json")["alternatives"] == []
    assert rows(send(f"{url}/what-if.csv?session=s&alternative=gpt-4o-mini"))
    many = ",".join(f"m{number}" for number in range(17))
    assert "16 at most" in refusal(asked(f"{url}/what-if.json", alternative=many), 400)
    assert "is no date" in refusal(asked(f"{url}/what-if.json", prices_at="soon"), 400)


def test_browsers_get_the_page(url: str, program: str) -> None:
    """Without a suffix; who asks for anything else gets the data, as before."""
    for path in ("", *page_paths.SINGLE, "sessions/s", "sessions/a%2Fb", "models/openai/gpt-4o", "users/?id=.."):
        for root, more in ((url, {}), (program, cookie("clerk"))):
            answer = send(f"{root}/{path}", headers={**PAGE, **more})
            assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
    assert send(f"{url}/").text == "Ok.\n"
    assert "summary" in got(f"{program}/", cookie("clerk"))
    assert "there is nothing" in refusal(send(f"{program}/nothing.json", headers=cookie("clerk")), 404)
    assert "there is nothing" in refusal(send(f"{program}/overview", headers=cookie("clerk")), 404)
    assert "use GET" in refusal(send(f"{program}/overview.json", b"", cookie("boss"), "POST"), 405)


def test_what_was_said_is_for_who_may_read_it(program: str, url: str) -> None:
    """The rights are those of the API."""
    assert got(f"{program}/sessions/s.json", cookie("clerk"))["content_withheld"] is True
    for page in ("overview", "sessions", "compare", "what-if", "inbox"):
        assert "q" in refusal(asked(f"{program}/{page}.json", cookie("clerk"), q="word"), 403)
    assert refusal(asked(f"{program}/overview.json"), 401) == "log in first"
    assert url


@examples(300)
@given(st.text(min_size=1), st.sampled_from(["", ".json", ".csv"]), st.sampled_from(["sessions", "users"]))
def test_any_id_comes_back(name: str, suffix: str, kind: str) -> None:
    """Encoded as a whole it is the id, with a suffix or without."""
    encoded = quote(name.encode("utf-8", "replace"), safe="").replace(".", "%2E")
    path = find(f"/{kind}/{encoded}{suffix}")
    assert path is not None
    assert path.form == (suffix[1:] or None)
    assert path.ids(QueryParams("")) == (name.encode("utf-8", "replace").decode(),)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", PagePath("overview")),
        ("/overview.json", PagePath("overview", "json")),
        ("/overview", None),
        ("/sessions", PagePath("sessions")),
        ("/what-if.csv", PagePath("what-if", "csv")),
        ("/sessions/", PagePath("sessions", None, is_one=True)),
        ("/sessions/.json", PagePath("sessions", "json", is_one=True)),
        ("/sessions/a/b.json", PagePath("sessions", "json", is_one=True, rest="a/b")),
        ("/budgets/x", None),
        ("/nothing", None),
        ("/sessions.xml", None),
        ("", None),
        (".json", None),
        ("/.json", None),
    ],
)
def test_paths(path: str, expected: PagePath | None) -> None:
    """Which page a path is of."""
    assert find(path) == expected


def test_every_page_has_its_data() -> None:
    """The table has each page that a path can be of."""
    assert set(page_data._SINGLE) == {page_paths.OVERVIEW, *page_paths.SINGLE}
    assert set(page_data._OF_ONE) == set(page_paths.OF_ONE)
