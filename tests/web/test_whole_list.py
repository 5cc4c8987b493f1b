"""A file has the whole list, unless it is asked for a page of it."""

import asyncio
import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest

from otel_costs.local import Stack
from otel_costs.store.rows import Row
from otel_costs.store.selection import Selection
from otel_costs.web import whole_list
from otel_costs.web.question import ParameterError, Question
from tests.cli.support import run

from .support import asked, got, sent

SESSIONS = 53
"""More than a list has if nothing is said."""


@pytest.fixture(scope="module")
def url(emptied_stack: Stack) -> str:
    """Give the address of a store with sessions of a call each, and one of many."""
    call = {"operation": "chat", "provider": "acme", "usage": {}, "cost_usd": "0.000000000001"}
    calls = [{**call, "session": f"s{number}"} for number in range(SESSIONS)] + [{**call, "session": "s0"}] * SESSIONS
    assert sent(f"{emptied_stack.http_url}/api/v1/calls", calls).status == 200
    return emptied_stack.http_url


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.long
def test_a_file_is_whole(url: str) -> None:
    """In whichever order: it adds up to the total."""
    for place in ("sessions", "calls"):
        for sort in ("newest", "oldest", "cost", "duration"):
            found = rows(asked(f"{url}/api/v1/{place}", format="csv", sort=sort).text)
            assert len({row["session_id"] for row in found}) == SESSIONS
            assert sum(Decimal(row["cost_usd"]) for row in found) == 2 * SESSIONS * Decimal("1e-12")
    assert len(rows(asked(f"{url}/api/v1/calls", format="csv", session="s0").text)) == SESSIONS + 1
    assert len(rows(asked(f"{url}/sessions.csv").text)) == SESSIONS


@pytest.mark.parametrize("size", [1, 6, 7, 12, 13, 1000])
def test_pages_that_a_file_is_made_of(size: int) -> None:
    """Each once and in their order, however many a page has."""
    asked_: list[Question] = []

    async def page(question: Question) -> Row:
        asked_.append(question)
        first = int(question.cursor or 0)
        more = {"cursor": str(first + question.limit)} if first + question.limit < 13 else {}
        return {"calls": [{"n": number} for number in range(13)][first : first + question.limit], "total": 13, **more}

    whole = Question(Selection(), limit=5, csv=True)
    found, listed = asyncio.run(whole_list.read(whole, "calls", size, page))
    assert ([row["n"] for row in listed], found["total"]) == (list(range(13)), 13)
    assert {question.limit for question in asked_} == {size}
    for one in (replace(whole, csv=False), replace(whole, is_paged=True), replace(whole, is_paged=True, cursor="5")):
        found, listed = asyncio.run(whole_list.read(one, "calls", size, page))
        assert [row["n"] for row in listed] == list(range(13))[int(one.cursor or 0) :][:5]
        assert listed == found["calls"]


def test_a_page_that_is_asked_for_is_one(url: str) -> None:
    """By a limit or a cursor; and JSON says that there is more."""
    listed = got(f"{url}/api/v1/sessions")
    assert (len(listed["sessions"]), listed["total"]) == (50, SESSIONS)
    for place in ("api/v1/sessions", "sessions.csv"):
        form = {} if place == "sessions.csv" else {"format": "csv"}
        assert len(rows(asked(f"{url}/{place}", None, limit=7, **form).text)) == 7
        assert len(rows(asked(f"{url}/{place}", None, cursor=listed["cursor"], **form).text)) == SESSIONS - 50
    assert len(rows(asked(f"{url}/api/v1/calls", format="csv", limit=9).text)) == 9


def test_what_is_too_much_for_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused, and not cut."""
    monkeypatch.setattr(whole_list, "MOST", 20)

    async def page(question: Question) -> Row:
        first = int(question.cursor or 0)
        return {"calls": [{}] * 10, **({"cursor": str(first + 1)} if first < pages - 1 else {})}

    for pages in (1, 2, 3):
        reading = whole_list.read(Question(Selection(), csv=True), "calls", 10, page)
        if pages < 3:
            assert len(asyncio.run(reading)[1]) == 10 * pages
            continue
        with pytest.raises(ParameterError, match="otel-costs export calls"):
            asyncio.run(reading)


@pytest.mark.long
def test_the_command_writes_all_of_them_in_csv(url: str) -> None:
    """A table and JSON say how many more there are."""
    assert len(rows(run("sessions", "--format", "csv", url=url).stdout)) == SESSIONS
    assert len(rows(run("sessions", "--format", "csv", "--sort", "cost", url=url).stdout)) == SESSIONS
    assert len(rows(run("sessions", "--format", "csv", "--limit", "4", url=url).stdout)) == 4
    assert f"the newest 50 of {SESSIONS} sessions" in run("sessions", url=url).stderr
