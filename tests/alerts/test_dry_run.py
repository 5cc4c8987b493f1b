"""A dry run over the past: every kind of rule, between its looks too; and what the store does not know is said."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from otel_costs.alerts import rules
from otel_costs.alerts.dry_run import would_have_sent
from otel_costs.alerts.rules import Rule, Rules
from otel_costs.alerts.state import Event, State
from otel_costs.store import bill_differences, budgets
from otel_costs.store.bill_differences import Compared, Difference
from otel_costs.store.rows import rows
from tests.queries.ledger import LogRow, Store, call

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
MIDNIGHT = NOW.replace(hour=0, minute=0) - 3 * DAY
"""Of a day that is long over."""
NOON = MIDNIGHT + DAY / 2
PROCESS = "ab" * 16

FILLED = (
    "otel_logs", "calls", "call_arrivals", "session_days", "call_sequences", "bill_differences", "budgets",
)  # fmt: skip

Fill = Callable[[Store], None]


def dry_run(store: Store, *of: Rule, days: int = 0, step: timedelta = HOUR) -> list[Event]:
    """Return what these rules would have sent from before noon, or days before it, to the noon of the next day."""
    begin, end = NOON - days * DAY - 2 * HOUR, NOON + DAY + HOUR
    return would_have_sent(store.client, Rules(of, {}), begin, end, step)[0]


def put(*records: LogRow) -> Fill:
    return lambda store: store.insert(*records)


def of_model(at: datetime, model: str) -> LogRow:
    return call(at, gen_ai__response__model=model, gen_ai__request__model=model)


def usual(last: str) -> Fill:
    weeks = [call(NOON - weeks * 7 * DAY, cost="1") for weeks in (1, 2, 3)]
    return put(*weeks, call(NOON, cost=last))


def spent_of_ten(usd: str) -> Fill:
    def fill(store: Store) -> None:
        budgets.put(store.client, "user", "u1", "day", budgets.Terms(Decimal(10)), since=MIDNIGHT - 9 * DAY)
        store.insert(call(NOON, cost=usd), call(NOON - DAY, cost="7.99"))

    return fill


def numbered(*batches: tuple[datetime, int]) -> Fill:
    """Let numbers of a process arrive at times."""

    def fill(store: Store) -> None:
        for at, number in batches:
            store.insert(call(at, otel_costs__call__seq=number, otel_costs__process__id=PROCESS))
            arrive(store, at)

    return fill


def arrive(store: Store, at: datetime) -> None:
    """Let what has arrived just now have arrived `at`."""
    moved = f"if(arrived > now('UTC') - interval 10 minute, toDateTime('{at:%Y-%m-%d %H:%M:%S}', 'UTC'), arrived)"
    store.client.command("create table moved as call_sequences engine = Memory")
    store.client.command(f"insert into moved select * replace ({moved} as arrived) from call_sequences")
    store.client.command("truncate table call_sequences")
    store.client.command("insert into call_sequences select * from moved")
    store.client.command("drop table moved")


def billed(usd: str, *, is_over: bool = True) -> Fill:
    """Find a difference of yesterday's bill at noon; three hours later it is resolved."""

    def fill(store: Store) -> None:
        day = MIDNIGHT.date()
        kept = Compared("azure", day, day + DAY)
        found = Difference(day, "", "day_usd", Decimal(usd), Decimal(0), Decimal(usd), "not_recorded")
        bill_differences.keep(store.client, kept, [found])
        if is_over:
            bill_differences.keep(store.client, kept, [])
        store.client.command(
            f"alter table bill_differences update found_at = '{NOON:%Y-%m-%d %H:%M:%S}',"
            f" compared_at = '{NOON + 3 * HOUR:%Y-%m-%d %H:%M:%S}' where true",
            settings={"mutations_sync": 1},
        )

    return fill


def misdated(days: int) -> Fill:
    def fill(store: Store) -> None:
        store.insert(call(NOON - days * DAY))
        for table in ("calls", "call_arrivals"):
            columns = ["inserted_at"] if table == "calls" else ["inserted_at", "first_inserted_at"]
            changed = ", ".join(f"{name} = '{NOON:%Y-%m-%d %H:%M:%S}'" for name in columns)
            store.client.command(f"alter table {table} update {changed} where true", settings={"mutations_sync": 1})

    return fill


SCENARIOS: list[tuple[Rule, Fill, Fill, timedelta | None]] = [
    # What should have been told at noon, what should not, and when its end would have been told.
    (
        Rule("r", rules.BUDGET, shares=(Decimal(1),)),
        spent_of_ten("10"), spent_of_ten("9.99"), DAY / 2,
    ),
    (Rule("r", rules.SESSION_COST, usd=Decimal(5)), put(call(NOON, cost="5")), put(call(NOON, cost="4")), HOUR),
    (Rule("r", rules.SPEND_RATE, times=Decimal(3)), usual("3"), usual("2.99"), HOUR),
    (
        Rule("r", rules.NEW_MODEL),
        put(of_model(NOON - 9 * DAY, "a"), of_model(NOON, "b")),
        put(of_model(NOON - 9 * DAY, "a"), of_model(NOON, "a")), DAY,
    ),
    (Rule("r", rules.UNPRICED_CALLS), put(call(NOON, cost=None)), put(call(NOON)), DAY),
    (
        Rule("r", rules.MISSING_CALLS),
        numbered((NOON - HOUR, 1), (NOON - HOUR / 2, 3), (NOON + 3 * HOUR, 2)),
        numbered((NOON - HOUR, 1), (NOON - HOUR / 2, 2), (NOON + 3 * HOUR, 3)), 3 * HOUR,
    ),
    (
        Rule("r", rules.DAY_TOTAL, usd=Decimal(5)),
        put(call(NOON, cost="5")), put(call(NOON, cost="3"), call(NOON - DAY, cost="4")), DAY / 2,
    ),
    (
        Rule("r", rules.STORE_HEALTH, silent=6 * HOUR),
        put(*(call(NOON + HOUR * n) for n in range(-24, 26) if not -6 <= n < 2)),
        put(*(call(NOON + HOUR * n) for n in range(-24, 26) if not -4 <= n < 2)), 2 * HOUR,
    ),
    (Rule("r", rules.STORE_HEALTH), misdated(9 * 365), misdated(0), None),
    (Rule("r", rules.RECONCILE, usd=Decimal(2)), billed("2"), billed("1.99"), 3 * HOUR),
    (Rule("r", rules.RECONCILE, usd=Decimal(2)), billed("2", is_over=False), billed("1", is_over=False), None),
]  # fmt: skip


@pytest.mark.some(1)
@pytest.mark.parametrize(("rule", "fires", "stays", "lasts"), SCENARIOS)
def test_every_kind_of_rule_tells_its_past(
    store: Store, rule: Rule, fires: Fill, stays: Fill, lasts: timedelta | None
) -> None:
    """Once, from the look on at which it was true, until the one at which it was not; and not where it never was."""
    stays(store)
    assert dry_run(store, rule) == []
    for table in FILLED:
        store.client.command(f"truncate table {table}")
    fires(store)
    (event,) = dry_run(store, rule)
    assert event.began_at == NOON
    assert event.ended_at == (lasts and NOON + lasts)
    assert State(store.client).events() == []


def test_there_is_a_scenario_for_every_kind() -> None:
    """A kind that is added needs one."""
    assert {rule.when for rule, *_ in SCENARIOS} == set(rules.KINDS)


@pytest.mark.parametrize(
    ("rule", "zone"),
    [
        (Rule("r", rules.DAY_TOTAL, usd=Decimal(5)), "UTC"),
        (Rule("r", rules.DAY_TOTAL, usd=Decimal(5), zone="Asia/Kathmandu"), "Asia/Kathmandu"),
        (Rule("r", rules.BUDGET, shares=(Decimal(1),)), "UTC"),
        (Rule("r", rules.BUDGET, shares=(Decimal(1),)), "Asia/Kathmandu"),
    ],
)
def test_what_is_reached_just_before_a_day_ends_is_told(store: Store, rule: Rule, zone: str) -> None:
    """Although no look falls between that and the end: a new day begins with nothing."""
    ends = MIDNIGHT if zone == "UTC" else MIDNIGHT - 5.75 * HOUR
    budgets.put(store.client, "all", "", "day", budgets.Terms(Decimal(5), zone=zone), since=MIDNIGHT - 9 * DAY)
    store.insert(call(ends - timedelta(seconds=2), cost="5"))
    (event,) = dry_run(store, rule, days=1, step=5 * HOUR)
    assert (event.began_at, event.ended_at is None) == (ends - timedelta(milliseconds=1), False)


@pytest.mark.some(2)
@pytest.mark.parametrize(
    ("rule", "fill"),
    [
        (Rule("r", rules.SPEND_RATE, times=Decimal(3)), usual("3")),
        (Rule("r", rules.UNPRICED_CALLS), put(call(NOON, cost=None))),
        (Rule("r", rules.NEW_MODEL), put(of_model(NOON - 9 * DAY, "a"), of_model(NOON, "b"))),
        (Rule("r", rules.SESSION_COST, usd=Decimal(5)), put(call(NOON, cost="5"))),
    ],
)
def test_no_look_is_so_late_that_it_is_missed(store: Store, rule: Rule, fill: Fill) -> None:
    """However rarely it is looked: what a rule looks back for is less than that."""
    fill(store)
    assert len(dry_run(store, rule, days=1, step=2 * DAY + 2 * HOUR)) == 1


@pytest.mark.long
def test_a_budget_that_was_set_later_says_so(store: Store) -> None:
    """Or changed: what it would have sent then, it would have sent as it is now."""
    rule = Rule("r", rules.BUDGET, shares=(Decimal(1),))
    store.insert(call(NOON, cost="5"))
    budgets.put(store.client, "user", "u1", "day", budgets.Terms(Decimal(9)), since=MIDNIGHT - DAY)
    budgets.put(store.client, "user", "u1", "day", budgets.Terms(Decimal(5)), since=MIDNIGHT - DAY)
    (row,) = rows(store.client, "select changed_at from budget_limits")
    said = "budget of user u1 for the day: 100% is reached, $5.00 of $5.00"
    assert [event.message for event in dry_run(store, rule)] == [
        f"{said} (the budget was changed later: {row['changed_at']:%Y-%m-%d %H:%M} UTC)"
    ]
    budgets.remove(store.client, "user", "u1", "day")
    assert dry_run(store, rule) == []
    budgets.put(store.client, "user", "u1", "day", budgets.Terms(Decimal(5)))
    (row,) = rows(store.client, "select since from budget_limits")
    assert [event.message for event in dry_run(store, rule)] == [
        f"{said} (the budget was set later: {row['since']:%Y-%m-%d %H:%M} UTC)"
    ]


@pytest.mark.long
def test_rollover_carries_what_was_left_then(store: Store) -> None:
    """Of the period before, and of that alone."""
    terms = budgets.Terms(Decimal(5), rollover=True)
    budgets.put(store.client, "user", "u1", "day", terms, since=MIDNIGHT - 9 * DAY)
    store.insert(call(NOON - DAY, cost="2"), call(NOON, cost="8"))
    assert [event.began_at for event in dry_run(store, Rule("r", rules.BUDGET, shares=(Decimal(1),)))] == [NOON]
    store.insert(call(NOON - DAY, cost="1"))
    (event,) = dry_run(store, Rule("r", rules.BUDGET, shares=(Decimal(1),)))
    assert "$8.00 of $7.00" in event.message


def test_what_the_store_does_not_know_is_said(store: Store) -> None:
    """With its reason, by rule; nothing is said of what is known."""
    numbered((NOON, 1))(store)
    asked = Rules(tuple(Rule(kind, kind) for kind in rules.KINDS), {})
    _, unknown = would_have_sent(store.client, asked, NOON - DAY, NOW, DAY)
    said = {one.rule: one.reason for one in unknown}
    assert said.keys() == {"budget", "unpriced_calls", "missing_calls", "store_health", "reconcile"}
    assert said["missing_calls"].startswith(f"which calls were missing before {NOON:%Y-%m-%d %H:%M} UTC")
    assert "parts of tables" in said["store_health"]
    _, unknown = would_have_sent(store.client, asked, NOON + HOUR, NOW, DAY)
    assert "missing_calls" not in {one.rule for one in unknown}


def test_events_are_in_the_order_of_time(store: Store) -> None:
    """Whichever rule found them."""
    store.insert(call(NOON, cost="5"), call(NOON - HOUR, cost=None))
    dear, unpriced = Rule("dear", rules.SESSION_COST, usd=Decimal(5)), Rule("unpriced", rules.UNPRICED_CALLS)
    assert [event.rule for event in dry_run(store, dear, unpriced)] == ["unpriced", "dear"]
