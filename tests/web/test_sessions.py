"""GET /sessions and /sessions/{id} as programs ask them."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.local import Stack
from otel_costs.store.periods import period
from otel_costs.web.question import ParameterError
from otel_costs.web.sessions_api import SESSIONS
from tests.local.support import Answer, export_logs, ledger_record, send
from tests.support.selection import examples

SECOND = 10**9
NOW = datetime.now(UTC).replace(microsecond=0)
STARTS = [NOW - timedelta(days=number, hours=12) for number in range(7)]
"""When the sessions s0 to s6 begin, the newest first: half a day from where ranges do, for other tests take long."""


@pytest.fixture(scope="module")
def url(emptied_stack: Stack) -> str:
    """Fill a store with seven sessions: of two users and two scenarios, some with a tag, one without a price."""
    records = []
    for number, start in enumerate(STARTS):
        more: dict[str, object] = {
            "user.id": "ada" if number % 2 else "bob",
            "otel_costs.scenario": "sales" if number < 3 else "",
            **({"otel_costs.tag.team": "west & co"} if number == 4 else {}),
            **({"otel_costs.cost.usd": ""} if number == 5 else {}),
        }
        ended = int(start.timestamp()) * SECOND + SECOND
        records.append(ledger_record(f"s{number}", seq=number + 1, time_ns=ended, more=more))
    assert export_logs(emptied_stack.otlp_http_url, records).status == 200
    return emptied_stack.http_url


def get(url: str, **parameters: object) -> Answer:
    return send(f"{url}/sessions?{urlencode(parameters)}")


def listed(url: str, **parameters: object) -> list[str]:
    answer = get(url, **parameters)
    assert answer.status == 200, answer.text
    return [session["session_id"] for session in json.loads(answer.text)["sessions"]]


def refused(answer: Answer, status: int) -> str:
    """Return the error, which is JSON."""
    assert answer.status == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    said = json.loads(answer.text)
    assert list(said) == ["error"]
    error: str = said["error"]
    return error


@pytest.mark.some(3)
@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "0123456"),
        ({"user": "ada"}, "135"),
        ({"param_user": "ada"}, "135"),
        ({"user": "' or 1=1 --"}, ""),
        ({"scenario": "sales"}, "012"),
        ({"scenario": "sales", "user": "bob"}, "02"),
        ({"tag.team": "west & co"}, "4"),
        ({"tag.team": ""}, "012356"),  # those without the tag
        ({"tag.nothing": ""}, "0123456"),
        ({"limit": 2}, "01"),
        ({"range": "5d"}, "01234"),
        ({"range": "7d"}, "0123456"),
        ({"range": "1999-12"}, ""),
        ({"from": STARTS[2].isoformat(), "to": STARTS[1].isoformat()}, "2"),
        ({"to": STARTS[2].astimezone().isoformat()}, "3456"),
        ({"range": f"{STARTS[4].isoformat()}..{STARTS[3].isoformat()}"}, "4"),
    ],
)
def test_what_is_asked_for(url: str, parameters: dict[str, object], expected: str) -> None:
    """The newest first, of those that are meant alone."""
    assert listed(url, **parameters) == [f"s{number}" for number in expected]


@pytest.mark.long
def test_pages_of_any_size_are_the_whole_list(url: str) -> None:
    """Each session once, however it is paged; the last page has no cursor, and the total is that of all."""
    for limit in (1, 2, 3, 7, 8):
        seen: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            page = json.loads(get(url, limit=limit, **cursor).text)
            assert page["total"] == 7
            seen += [session["session_id"] for session in page["sessions"]]
            if "cursor" not in page:
                break
            cursor = {"cursor": page["cursor"]}
        assert seen == [f"s{number}" for number in range(7)]


@pytest.mark.parametrize("name", ["offset", "user_id", "usr", "query", "tag.", "tags", "param_query", "USER"])
def test_what_is_not_known_is_refused(url: str, name: str) -> None:
    """With what is known, so that nobody believes that it was heeded."""
    said = refused(get(url, **{name: "x"}), 400)
    assert repr(name) in said
    for known in (*SESSIONS.known, "tag.NAME"):
        assert known in said


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"limit": "0"}, "give 1 to 1000"),
        ({"limit": "1001"}, "give 1 to 1000"),
        ({"limit": "ten"}, "give 1 to 1000"),
        ({"limit": "²"}, "give 1 to 1000"),
        ({"cursor": "x"}, "is no cursor"),
        ({"cursor": "99999999999999999.s"}, "is no cursor"),
        ({"cursor": "1.s", "sort": "cost"}, "is a cursor of a list by newest: this one is by cost"),
        ({"cursor": "cost:1.s", "sort": "calls"}, "is a cursor of a list by cost: this one is by calls"),
        ({"cursor": "calls:1.s"}, "is a cursor of a list by calls: this one is by newest"),
        ({"cursor": "calls:x.s", "sort": "calls"}, "is no cursor"),
        ({"range": "soon"}, "7d, 12h, today"),
        ({"range": "2026-13"}, "7d, 12h, today"),
        ({"range": "999999d"}, "7d, 12h, today"),
        ({"range": "2026-11-02..2026-11-01"}, "7d, 12h, today"),
        ({"from": "yesterday"}, "is no date"),
        ({"range": "7d", "from": "2026-11-01"}, "either range, or from and to"),
    ],
)
def test_a_value_that_is_none_is_refused(url: str, parameters: dict[str, object], said: str) -> None:
    """The error says what to give."""
    assert said in refused(get(url, **parameters), 400)


def test_a_parameter_twice_is_refused(url: str) -> None:
    """Which of the two was meant is not for us to say."""
    assert "twice" in refused(send(f"{url}/sessions?user=ada&user=bob"), 400)
    assert "twice" in refused(send(f"{url}/sessions?user=ada&param_user=bob"), 400)


@pytest.mark.parametrize("session_id", ["none", "a/b", "it's", "é", "s1 ", "x" * 500])
def test_a_session_that_is_not_there(url: str, session_id: str) -> None:
    """404, in JSON, with its name."""
    assert session_id[:100] in refused(send(f"{url}/sessions/{quote(session_id, safe='')}"), 404)


def test_a_session_without_a_price_has_no_cost(url: str) -> None:
    """In the list and alone, it and its parts are null; what was used is there all the same."""
    one = json.loads(send(f"{url}/sessions/s5").text)
    assert (one["cost_usd"], one["unpriced_calls"], one["cost"]["cost_usd"]) == (None, 1, None)
    assert set(one["cost"]["cost_breakdown"].values()) == {None}
    assert one["cost"]["tokens"]["text_input"] == 1500
    assert [row["cost_usd"] for row in json.loads(get(url, user="ada").text)["sessions"]] == [
        "0.011750",
        "0.011750",
        None,
    ]


def test_other_ways_to_ask(url: str) -> None:
    """HEAD is GET without its body; what would write is for nothing here, and a single session has no parameters."""
    head = send(f"{url}/sessions", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert "use GET" in refused(send(f"{url}/sessions", b"{}", method="POST"), 405)
    assert "unknown parameter 'full'" in refused(send(f"{url}/sessions/s1?full=1"), 400)
    assert refused(send(f"{url}/sessions/"), 404)


@examples(200)
@given(
    st.lists(st.tuples(st.sampled_from([*SESSIONS.known, "tag.a", "tag.", "x", "param_from"]) | st.text(), st.text()))
)
def test_any_parameters_are_read_or_refused(given_: list[tuple[str, str]]) -> None:
    """Nothing else comes of them."""
    with suppress(ParameterError):
        assert 1 <= SESSIONS.read(given_).limit <= 1000


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("today", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("yesterday", "2026-11-21T00:00", "2026-11-22T00:00"),
        ("2d", "2026-11-20T10:30", None),
        ("1w", "2026-11-15T10:30", None),
        ("2026-12", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("2026-02", "2026-02-01T00:00", "2026-03-01T00:00"),
        ("2026-11-22", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("2026-11-01..2026-11-02", "2026-11-01T00:00", "2026-11-03T00:00"),
        ("2026-11-01T12:00:00 02:00..2026-11-02T00:00:00Z", "2026-11-01T10:00", "2026-11-02T00:00"),
    ],
)
def test_ranges(text: str, since: str, until: str | None) -> None:
    """Days are whole, in UTC; times are themselves."""
    first, last = period(text, datetime(2026, 11, 22, 10, 30, tzinfo=UTC))
    assert first == datetime.fromisoformat(f"{since}+00:00")
    assert last == (datetime.fromisoformat(f"{until}+00:00") if until else None)
