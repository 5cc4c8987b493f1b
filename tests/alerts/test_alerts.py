"""Rules over a real store, told to a real receiver on loopback: once, and again when it has ended."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.alerts import conditions, past_conditions
from otel_costs.alerts import delivery as delivery_module
from otel_costs.alerts import rules as rules_file
from otel_costs.alerts.conditions import find
from otel_costs.alerts.delivery import Receivers
from otel_costs.alerts.dry_run import would_have_sent
from otel_costs.alerts.finding import MOST, Finding, percent
from otel_costs.alerts.rules import Rule, Rules, RulesError
from otel_costs.alerts.runner import Runner
from otel_costs.alerts.state import LEASE, State
from otel_costs.store import StoreError, bill_differences, budgets
from otel_costs.store.bill_differences import Compared, Difference
from tests.queries.ledger import LogRow, Store, call

from .conftest import Receiver

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KATHMANDU = datetime.combine(NOW.astimezone(ZoneInfo("Asia/Kathmandu")), time(), ZoneInfo("Asia/Kathmandu")).astimezone(
    UTC
)
"""When the day began there."""
YESTERDAY = (NOW - DAY).date()


@dataclass
class Clock:
    at: datetime = field(default=NOW)

    def __call__(self) -> datetime:
        return self.at


def runner(store: Store, receiver: Receiver, clock: Clock, *rules: Rule) -> Runner:
    addresses = {"hook": receiver.url}
    return Runner(store.client, store.client, Rules(rules, addresses), Receivers(addresses), clock)


def of_model(at: datetime, model: str, **more: Any) -> LogRow:
    return call(at, gen_ai__response__model=model, gen_ai__request__model=model, **more)


DEAR = Rule("dear", rules_file.SESSION_COST, usd=Decimal(5))


def dear(*, ago: timedelta = timedelta(minutes=1), session: str = "s1") -> list[LogRow]:
    return [call(NOW - ago - HOUR, cost="4", session=session), call(NOW - ago, cost="1", session=session)]


def usual(last: str, **more: Any) -> list[LogRow]:
    before = [call(NOW - weeks * 7 * DAY - HOUR / 4, cost="1", **more) for weeks in (1, 2, 3)]
    return [*before, call(NOW - HOUR / 4, cost=last, **more)]


Records = Callable[[], list[LogRow]]
SCENARIOS: list[tuple[Rule, Records, Records]] = [
    (DEAR, dear, lambda: dear(ago=HOUR)),  # it runs no more
    (DEAR, dear, lambda: [call(NOW, cost="4.99")]),
    (Rule("r", rules_file.SPEND_RATE, times=Decimal(3)), lambda: usual("3"), lambda: usual("2.99")),
    # What is usual for nobody yet, is not unusual.
    (Rule("r", rules_file.SPEND_RATE, times=Decimal(3)), lambda: usual("9"), lambda: [call(NOW, cost="9")]),
    (Rule("r", rules_file.SPEND_RATE, times=Decimal(3), by="model"), lambda: usual("3"), lambda: usual("2")),
    (
        Rule("r", rules_file.SPEND_RATE, times=Decimal(3), by="service"),
        lambda: usual("3", service__name="shop"), lambda: usual("2", service__name="shop"),
    ),
    (
        Rule("r", rules_file.SPEND_RATE, times=Decimal(3), by="tag.team"),
        lambda: usual("3", otel_costs__tag__team="a"), lambda: usual("3", otel_costs__tag__other="a"),
    ),
    (
        Rule("new", rules_file.NEW_MODEL),
        lambda: [of_model(NOW - 9 * DAY, "a"), of_model(NOW - HOUR, "b")],
        lambda: [of_model(NOW - 9 * DAY, "a"), of_model(NOW - HOUR, "a")],
    ),
    (  # In a store that has just begun all are new.
        Rule("new", rules_file.NEW_MODEL),
        lambda: [of_model(NOW - 25 * HOUR, "a"), of_model(NOW - HOUR, "b")],
        lambda: [of_model(NOW - 23 * HOUR, "a"), of_model(NOW - HOUR, "b")],
    ),
    (
        Rule("unpriced", rules_file.UNPRICED_CALLS),
        lambda: [call(NOW - HOUR, cost=None)], lambda: [call(NOW - HOUR), call(NOW - 2 * DAY, cost=None)],
    ),
    (
        Rule("day", rules_file.DAY_TOTAL, usd=Decimal(3), zone="UTC"),
        lambda: [call(NOW, cost="3")], lambda: [call(NOW, cost="2.99"), call(NOW - DAY, cost="9")],
    ),
    (  # A day is one of the rule's zone.
        Rule("day", rules_file.DAY_TOTAL, usd=Decimal(3), zone="Asia/Kathmandu"),
        lambda: [call(KATHMANDU, cost="3")], lambda: [call(KATHMANDU - timedelta(seconds=1), cost="3")],
    ),
    (
        Rule("quiet", rules_file.STORE_HEALTH, silent=HOUR),
        lambda: [call(NOW - 2 * HOUR)], lambda: [call(NOW - HOUR / 2)],
    ),
    (  # A time that no clock can have meant.
        Rule("health", rules_file.STORE_HEALTH),
        lambda: [call(NOW - 3000 * DAY)], lambda: [call(NOW - 300 * DAY), call(NOW)],
    ),
]  # fmt: skip


@pytest.mark.some(2)
@pytest.mark.parametrize(("rule", "fires", "stays"), SCENARIOS)
def test_a_rule_fires_once_and_only_where_it_should(
    store: Store, receiver: Receiver, rule: Rule, fires: Records, stays: Records
) -> None:
    """One message however often it is looked at; none where the rule is not true."""
    store.insert(*stays())
    assert find(store.client, rule, NOW) == []
    for table in ("otel_logs", "calls"):
        store.client.command(f"truncate table {table}")
    store.insert(*fires())
    looks = runner(store, receiver, Clock(), rule)
    assert [looks.poll(), looks.poll()] == [True, True]
    assert len(receiver.got) == 1


def test_every_kind_of_rule_has_scenarios() -> None:
    """A kind that is added needs one that it is told of, and one that it is not: here, or in one of the tests below."""
    below = {rules_file.BUDGET, rules_file.MISSING_CALLS, rules_file.RECONCILE}
    assert {rule.when for rule, *_ in SCENARIOS} | below == set(rules_file.KINDS)


def test_parts_that_are_set_aside_are_told(store: Store, receiver: Receiver) -> None:
    """Once, and again when they are back; whole tables are not."""
    rule = Rule("health", rules_file.STORE_HEALTH)
    store.insert(call(NOW))
    looks = runner(store, receiver, Clock(), rule)
    looks.poll()
    assert receiver.got == []
    store.client.command("alter table calls detach partition all")
    try:
        looks.poll()
        looks.poll()
        assert receiver.got == ["the store has set 1 parts of calls aside"]
    finally:
        store.client.command("alter table calls attach partition all")
    looks.poll()
    assert receiver.got[1:] == ["ended: the store has set 1 parts of calls aside"]


def test_budgets_are_told_at_their_shares(store: Store, receiver: Receiver) -> None:
    """At 80 % once, at 100 % once; a budget that is not so full is not told."""
    rule, clock = Rule("budgets", rules_file.BUDGET), Clock()
    for user in ("u1", "u2"):
        budgets.put(store.client, "user", user, "month", budgets.Terms(Decimal(10)))
    at = datetime.now(UTC)
    store.insert(call(at, cost="8"), call(at, cost="7.99", user="u2", session="s2"))
    looks = runner(store, receiver, clock, rule)
    looks.poll()
    assert [one.startswith("budget of user u1 for the month: 80% is reached, $8.00") for one in receiver.got] == [True]
    store.insert(call(at, cost="2"))
    looks.poll()
    looks.poll()
    assert [one.split(": ")[1].split(" ")[0] for one in receiver.got] == ["80%", "100%"]


def test_missing_calls_are_told(store: Store, receiver: Receiver) -> None:
    """A gap in a process's numbers is, none is not."""
    rule, process = Rule("missing", rules_file.MISSING_CALLS), "ab" * 16
    store.insert(call(NOW - DAY, otel_costs__call__seq=1, otel_costs__process__id=process))
    assert find(store.client, rule, NOW) == []
    store.insert(call(NOW - DAY, otel_costs__call__seq=3, otel_costs__process__id=process))
    store.client.command(
        "insert into call_sequences select * replace (arrived - interval 1 hour as arrived) from call_sequences"
    )
    looks = runner(store, receiver, Clock(), rule)
    looks.poll()
    looks.poll()
    assert [one.partition(" (")[0] for one in receiver.got] == ["1 calls of service shop have not arrived"]


def compared(store: Store, *found: Difference, day: date = YESTERDAY) -> None:
    """Note what a comparison of a day of Azure's bill found."""
    bill_differences.keep(store.client, Compared("azure", day, day + DAY), found)


def of_bill(theirs: str, ours: str, unit: str = "day_usd", cause: str = "billed_otherwise") -> Difference:
    there, here = Decimal(theirs), Decimal(ours)
    return Difference(YESTERDAY, "" if unit == "day_usd" else "gpt-4o", unit, there, here, there - here, cause)


@pytest.mark.some(2)
@pytest.mark.parametrize(
    ("rule", "fires", "stays"),
    [
        (Rule("bills", rules_file.RECONCILE, usd=Decimal(2)), of_bill("12", "10"), of_bill("11.99", "10")),
        (Rule("bills", rules_file.RECONCILE, usd=Decimal(2)), of_bill("10", "12"), of_bill("10", "11.99")),
        (Rule("bills", rules_file.RECONCILE, usd=Decimal(1)), of_bill("9", "1"), of_bill("9000", "1", "credits")),
        (Rule("bills", rules_file.RECONCILE, percent=Decimal(10)), of_bill("100", "90"), of_bill("100", "90.1")),
        (
            Rule("bills", rules_file.RECONCILE, percent=Decimal(10)),
            of_bill("100", "90", "credits"), of_bill("100", "91", "credits"),
        ),
        (  # of a model alone, in a day that is as it should be but for a cent
            Rule("bills", rules_file.RECONCILE, percent=Decimal(10)), of_bill("0.01", "0"), of_bill("5", "1", "usd"),
        ),
        (
            Rule("bills", rules_file.RECONCILE, usd=Decimal(99), percent=Decimal(10)),
            of_bill("2", "1"), of_bill("98.9", "98"),
        ),
    ],
)  # fmt: skip
def test_bills_that_differ_are_told_until_they_do_not(
    store: Store, receiver: Receiver, rule: Rule, fires: Difference, stays: Difference
) -> None:
    """Once, by the dollars or the share that a rule gives; its end when a later comparison finds it no more."""
    compared(store, stays)
    assert find(store.client, rule, NOW) == []
    compared(store, fires)
    looks = runner(store, receiver, Clock(), rule)
    looks.poll()
    compared(store, fires)
    looks.poll()
    assert len(receiver.got) == 1
    assert receiver.got[0].startswith(f"azure's bill of {YESTERDAY} ")
    compared(store)
    looks.poll()
    looks.poll()
    assert receiver.got == [receiver.got[0], f"ended: {receiver.got[0]}"]


def test_what_is_said_of_a_bill(store: Store) -> None:
    """How much, which way, and why."""
    compared(store, of_bill("10", "12.5", cause="not_reported"))
    rule = Rule("bills", rules_file.RECONCILE, usd=Decimal(1))
    (found,) = find(store.client, rule, NOW)
    assert found.message == f"azure's bill of {YESTERDAY} is $2.50 less than was recorded: not reported"


def test_amounts_that_could_not_be_compared_are_not_told(store: Store) -> None:
    """Euros are no difference of so many dollars, nor of so many percent."""
    compared(store, Difference(YESTERDAY, "", "eur", Decimal(5), None, Decimal(5), "another_currency"))
    rule = Rule("bills", rules_file.RECONCILE, usd=Decimal("0.01"), percent=Decimal("0.01"))
    assert find(store.client, rule, NOW) == []


def test_its_end_is_told_once_and_it_does_not_begin_again(store: Store, receiver: Receiver) -> None:
    """A session that runs no more has ended; that it goes on after that is no other event."""
    clock = Clock()
    store.insert(*dear())
    looks = runner(store, receiver, clock, DEAR)
    looks.poll()
    clock.at = NOW + HOUR
    looks.poll()
    looks.poll()
    store.insert(call(NOW + HOUR, cost="1"))
    looks.poll()
    said = "session s1 has cost $5.00 and still runs"
    assert receiver.got == [said, f"ended: {said}"]


@pytest.mark.long
def test_an_outage_of_the_receiver_is_waited_for(store: Store, receiver: Receiver) -> None:
    """What it did not take is tried again, later and later, also by another runner, and arrives once."""
    clock = Clock()
    store.insert(*dear())
    receiver.down = True
    first = runner(store, receiver, clock, DEAR)
    first.poll()
    receiver.down = False
    first.poll()
    assert receiver.got == []  # it is not time yet
    first.leave()
    clock.at = NOW + timedelta(seconds=31)
    restarted = runner(store, receiver, clock, DEAR)
    restarted.poll()
    restarted.poll()
    assert len(receiver.got) == 1


def test_two_runners_send_once(store: Store, receiver: Receiver) -> None:
    """The second sends nothing while the first is there, and goes on when that was heard no more."""
    clock = Clock()
    store.insert(*dear())
    one, other = (runner(store, receiver, clock, DEAR) for _ in range(2))
    assert (one.poll(), other.poll(), one.poll(), other.poll()) == (True, False, True, False)
    assert len(receiver.got) == 1
    clock.at += LEASE
    store.insert(*dear(session="s2", ago=timedelta(minutes=-2)))
    assert (other.poll(), one.poll()) == (True, False)
    assert len(receiver.got) == 2


def test_of_two_that_begin_at_once_one_sends_at_most(store: Store) -> None:
    """Whatever the order of what they read and write."""
    for turn in range(2, 6):
        lower, higher = State(store.client), State(store.client)
        answers: list[bool] = []
        _interleaved(lower, turn, partial(_ask, higher, answers))
        answers.append(lower.sends("a", NOW))
        assert sum(answers) <= 1
        store.client.command("truncate table alerts")


def _ask(state: State, answers: list[bool]) -> None:
    answers.append(state.sends("b", NOW))


def _interleaved(state: State, turn: int, other: Callable[[], None]) -> None:
    """Let the other one go all its way before the `turn`th read or write of `state`."""
    steps = iter(range(1, 100))
    for name in ("_senders", "_sender"):
        method = getattr(state, name)

        def stepped(*given: Any, method: Any = method, **named: Any) -> Any:
            if next(steps) == turn:
                other()
            return method(*given, **named)

        setattr(state, name, stepped)


def test_what_is_acknowledged_is_not_told_any_more(store: Store, receiver: Receiver) -> None:
    """Not even that it has ended."""
    clock = Clock()
    store.insert(*dear())
    looks = runner(store, receiver, clock, DEAR)
    looks.poll()
    state = State(store.client)
    (event,) = state.events()
    state.acknowledge(event.id)
    clock.at = NOW + HOUR
    looks.poll()
    assert len(receiver.got) == 1
    assert state.events()[0].ended_at == clock.at


@pytest.mark.parametrize("name", ["", "dear"])
def test_a_silence_holds_back_for_a_time(store: Store, receiver: Receiver, name: str) -> None:
    """What still lasts after it is told then."""
    clock = Clock()
    store.insert(*dear())
    State(store.client).silence(name, NOW + timedelta(minutes=5))
    looks = runner(store, receiver, clock, DEAR)
    looks.poll()
    assert receiver.got == []
    clock.at = NOW + timedelta(minutes=6)
    looks.poll()
    assert len(receiver.got) == 1


def test_rules_of_the_store_are_kept_beside_those_of_the_file(store: Store, receiver: Receiver) -> None:
    """From the next look on, and until they are taken away; what one has found ends then, and nobody is told."""
    store.insert(*dear())
    state, looks = State(store.client), runner(store, receiver, Clock(), Rule("new", rules_file.NEW_MODEL))
    looks.poll()
    state.put_rule("page", rules_file.text_of({"name": "page", "when": "session_cost", "usd": "4.5", "to": ["gone"]}))
    state.put_rule("odd", rules_file.text_of({"name": "odd", "when": "of a later version"}))
    state.put_rule(
        "new", rules_file.text_of({"name": "new", "when": "day_total", "usd": "0.01"})
    )  # that of the file counts
    looks.poll()
    looks.poll()
    assert receiver.got == ["session s1 has cost $5.00 and still runs"]
    state.put_rule("page", "")
    looks.poll()
    assert [event.state(state.acknowledged()) for event in state.events()] == ["ended"]
    assert len(receiver.got) == 1


@pytest.mark.parametrize("fault", [StoreError("it is full"), KeyError("gone")])
def test_a_rule_that_fails_keeps_no_other_from_being_told(
    store: Store,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:
    """It is warned of once, and looked at again."""
    store.insert(*dear())
    original = conditions.find

    def failing(client: Any, rule: Rule, at: datetime) -> list[Finding]:
        if rule.name == "odd":
            raise fault
        return original(client, rule, at)

    monkeypatch.setattr(conditions, "find", failing)
    looks = runner(store, receiver, Clock(), Rule("odd", rules_file.NEW_MODEL), DEAR)
    assert [looks.poll(), looks.poll()] == [True, True]
    assert receiver.got == ["session s1 has cost $5.00 and still runs"]
    assert len([one for one in caplog.records if "'odd'" in one.getMessage()]) == 1


@pytest.mark.parametrize("number", ["1e12", "1e999999", "0.0000000000001", "1E-20"])
def test_a_number_that_the_store_cannot_hold_is_refused(number: str) -> None:
    """Compared with it, nothing could be told."""
    with pytest.raises(RulesError, match=r"twelve decimals"):
        rules_file.read_one(rules_file.text_of({"name": "r", "when": "session_cost", "usd": number}))


@pytest.mark.parametrize("share", ["80", "100", "10.5"])
def test_percent_are_no_share(share: str) -> None:
    """A budget would have to be spent eighty times."""
    with pytest.raises(RulesError, match=r"0\.8 is 80 %"):
        rules_file.read_one(rules_file.text_of({"name": "r", "when": "budget", "shares": [share]}))


@pytest.mark.long
def test_a_definition_that_goes_on_for_ever_is_none() -> None:
    """Whatever stands in the store, reading it ends with what is wrong."""
    with pytest.raises(RulesError):
        rules_file.read_one("[" * 100_000)


def test_events_are_kept_as_long_as_calls(store: Store) -> None:
    """They name users and sessions; rules, silences and acknowledgements stay."""
    ages = {"old": 401, "new": 399}
    kinds = ("event", "rule", "silence", "acknowledged")
    values = ", ".join(
        f"('{kind}', '{age}', 'ada', now64(6) - interval {days} day)" for kind in kinds for age, days in ages.items()
    )
    store.client.command(f"insert into alerts (kind, id, user_id, changed_at) values {values}")
    store.client.command("optimize table alerts final")
    found = store.ask("select toString(kind) as kind, id from alerts order by kind, id")
    assert [tuple(row.values()) for row in found] == sorted(
        (kind, age) for kind in kinds for age in ages if (kind, age) != ("event", "old")
    )


def test_who_sends_tells_what_is_watched(store: Store, receiver: Receiver) -> None:
    """Names of receivers, no address, and rules; nothing once nobody sends."""
    clock = Clock()
    looks = runner(store, receiver, clock, DEAR)
    looks.poll()
    state = State(store.client)
    told = state.watched(NOW) or ""
    assert json.loads(told) == {
        "receivers": ["hook"],
        "rules": [{"name": "dear", "when": "session_cost", "usd": "5", "active": "15m"}],
    }
    assert receiver.url not in told
    looks.leave()
    assert state.watched(NOW) is None


LENGTHS = st.integers(1, 10_000).map(lambda count: f"{count}m")
AMOUNTS = st.decimals(Decimal("0.000001"), Decimal(10**9), places=6).filter(lambda one: one > 0).map(str)
SHARES = st.decimals(Decimal("0.000001"), Decimal(10), places=6).filter(lambda one: one > 0).map(str)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(
    st.one_of(
        st.fixed_dictionaries({"when": st.just("budget"), "shares": st.lists(SHARES, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"when": st.just("session_cost"), "usd": AMOUNTS, "active": LENGTHS}),
        st.fixed_dictionaries(
            {"when": st.just("spend_rate"), "by": NAMES.map("tag.{}".format), "times": AMOUNTS, "min_usd": AMOUNTS}
        ),
        st.fixed_dictionaries({"when": st.just("day_total"), "usd": AMOUNTS, "zone": st.just("Europe/Berlin")}),
        st.fixed_dictionaries({"when": st.just("reconcile"), "usd": AMOUNTS}, optional={"percent": AMOUNTS}),
        st.fixed_dictionaries({"when": st.just("reconcile"), "percent": AMOUNTS}, optional={"usd": AMOUNTS}),
        st.fixed_dictionaries({"when": st.sampled_from(["new_model", "store_health"])}),
    ),
    NAMES,
    st.lists(NAMES, max_size=2),
)
def test_a_rule_is_the_same_when_it_is_read_again(fields: dict[str, Any], name: str, to: list[str]) -> None:
    """What is written of it says all of it."""
    rule = rules_file.read_one(rules_file.text_of({**fields, "name": name, "to": to}))
    assert rule.name == name
    assert rules_file.read_one(rules_file.text_of(rules_file.fields_of(rule))) == rule


def test_a_dry_run_tells_what_would_have_been_sent(store: Store) -> None:
    """Over the past, and notes nothing."""
    store.insert(*dear(ago=5 * DAY))
    rules = Rules((DEAR, Rule("budgets", rules_file.BUDGET)), {})
    (event,), _ = would_have_sent(store.client, rules, NOW - 6 * DAY, NOW, HOUR)
    assert (event.rule, event.subject, event.ended_at is None) == ("dear", "s1", False)
    assert State(store.client).events() == []


GOOD = """\
receivers:
  ops: {url_env: HOOK}
rules:
  - when: budget
    shares: [0.5, 1]
  - {name: dear, when: session_cost, usd: 5, active: 10m, to: [ops]}
"""


def test_a_file_is_read(tmp_path: Path) -> None:
    """Its addresses are in no text of it."""
    path = tmp_path / "alerts.yaml"
    path.write_text(GOOD)
    found = rules_file.read(path, {"HOOK": "json://user:secret@host/"})
    assert found.rules == (
        Rule("budget", "budget", shares=(Decimal("0.5"), Decimal(1))),
        Rule("dear", "session_cost", to=("ops",), usd=Decimal(5), active=timedelta(minutes=10)),
    )
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("shares:", "share:", "line 5: `share` is no field here"),
        ("when: budget", "when: budgets", "line 4: `when` 'budgets' is none of budget"),
        ("[ops]", "[dev]", "line 6: there is no receiver 'dev'"),
        ("usd: 5, ", "", "line 6: a rule `session_cost` needs `usd`"),
        ("session_cost, usd: 5, active: 10m", "reconcile", "line 6: a rule `reconcile` needs `usd` or `percent`"),
        ("usd: 5", "usd: nan", "line 6: a number above 0"),
        ("10m", "10", "line 6: a length of time"),
        ("HOOK", "NONE", "line 2: the environment variable NONE"),
        ("name: dear", "name: budget", "line 6: there are two rules 'budget'"),
        ("rules:", "rules: [", "it is no YAML"),
        ("receivers:\n  ops: {url_env: HOOK}\n", "", "line 1: give `receivers`"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A field that nobody knows would be a rule that nobody keeps."""
    path = tmp_path / "alerts.yaml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(RulesError) as raised:
        rules_file.read(path, {"HOOK": "json://host/"})
    assert said in str(raised.value)


def test_an_address_that_is_none_is_not_repeated() -> None:
    """It may have a password in it."""
    with pytest.raises(RulesError) as raised:
        Receivers({"ops": "nothing-such://user:secret@host"})
    assert "secret" not in str(raised.value)


@dataclass
class Told:
    """Receivers of a test: what each got, in order; those that are `down` take nothing."""

    down: set[str] = field(default_factory=set)
    poison: str = ""
    tried: list[tuple[str, str]] = field(default_factory=list)
    names: tuple[str, ...] = ("ill", "well")

    def send(self, receiver: str, message: str, *, ended: bool) -> bool:
        self.tried.append((receiver, message))
        return receiver not in self.down and (not self.poison or self.poison not in message)

    def of(self, receiver: str) -> int:
        return sum(name == receiver for name, _ in self.tried)


def looking(store: Store, delivery: Told, clock: Clock, *rules: Rule) -> Runner:
    return Runner(store.client, store.client, Rules(rules, {}), delivery, clock)


def test_a_receiver_that_is_down_keeps_no_other_waiting(store: Store) -> None:
    """It may take seconds to say so each time: after two times it is left alone until the next look."""
    clock, delivery = Clock(), Told(down={"ill"})
    store.insert(*(call(NOW, cost="9", session=f"s{number}") for number in range(6)))
    looks = looking(store, delivery, clock, DEAR)
    looks.poll()
    assert (delivery.of("ill"), delivery.of("well")) == (2, 6)
    delivery.down.clear()
    clock.at += timedelta(minutes=1)
    looks.poll()
    assert (delivery.of("ill"), delivery.of("well")) == (8, 6)
    assert {event.sent_to for event in State(store.client).events()} == {("well", "ill")}


def test_a_message_that_is_not_taken_keeps_no_other_from_being_told(store: Store) -> None:
    """A receiver that takes some takes the others, too."""
    delivery = Told(poison="s0", names=("ill",))
    store.insert(*(call(NOW, cost="9", session=f"s{number}") for number in range(6)))
    looking(store, delivery, Clock(), DEAR).poll()
    assert [event.subject for event in State(store.client).events() if not event.sent_to] == ["s0"]


@pytest.mark.long
def test_what_there_is_no_room_for_has_not_ended(store: Store) -> None:
    """Of more than are told at once the dearest are: what lasts is not told to have ended for want of room."""
    clock, delivery = Clock(), Told(names=("well",))
    store.insert(call(NOW, cost="5", session="cheap"))
    looks = looking(store, delivery, clock, DEAR)
    looks.poll()
    store.insert(*(call(NOW, cost="9", session=f"s{number:03}") for number in range(MOST)))
    looks.poll()
    assert (len(delivery.tried), [one for one in delivery.tried if "ended" in one[1]]) == (MOST + 1, [])
    clock.at += HOUR
    looks.poll()
    assert len([one for one in delivery.tried if "ended" in one[1]]) == MOST + 1


@pytest.mark.long
def test_who_spends_unusually_is_found_among_many(store: Store) -> None:
    """However many spend more than that, as they are used to."""
    rule = Rule("r", rules_file.SPEND_RATE, times=Decimal(3))
    for number in range(MOST + 1):
        store.insert(*usual("1.5", user=f"u{number}", session=f"s{number}"))
    store.insert(
        *usual("1.4", user="one", session="one")[-1:],
        *(call(NOW - weeks * 7 * DAY - HOUR / 4, cost="0.1", user="one", session="one") for weeks in (1, 2, 3)),
    )
    assert [one.subject for one in find(store.client, rule, NOW)] == ["user|one"]
    assert [one.subject for _, found in past_conditions.find(store.client, rule, [NOW]) for one in found] == [
        "user|one"
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nended: all is well", "a\\nended: all is well"), ("a\r\x1b[2Jb\u2028c", "a\\r\\x1b[2Jb\\u2028c"),
        ("Zoë <b>'\"&", "Zoë <b>'\"&"), ("\x00", "\\x00"),
    ],
)  # fmt: skip
def test_a_message_is_one_line(store: Store, receiver: Receiver, name: str, shown: str) -> None:
    """A name cannot forge another message, and its letters stay."""
    store.insert(call(NOW, cost="9", session=name))
    runner(store, receiver, Clock(), DEAR).poll()
    assert receiver.got == [f"session {shown} has cost $9.00 and still runs"]
    (event,) = State(store.client).events()
    assert (event.session_id, event.subject) == (name, name)


@pytest.mark.parametrize(
    ("share", "said"), [("0.999", "99.9%"), ("0.005", "0.5%"), ("1", "100%"), ("12.5", "1250%"), ("0.855", "85.5%")]
)
def test_a_share_is_told_with_all_its_digits(share: str, said: str) -> None:
    """What is nearly all is not told to be all."""
    assert percent(Decimal(share)) == said


@pytest.mark.parametrize(
    "name",
    [
        "<!channel>",
        "<!here|x>",
        "<@U123>",
        "<#C12>",
        "<@&7>",
        "@everyone",
        "x@HERE!",
        "@channel",
        "@all",
        "<!subteam^S1>",
    ],
)
def test_a_name_calls_nobody(receiver: Receiver, name: str) -> None:
    """What services take for a call to everybody is told as it is written, and is none."""
    assert Receivers({"hook": receiver.url}).send("hook", f"session {name} is dear", ended=False)
    (got,) = receiver.got
    assert name not in got
    assert got.replace("\u200b", "") == f"session {name} is dear"


@pytest.mark.parametrize("name", ["ada@example.com", "a < b", "<b>", "user@hereford.example", "@allen"])
def test_other_names_stay_as_they_are(receiver: Receiver, name: str) -> None:
    """So that they can be copied."""
    Receivers({"hook": receiver.url}).send("hook", name, ended=False)
    assert receiver.got == [name]


@pytest.mark.parametrize("path", ["302", "307"])
def test_a_receiver_that_sends_elsewhere_has_not_taken_it(receiver: Receiver, path: str) -> None:
    """A message does not go along, and the page that it leads to is none that takes messages."""
    receivers = Receivers({"hook": f"{receiver.url}{path}"})
    assert not receivers.send("hook", "hello", ended=False)
    assert (receiver.got, receiver.looked_at) == ([], 0)
    assert Receivers({"hook": receiver.url}).send("hook", "hello", ended=False)


def test_a_receiver_that_does_not_come_to_an_end(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is given up, gets nothing else meanwhile, and what it has taken after all is not sent again."""
    receivers = Receivers({"hook": f"{receiver.url}waits?rto=60", "other": receiver.url})
    monkeypatch.setattr(delivery_module, "LONGEST_S", 0.01)
    assert not receivers.send("hook", "first", ended=False)
    assert not receivers.send("hook", "second", ended=False)
    monkeypatch.setattr(delivery_module, "LONGEST_S", 60)
    assert receivers.send("other", "third", ended=False)
    receiver.goes_on.set()
    assert receivers.send("hook", "first", ended=False)
    assert receivers.send("hook", "second", ended=False)
    assert receiver.got == ["first", "third", "second"]


@pytest.mark.long
@pytest.mark.parametrize("text", ["rules: " + "[" * 5000, "a: " + "{a: " * 5000])
def test_a_file_that_is_nested_too_deeply(tmp_path: Path, text: str) -> None:
    """Is refused in a line, as any other that is none."""
    path = tmp_path / "alerts.yaml"
    path.write_text(text)
    with pytest.raises(RulesError, match="nested too deeply"):
        rules_file.read(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("receivers: {a: {url: json://user:s3cret@host: x}}", "line 1: it is no YAML: "),
        ("receivers:\n\ta: b", "line 2: it is no YAML: found character '\\t' that cannot start any token"),
        ("receivers: {a: [", "line 1: it is no YAML: expected the node content, but found '<stream end>'"),
        ("receivers: {a: {url: *s3cret}}", "line 1: it is no YAML: found undefined alias"),
    ],
)
def test_what_is_wrong_with_yaml_is_said(tmp_path: Path, text: str, said: str) -> None:
    """Without what stands there, which may be a secret."""
    path = tmp_path / "alerts.yaml"
    path.write_text(text)
    with pytest.raises(RulesError) as raised:
        rules_file.read(path)
    assert said in str(raised.value)
    assert "s3cret" not in str(raised.value)
