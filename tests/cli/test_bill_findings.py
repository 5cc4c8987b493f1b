"""What is put in as a difference is what is found, with its cause, and nothing else; sums to the last digit."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from otel_costs.cli.reconciliation.comparison import Comparison, Limits, compare
from otel_costs.cli.reconciliation.findings import findings
from otel_costs.cli.reconciliation.reported import CREDIT, Line, Question, Report, Reported
from otel_costs.cli.reconciliation.vendors import MODULES, Vendor
from otel_costs.store.bill_differences import Difference
from otel_costs.store.reconciliation import UNITS

SINCE = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = tuple((SINCE + timedelta(days=number)).date() for number in range(3))
MODELS = ("gpt-4o-2024-08-06", "o3-2025-04-16", "gpt-5-2025-08-07")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
EXACTLY = Limits(Decimal(0), NOW)
QUESTION = Question(SINCE, SINCE + timedelta(days=3))

COUNTS = st.integers(1, 10**12)
DOLLARS = st.integers(1, 10**18).map(lambda atoms: Decimal(atoms).scaleb(-12))


@dataclass
class Books:
    """Both sides, and what they are known to differ in: by day, name and unit, how much more they have, and why."""

    lines: list[Line] = field(default_factory=list)
    usage: list[dict[str, Any]] = field(default_factory=list)
    costs: list[dict[str, Any]] = field(default_factory=list)
    put_in: dict[tuple[date, str, str], tuple[Decimal, str]] = field(default_factory=dict)
    quiet: set[date] = field(default_factory=set)
    """Days whose costs are in another currency: those of models are not compared."""

    def agree(self, day: date, model: str, used: dict[str, int], usd: Decimal) -> None:
        """Enter the same on both sides."""
        self.report(day, model, used, usd)
        self.record(day, model, used, usd)

    def report(self, day: date, name: str, used: dict[str, int], usd: Decimal | None) -> None:
        self.lines.append(Line(day, name, used, usd))

    def record(self, day: date, model: str, used: dict[str, int], usd: Decimal, unpriced: int = 0) -> None:
        row = {"day": day, "provider": "openai", "model": model}
        self.usage.append({**row, "jobs": 0, **dict.fromkeys(UNITS), **used})
        self.costs.append({**row, "cost_usd": usd, "unpriced_calls": unpriced})

    def differ(self, day: date, name: str, unit: str, more: int | Decimal, cause: str) -> None:
        self.put_in[day, name, unit] = (Decimal(more), cause)

    def compared(self, limits: Limits = EXACTLY) -> Comparison:
        return compare(reported(*self.lines), self.usage, self.costs, limits, Vendor("openai").terms)


def reported(*lines: Line) -> Reported:
    report = Report(QUESTION)
    report.add_all(lines)
    return report.whole()


def unseen(
    books: Books, day: date, model: str, used: dict[str, int], usd: Decimal, more: int, dollars: Decimal
) -> None:
    """A program of which nothing was recorded."""
    books.agree(day, model, used, usd)
    books.report(day, model, {"requests": 1, "input_tokens": more}, dollars)
    books.differ(day, model, "input_tokens", more, "not_recorded")
    books.differ(day, model, "usd", dollars, "not_recorded")


def of_another(books: Books, day: date, model: str, used: dict[str, int], usd: Decimal, _: int, __: Decimal) -> None:
    """Calls of another organization."""
    books.record(day, model, used, usd)
    for unit in ("input_tokens", "output_tokens"):
        books.differ(day, model, unit, -used[unit], "not_reported")
    books.differ(day, model, "usd", -usd, "not_reported")


def another_price(
    books: Books, day: date, model: str, used: dict[str, int], usd: Decimal, _: int, dollars: Decimal
) -> None:
    books.report(day, model, used, usd + dollars)
    books.record(day, model, used, usd)
    books.differ(day, model, "usd", dollars, "billed_otherwise")


def another_quantity(
    books: Books, day: date, model: str, used: dict[str, int], usd: Decimal, more: int, _: Decimal
) -> None:
    books.report(day, model, {**used, "output_tokens": used["output_tokens"] + more}, usd)
    books.record(day, model, used, usd)
    books.differ(day, model, "output_tokens", more, "another_quantity")


def without_a_price(
    books: Books, day: date, model: str, used: dict[str, int], usd: Decimal, _: int, dollars: Decimal
) -> None:
    books.report(day, model, used, usd + dollars)
    books.record(day, model, used, usd, unpriced=1)
    books.differ(day, model, "usd", dollars, "unpriced")


def beside_calls(
    books: Books, day: date, model: str, used: dict[str, int], usd: Decimal, _: int, dollars: Decimal
) -> None:
    books.agree(day, model, used, usd)
    books.report(day, f"storage of {MODELS.index(model)}", {}, dollars)
    books.differ(day, f"storage of {MODELS.index(model)}", "usd", dollars, "billed_otherwise")


def in_euros(books: Books, day: date, model: str, used: dict[str, int], usd: Decimal, _: int, dollars: Decimal) -> None:
    books.agree(day, model, used, usd)
    books.lines.append(Line(day, "support", {}, dollars, "EUR"))
    before = books.put_in.get((day, "", "eur"), (Decimal(), ""))[0]
    books.differ(day, "", "eur", before + dollars, "another_currency")
    books.quiet.add(day)


def nothing(books: Books, day: date, model: str, used: dict[str, int], usd: Decimal, _: int, __: Decimal) -> None:
    books.agree(day, model, used, usd)


WAYS = (
    nothing, nothing, unseen, of_another, another_price, another_quantity, without_a_price, beside_calls, in_euros,
)  # fmt: skip


@st.composite
def books(draw: st.DrawFn) -> Books:
    made = Books()
    for day in DAYS:
        for model in draw(st.lists(st.sampled_from(MODELS), unique=True)):
            used = {"requests": draw(COUNTS), "input_tokens": draw(COUNTS), "output_tokens": draw(COUNTS)}
            draw(st.sampled_from(WAYS))(made, day, model, used, draw(DOLLARS), draw(COUNTS), draw(DOLLARS))
    return made


@given(books())
def test_what_is_put_in_is_what_is_found(made: Books) -> None:
    """Each difference in its unit, to the last digit, with its cause; of the day what those of its names add up to."""
    expected = {key: value for key, value in made.put_in.items() if not (key[0] in made.quiet and key[2] == "usd")}
    days = {day for day, _, unit in expected if unit == "usd"}
    sums = {
        day: sum(more for (one, _, unit), (more, _) in expected.items() if (one, unit) == (day, "usd")) for day in days
    }
    # More here and more there that are the same to the last digit are one thing that each side lists elsewhere.
    assume(all(sums.values()))
    found = list(findings(made.compared()))
    whole = {one.day: one for one in found if one.unit == "day_usd"}
    assert {
        (one.day, one.model, one.unit): (one.difference, one.cause) for one in found if one.unit != "day_usd"
    } == expected
    assert {day: one.difference for day, one in whole.items()} == sums
    assert bool(found) == bool(made.compared().findings)
    for day, one in whole.items():
        assert one.ours == sum(row["cost_usd"] for row in made.costs if row["day"] == day)
        assert one.theirs == sum(line.amount or 0 for line in made.lines if line.day == day)


@given(st.lists(DOLLARS, min_size=1), DOLLARS)
def test_credits_take_off_what_is_billed(billed: list[Decimal], credit: Decimal) -> None:
    """Prices that agree are no finding, whether what was recorded is before credits or what is left to pay."""
    gross = sum(billed, Decimal())
    lines = [*(Line(DAYS[0], MODELS[0], {}, usd) for usd in billed), Line(DAYS[0], "", {}, -credit, kind=CREDIT)]
    for ours, state in ((gross, "credited"), (gross - credit, "agrees")):
        row = {"day": DAYS[0], "provider": "openai", "model": MODELS[0], "cost_usd": ours, "unpriced_calls": 0}
        (costs,) = compare(reported(*lines), [], [row], EXACTLY).costs
        assert (costs.state, costs.theirs_usd, costs.credits_usd) == (state, gross, -credit)


def state(line: Line, limits: Limits = EXACTLY, **recorded: Any) -> tuple[str, str]:
    """Return the states of usage and costs of a day that one line is reported of."""
    books = Books()
    books.lines.append(line)
    books.record(DAYS[0], MODELS[0], recorded.pop("used", {}), Decimal(recorded.pop("usd")), **recorded)
    found = books.compared(limits)
    return found.usage[0].state if found.usage else "", found.costs[0].state


def test_a_free_tier() -> None:
    """What was used and costs nothing there, and has a price here, is credited."""
    line = Line(DAYS[0], MODELS[0], {"input_tokens": 5}, Decimal())
    assert state(line, used={"input_tokens": 5}, usd="0.5") == ("agrees", "credited")
    assert state(line, used={"input_tokens": 4}, usd="0.4") == ("not_recorded", "usage_differs")


def test_rounding() -> None:
    """What a provider rounds by, for each call or each line, is told and is no finding; more than that is one."""
    limits = Limits(Decimal(0), NOW, rounding={"audio_seconds": 15, "usd": Decimal("0.01")})
    for seconds, usd, states in (
        (40, "1.01", ("agrees", "rounding")),
        (41, "1", ("not_recorded", "agrees")),
        (10, "1.011", ("agrees", "billed_otherwise")),
    ):  # fmt: skip
        line = Line(DAYS[0], MODELS[0], {"requests": 2, "audio_seconds": seconds}, Decimal(usd))
        used = {"requests": 1, "audio_seconds": Decimal(10)}
        assert state(line, limits, used=used, usd="1") == states


def test_a_unit_that_a_side_does_not_count_is_no_difference() -> None:
    """Nor is a report of usage alone one of costs, or a report of costs alone one of usage."""
    line = Line(DAYS[0], MODELS[0], {"web_searches": 3}, Decimal(1))
    assert state(line, used={"input_tokens": 5}, usd="1") == ("agrees", "agrees")
    books = Books()
    books.record(DAYS[0], MODELS[0], {"input_tokens": 5}, Decimal(1))
    for has_usage, has_costs, rows in ((True, False, (1, 0)), (False, True, (0, 1))):
        report = Report(QUESTION).whole(has_usage=has_usage, has_costs=has_costs)
        found = compare(report, books.usage, books.costs, EXACTLY)
        assert (len(found.usage), len(found.costs)) == rows


def test_models_that_cost_otherwise_in_a_day_whose_sums_agree() -> None:
    """Where both sides name all of them, a model that is dearer is found, though another one is cheaper."""
    books = Books()
    for model, theirs, ours in ((MODELS[0], "2", "1"), (MODELS[1], "1", "2")):
        books.report(DAYS[0], model, {"input_tokens": 5}, Decimal(theirs))
        books.record(DAYS[0], model, {"input_tokens": 5}, Decimal(ours))
    found = {(one.model, one.unit): one.difference for one in findings(books.compared())}
    assert found == {(MODELS[0], "usd"): 1, (MODELS[1], "usd"): -1, ("", "day_usd"): 0}


def test_what_comes_late() -> None:
    """Each provider's day has the time that its module says; less there until then is late, more never is."""
    end = datetime(2026, 9, 2, tzinfo=UTC)
    for name in MODULES:
        terms = Vendor(name).terms
        for at, expected in (
            (terms.settles_after - timedelta(seconds=1), "late"),
            (terms.settles_after, "not_reported"),
        ):
            limits = Limits.of(terms, Decimal(0), end + at)
            line = Line(DAYS[0], MODELS[0], {"output_tokens": 4}, Decimal(1))
            assert state(line, limits, used={"output_tokens": 5}, usd="1")[0] == expected
        more = Line(DAYS[0], MODELS[0], {"output_tokens": 6}, Decimal(1))
        assert state(more, Limits.of(terms, Decimal(0), end), used={"output_tokens": 5}, usd="1")[0] == "not_recorded"


@pytest.mark.parametrize("number", [10**40, -(10**40), Decimal("1e-30")])
def test_numbers_that_the_store_cannot_hold(number: Any) -> None:
    """They are kept as the nearest that it can."""
    line = Line(DAYS[0], MODELS[0], {"input_tokens": number}, Decimal(1))
    (first, *_) = _found(line)
    assert abs(first.difference) < 10**26
    assert first.difference.as_tuple().exponent == -12


def _found(line: Line) -> Iterator[Difference]:
    books = Books()
    books.lines.append(line)
    yield from findings(books.compared())
