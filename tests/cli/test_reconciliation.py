"""What the provider reports, page by page, and what a difference is."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import openai as sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.cli.reconciliation import comparison, naming, openai, pages
from otel_costs.cli.reconciliation.comparison import Limits, compare
from otel_costs.cli.reconciliation.reported import ProviderError, Question, Reported
from otel_costs.stand_in import Fault
from otel_costs.store.reconciliation import UNITS
from tests.support.organization import ADMIN_KEY, Organization

DAY = datetime(2026, 9, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EXACTLY = Limits(Decimal(0), NOW)


@pytest.fixture
def organization() -> Iterator[Organization]:
    """Run the stand-in; a bug of its own fails the test."""
    with Organization() as running:
        yield running
    assert running.errors == []


@pytest.fixture
def source(organization: Organization) -> pages.Source:
    """Return where the reports are, without pauses."""
    return pages.Source(organization.base_url, ADMIN_KEY, lambda _: None)


def of_days(source: pages.Source, days: int) -> Reported:
    """Return the report of the days from DAY on."""
    return openai.reported(source, Question(DAY, DAY + timedelta(days=days)))


def test_every_page_is_read(organization: Organization, source: pages.Source) -> None:
    """Seventy days are three pages of each report, and nothing of them is lost or read twice."""
    for number in range(70):
        at = DAY + timedelta(days=number, hours=23, minutes=59)
        organization.ledger.use("completions", "gpt-4o-2024-08-06", at, input_tokens=number + 1)
        organization.ledger.use("embeddings", "gpt-4o-2024-08-06", at, input_tokens=1000)
        organization.ledger.charge("gpt-4o-2024-08-06, input", "0.25", at)
        organization.ledger.charge("gpt-4o-2024-08-06, output", "0.5", at)
    found = of_days(source, 70)
    days = [(DAY + timedelta(days=number)).date() for number in range(70)]
    assert [(day, counts["input_tokens"]) for (day, _), counts in sorted(found.usage.items())] == [
        (day, 1001 + number) for number, day in enumerate(days)
    ]
    assert {counts["requests"] for counts in found.usage.values()} == {2}
    assert len(found.costs) == 140
    assert sum(found.costs.values()) == Decimal("52.5")
    for path in ("usage/completions", "usage/audio_speeches", "costs"):
        assert sum(request.path.endswith(path) for request in organization.requests) == 3


def test_only_the_days_that_were_asked_for(organization: Organization, source: pages.Source) -> None:
    """What was used before and after is in no bucket."""
    for hours in (-1, 0, 23, 24):
        organization.ledger.use("completions", "gpt-5", DAY + timedelta(hours=hours), input_tokens=1)
    assert of_days(source, 1).usage[DAY.date(), "gpt-5"]["requests"] == 2


def test_what_openai_itself_reads(organization: Organization, source: pages.Source) -> None:
    """The stand-in speaks as OpenAI's own client understands it, and is asked as that client asks."""
    organization.ledger.amounts_as_text = False  # the client reads amounts as the description has them
    organization.ledger.use("completions", "gpt-4o-2024-08-06", DAY, input_tokens=7, input_cached_tokens=4)
    organization.ledger.charge("gpt-4o-2024-08-06, input", "0.125", DAY)
    of_days(source, 31)
    ours = {request.path: sorted(request.query.split("&")) for request in organization.requests}
    organization.requests.clear()
    asked: dict[str, Any] = {
        "start_time": int(DAY.timestamp()),
        "end_time": int(DAY.timestamp()) + 31 * 86400,
        "bucket_width": "1d",
        "limit": 31,
    }
    with sdk.OpenAI(base_url=organization.base_url, api_key="sk-none", admin_api_key=ADMIN_KEY) as client:
        usage = client.admin.organization.usage.completions(**asked, group_by=["model"])
        costs = client.admin.organization.usage.costs(**asked, group_by=["line_item"])
    used = usage.data[0].results[0]
    assert used.object == "organization.usage.completions.result"
    assert (used.model, used.input_tokens, used.input_cached_tokens) == ("gpt-4o-2024-08-06", 7, 4)
    billed = costs.data[0].results[0]
    assert billed.object == "organization.costs.result"
    assert billed.amount is not None
    assert (billed.line_item, billed.amount.value) == ("gpt-4o-2024-08-06, input", 0.125)
    for request in organization.requests:
        assert sorted(request.query.split("&")) == ours[request.path]
        assert request.headers["authorization"] == f"Bearer {ADMIN_KEY}"


def bucket(result: str, day: datetime = DAY) -> bytes:
    """Return a page with one bucket that has one result."""
    start = int(day.timestamp())
    return f'{{"data": [{{"start_time": {start}, "end_time": {start + 9}, "results": [{result}]}}], "x": 5}}'.encode()


def test_fields_that_nobody_knows(organization: Organization, source: pages.Source) -> None:
    """A result with more in it than is known, or with nulls, is read for what it has."""
    result = '{"object": "x", "model": null, "input_tokens": 5, "output_tokens": null, "dream_tokens": {"a": []}}'
    organization.script(Fault(status=200, error=bucket(result), path="/completions"))
    assert of_days(source, 1).usage == {(DAY.date(), ""): {"input_tokens": 5}}


@pytest.mark.parametrize("days", [-1, 1])
def test_a_bucket_that_was_not_asked_for(organization: Organization, source: pages.Source, days: int) -> None:
    """Days before and after, which nothing of ours would stand beside, are left out."""
    page = bucket('{"model": "gpt-5", "input_tokens": 5}', DAY + timedelta(days=days))
    organization.script(Fault(status=200, error=page, path="/completions"))
    assert of_days(source, 1).usage == {}


@pytest.mark.parametrize("quantity", ["NaN", "Infinity", "true", '"5"', "[5]"])
def test_a_quantity_that_is_none(organization: Organization, source: pages.Source, quantity: str) -> None:
    """What is no number is an error, not nothing."""
    page = bucket(f'{{"model": "gpt-5", "input_tokens": {quantity}}}')
    organization.script(Fault(status=200, error=page, path="/completions"))
    with pytest.raises(ProviderError, match="organization/usage/completions with"):
        of_days(source, 1)


def test_pages_without_an_end(organization: Organization, source: pages.Source) -> None:
    """A provider that gives the same page again and again is left."""
    body = b'{"data": [], "has_more": true, "next_page": "page_MA=="}'
    organization.script(Fault(status=200, error=body, times=9))
    with pytest.raises(ProviderError, match="have no end"):
        of_days(source, 1)
    assert len(organization.requests) == 2


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_page_that_comes_twice(organization: Organization, source: pages.Source, is_empty: bool) -> None:
    """Under another name, it is not billed twice; pages without anything are alike."""
    data = b"[]" if is_empty else b'[{"start_time": 1, "results": []}]'
    for cursor in (b"page_MA==", b"page_MQ=="):
        body = b'{"data": %b, "has_more": true, "next_page": "%b"}' % (data, cursor)
        organization.script(Fault(status=200, error=body, times=1))
    if is_empty:
        organization.script(Fault(status=200, error=b'{"data": []}', times=1))
        assert of_days(source, 1).is_empty
        return
    with pytest.raises(ProviderError, match="the same page"):
        of_days(source, 1)


@pytest.mark.long
def test_pages_of_which_it_is_not_said_that_there_are_more(organization: Organization, source: pages.Source) -> None:
    """An address of the next page is enough; that there are more, and not where, is none."""
    first = b'{"data": [], "next_page": "page_Mg=="}'
    organization.script(Fault(status=200, error=first, times=1))
    of_days(source, 1)
    assert "page=page_Mg" in organization.requests[1].query
    organization.script(Fault(status=200, error=b'{"data": [], "has_more": true, "next_page": null}', times=1))
    with pytest.raises(ProviderError, match="does not say which"):
        of_days(source, 1)


def test_pauses_are_as_long_as_asked_for_and_bounded(organization: Organization) -> None:
    """Between tries it waits as the provider says, a minute at most, or twice as long each time."""
    slept: list[float] = []
    source = pages.Source(organization.base_url, ADMIN_KEY, slept.append)
    organization.script(
        Fault(status=429, headers={"retry-after": "7"}),
        Fault(status=503, headers={"retry-after": "86400"}),
        Fault(cut=-1),
        Fault(status=500),
    )
    of_days(source, 1)
    assert slept == [7, 60, 4, 8]


def test_an_answer_that_breaks_off_is_asked_for_again(organization: Organization, source: pages.Source) -> None:
    """Half a page is no page."""
    organization.ledger.use("completions", "gpt-5", DAY, input_tokens=3)
    organization.script(Fault(cut=40, path="/completions"))
    assert of_days(source, 1).usage[DAY.date(), "gpt-5"]["input_tokens"] == 3


def test_the_key_is_in_no_representation() -> None:
    """Who logs where a report is does not log the key; a password in the address is not told either."""
    source = pages.Source("https://user:pass@llm.acme.example/v1", ADMIN_KEY)
    assert ADMIN_KEY not in repr(source)
    assert source.host == "llm.acme.example"


@pytest.mark.parametrize(
    ("model", "reported", "name"),
    [
        ("gpt-4o", ["gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"], "gpt-4o-2024-08-06"),
        ("gpt-3.5-turbo", ["gpt-3.5-turbo-0125"], "gpt-3.5-turbo-0125"),
        ("text-embedding-ada-002", ["text-embedding-ada-002-v2"], "text-embedding-ada-002-v2"),
        ("gpt-4o-transcribe-2026-03-20", ["gpt-4o-transcribe"], "gpt-4o-transcribe"),
        ("gpt-4o", ["gpt-4o", "gpt-4o-2024-08-06"], "gpt-4o"),
        ("gpt-4o", ["gpt-4o-2024-08-06", "gpt-4o-2024-11-20"], "gpt-4o"),
        ("gpt-4o", ["gpt-4o-mini-2024-07-18", ""], "gpt-4o"),
        ("", ["gpt-4o"], ""),
    ],
)
def test_names(model: str, reported: list[str], name: str) -> None:
    """An alias is the one snapshot that is reported; another model, or one of several, is not guessed."""
    assert naming.Names((DAY.date(), each) for each in reported).theirs(DAY.date(), model) == name
    assert naming.Names([]).theirs(DAY.date(), model) == model


@pytest.mark.parametrize(
    ("item", "model"),
    [
        ("gpt-4o-2024-08-06, cached input", "gpt-4o-2024-08-06"),
        ("priority | gpt-4o-2024-08-06, output, long context", "gpt-4o-2024-08-06"),
        ("gpt-4o audio, input", "gpt-4o"),
        ("whisper-1", "whisper-1"),
        ("gpt-4o-mini, input", "gpt-4o-mini, input"),
        ("web search tool calls", "web search tool calls"),
        ("", ""),
    ],
)
def test_models_of_line_items(item: str, model: str) -> None:
    """A line item is that of the model whose name it begins with; what is none of a model keeps its name."""
    assert naming.model_of(item, ["gpt-4o", "gpt-4o-2024-08-06", "whisper-1", ""]) == model


def recorded(day: date, **units: Any) -> dict[str, Any]:
    """Return a row of the store."""
    return {"day": day, "model": "m", "jobs": 0, **dict.fromkeys(UNITS), "requests": 1, **units}


def state(theirs: dict[str, Any] | None, ours: dict[str, Any] | None, limits: Limits = EXACTLY) -> str:
    """Return the state of a day's usage of a model."""
    day = DAY.date()
    reported = Reported({} if theirs is None else {(day, "m"): theirs}, {})
    (row,) = compare(reported, [] if ours is None else [recorded(day, **ours)], [], limits).usage
    return row.state


def test_states() -> None:
    """More there is not recorded, more here is not reported, both is told apart; requests alone decide nothing."""
    assert state({"requests": 1, "input_tokens": 5}, {"input_tokens": 5}) == "agrees"
    assert state({"requests": 3, "input_tokens": 5}, {"input_tokens": 5}) == "agrees"
    assert state({"requests": 2, "input_tokens": 6}, {"input_tokens": 5}) == "not_recorded"
    assert state({"requests": 2, "input_tokens": 4}, {"input_tokens": 5}) == "not_reported"
    assert state({"requests": 1, "input_tokens": 6}, {"input_tokens": 5}) == "another_quantity"
    assert state({"requests": 1, "input_tokens": 4}, {"input_tokens": 5}) == "another_quantity"
    assert state({"input_tokens": 4, "output_tokens": 9}, {"input_tokens": 5, "output_tokens": 8}) == "differs"
    assert state({"requests": 2, "input_tokens": 6}, {}) == "not_recorded"
    assert state({"requests": 1, "audio_seconds": 6}, {"input_tokens": 5}) == "agrees"
    assert state({"requests": 2, "audio_seconds": 6}, {"input_tokens": 5}) == "not_recorded"
    assert state({"requests": 2, "audio_seconds": 6}, {}) == "not_recorded"
    assert state(None, {"input_tokens": 5}) == "not_reported"
    assert state({"input_tokens": 5}, None) == "not_recorded"


def test_a_day_settles_in_hours() -> None:
    """Until six hours after its end a day may have less there, and never more."""
    end = DAY + timedelta(days=1)
    late, settled = Limits(Decimal(0), end + timedelta(hours=5)), Limits(Decimal(0), end + timedelta(hours=6))
    assert state({"input_tokens": 4}, {"input_tokens": 5}, late) == "late"
    assert state(None, {"input_tokens": 5}, late) == "late"
    assert state({"input_tokens": 6}, {"input_tokens": 5}, late) == "not_recorded"
    assert state({"input_tokens": 4}, {"input_tokens": 5}, settled) == "not_reported"


def test_costs_of_a_day_settle_too() -> None:
    """Costs that are less there may be late; costs that are more are a finding, which says whether usage differs."""
    day, end = DAY.date(), DAY + timedelta(days=1)
    ours = [{"day": day, "model": "m", "cost_usd": Decimal(5), "unpriced_calls": 0}]
    late = Limits(Decimal(0), end)
    for usd, limits, expected in (
        ("4", late, "late"),
        ("6", late, "billed_otherwise"),
        ("4", EXACTLY, "billed_otherwise"),
    ):
        (row,) = compare(Reported({}, {(day, "m, input"): Decimal(usd)}), [], ours, limits).costs
        assert (row.state, row.items[0].name) == (expected, "m")
    used = Reported({(day, "m"): {"input_tokens": 9}}, {(day, "m, input"): Decimal(6)})
    assert compare(used, [], ours, EXACTLY).costs[0].state == "usage_differs"


QUANTITIES = st.integers(0, 10**15)


@given(QUANTITIES, QUANTITIES, st.decimals(0, "0.9", places=4))
def test_a_difference_is_the_same_from_both_sides(theirs: int, ours: int, tolerance: Decimal) -> None:
    """Who has more is who has less from the other side; equal sides agree always, others only within a tolerance."""
    limits = Limits(tolerance, NOW)
    assert limits.sign(theirs, ours) == -limits.sign(ours, theirs)
    assert limits.sign(theirs, theirs) == 0
    assert (EXACTLY.sign(theirs, ours) == 0) == (theirs == ours)


def test_every_state_has_a_meaning() -> None:
    """Whatever is found, the next step is said."""
    from otel_costs.cli.reconciliation.tables import MEANINGS

    assert set(MEANINGS) == {
        value for name, value in vars(comparison).items() if name.isupper() and isinstance(value, str)
    } - {comparison.AGREES}
