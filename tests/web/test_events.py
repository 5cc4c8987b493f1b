"""Server-sent events: what happens is told to all who watch, and the store is asked once."""

import http.client
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from otel_costs.local import Stack
from otel_costs.web import models
from otel_costs.web.access import HostAccess
from otel_costs.web.application import application
from otel_costs.web.connected_store import ConnectedStore
from otel_costs.web.feed import Feed

from .support import asked, refusal, sent, served

CALL = {"operation": "chat", "provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 1500}}

Event = tuple[str, str, Any]
"""Its id, its name and its data."""


@contextmanager
def watched(url: str, last: str | None = None) -> Iterator[Iterator[Event]]:
    """Open a stream, and give its events."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", f"{parts.path}/events", headers={"Last-Event-ID": last} if last else {})
    response = connection.getresponse()
    assert (response.status, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    try:
        yield _events(response)
    finally:
        connection.close()


def _events(response: http.client.HTTPResponse) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in response:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}


def until(events: Iterator[Event], is_wanted: Callable[[Event], bool]) -> list[Event]:
    """Return the events up to the first one that is wanted."""
    found = []
    for event in events:
        found.append(event)
        if is_wanted(event):
            return found
    raise AssertionError(f"the stream ended: {found}")


def has_call(call_id: str) -> Callable[[Event], bool]:
    return lambda event: event[1] == "calls" and call_id in [call["call_id"] for call in event[2]["calls"]]


@pytest.fixture(scope="module")
def api(emptied_stack: Stack) -> str:
    return f"{emptied_stack.http_url}/api/v1"


def tell(api: str, session: str) -> str:
    answer = sent(f"{api}/calls", {**CALL, "session": session})
    call_id: str = json.loads(answer.text)["call_id"]
    return call_id


def test_a_new_call_is_told_with_its_session_and_the_total(api: str) -> None:
    """First how things are; then the call, the session that is under way, and what today costs."""
    session = uuid.uuid4().hex
    with watched(api) as events:
        # What is told first may be of what another test had stored.
        until(events, has_call(tell(api, uuid.uuid4().hex)))
        first = until(events, lambda event: event[1] == "totals")[-1][2]
        call_id = tell(api, session)
        (*_, (_, _, told)) = until(events, has_call(call_id))
        (call,) = [one for one in told["calls"] if one["call_id"] == call_id]
        assert (call["session_id"], call["cost_usd"], call["cost_status"]) == (session, "0.003750", "priced")
        rest = until(events, lambda event: event[1] == "totals")
        (listed,) = [event[2] for event in rest if event[1] == "sessions"]
        (one,) = [row for row in listed["sessions"] if row["session_id"] == session]
        assert {*one} == {*models.Session.model_fields}
        assert (one["call_count"], one["cost_usd"]) == (1, "0.003750")
        last = rest[-1][2]
        assert last["day"] == datetime.now(UTC).date().isoformat() or first["day"] != last["day"]
        if first["day"] == last["day"]:
            assert Decimal(last["cost_usd"]) - Decimal(first["cost_usd"]) >= Decimal("0.00375")


@pytest.mark.long
def test_who_comes_back_gets_what_came_meanwhile(api: str) -> None:
    """By the id of the last event; each call is told once. An id of another process is as none."""
    with watched(api) as events:
        first = tell(api, "s")
        last = until(events, has_call(first))[-1][0]
        meanwhile = tell(api, "s")
        until(events, has_call(meanwhile))
    with watched(api, last) as events:
        again = until(events, has_call(meanwhile))
        assert [event for event in again if has_call(first)(event)] == []
        third = tell(api, "s")
        assert [event for event in until(events, has_call(third))[:-1] if has_call(meanwhile)(event)] == []
    with watched(api, "0000.5") as events:
        assert next(events)[1] != "calls"


class Counting(ConnectedStore):
    """A store that counts what it is asked."""

    asked = 0

    async def ask(self, request: Any, job: Any) -> Any:
        self.asked += 1
        return await super().ask(request, job)


def test_the_store_is_asked_once_for_all_who_watch(emptied_stack: Stack) -> None:
    """Twenty get what one look at it found."""
    store = Counting(emptied_stack.http_url)
    with served(application(store, HostAccess(), Feed(store, pause_s=600))) as url, ExitStack() as opened:
        streams = [opened.enter_context(watched(f"{url}/api/v1")) for _ in range(20)]
        for stream in streams:
            until(stream, lambda event: event[1] == "totals")
        assert store.asked == 1


@pytest.mark.long
def test_a_stream_that_has_ended_goes_on_where_it_is_opened_again(emptied_stack: Stack, api: str) -> None:
    """It ends by itself, so that no server waits for it; nothing is lost in between."""
    store = ConnectedStore(emptied_stack.http_url)
    with served(application(store, HostAccess(), Feed(store, pause_s=0.1, stream_s=0.3))) as url:
        last: str | None = None
        while last is None:
            with watched(f"{url}/api/v1") as events:
                last = next((event[0] for event in events if event[1] == "totals"), None)
        call_id, found = tell(api, "s"), False
        while not found:
            with watched(f"{url}/api/v1", last) as events:
                for event in events:
                    last, found = event[0], found or has_call(call_id)(event)


def test_a_store_that_is_away_is_told() -> None:
    """The stream stays, and says why."""
    made = application(ConnectedStore("http://127.0.0.1:9"), HostAccess())
    with served(made) as url, watched(f"{url}/api/v1") as events:
        assert "no store answers" in next(events)[2]["error"]


def test_who_may_watch(program: str) -> None:
    """Who may ask."""
    assert refusal(asked(f"{program}/api/v1/events"), 401) == "log in first"


@pytest.mark.long
def test_a_server_that_stops_ends_its_streams(tmp_path: Path) -> None:
    """Whoever watches keeps nobody from stopping; nothing is left to be broken off."""
    with Stack(tmp_path) as stack, watched(f"{stack.http_url}/api/v1") as events:
        next(events)
        stack.stop()
        assert [name for _, name, _ in events if name not in ("sessions", "totals")] == []
