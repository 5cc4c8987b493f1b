"""Many looks at the past, by few questions, find what one look after the other finds, to the last word."""

import json
import os
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from otel_costs.alerts import bills, conditions, past_conditions, rules
from otel_costs.alerts.finding import Finding
from otel_costs.alerts.rules import Rule
from otel_costs.store import health, pieces, reports
from otel_costs.store.rows import rows
from tests.queries.ledger import Store, call

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

HOUR, DAY, MS = timedelta(hours=1), timedelta(days=1), timedelta(milliseconds=1)
END = datetime.now(UTC).replace(minute=17, second=3, microsecond=456_789)

RULES = [
    Rule("r", rules.SESSION_COST, usd=Decimal("0.5"), active=2 * HOUR),
    Rule("r", rules.SPEND_RATE, times=Decimal(2), min_usd=Decimal("0.1")),
    Rule("r", rules.SPEND_RATE, times=Decimal(1), min_usd=Decimal("0.01"), by="model"),
    Rule("r", rules.SPEND_RATE, times=Decimal(1), min_usd=Decimal("0.01"), by="tag.team"),
    Rule("r", rules.NEW_MODEL),
    Rule("r", rules.UNPRICED_CALLS),
    Rule("r", rules.DAY_TOTAL, usd=Decimal("0.4"), zone="Asia/Kathmandu"),
    Rule("r", rules.STORE_HEALTH, silent=3 * HOUR),
    Rule("r", rules.STORE_HEALTH),
    Rule("r", rules.MISSING_CALLS),
    Rule("r", rules.RECONCILE, usd=Decimal(1)),
]
NAMES = ["m0", "m1", "m2", ""]


def _calls(client: "Client", chance: random.Random) -> None:
    """Put calls of 34 days into a store: at the moments where looks and windows begin and end, too."""
    found = []
    for number in range(700):
        back = chance.randrange(34 * 24) * HOUR + chance.choice([0 * MS, MS, -MS, chance.randrange(3_600_000) * MS])
        at = f"{END - back:%Y-%m-%d %H:%M:%S.%f}"[:-3]
        cost = chance.choice([None, *range(9)])
        found.append(
            {
                "call_id": f"{number:016}",
                "user_id": chance.choice(["u0", "u1", "u2", ""]),
                "session_id": chance.choice(["", *(f"s{n}" for n in range(40))]),
                "provider": "openai",
                "model": chance.choice([*NAMES, f"m{number // 100}"]),
                "operation": chance.choice(["chat", "embeddings"]),
                "tags": {"team": chance.choice(["t0", "t1"])} if chance.randrange(3) else {},
                "cost_usd": cost and f"0.{cost}00000000001",
                "cost_status": "unpriced" if cost is None else "priced",
                "start_time": at,
                "end_time": at,
            }
        )
    client.raw_insert("calls", insert_block="\n".join(map(json.dumps, found)), fmt="JSONEachRow")


def _numbers(client: "Client", chance: random.Random) -> None:
    """Let numbers of calls of three processes arrive: all of one, and of the others not all, or not in order."""
    arrived = []
    for process in range(3):
        numbers = [number for number in range(1, 12) if process == 0 or chance.random() < 0.8]
        if process == 2:
            chance.shuffle(numbers)
        arrived += [
            f"({process}, '{END - 5 * DAY + n * 3 * HOUR:%Y-%m-%d %H:%M:%S}', {number})"
            for n, number in enumerate(numbers)
        ]
    client.command(
        "insert into call_sequences select toFixedString(concat('process ', leftPad(toString(process), 8, '0')), 16),"
        " 'shop', at, groupBitmapState(number), min(at), max(at), 0"
        f" from values('process UInt8, at DateTime(\\'UTC\\'), number UInt64', {', '.join(arrived)})"
        " group by process, at"
    )


def _differences(client: "Client", chance: random.Random) -> None:
    for number in range(12):
        found = END - chance.randrange(8 * 24) * HOUR
        row = {
            "vendor": "openai",
            "day": f"{END - number * DAY:%Y-%m-%d}",
            "unit": "day_usd",
            "difference": chance.randrange(4),
            "cause": "not_recorded",
            "found_at": f"{found:%Y-%m-%d %H:%M:%S}",
            "compared_at": f"{found + 5 * HOUR:%Y-%m-%d %H:%M:%S}",
            "resolved": chance.randrange(2),
        }
        client.raw_insert("bill_differences", insert_block=json.dumps(row), fmt="JSONEachRow")


def one_by_one(client: "Client", rule: Rule, at: datetime) -> list[Finding]:
    """Return what is found of the past by one question for one moment."""
    if rule.when == rules.MISSING_CALLS:
        return conditions.of_missing_calls(reports.missing_calls_at(client, at))
    if rule.when == rules.RECONCILE:
        return bills.find(client, rule, at)
    if rule.when == rules.STORE_HEALTH:
        misdated = sum(calls for arrived, calls in health.misdated_days(client) if arrived <= at)
        return conditions.of_misdated(misdated) + conditions._silence(client, rule, at)
    return conditions.find(client, rule, at)


@pytest.mark.long
def test_many_looks_find_what_each_of_them_finds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """At moments that are far apart, next to each other, and where windows end; in questions of a few pieces, too."""
    seed = int.from_bytes(os.urandom(4))
    chance = random.Random(seed)
    for table in ("calls", "call_sequences", "bill_differences"):
        store.client.command(f"truncate table {table}")
    _calls(store.client, chance)
    _numbers(store.client, chance)
    _differences(store.client, chance)
    ends = [
        row["t"] for row in rows(store.client, "select end_time as t from calls order by sipHash64(call_id) limit 12")
    ]
    moments = sorted(
        {END - n * HOUR for n in range(0, 24 * 6, 7)}
        | {end + n * DAY + back for end in ends for n in (0, 1) for back in (-MS, 0 * MS, MS) if chance.random() < 0.5}
    )
    tried = {at for at in moments if chance.random() < 5 / len(moments)} | {moments[0], moments[-1]}
    alone = {(n, at): one_by_one(store.client, rule, at) for n, rule in enumerate(RULES) for at in tried}
    fired = set()
    for at_once in (1000, 7):
        monkeypatch.setattr(pieces, "AT_ONCE", at_once)
        monkeypatch.setattr(past_conditions, "AT_ONCE", at_once)
        for n, rule in enumerate(RULES):
            found = dict(past_conditions.find(store.client, rule, moments))
            assert list(found) == moments
            for at in tried:
                assert found[at] == alone[n, at], f"{rule.when} by {rule.by} at {at}, seed {seed}"
            fired |= {n} if any(found.values()) else set()
    assert len(fired) > len(RULES) / 2, seed


def test_a_dry_run_asks_little(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it looks: a question for a thousand looks, and not one for each."""
    asked: list[str] = []
    query = store.client.query

    def counted(*given: Any, **named: Any) -> Any:
        asked.append(str(given[0]))
        return query(*given, **named)

    store.insert(call(END - DAY, cost="1"))
    monkeypatch.setattr(store.client, "query", counted)
    for rule in RULES:
        asked.clear()
        assert len(list(past_conditions.find(store.client, rule, [END - n * HOUR for n in range(200, -1, -1)]))) == 201
        assert len(asked) <= 4, rule.when
