"""What stands in the store of bills: the latest finding of each day, model and unit, until it is resolved."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from otel_costs.store.bill_differences import Compared, Difference, Kept, differences, keep
from otel_costs.store.inbox import inbox
from otel_costs.store.selection import Selection
from tests.queries.ledger import Store

FIRST, SECOND = date(2026, 9, 1), date(2026, 9, 2)
BOTH = Compared("azure", FIRST, SECOND + timedelta(days=1))


def found(
    day: date = FIRST, unit: str = "usd", difference: str = "2.000000000001", model: str = "gpt-4o"
) -> Difference:
    return Difference(
        day, model, unit, Decimal(12), Decimal(12) - Decimal(difference), Decimal(difference), "not_recorded"
    )


def shown(store: Store) -> list[tuple[date, str, str, Decimal]]:
    rows = differences(store.client)
    return [(row["day"], row["model"], row["unit"], row["difference_usd"] or row["difference"]) for row in rows]


def test_the_latest_finding_stands(store: Store) -> None:
    """To the last digit; another one of the same day, model and unit takes its place, and keeps when it was found."""
    assert keep(store.client, BOTH, [found(), found(SECOND, "credits", "5")]) == Kept(new=2, known=0, resolved=0)
    assert shown(store) == [
        (SECOND, "gpt-4o", "credits", Decimal(5)), (FIRST, "gpt-4o", "usd", Decimal("2.000000000001")),
    ]  # fmt: skip
    before = {row["day"]: row for row in differences(store.client)}
    assert keep(store.client, BOTH, [found(difference="3"), found(SECOND, "credits", "5")]) == Kept(0, 2, 0)
    after = {row["day"]: row for row in differences(store.client)}
    assert after[FIRST]["difference_usd"] == 3
    assert {day: row["found_at"] for day, row in after.items()} == {day: row["found_at"] for day, row in before.items()}
    assert after[FIRST]["compared_at"] > before[FIRST]["compared_at"]


def test_what_is_found_no_more_is_resolved(store: Store) -> None:
    """And is new when it is found again."""
    keep(store.client, BOTH, [found(), found(model="o3")])
    first = {row["model"]: row["found_at"] for row in differences(store.client)}
    assert keep(store.client, BOTH, [found(model="o3")]) == Kept(new=0, known=1, resolved=1)
    assert [model for _, model, _, _ in shown(store)] == ["o3"]
    assert keep(store.client, BOTH, []) == Kept(0, 0, 1)
    assert shown(store) == []
    assert keep(store.client, BOTH, [found()]) == Kept(new=1, known=0, resolved=0)
    (row,) = differences(store.client)
    assert row["found_at"] > first["gpt-4o"]


def test_what_was_not_compared_stays(store: Store) -> None:
    """Other days, other vendors, and other parts of the same bill."""
    one_day = Compared("azure", SECOND, SECOND + timedelta(days=1))
    parts = Compared("azure", FIRST, FIRST + timedelta(days=1), "service=shop")
    other = Compared("aws", FIRST, FIRST + timedelta(days=1))
    for compared in (BOTH, parts, other):
        keep(store.client, compared, [found()])
    assert keep(store.client, one_day, []) == Kept(0, 0, 0)
    assert len(shown(store)) == 3
    keep(store.client, parts, [])
    assert {(row["vendor"], row["part"]) for row in differences(store.client)} == {("azure", ""), ("aws", "")}


def test_a_comparison_of_one_of_both_leaves_the_other(store: Store) -> None:
    """A file of costs alone says nothing of what was used, and a report without money nothing of that."""
    both = [found(), found(unit="day_usd", model=""), found(unit="eur", model=""), found(unit="input_tokens")]
    keep(store.client, BOTH, [*both, found(unit="credits")])
    assert keep(store.client, replace(BOTH, usage=False), []) == Kept(0, 0, 3)
    assert {unit for _, _, unit, _ in shown(store)} == {"input_tokens", "credits"}
    keep(store.client, BOTH, both)
    assert keep(store.client, replace(BOTH, costs=False), []) == Kept(0, 0, 1)
    assert {unit for _, _, unit, _ in shown(store)} == {"usd", "day_usd", "eur"}


def test_order_and_bounds(store: Store) -> None:
    """The newest day first, in it the whole day, then the largest; of the days that are asked for, as many as asked."""
    keep(
        store.client,
        BOTH,
        [
            found(difference="1", model="a"),
            found(difference="-3", model="b"),
            found(unit="day_usd", difference="-2", model=""),
            found(SECOND),
        ],
    )
    assert [(day, model) for day, model, _, _ in shown(store)] == [
        (SECOND, "gpt-4o"),
        (FIRST, ""),
        (FIRST, "b"),
        (FIRST, "a"),
    ]
    assert [row["day"] for row in differences(store.client, SECOND)] == [SECOND]
    assert {row["day"] for row in differences(store.client, None, SECOND)} == {FIRST}
    assert len(differences(store.client, most=2)) == 2
    assert differences(store.client, date(1066, 1, 1), date(9999, 1, 1))[0]["day"] == SECOND


def test_money_and_quantities_are_told_apart(store: Store) -> None:
    """Dollars under names of dollars, quantities under theirs."""
    keep(store.client, BOTH, [found(unit="usd"), found(unit="input_tokens")])
    rows = {row["unit"]: row for row in differences(store.client)}
    assert (rows["usd"]["theirs_usd"], rows["usd"]["theirs"]) == (Decimal(12), None)
    assert (rows["input_tokens"]["theirs_usd"], rows["input_tokens"]["theirs"]) == (None, Decimal(12))


def test_the_inbox_has_the_days_of_its_time(store: Store) -> None:
    """Those that the time has a part of."""
    keep(store.client, BOTH, [found(), found(SECOND)])
    utc = ZoneInfo("UTC")

    def days(since: datetime | None, until: datetime | None) -> list[date]:
        rows = inbox(store.client, Selection(since, until))["bill_differences"]
        return [row["day"] for row in rows]

    noon = datetime(2026, 9, 1, 12, tzinfo=utc)
    midnight = datetime(2026, 9, 2, tzinfo=utc)
    assert days(None, None) == [SECOND, FIRST]
    assert days(noon, midnight) == [FIRST]
    assert days(midnight, None) == [SECOND]
    assert days(noon, midnight + timedelta(microseconds=1)) == [SECOND, FIRST]


def test_no_user_is_in_it(store: Store) -> None:
    """Nothing in the table could name one: erasing somebody need not touch it."""
    columns = {row[0] for row in store.client.query("describe table bill_differences").result_rows}
    assert columns.isdisjoint({"user_id", "session_id", "tags", "content"})
