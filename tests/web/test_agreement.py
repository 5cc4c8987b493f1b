"""One sum: the API in JSON and CSV, and SQL of its own, say the same to the last digit, whatever is asked."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from otel_costs.local import Stack
from otel_costs.store.periods import moment
from tests.local.support import ask, ledger_record, send
from tests.support.selection import examples

NOW = datetime.now(UTC).replace(microsecond=0)
FIRST = NOW - timedelta(days=40)

TEXTS: Mapping[str, Sequence[str]] = {
    "user": ("ada", "bob", "zoë", ""),
    "scenario": ("sales", "a/b & c", ""),
    "step": ("analysis", ""),
    "service": ("shop", "bot"),
    "provider": ("openai", "deepgram"),
    "model": ("gpt-4o", "nova-3", "odd model"),
    "operation": ("chat", "speech_to_text"),
    "kind": ("conversation", "creation", ""),
    "tag.team": ("west", "", "a=b&c"),
}
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham", "Africa/Cairo")
TIMES = ("hour", "day", "month")
KEYS = (*TIMES, *TEXTS)


@dataclass(frozen=True)
class Call:
    """A call as it was recorded. `user` is whose it is."""

    end: datetime
    user: str
    scenario: str
    step: str
    service: str
    provider: str
    model: str
    operation: str
    session: str
    kind: str
    tags: Mapping[str, str]
    usd: Decimal | None
    error: str

    def key(self, name: str, tz: ZoneInfo) -> str:
        local = self.end.astimezone(tz)
        if name == "hour":
            return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")
        if name == "day":
            return local.date().isoformat()
        if name == "month":
            return f"{local:%Y-%m}"
        value: str = self.tags.get("team", "") if name == "tag.team" else getattr(self, name)
        return value


def _drawn(random: Random, number: int) -> Call:
    def one_of(name: str) -> str:
        return random.choice(TEXTS[name])

    # A session has one user, kind and scenario, as sessions do.
    session = random.choice(["", *(f"s{index}" for index in range(12))])
    owner = Random(f"{session}/{number if not session else ''}")
    tags = {"team": owner.choice(TEXTS["tag.team"])} if owner.random() < 0.7 else {}
    usd = None if random.random() < 0.15 else Decimal(random.randrange(10**13)).scaleb(-12)
    return Call(
        end=FIRST + timedelta(milliseconds=random.randrange(40 * 86_400_000)),
        user=owner.choice(TEXTS["user"]),
        scenario=owner.choice(TEXTS["scenario"]),
        step=one_of("step"),
        service=one_of("service"),
        provider=one_of("provider"),
        model=one_of("model"),
        operation=one_of("operation"),
        session=session,
        kind=owner.choice(["conversation", "creation"]) if session else "",
        tags=tags,
        usd=usd,
        error="Timeout" if random.random() < 0.1 else "",
    )


CALLS = [_drawn(Random(7000 + number), number) for number in range(400)]


@pytest.fixture(scope="module")
def url(emptied_stack: Stack) -> str:
    """Fill the store with the calls."""
    for service in TEXTS["service"]:
        records = []
        for number, one in enumerate(CALLS, 1):
            if one.service != service:
                continue
            milliseconds = (one.end - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
            more: dict[str, object] = {
                "user.id": one.user,
                "otel_costs.scenario": one.scenario,
                "otel_costs.step": one.step,
                "gen_ai.provider.name": one.provider,
                "gen_ai.request.model": one.model,
                "gen_ai.operation.name": one.operation,
                "otel_costs.session.kind": one.kind,
                "error.type": one.error,
                "otel_costs.cost.usd": "" if one.usd is None else f"{one.usd:f}",
                **{f"otel_costs.tag.{name}": value for name, value in one.tags.items()},
            }
            records.append(ledger_record(one.session, seq=number, time_ns=milliseconds * 10**6, more=more))
        sent = send(
            f"{emptied_stack.otlp_http_url}/v1/logs",
            _logs(records, service),
            {"Content-Type": "application/x-protobuf"},
        )
        assert sent.status == 200, sent.text
    return emptied_stack.http_url


def _logs(records: Sequence[Any], service: str) -> bytes:
    from tests.local.support import logs_request

    return logs_request(records, service).SerializeToString()


def figures(calls: Iterable[Call]) -> tuple[int, int, int, Decimal]:
    listed = list(calls)
    priced = [one.usd for one in listed if one.usd is not None]
    errors = sum(one.error != "" for one in listed)
    return len(listed), len(listed) - len(priced), errors, sum(priced, Decimal())


def told(row: Mapping[str, Any]) -> tuple[int, int, int, Decimal]:
    return (
        int(row["call_count"]),
        int(row["unpriced_calls"]),
        int(row["error_count"]),
        Decimal(str(row["cost_usd"])),
    )


filters = st.dictionaries(st.sampled_from([*TEXTS, "errors", "unpriced", "min_cost"]), st.integers(0, 3), max_size=3)
moments = st.integers(0, 40 * 24 * 60).map(lambda minutes: FIRST + timedelta(minutes=minutes))


def _matching(chosen: Mapping[str, str], calls: Sequence[Call], tz: ZoneInfo) -> list[Call]:
    spent: dict[str, Decimal] = defaultdict(Decimal)
    for one in CALLS:
        spent[one.session] += one.usd or 0
    has_price = {one.session for one in CALLS if one.usd is not None}

    def fits(one: Call) -> bool:
        for name, value in chosen.items():
            if name == "errors" and value == "1" and not one.error:
                return False
            if name == "unpriced" and value == "1" and one.usd is not None:
                return False
            if name == "min_cost" and not (
                one.session in has_price and one.session and spent[one.session] >= Decimal(value)
            ):
                return False
            if name in TEXTS and one.key(name, tz) != value:
                return False
        return True

    return [one for one in calls if fits(one)]


def _values(chosen: Mapping[str, int]) -> dict[str, str]:
    found = {}
    for name, number in chosen.items():
        if name in ("errors", "unpriced"):
            found[name] = str(number % 2)
        elif name == "min_cost":
            found[name] = str(number * 40)
        else:
            found[name] = TEXTS[name][number % len(TEXTS[name])]
    return found


def in_order(ends: tuple[datetime | None, datetime | None]) -> tuple[datetime | None, datetime | None]:
    """Return two ends, the earlier one first: others are refused."""
    since, until = ends
    return (until, since) if since and until and until < since else ends


@pytest.mark.timeout(600)
@settings(parent=examples(45), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    chosen=filters.map(_values),
    by=st.lists(st.sampled_from(KEYS), max_size=3, unique=True),
    zone=st.sampled_from(ZONES),
    bounds=st.tuples(st.none() | moments, st.none() | moments).map(in_order),
    limit=st.none() | st.integers(1, 4),
    form=st.sampled_from(["csv", "money as numbers"]),
)
@example(chosen={"min_cost": "0"}, by=[], zone="UTC", bounds=(None, None), limit=None, form="csv")
def test_json_csv_and_sql_agree(
    url: str,
    chosen: dict[str, str],
    by: list[str],
    zone: str,
    bounds: tuple[datetime | None, datetime | None],
    limit: int | None,
    form: str,
) -> None:
    """Of the same calls, cut in the same days, in the same groups; and what Python adds up is that, too."""
    since, until = bounds
    tz = ZoneInfo(zone)
    within = [one for one in CALLS if (not since or one.end >= since) and (not until or one.end < until)]
    calls = _matching(chosen, within, tz)
    query = {**chosen, "by": ",".join(by), "tz": zone, "limit": limit or 10_000}
    query |= {"from": since.isoformat()} if since else {}
    query |= {"to": until.isoformat()} if until else {}
    address = f"{url}/api/v1/costs?{urlencode(query)}"
    answer = send(address)
    assert answer.status == 200, answer.text
    found = json.loads(answer.text)
    assert told(found["total"]) == figures(calls)
    rows = found["costs"]
    if form == "csv":
        again = list(csv.DictReader(io.StringIO(send(f"{address}&format=csv").text, newline="")))
    else:
        again = json.loads(send(f"{address}&money=number").text, parse_float=Decimal)["costs"]
    assert [told(row) for row in again] == [told(row) for row in rows]
    for key in by:
        assert [row[key] or "" for row in again] == [row[key] or "" for row in rows]
    assert sum(Decimal(row["cost_usd"]) for row in rows) == figures(calls)[3]
    if limit is None:
        groups: dict[tuple[str, ...], list[Call]] = defaultdict(list)
        for one in calls:
            groups[tuple(one.key(name, tz) for name in by)].append(one)
        expected = {key: figures(members) for key, members in groups.items()}
        if not by:
            expected = {(): figures(calls)}
        assert {tuple(row[key] for key in by): told(row) for row in rows} == expected
    else:
        _check_cut(rows, by, limit)
    _check_sql(url, chosen, since, until, figures(calls))


def _check_cut(rows: Sequence[Mapping[str, Any]], by: Sequence[str], limit: int) -> None:
    """No more groups have rows than were asked for, and what is cut has one row in each piece of time."""
    beside = [name for name in by if name not in TIMES] or list(by)
    kept = {tuple(row[name] for name in beside) for row in rows if not row.get("others")}
    assert len(kept) <= limit or not by
    pieces = [tuple(row[name] for name in by if name in TIMES) for row in rows if row.get("others")]
    assert len(set(pieces)) == len(pieces)


def _check_sql(
    url: str,
    chosen: Mapping[str, str],
    since: datetime | None,
    until: datetime | None,
    expected: tuple[int, int, int, Decimal],
) -> None:
    """What somebody writes who queries the views says the same."""
    columns = {"user": "user_id"}
    parts = ["1"]
    bound: dict[str, str] = {}
    for number, (name, value) in enumerate(chosen.items()):
        bound[f"v{number}"] = value
        if name == "errors":
            parts.append("error_type != ''" if value == "1" else "1")
        elif name == "unpriced":
            parts.append("cost_usd is null" if value == "1" else "1")
        elif name == "min_cost":
            spent = f"select session_id from sessions where cost_usd >= toDecimal128({{v{number}:String}}, 12)"
            parts.append(f"session_id in ({spent})")
        elif name == "tag.team":
            parts.append(f"tags['team'] = {{v{number}:String}}")
        else:
            parts.append(f"{columns.get(name, name)} = {{v{number}:String}}")
    for sign, edge in ((">=", since), ("<", until)):
        if edge is not None:
            parts.append(f"end_time {sign} toDateTime64('{edge:%Y-%m-%d %H:%M:%S}', 3, 'UTC')")
    sql = (
        "select count() as call_count, countIf(cost_usd is null) as unpriced_calls,"
        " countIf(error_type != '') as error_count, toString(coalesce(sum(cost_usd), 0)) as usd"
        f" from (select * from billed_calls where {' and '.join(parts)})"
    )
    (row,) = ask(url, sql, **bound)
    row["cost_usd"] = row.pop("usd")
    assert told(row) == expected


@pytest.mark.long
@settings(parent=examples(45), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    chosen=filters.map(_values),
    sort=st.sampled_from(["newest", "oldest", "cost", "duration", "calls", "messages"]),
    limit=st.integers(3, 7),
)
def test_pages_of_sessions_are_the_whole_list(url: str, chosen: dict[str, str], sort: str, limit: int) -> None:
    """Each session once, in the order that is asked for, however it is paged; the same that its calls say."""
    listed: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = json.loads(
            send(f"{url}/api/v1/sessions?{urlencode({**chosen, 'sort': sort, 'limit': limit, **cursor})}").text
        )
        listed += page["sessions"]
        if "cursor" not in page:
            break
        cursor = {"cursor": page["cursor"]}
    assert len({row["session_id"] for row in listed}) == len(listed) == page["total"]
    keys: dict[str, Callable[[dict[str, Any]], Any]] = {
        "newest": lambda row: -moment(row["start_time"]).timestamp(),
        "oldest": lambda row: moment(row["start_time"]).timestamp(),
        "cost": lambda row: -Decimal(row["cost_usd"] if row["cost_usd"] is not None else -1),
        "duration": lambda row: -row["duration_seconds"],
        "calls": lambda row: -row["call_count"],
        "messages": lambda row: -row["message_count"],
    }
    assert listed == sorted(listed, key=lambda row: (keys[sort](row), row["session_id"]))
    for row in listed:
        calls = [one for one in CALLS if one.session == row["session_id"]]
        count, unpriced, errors, usd = figures(calls)
        assert (row["call_count"], row["unpriced_calls"], row["error_count"]) == (count, unpriced, errors)
        assert row["cost_usd"] is None if count == unpriced else Decimal(row["cost_usd"]) == usd
    names = {row["session_id"] for row in listed}
    matching = {one.session for one in _matching(chosen, CALLS, ZoneInfo("UTC")) if one.session}
    per_call = {"step", "service", "provider", "model", "operation", "errors", "unpriced"}
    if not chosen.keys() & per_call:
        assert names >= matching
    assert matching <= names
