"""price(): exact, complete, and never an exception; and the book that it uses."""

import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import genai_prices
import pytest
from genai_prices.types import Usage as TheirUsage
from hypothesis import given
from hypothesis import strategies as st

from otel_costs import pricing, semconv
from otel_costs.pricing import Cost, Line, PriceFileError, price, price_book
from otel_costs.pricing.builtin_prices import builtin_base
from otel_costs.pricing.price_book import PriceBook, builtin, with_file
from otel_costs.usage import Usage
from otel_costs.usage.units import DIMENSIONS, UNITS, WHOLES

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every test find the prices as a new process does."""
    monkeypatch.delenv(semconv.ENV_PRICES, raising=False)
    monkeypatch.setattr(price_book, "_book", None)
    monkeypatch.setattr(price_book, "_failed", False)
    yield
    pricing.use(None)


def cost(usage: Usage | Mapping[str, object], model: str = "gpt-4o", provider: str = "openai", **rest: Any) -> Cost:
    return price(usage, provider=provider, model=model, **({"at": NOON} | rest))


def lines(found: Cost) -> dict[str, tuple[int | Decimal, Decimal]]:
    return {line.unit: (line.quantity, line.amount) for line in found.lines}


def test_a_chat_call() -> None:
    """What is cached is charged once, at its own price; thoughts are part of the output and not charged again."""
    found = cost({"input_tokens": 1500, "cache_read_tokens": 500, "output_tokens": 800, "output_reasoning_tokens": 300})
    assert found == Cost(
        total=Decimal("0.011125"),
        status="priced",
        reason=None,
        lines=(
            Line("input_tokens", 1000, Decimal("2.5"), 1_000_000, Decimal("0.0025")),
            Line("output_tokens", 800, Decimal(10), 1_000_000, Decimal("0.008")),
            Line("cache_read_tokens", 500, Decimal("1.25"), 1_000_000, Decimal("0.000625")),
        ),
        price_id="openai:tools>genai-prices:openai/gpt-4o",
        currency="USD",
        unpriced_units=(),
        book=builtin().version,
    )


def test_cached_audio_is_not_charged_as_fresh() -> None:
    """Realtime's cached audio costs an eightieth of fresh audio: its part is taken out of both."""
    found = cost(
        {
            "input_tokens": 1150, "input_audio_tokens": 900, "cache_read_tokens": 600, "cache_audio_read_tokens": 400,
            "input_text_tokens": 250, "cache_text_read_tokens": 200, "output_tokens": 410, "output_audio_tokens": 350,
            "output_text_tokens": 60,
        },
        "gpt-realtime",
    )  # fmt: skip
    assert {unit: quantity for unit, (quantity, _) in lines(found).items()} == {
        "input_tokens": 50,
        "cache_read_tokens": 200,
        "input_audio_tokens": 500,
        "cache_audio_read_tokens": 400,
        "output_tokens": 60,
        "output_audio_tokens": 350,
    }
    assert (found.status, found.reason) == ("priced", None)


def test_cached_audio_of_unknown_number_is_an_estimate() -> None:
    """Without the number of cached audio tokens, the least that is possible is assumed, and said."""
    some = cost({"input_tokens": 1000, "input_audio_tokens": 300, "cache_read_tokens": 300}, "gpt-realtime")
    assert (some.status, some.reason) == ("estimated", "overlap_unknown")
    assert [line.quantity for line in some.lines] == [400, 300, 300]
    forced = cost({"input_tokens": 1000, "input_audio_tokens": 900, "cache_read_tokens": 600}, "gpt-realtime")
    assert (forced.status, forced.reason) == ("estimated", "overlap_unknown")
    assert {unit: quantity for unit, (quantity, _) in lines(forced).items()} == {
        "cache_read_tokens": 100,
        "input_audio_tokens": 400,
        "cache_audio_read_tokens": 500,
    }


def test_a_part_that_costs_otherwise_is_not_charged_as_its_whole_in_silence(tmp_path: Path) -> None:
    """Writes that are kept longer cost more: without a rate of their own their cost is an estimate."""
    rates = ('input_tokens: {usd: "1", per: 1}', 'cache_write_tokens: {usd: "2", per: 1}')
    usage = {"input_tokens": 9, "cache_write_tokens": 5, "cache_write_5m_tokens": 2, "cache_write_1h_tokens": 3}
    found = cost(usage, "m", "acme", prices=book_of(tmp_path, *rates))
    assert (found.total, found.status, found.reason) == (Decimal(14), "estimated", "part_not_priced")
    of_5m = cost({**usage, "cache_write_1h_tokens": 0}, "m", "acme", prices=book_of(tmp_path, *rates))
    assert (of_5m.status, of_5m.reason) == ("priced", None)
    full = book_of(tmp_path, *rates, 'cache_write_1h_tokens: {usd: "4", per: 1}')
    found = cost(usage, "m", "acme", prices=full)
    assert (found.total, found.status) == (Decimal(20), "priced")


def test_paused_seconds_are_a_part_of_a_live_session() -> None:
    """An hour of which two minutes were active: 120 s at 0.05 a minute, 3,480 s at 0.02."""
    found = cost({"audio_seconds": 3600, "paused_seconds": 3480}, "gpt-live-1")
    assert (found.total, found.status) == (Decimal("1.26"), "priced")


@pytest.mark.parametrize(
    ("usage", "model"),
    [
        ({"input_tokens": 9, "input_audio_tokens": 3, "cache_read_tokens": 0}, "gpt-realtime"),
        # All that is cached is text, so no audio is.
        (
            {"input_tokens": 132, "input_audio_tokens": 13, "cache_read_tokens": 64, "cache_text_read_tokens": 64},
            "gpt-realtime",
        ),
        # Whatever part of the cached tokens is text, all of them cost the same.
        ({"input_tokens": 100, "input_text_tokens": 90, "cache_read_tokens": 50}, "gpt-4o"),
    ],
)
def test_an_overlap_that_cannot_change_the_cost_is_no_doubt(usage: Mapping[str, object], model: str) -> None:
    """A cost is an estimate only where it could be another one."""
    assert (cost(usage, model).status, cost(usage, model).reason) == ("priced", None)


def test_cached_audio_without_a_rate_of_its_own_is_cached(tmp_path: Path) -> None:
    """Of two rates that could stand in, the one of the cache is nearer; it is an estimate."""
    per_one = ("input_tokens", "cache_read_tokens", "input_audio_tokens")
    book = book_of(tmp_path, *(f'{unit}: {{usd: "{usd}", per: 1}}' for usd, unit in enumerate(per_one)))
    usage = {"input_tokens": 9, "cache_read_tokens": 4, "input_audio_tokens": 5, "cache_audio_read_tokens": 3}
    found = cost(usage, "m", "acme", prices=book)
    assert {unit: quantity for unit, (quantity, _) in lines(found).items()} == dict(
        zip(per_one, (3, 4, 2), strict=True)
    )
    assert (found.status, found.reason) == ("estimated", "modality_not_priced")


def test_audio_at_the_price_of_text_is_said() -> None:
    """A model without a price for audio that reports audio has its text price applied, and not in silence."""
    found = cost({"input_tokens": 100, "input_audio_tokens": 90})
    assert (found.status, found.reason) == ("estimated", "modality_not_priced")
    assert lines(found)["input_tokens"][0] == 100
    assert cost({"input_tokens": 100, "input_image_tokens": 90}).status == "priced"


@pytest.mark.parametrize(
    ("usage", "model"),
    [
        ({"input_tokens": 9}, "whisper-1"),
        ({"audio_seconds": 9}, "gpt-4o"),
        ({"code_executions": 9}, "gpt-5"),
        ({"images": 9}, "gpt-5"),
    ],
)
def test_nothing_is_free_because_it_has_no_rate(usage: Mapping[str, object], model: str) -> None:
    """What genai-prices prices at zero without a word is unpriced here, and named."""
    found = cost(usage, model)
    assert (found.total, found.status, found.reason) == (None, "unpriced", "unit_not_priced")
    assert found.unpriced_units == tuple(usage)


def test_a_unit_that_nobody_knows_is_named() -> None:
    """It is no unit without a price, but a key that may cost."""
    found = cost({"frames": 9}, "gpt-5")
    assert (found.total, found.status, found.reason, found.unknown) == (None, "unpriced", "unknown_usage", ("frames",))


def test_what_is_billed_under_another_unit_is_covered() -> None:
    """Seconds beside the tokens that are billed for them are covered; alone they are an estimate by OpenAI's guide."""
    tokens = {"input_tokens": 100, "input_audio_tokens": 90, "output_tokens": 20}
    for seconds in ("audio_seconds", "input_audio_seconds"):
        assert cost({**tokens, seconds: 9}, "gpt-4o-transcribe") == cost(tokens, "gpt-4o-transcribe")
    alone = cost({"audio_seconds": 60, "input_audio_seconds": 60}, "gpt-4o-transcribe")
    assert (alone.total, alone.status, alone.reason) == (Decimal("0.006"), "estimated", "rate_estimated")
    spoken = cost({"input_characters": 250, "audio_seconds": 12, "output_audio_seconds": 12}, "gpt-4o-mini-tts")
    assert lines(spoken) == {"audio_seconds": (12, Decimal("0.003"))}
    assert cost({"input_characters": 250}, "gpt-4o-mini-tts").total == Decimal("0.00375")
    assert cost({"input_characters": 250, "audio_seconds": 0}, "gpt-4o-mini-tts").total == Decimal("0.00375")


def test_a_known_zero_costs_nothing_and_an_unknown_usage_nothing_known() -> None:
    """Zero is a price; unknown is none."""
    zero = cost({"input_tokens": 0, "output_tokens": 0})
    assert (zero.total, zero.status, len(zero.lines)) == (Decimal(0), "priced", 2)
    assert cost({"audio_seconds": 0}).status == "priced"
    assert (cost({}).total, cost({}).status, cost({}).reason) == (None, "unpriced", "no_usage")
    assert cost({"input_tokens": 0}, "no-such-model").total is None
    assert cost({"input_tokens": 9}, "x:free", "openrouter").total == 0


def test_an_invalid_quantity_is_no_zero() -> None:
    """A refused quantity leaves a lower bound, or nothing; a clamped one an estimate."""
    refused = cost({"input_tokens": 100, "output_tokens": -1})
    assert (refused.total, refused.status, refused.reason) == (Decimal("0.00025"), "partial", "invalid_usage")
    assert (cost({"input_tokens": "?"}).total, cost({"input_tokens": "?"}).reason) == (None, "invalid_usage")
    clamped = cost({"input_tokens": 100, "cache_read_tokens": 200})
    assert (clamped.total, clamped.status, clamped.reason) == (Decimal("0.000125"), "estimated", "invalid_usage")
    # Two disjoint parts that are more than their whole together cannot both be right.
    torn = cost({"input_tokens": 10, "input_audio_tokens": 9, "input_image_tokens": 9}, "gpt-realtime")
    assert (torn.status, torn.reason) == ("estimated", "invalid_usage")


def test_an_estimated_quantity_is_an_estimated_cost() -> None:
    """A stream without usage has an estimated one; its cost says so."""
    found = cost(Usage.of({"input_tokens": 100}, estimated=True))
    assert (found.status, found.reason) == ("estimated", "usage_estimated")


@pytest.mark.parametrize(
    ("tier", "processing", "reason"),
    [("scale", None, "tier_not_priced"), ("default", None, None), (None, "batch", None), ("flex", None, None)],
)
def test_the_tier_of_the_response_decides(tier: str | None, processing: str | None, reason: str | None) -> None:
    """A tier with a price has that price; one without is an estimate at the standard price."""
    found = cost({"input_tokens": 1_000_000}, "o3", service_tier=tier, processing=processing)
    standard = Decimal(2)
    assert (found.total, found.reason) == (standard / 2 if processing or tier == "flex" else standard, reason)


def test_before_a_tier_had_a_known_price_it_is_an_estimate() -> None:
    """genai-prices knows OpenAI's tiers since 2026-10-12: what they cost before, nobody guesses in silence."""
    before = datetime(2026, 10, 12, tzinfo=UTC) - timedelta(microseconds=1)
    assert cost({"input_tokens": 1}, "o3", service_tier="flex", at=before).reason == "tier_not_priced"
    assert cost({"input_tokens": 1}, "o3", service_tier="flex", at=before + timedelta(microseconds=1)).reason is None


def test_a_long_context_is_more_than_the_threshold() -> None:
    """At the threshold the whole call is at the lower price, one token later at the higher one."""
    at, above = (cost({"input_tokens": tokens, "output_tokens": 1}, "gpt-6-sol") for tokens in (272_000, 272_001))
    assert (at.total, above.total) == (Decimal("0.54401"), Decimal("1.088019"))


def test_the_moment_of_the_call_decides() -> None:
    """A price cut holds from its first second in UTC, wherever the clock of the call stands."""
    cut = datetime(2025, 6, 10, tzinfo=UTC)
    usage = {"input_tokens": 1_000_000}
    east = timezone(timedelta(hours=9))
    assert cost(usage, "o3", at=cut - timedelta(seconds=1)).total == 10
    assert cost(usage, "o3", at=cut).total == 2
    assert cost(usage, "o3", at=cut.astimezone(east)).total == 2
    assert cost(usage, "o3", at=cut.replace(tzinfo=east)).total == 10
    assert cost(usage, "o3", at=cut.replace(tzinfo=None)).total == 2
    assert cost(usage, "o3", at=None).total == 2
    assert cost(usage, "o3", at=datetime.min).total == 10
    assert cost(usage, "o3", at=datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))).status in (
        "priced",
        "unpriced",
    )


def test_a_least_quantity_is_billed() -> None:
    """Groq bills ten seconds of every file."""
    assert cost({"audio_seconds": 4}, "whisper-large-v3", "groq").lines[0].quantity == 10
    assert cost({"audio_seconds": 11}, "whisper-large-v3", "groq").lines[0].quantity == 11
    assert cost({"audio_seconds": 0}, "whisper-large-v3", "groq").total == 0


def test_a_fee_per_request_is_charged_once(tmp_path: Path) -> None:
    """Where each call has a price, one call has it once, whatever else it used."""
    book = book_of(tmp_path, 'requests: {usd: "5", per: 1000}', 'images: {usd: "0.04", per: 1}')
    assert cost({"images": 2}, "m", "acme", prices=book).total == Decimal("0.085")
    assert cost({"images": 2, "requests": 3}, "m", "acme", prices=book).total == Decimal("0.095")


def book_of(folder: Path, *rates: str) -> PriceBook:
    path = folder / "acme.yaml"
    indented = "".join(f"      {rate}\n" for rate in rates)
    path.write_text(f"version: a\ncurrency: USD\nprices:\n  - provider: acme\n    rates:\n{indented}")
    return with_file(str(path))


def test_rounding_is_half_even_at_the_twelfth_place(tmp_path: Path) -> None:
    """A line is rounded once, to the nearest, and to the even one of two; the ambient context has no say."""
    book = book_of(tmp_path, 'images: {usd: "0.0000000000005", per: 1}', 'audio_seconds: {usd: "1", per: 3600}')
    with localcontext() as context:
        context.prec = 2
        amounts = [cost({"images": number}, "m", "acme", prices=book).total for number in (1, 2, 3, 5)]
        third = cost({"audio_seconds": 1200}, "m", "acme", prices=book)
    assert amounts == [Decimal(0), Decimal("1e-12"), Decimal("2e-12"), Decimal("2e-12")]
    assert third.total == Decimal("0.333333333333")


def test_the_largest_quantity_is_exact(tmp_path: Path) -> None:
    """Whatever a usage and a price file may hold, no digit is lost."""
    book = book_of(tmp_path, 'images: {usd: "1000000", per: 1}', 'input_tokens: {usd: "0.000000000001", per: 1}')
    most = 10**15 - 1
    total = cost({"images": most, "input_tokens": most}, "m", "acme", prices=book).total
    assert total is not None
    assert Fraction(total) == most * 10**6 + Fraction(most, 10**12)


@pytest.mark.parametrize(
    "changed",
    [
        {"model": None}, {"provider": None}, {"model": 3}, {"model": ["gpt-4o"]}, {"model": "\ud800\n\0"},
        {"model": "/" * 10_000}, {"model": "x" * 1_000_000}, {"provider": object()}, {"at": "yesterday"},
        {"service_tier": 3}, {"processing": b"batch"}, {"endpoint": "http://[::1"}, {"deployment": {}}, {"prices": 3},
    ],
    ids=lambda changed: "-".join(f"{name}-{type(value).__name__}" for name, value in changed.items()),
)  # fmt: skip
def test_nothing_that_is_handed_over_raises(changed: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """A call is never lost to a price: what makes no sense is unpriced, and logged once at most."""
    arguments: dict[str, Any] = {"provider": "openai", "model": "gpt-4o", "at": NOON} | changed
    with caplog.at_level(logging.WARNING, "otel_costs"):
        for _ in range(3):
            found = price({"input_tokens": 1}, **arguments)
    assert isinstance(found, Cost)
    assert (found.status == "unpriced") == (found.total is None)
    assert len(caplog.records) <= 1


def test_genai_prices_is_not_imported_before_it_is_needed() -> None:
    """The application's import pays neither for genai-prices nor for PyYAML, nor for what fetches prices."""
    fetching = "otel_costs.pricing.download"
    program = f"import sys, otel_costs.pricing; print(*{{'genai_prices', 'yaml', '{fetching}'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# The book in force.

FILE = """\
version: mine
currency: USD
prices:
  - provider: openai
    match: {model: gpt-4o}
    rates: {input_tokens: {usd: "PRICE", per: 1}}
"""


def test_the_users_prices_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_COSTS_PRICES names a price file."""
    (tmp_path / "mine.yaml").write_text(FILE.replace("PRICE", "7"))
    monkeypatch.setenv(semconv.ENV_PRICES, str(tmp_path / "mine.yaml"))
    found = cost({"input_tokens": 1})
    assert (found.total, found.book) == (Decimal(7), f"mine+{builtin().version}")


def test_bad_prices_are_told_and_the_built_in_ones_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The application starts with a price file that cannot be used; one line says what is wrong with it, and where."""
    (tmp_path / "mine.yaml").write_text(FILE.replace("PRICE", "-7"))
    monkeypatch.setenv(semconv.ENV_PRICES, str(tmp_path / "mine.yaml"))
    with caplog.at_level(logging.WARNING, "otel_costs"):
        pricing.warm_up()
        totals = [cost({"input_tokens": 1_000_000}).total for _ in range(3)]
    assert totals == [Decimal("2.5")] * 3
    (record,) = caplog.records
    assert f"{tmp_path / 'mine.yaml'}, line 6: prices[0].rates.input_tokens.usd: is negative: -7" in record.getMessage()
    with pytest.raises(PriceFileError):
        pricing.load()


def test_a_reload_keeps_the_last_good_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices that are edited into nonsense are refused, and the ones in force stay; a good edit takes over."""
    path = tmp_path / "mine.yaml"
    monkeypatch.setenv(semconv.ENV_PRICES, str(path))
    path.write_text(FILE.replace("PRICE", "7"))
    assert cost({"input_tokens": 1}).total == 7
    path.write_text("prices: [")
    with pytest.raises(PriceFileError):
        pricing.reload()
    assert cost({"input_tokens": 1}).total == 7
    path.write_text(FILE.replace("PRICE", "8"))
    assert pricing.reload().version.startswith("mine")
    assert cost({"input_tokens": 1}).total == 8


def test_a_usage_is_priced_again_from_what_was_stored(tmp_path: Path) -> None:
    """The quantities are the fact: read back as text, they give the same cost, and another one by other prices."""
    usage = Usage.of({"input_tokens": 1500, "cache_read_tokens": 300, "output_tokens": 800, "web_searches": 2})
    stored = {unit: str(quantity) for unit, quantity in usage.quantities.items()}
    assert cost(stored) == cost(usage)
    (tmp_path / "mine.yaml").write_text(FILE.replace("PRICE", "7"))
    assert cost(stored, prices=with_file(str(tmp_path / "mine.yaml"))).total == 1500 * 7


# What holds for every usage.

counts = st.one_of(st.integers(0, 1000), st.integers(0, 10**15 - 1))
models = st.sampled_from([
    ("openai", "gpt-4o"), ("openai", "gpt-realtime"), ("openai", "gpt-realtime-mini"), ("openai", "gpt-6-sol"),
    ("openai", "whisper-1"), ("openai", "gpt-4o-mini-tts"), ("openai", "gpt-image-1"), ("openai", "dall-e-3/hd/9x9"),
    ("azure", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-pro"), ("perplexity", "sonar-pro"),
    ("openai", "no-such-model"), ("nobody", "gpt-4o"),
])  # fmt: skip
usages = st.dictionaries(st.sampled_from(sorted(UNITS)), counts, max_size=8)
anything = st.dictionaries(
    st.one_of(st.sampled_from(sorted(UNITS)), st.text(st.characters())),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(st.characters()), st.binary()
    ),
)
moments = st.datetimes(timezones=st.one_of(st.none(), st.just(UTC), st.timezones()))
texts = st.one_of(
    st.none(), st.text(st.characters()), st.sampled_from(["flex", "batch", "default", "eu.api.openai.com"])
)


@given(usages, models, moments)
def test_lines_add_up_to_the_total(usage: dict[str, int], model: tuple[str, str], at: datetime) -> None:
    """The total is the sum of the lines, each exact to the twelfth place, and is there unless nothing has a rate."""
    found = cost(usage, model[1], model[0], at=at)
    assert (found.total is None) == (found.status == "unpriced")
    if found.total is None:
        assert found.lines == ()
        return
    assert sum((Fraction(line.amount) for line in found.lines), Fraction(0)) == Fraction(found.total)
    for line in found.lines:
        exact = Fraction(line.quantity) * Fraction(line.rate) * Fraction(line.multiplier) / line.per
        assert abs(Fraction(line.amount) - exact) <= Fraction(1, 2 * 10**12)
        assert line.amount.as_tuple().exponent == -12
        assert line.quantity >= 0
        assert line.amount >= 0
    assert len({line.unit for line in found.lines}) == len(found.lines)


@given(usages, models)
def test_totals_are_inclusive(usage: dict[str, int], model: tuple[str, str]) -> None:
    """No token is charged twice: the lines of one direction have as many tokens as its total, where that is known."""
    found = cost(usage, model[1], model[0])
    cleaned = Usage.of(usage)
    if found.total is None or found.status == "partial" or found.reason == "invalid_usage" or not found.lines:
        return
    for whole in ("input_tokens", "output_tokens"):
        if (reported := cleaned.quantities.get(whole)) is not None:
            charged = [
                line.quantity for line in found.lines if line.unit == whole or whole in WHOLES.get(line.unit, ())
            ]
            assert sum(charged) == reported


@given(usages, models)
def test_nothing_is_charged_that_was_not_used(usage: dict[str, int], model: tuple[str, str]) -> None:
    """Every line is part of a unit that was reported; every reported unit has a line, is covered or is named."""
    found = cost(usage, model[1], model[0])
    for line in found.lines:
        kin = {
            unit
            for unit in UNITS
            if DIMENSIONS[unit] <= DIMENSIONS[line.unit] or DIMENSIONS[line.unit] <= DIMENSIONS[unit]
        }
        assert kin & set(usage) or line.unit == "requests" or found.reason == "overlap_unknown"
    assert set(found.unpriced_units) <= set(usage)
    assert (found.status == "partial") <= (bool(found.unpriced_units) or found.reason == "invalid_usage")


@given(anything, models, moments, texts, texts, texts, texts)
def test_no_usage_raises(
    usage: Mapping[str, object],
    model: tuple[str, str],
    at: datetime,
    tier: Any,
    processing: Any,
    endpoint: Any,
    name: Any,
) -> None:
    """Whatever a provider or a caller sends, there is a cost, and no bug of ours behind it."""
    found = cost(
        usage, model[1], model[0], at=at, service_tier=tier, processing=processing, endpoint=endpoint, deployment=name
    )
    assert found.status in ("priced", "partial", "unpriced", "estimated")
    assert found.reason != "internal_error"
    assert (found.reason is None) == (found.status == "priced")
    assert found.total is None or found.total.is_finite()


@given(moments, st.integers(0, 10**6))
def test_every_moment_has_one_price(at: datetime, tokens: int) -> None:
    """On both sides of every price change the price is the one of that side, however the calls are ordered."""
    model = builtin_base().find("openai", "o3")
    assert model is not None
    usage = {"input_tokens": tokens}
    for change in model.boundaries(NOON):
        before, after = change - timedelta(microseconds=1), change
        expected = [Decimal(10 if moment < datetime(2025, 6, 10, tzinfo=UTC) else 2) for moment in (before, after)]
        cost(usage, "o3", at=at)
        assert [cost(usage, "o3", at=moment).total for moment in (before, after)] == [
            rate * tokens / 1_000_000 for rate in expected
        ]


@pytest.mark.some(3)
@pytest.mark.parametrize("at", [datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC), NOON], ids=str)
@pytest.mark.parametrize("context", [{}, {"service_tier": "priority"}, {"processing": "batch"}], ids=str)
def test_text_costs_what_genai_prices_says(at: datetime, context: dict[str, str]) -> None:
    """For every model of OpenAI that both know, text costs the same here as there, at any time and tier."""
    usage = {"input_tokens": 300_001, "output_tokens": 1_003}
    compared = 0
    for known in builtin_base().models():
        # Whose batches it has no price for.
        without = (
            "ft:",
            "text-embedding-",
            "o3-deep-",
            "o4-mini-deep-",
            "gpt-image-2.6",
            "chatgpt-image",
            "davinci-",
            "babbage-",
        )
        if known.provider != "openai" or known.id.startswith(without):
            continue
        if cost(usage, known.id, at=at).status != "priced":
            continue
        theirs = genai_prices.calc_price(
            TheirUsage(**usage), known.id, provider_id="openai", genai_request_timestamp=at, price_context=context
        )
        assert cost(usage, known.id, at=at, **context).total == theirs.total_price, known.id
        compared += 1
    assert compared > 60


@pytest.mark.parametrize(
    ("usage", "status"),
    [
        ({"completion_tokens": 1000}, "partial"),
        ({"completion_tokens": 1000, "total_tokens": 1000}, "partial"),
        ({"completion_tokens": 1000, "prompt_tokens": 10}, "priced"),
        ({"output_tokens": 1000}, "priced"),
        ({"prompt_tokens": 1000}, "priced"),
        ({"input_tokens": 0, "output_tokens": 0}, "priced"),
    ],
)
def test_half_of_what_a_provider_reports(usage: Mapping[str, object], status: str) -> None:
    """A completion has a prompt; quantities in units are what somebody asks the price of."""
    assert cost(usage).status == status
