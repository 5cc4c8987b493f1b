"""One sum: whatever is asked, of the same calls, adds up to what plain Python says, to the last digit.

Calls, users that become known late, sessions, bounds in any zone, copies, calls without a price and prices that come
later are drawn; reports, lists, exports, budgets and the views that users query are held to one sum of them.
"""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from otel_costs.store import exports, reports
from otel_costs.store.rows import Row
from tests.queries.conftest import emptied
from tests.queries.ledger import LogRow, Store, call, message
from tests.support.selection import examples

pytestmark = pytest.mark.long

NOW = datetime.now(UTC).replace(microsecond=0)
FIRST = NOW - timedelta(days=3)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
USERS = ("", "ada", "bob", "zoë")
SESSIONS = ("", "s1", "s2", "s3")
SCENARIOS = ("", "sales")
MODELS = ("gpt-4o", "gpt-4o-mini", "unknown")
ZONES = tuple(timezone(timedelta(minutes=minutes)) for minutes in (-11 * 60, -210, 0, 345, 14 * 60))


@dataclass(frozen=True)
class Call:
    """A call as it is drawn. `usd` None: unpriced; `later`: the price that it is given afterwards."""

    number: int
    user: str
    session: str
    start: datetime
    lasted_ms: int
    usd: Decimal | None
    later: Decimal | None
    scenario: str
    model: str

    @property
    def end(self) -> datetime:
        return self.start + timedelta(milliseconds=self.lasted_ms)

    @property
    def cost(self) -> Decimal | None:
        return self.usd if self.later is None else self.later

    def record(self, *, repriced: bool = False) -> LogRow:
        usd = self.later if repriced else self.usd
        more: dict[str, Any] = {
            "otel_costs.scenario": self.scenario,
            "gen_ai.response.model": self.model,
            "otel_costs.start_time_unix_nano": (self.start - EPOCH) // timedelta(microseconds=1) * 1000,
            "otel_costs.call.revision": int(repriced),
        }
        call_id = f"{self.number:012x}4{0:019x}"
        cost = None if usd is None else str(usd)
        return call(self.end, cost=cost, user=self.user, session=self.session, call_id=call_id, **more)


@dataclass(frozen=True)
class Said:
    """A message as it is drawn."""

    number: int
    user: str
    session: str
    at: datetime


moments = st.integers(0, 3 * 86_400_000 - 60_000).map(lambda ms: FIRST + timedelta(milliseconds=ms))
amounts = st.none() | st.integers(0, 10**12).map(lambda n: Decimal(n).scaleb(-12)) | st.just(Decimal("0.1"))
calls_drawn = st.lists(
    st.builds(
        Call,
        number=st.just(0),
        user=st.sampled_from(USERS),
        session=st.sampled_from(SESSIONS),
        start=moments,
        lasted_ms=st.integers(0, 30_000),
        usd=amounts,
        later=st.none() | st.none() | amounts,
        scenario=st.sampled_from(SCENARIOS),
        model=st.sampled_from(MODELS),
    ),
    min_size=1,
    max_size=12,
).map(lambda drawn: [replace(one, number=number) for number, one in enumerate(drawn, 1)])
said_drawn = st.lists(
    st.builds(Said, number=st.just(0), user=st.sampled_from(USERS), session=st.sampled_from(SESSIONS[1:]), at=moments),
    max_size=3,
).map(lambda drawn: [replace(one, number=number) for number, one in enumerate(drawn, 1)])


@dataclass(frozen=True)
class World:
    """What plain Python knows: every call once, at its newest price, and whose it is."""

    calls: Sequence[Call]
    said: Sequence[Said]

    def owner_of(self, session: str) -> str:
        """Return the first user of a session, by time, and of two at the same moment the first by name."""
        seen = [(one.start, one.user) for one in self.calls if one.session == session and one.user]
        seen += [(one.at, one.user) for one in self.said if one.session == session and one.user]
        return min(seen)[1] if seen else ""

    def owner(self, one: Call) -> str:
        return one.user or (self.owner_of(one.session) if one.session else "")

    def sessions(self) -> dict[str, tuple[str, datetime, int, int, Decimal | None, int]]:
        """Return user, start, messages, calls, cost and unpriced calls of each session."""
        found = {}
        for name in {one.session for one in self.calls if one.session} | {one.session for one in self.said}:
            calls = [one for one in self.calls if one.session == name]
            said = [one for one in self.said if one.session == name]
            start = min([one.start for one in calls] + [one.at for one in said])
            found[name] = (self.owner_of(name), start, len(said), len(calls), cost(calls), unpriced(calls))
        return found

    def between(self, since: datetime | None, until: datetime | None) -> list[Call]:
        return [one for one in self.calls if (not since or one.end >= since) and (not until or one.end < until)]


def usd(calls: Iterable[Call]) -> Decimal:
    """Return the sum of what is known."""
    return sum((one.cost for one in calls if one.cost is not None), Decimal())


def unpriced(calls: Iterable[Call]) -> int:
    return sum(one.cost is None for one in calls)


def cost(calls: Sequence[Call]) -> Decimal | None:
    """Return what a session shows: nothing where nothing has a price."""
    return None if calls and unpriced(calls) == len(calls) else usd(calls)


def figures(calls: Sequence[Call]) -> tuple[int, int, Decimal]:
    return len(calls), unpriced(calls), usd(calls)


def by(calls: Iterable[Call], key: Callable[[Call], Any]) -> dict[Any, tuple[int, int, Decimal]]:
    groups: dict[Any, list[Call]] = defaultdict(list)
    for one in calls:
        groups[key(one)].append(one)
    return {name: figures(members) for name, members in groups.items()}


def told(rows: Iterable[Row], *keys: str) -> dict[Any, tuple[int, int, Decimal]]:
    """Return the figures of a report's rows by their keys; each key once."""
    listed = list(rows)
    found = {
        row[keys[0]] if len(keys) == 1 else tuple(row[key] for key in keys): (
            row["call_count"],
            row["unpriced_calls"],
            row["cost_usd"],
        )
        for row in listed
    }
    assert len(found) == len(listed)
    return found


def deliver(store: Store, world: World, batches: Sequence[Sequence[int]], counts: Sequence[bool]) -> None:
    """Insert the records in batches, in any order and some of them again, with counts of the sessions in between."""
    records = [one.record() for one in world.calls]
    records += [one.record(repriced=True) for one in world.calls if one.later is not None]
    records += [
        message(one.at, "hi", message_id=f"m{one.number}", user=one.user, session=one.session) for one in world.said
    ]
    left = set(range(len(records)))
    for batch, counted in zip(batches, counts, strict=False):
        chosen = [number % len(records) for number in batch]
        left -= set(chosen)
        if chosen:
            store.insert(*[records[number] for number in chosen])
        if counted:
            store.count_sessions()
            store.pretend_earlier("session_days", "inserted_at", 60)
    if left:
        store.insert(*[records[number] for number in sorted(left)])


def check_sessions(store: Store, world: World) -> None:
    """Lists, single sessions, views and the export say the same of every session."""
    expected = world.sessions()
    names = ("user_id", "start_time", "message_count", "call_count", "cost_usd", "unpriced_calls")
    listed = reports.sessions(store.client, limit=100)
    assert listed["total"] == len(expected)
    for rows in (
        listed["sessions"],
        store.ask("select * from sessions"),
        list(exports.export(store.client, "sessions")),
        [reports.session(store.client, name) or {} for name in expected],
    ):
        assert {row["session_id"]: tuple(row[name] for name in names) for row in rows} == expected
    paged: list[str] = []
    page: Row = {"cursor": None}
    while "cursor" in page:
        page = reports.sessions(store.client, limit=1, cursor=page["cursor"])
        assert page["total"] == len(expected)
        paged += [row["session_id"] for row in page["sessions"]]
    newest_first = sorted(expected, key=lambda name: (-expected[name][1].timestamp(), name))
    assert paged == [row["session_id"] for row in listed["sessions"]] == newest_first
    for user in {one[0] for one in expected.values()}:
        theirs = reports.sessions(store.client, user=user, limit=100)["sessions"]
        assert {row["session_id"] for row in theirs} == {name for name, one in expected.items() if one[0] == user}
    for name, one in expected.items():
        found = reports.session(store.client, name)
        assert found is not None
        parts = list(found["cost"]["cost_breakdown"].values())
        assert parts == [None] * len(parts) if one[4] is None else sum(parts) == one[4]
        lines = [row["cost_usd"] for row in reports.session_lines(store.client, name)]
        assert lines == [None] * len(lines) if one[4] is None else sum(lines, Decimal()) == one[4]


def check_bounds(store: Store, world: World, since: datetime | None, until: datetime | None) -> None:
    """Everything that is asked in [since, until) is of the same calls."""
    client, calls = store.client, world.between(since, until)
    within: dict[str, Any] = {"since": since, "until": until}
    days = by(calls, lambda one: one.end.date())
    users = by(calls, world.owner)
    models = by(calls, lambda one: ("openai", one.model, "chat"))
    scenarios = by(calls, lambda one: one.scenario)
    whole = reports.report(client, **within)
    assert (whole["call_count"], whole["unpriced_calls"], whole["cost_usd"]) == figures(calls)
    for found, expected, keys in (
        (whole["days"], days, ("day",)),
        (whole["users"], users, ("user_id",)),
        (whole["models"], models, ("provider", "model", "operation")),
        (whole["scenarios"], scenarios, ("scenario",)),
        (reports.daily_costs(client, **within), days, ("day",)),
        (reports.user_costs(client, **within), users, ("user_id",)),
        (reports.model_costs(client, **within), models, ("provider", "model", "operation")),
        (reports.scenario_costs(client, **within), scenarios, ("scenario",)),
    ):
        assert told(found, *keys) == expected
        for row in found:
            assert sum(row["cost_breakdown"].values()) == row["cost_usd"]
    for rows in (
        reports.report(client, **within, limit=1)["users"],
        reports.user_costs(client, **within, limit=2),
        reports.model_costs(client, **within, limit=1),
        reports.daily_costs(client, **within, limit=1),
    ):
        assert tuple(sum(row[name] for row in rows) for name in ("call_count", "unpriced_calls")) == figures(calls)[:2]
        assert sum((row["cost_usd"] for row in rows), Decimal()) == usd(calls)
        assert all("others" not in row for row in rows[:1])
    assert sum(row.get("others", 1) for row in reports.user_costs(client, **within, limit=1)) == len(users)
    for user in sorted(users)[:2] or ["nobody"]:
        own = [one for one in calls if world.owner(one) == user]
        found = reports.user_report(client, user, **within)
        assert (found["call_count"], found["unpriced_calls"], found["cost_usd"]) == figures(own)
        assert told(found["days"], "day") == by(own, lambda one: one.end.date())
        began = {
            name
            for name, one in world.sessions().items()
            if one[0] == user and (not since or one[1] >= since) and (not until or one[1] < until)
        }
        assert {row["session_id"] for row in found["sessions"]} == began
        assert found["session_count"] == len(began)
        exported = list(exports.export(client, "calls", user=user, **within))
        assert (len(exported), sum(row["cost_usd"] or 0 for row in exported)) == (len(own), usd(own))
    lines = list(exports.export(client, "lines", **within))
    assert sum(row["cost_usd"] or 0 for row in lines) == usd(calls)
    check_files(store, calls, within)


def check_files(store: Store, calls: Sequence[Call], within: dict[str, Any]) -> None:
    """The files have every call once."""
    text = b"".join(exports.export_file(store.client, "calls", "csv", **within)).decode()
    read = [row["cost_usd"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert (len(read), sum(Decimal(one) for one in read if one)) == (len(calls), usd(calls))
    lines = b"".join(exports.export_file(store.client, "calls", "json", **within)).splitlines()
    assert sum(Decimal(json.loads(line)["cost_usd"] or 0) for line in lines) == usd(calls)


def check_views(store: Store, world: World) -> None:
    """The views that Grafana and users query, and what a single user asks of them, by every way to ask."""
    users = by(world.calls, world.owner)
    for view, name in (
        ("billed_calls", "countIf(v.cost_usd is null)"),
        ("user_costs", "sum(v.unpriced_calls)"),
        ("owned_calls", "countIf(v.cost_usd is null)"),
    ):
        count = "sum(v.call_count)" if view == "user_costs" else "count()"
        sums = f"{count} as call_count, {name} as unpriced_calls, coalesce(sum(v.cost_usd), 0) as cost_usd"
        asked = f"{sums} from {view} as v"
        assert told(store.ask(f"select user_id, {asked} group by user_id"), "user_id") == users
        for user in sorted(users)[:2]:
            alone = store.one(f"select {asked} where user_id = {{user:String}}", user=user)
            assert tuple(alone.values()) == users.get(user, (0, 0, Decimal()))
    assert told(store.ask("select * from top_users(up_to = 100)"), "user_id") == users
    assert told(store.ask("select * from daily_costs"), "day") == by(world.calls, lambda one: one.end.date())


def check_budgets(store: Store, world: World) -> None:
    """A budget is spent by the calls of its owner, as the reports say."""
    named = [("user", user) for user in USERS if user] + [("scenario", "sales"), ("all", "")]
    starts = {
        "day": datetime.combine(NOW.date(), datetime.min.time(), UTC),
        "week": datetime.combine(NOW.date() - timedelta(days=NOW.weekday()), datetime.min.time(), UTC),
        "month": datetime.combine(NOW.date().replace(day=1), datetime.min.time(), UTC),
    }
    values = ", ".join(f"('{scope}', '{name}', '{period}', 5)" for scope, name in named for period in starts)
    store.client.command(f"insert into budgets (scope, name, period, limit_usd) values {values}")
    rows = reports.budget_status(store.client)
    if datetime.now(UTC).date() != NOW.date():
        return  # midnight came while this ran: the periods are others
    assert len(rows) == len(named) * len(starts)
    for row in rows:
        spent = [
            one
            for one in world.calls
            if one.end >= starts[row["period"]]
            and {"user": world.owner(one), "scenario": one.scenario, "all": ""}[row["scope"]] == row["name"]
        ]
        assert (row["spent_usd"], row["unpriced_calls"]) == (usd(spent), unpriced(spent))


edges = st.none() | st.builds(
    lambda moment, micros, zone: (moment + timedelta(microseconds=micros)).astimezone(zone),
    moments,
    st.sampled_from([0, 0, 1, 999]),
    st.sampled_from(ZONES),
)


@pytest.mark.timeout(600)  # half a minute of a processor, of which others may want their part
@settings(
    max_examples=examples(4).max_examples,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    calls=calls_drawn,
    said=said_drawn,
    batches=st.lists(st.lists(st.integers(0, 40), max_size=8), max_size=4),
    counts=st.lists(st.booleans(), min_size=4, max_size=4),
    since=edges,
    until=edges,
)
def test_all_reports_are_of_one_sum(
    calls: list[Call],
    said: list[Said],
    batches: list[list[int]],
    counts: list[bool],
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Whoever asks whatever, in any order of arrival: the same calls are the same user's, and the same money."""
    store, world = emptied(), World(calls, said)
    if since is not None and calls:
        until = until or calls[-1].end.astimezone(since.tzinfo)  # a call that ends at a bound is behind it
    event(f"late users: {any(world.owner(one) != one.user for one in calls)}")
    deliver(store, world, batches, counts)
    check_sessions(store, world)
    check_bounds(store, world, None, None)
    check_bounds(store, world, since, until)
    check_views(store, world)
    check_budgets(store, world)


def test_an_earlier_user_that_becomes_known_later_has_the_calls(store: Store) -> None:
    """Counted again in every place at once, whether the session was counted before or not."""
    noon = datetime.combine(NOW.date() - timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=12)
    nameless = call(noon, user="", session="s1", cost="1")
    expected: date = noon.date()

    def owners() -> set[str]:
        ways = (
            reports.sessions(store.client)["sessions"],
            reports.user_costs(store.client),
            list(exports.export(store.client, "calls")),
            store.ask("select user_id from user_costs where day = {day:Date}", day=expected),
        )
        assert len({tuple(sorted(row["user_id"] for row in rows)) for rows in ways}) == 1
        return {row["user_id"] for row in ways[0]}

    store.insert(nameless)
    assert owners() == {""}
    store.insert(call(noon + timedelta(seconds=5), user="bob", session="s1", cost=None))
    store.count_sessions()
    assert reports.user_report(store.client, "bob")["cost_usd"] == Decimal(1)
    store.insert(message(noon - timedelta(seconds=9), "hello", user="ada", session="s1"))
    assert reports.user_report(store.client, "ada")["cost_usd"] == Decimal(1)
    assert reports.user_report(store.client, "bob")["cost_usd"] == Decimal(0)
    assert reports.sessions(store.client, user="ada")["total"] == 1
