"""The table itself: prices that were missing or wrong, each with a source; hours and multiples of price files."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from otel_costs import price
from otel_costs.pricing.builtin_prices import builtin_files
from otel_costs.pricing.price_book import PriceBook
from otel_costs.pricing.price_entry import PriceFileError
from otel_costs.pricing.price_file import parse

NOW = "2026-11-27T12:00:00Z"
MILLION = 1_000_000


def cost(provider: str, model: str, usage: dict[str, int], at: str = NOW) -> Decimal | None:
    return price(usage, provider=provider, model=model, at=datetime.fromisoformat(at)).total


@pytest.mark.parametrize(
    ("model", "options", "usage", "usd"),
    [
        ("gpt-6.2-astra", {}, {"input_tokens": 100_000, "output_tokens": 100_000}, "4.8"),
        ("gpt-6.2-astra", {}, {"input_tokens": 300_000, "output_tokens": 100_000}, "10.8"),
        ("gpt-6.2-astra", {"processing": "batch"}, {"input_tokens": 300_000, "output_tokens": 100_000}, "5.4"),
        ("gpt-6.2-astra", {"service_tier": "priority"}, {"input_tokens": 100_000}, "1.6"),
        ("gpt-6.2-sol", {}, {"input_tokens": 100_000, "output_tokens": 10_000}, "0.3"),
        ("gpt-6.2-sol", {}, {"input_tokens": 100_000, "cache_read_tokens": 100_000}, "0.01"),
        ("gpt-6.2-sol", {}, {"input_tokens": 100_000, "cache_write_tokens": 100_000}, "0.25"),
        (
            "gpt-6.2-sol",
            {},
            {"input_tokens": 100_000, "cache_write_tokens": 100_000, "cache_write_12h_tokens": 100_000},
            "0.5",
        ),
        ("gpt-6.2-sol", {"processing": "batch"}, {"input_tokens": 100_000}, "0.1"),
        ("gpt-6.2-sol", {"service_tier": "ultrafast"}, {"input_tokens": 100_000}, "0.6"),
        (
            "gpt-6-astra",
            {"processing": "batch"},
            {"input_tokens": 100_000, "cache_write_tokens": 100_000, "cache_write_12h_tokens": 100_000},
            "1.25",
        ),
        ("text-embedding-3-small", {"processing": "batch"}, {"input_tokens": MILLION}, "0.01"),
        ("text-embedding-ada-002", {"processing": "batch"}, {"input_tokens": MILLION}, "0.05"),
        ("gpt-image-2.6-flare", {"processing": "batch"}, {"input_tokens": 1000, "output_tokens": 1000}, "0.0175"),
        ("gpt-daybreak-red-latest", {}, {"input_tokens": 1000, "output_tokens": 1000}, "0.0875"),
        ("gpt-5-search-api-2025-10-14", {}, {"input_tokens": 1000}, "0.00125"),
    ],
)
def test_openai(model: str, options: dict[str, str], usage: dict[str, int], usd: str) -> None:
    """New models on all their tiers, batches at half, what is kept for 12 hours at twice; all of it `priced`."""
    found = price(usage, provider="openai", model=model, at=datetime.fromisoformat(NOW), **options)  # type: ignore[arg-type]
    assert (found.total, found.status) == (Decimal(usd), "priced")


def test_a_price_that_ends() -> None:
    """gpt-6.2-sol on the fastest tier costs three times the standard price up to the end of February, then six."""
    for day, usd in (("2027-02-28T23:59:59Z", "0.6"), ("2027-03-01T00:00:00Z", "1.2")):
        at = datetime.fromisoformat(day)
        found = price(
            {"input_tokens": 100_000}, provider="openai", model="gpt-6.2-sol", service_tier="ultrafast", at=at
        )
        assert found.total == Decimal(usd)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "usd"),
    [
        ("mistral_ai", "mistral-large-latest", {"input_tokens": 1000, "output_tokens": 1000}, "0.002"),
        ("mistral_ai", "magistral-medium-latest", {"input_tokens": 1000, "output_tokens": 1000}, "0.009"),
        ("mistral_ai", "magistral-small-latest", {"input_tokens": 1000, "output_tokens": 1000}, "0.00075"),
        ("mistral_ai", "open-mistral-nemo", {"input_tokens": 1000, "output_tokens": 1000}, "0.0006"),
        ("mistral_ai", "mistral-medium", {"input_tokens": 1000, "output_tokens": 1000}, "0.009"),
        ("mistral_ai", "codestral-latest", {"input_tokens": 1000, "cache_read_tokens": 1000}, "0.00003"),
        ("mistral_ai", "ministral-3b-latest", {"input_tokens": 1000, "output_tokens": 1000}, "0.0002"),
        ("mistral_ai", "ministral-14b-latest", {"input_tokens": 1000, "output_tokens": 1000}, "0.0004"),
        ("mistral_ai", "voxtral-mini-transcribe-3-0", {"audio_seconds": 60}, "0.0035"),
        ("mistral_ai", "voxtral-small-transcribe-3", {"audio_seconds": 60}, "0.004"),
        ("mistral_ai", "voxtral-mini-tts-3", {"input_characters": 1000}, "0.013"),
        ("x_ai", "grok-voice-2.0", {"audio_seconds": 60}, "0.08"),
        ("x_ai", "grok-voice-transcribe-2.0", {"audio_seconds": 3600}, "0.1"),
        ("soniox", "stt-rt-v5", {"audio_seconds": 3600}, "0.12"),
        ("elevenlabs", "eleven_v4", {"input_characters": 1000}, "0.08"),
        ("elevenlabs", "eleven_v4_turbo", {"input_characters": 1000}, "0.04"),
        ("elevenlabs", "eleven_v3_conversational", {"input_characters": 1000}, "0.04"),
        ("azure.ai.openai", "gpt-realtime-2.1-2026-07-07", {"input_tokens": 1000, "output_tokens": 1000}, "0.028"),
        ("azure.ai.openai", "gpt-audio-1.5-2026-02-23", {"input_tokens": 1000}, "0.0025"),
    ],
)
def test_others(provider: str, model: str, usage: dict[str, int], usd: str) -> None:
    """What the tables of others had and ours had not, or had wrong."""
    assert cost(provider, model, usage) == Decimal(usd)


@pytest.mark.parametrize(
    ("at", "pro", "flash"),
    [
        ("2026-08-16T15:59:59Z", "0.435", "0.14"),  # one price at all hours
        ("2026-08-16T16:00:00Z", "0.66", "0.22"),  # midnight in Beijing
        ("2026-08-17T00:59:59Z", "0.66", "0.22"),
        ("2026-08-17T01:00:00Z", "1.32", "0.44"),  # nine in the morning there
        ("2026-08-17T04:00:00Z", "0.66", "0.22"),
        ("2026-08-17T06:00:00Z", "1.32", "0.44"),
        ("2026-08-17T10:00:00Z", "0.66", "0.22"),
        ("2026-08-22T03:00:00Z", "1.32", "0.44"),  # a Saturday, before weekends were off-peak
        ("2026-08-23T03:00:00Z", "0.66", "0.22"),
        ("2026-08-24T03:00:00Z", "1.32", "0.44"),
        ("2026-11-28T03:00:00Z", "0.66", "0.15"),
        ("2026-11-27T16:30:00Z", "0.66", "0.15"),  # Saturday there, Friday here
        ("2026-11-30T01:30:00Z", "1.32", "0.3"),
    ],
)
def test_peak_hours(at: str, pro: str, flash: str) -> None:
    """DeepSeek's working hours cost twice as much: of the weekdays and the clock of Beijing, since they do."""
    assert cost("deepseek", "deepseek-v4-pro", {"input_tokens": MILLION}, at) == Decimal(pro)
    assert cost("deepseek", "deepseek-v4-flash", {"input_tokens": MILLION}, at) == Decimal(flash)


def test_rates_that_are_kept_end_with_their_hours() -> None:
    """What was found for one moment is not used beyond the hour at which it ends, in whatever order calls come."""
    for hour in (3, 2, 5, 0, 7, 3, 11):
        usd = "1.32" if 1 <= hour < 4 or 6 <= hour < 10 else "0.66"
        assert cost(
            "deepseek", "deepseek-v4-pro", {"input_tokens": MILLION}, f"2026-11-27T{hour:02}:30:00Z"
        ) == Decimal(usd)


FILE = """
version: "1"
currency: USD
prices:
  - provider: acme
    match: {{model: large}}
    rates: {{input_tokens: {{usd: "2", per: 1000000}}, cache_write_tokens: {{usd: "3", per: 1000000}}}}
  - provider: acme
    id: night
    match: {{model: large}}
    when: {{{when}}}
    base: {{provider: acme}}
    rates: {{cache_write_12h_tokens: {{{rate}}}}}
"""


NIGHT = 'hours: ["22:00-24:00", "00:00-06:00"]'
TWICE = 'times: "2", of: cache_write_tokens'


def book(when: str = NIGHT, rate: str = TWICE) -> PriceBook:
    return PriceBook([parse(FILE.format(when=when, rate=rate), "acme.yaml"), *builtin_files()], version="1")


def test_a_multiple_of_another_unit() -> None:
    """It is of what the base has, and the line says the list price and the multiple."""
    usage = {"input_tokens": 100, "cache_write_tokens": 100, "cache_write_12h_tokens": 100}
    at = datetime.fromisoformat("2026-11-27T23:00:00Z")
    found = price(usage, provider="acme", model="large", at=at, prices=book())
    (line,) = found.lines
    assert (found.total, line.rate, line.multiplier) == (Decimal("0.0006"), Decimal(3), Decimal(2))


@pytest.mark.parametrize(
    ("when", "rate", "complaint"),
    [
        ('hours: ["9-12"]', TWICE, "must be hours such as 09:00-12:00"),
        ('hours: ["22:00-06:00"]', TWICE, "ends before it begins"),
        ('hours: ["25:00-26:00"]', TWICE, "must be hours"),
        ("days: [someday]", TWICE, "someday is no day"),
        ('days: [monday], utc_offset: "8"', TWICE, "must be an offset such as +08:00"),
        ("days: [monday]", 'times: "2", of: writes', "is no unit"),
        ("days: [monday]", "times: 2, of: cache_write_tokens", "is not in quotes"),
        ("days: [monday]", 'times: "2"', "of: is missing"),
    ],
)
def test_what_cannot_be_read_is_refused(when: str, rate: str, complaint: str) -> None:
    """With the file, the line and the field, when the file is read."""
    with pytest.raises(PriceFileError, match=r"acme\.yaml, line \d+") as error:
        book(when, rate)
    assert complaint in str(error.value)


def test_every_price_says_where_it_was_read() -> None:
    """And when; a price of ours without a source could not be checked by anybody."""
    for file in builtin_files():
        for entry in file.prices:
            assert entry.source, entry.id
            assert entry.checked, entry.id


def test_what_differs_from_others_is_explained() -> None:
    """The file of differences that `make prices` reads has a reason for each entry."""
    import yaml

    path = Path(__file__).parents[2] / "benchmarks" / "price_differences.yaml"
    entries = [entry for group in yaml.safe_load(path.read_text()).values() for entry in group]
    assert len(entries) > 20
    assert all(entry["why"] and entry["models"] and entry["provider"] for entry in entries)
