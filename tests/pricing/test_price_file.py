"""Price files: what is read, and what a file that cannot be used is told."""

from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.pricing.price_entry import Base, Match, PriceFileError
from otel_costs.pricing.price_file import load, parse
from otel_costs.pricing.rates import EARLIEST, LATEST, Rate
from otel_costs.values.yaml_nodes import UnreadableError, compose

GOOD = """\
version: 2026-11-22.1
currency: USD
prices:
  - provider: azure.ai.openai
    match: {endpoint: acme.openai.azure.com, deployment: prod-chat-eu}
    base: {provider: openai, model: gpt-4o}
    multiplier: "1.1"
  - provider: openai
    match: {starts_with: gpt-4-realtime-preview}
    from: 2024-10-01T00:00:00Z      # inclusive
    to: null                        # exclusive
    when: {service_tier: default}
    rates:
      input_tokens: {usd: "5", per: 1000000}
      input_audio_tokens: {usd: "100", per: 1000000}
    source: the page it was read from
    checked: 2026-11-22
"""


def test_a_price_file_is_read() -> None:
    """The example of the documentation means what it says."""
    file = parse(GOOD, "acme.yaml")
    deployment, realtime = file.prices

    assert (file.name, file.version) == ("acme.yaml", "2026-11-22.1")
    assert deployment.provider == "azure"
    assert deployment.match == Match(deployment="prod-chat-eu", endpoint="acme.openai.azure.com")
    assert (deployment.base, deployment.multiplier) == (Base("openai", "gpt-4o"), Decimal("1.1"))
    assert (deployment.start, deployment.end) == (EARLIEST, LATEST)
    assert realtime.id == "acme:openai/gpt-4-realtime-preview*@2024-10-01"
    assert realtime.start == datetime(2024, 10, 1, tzinfo=UTC)
    assert realtime.end == LATEST
    assert realtime.conditions() == (None, None)
    assert realtime.rates == {
        "input_tokens": Rate(Decimal(5), 1_000_000),
        "input_audio_tokens": Rate(Decimal(100), 1_000_000),
    }
    assert (realtime.source, realtime.checked) == ("the page it was read from", date(2026, 11, 22))


def test_a_price_is_kept_digit_by_digit() -> None:
    """A price in quotes never was a float."""
    digits = "0.000000000000000001"
    price = parse(GOOD.replace('"5"', f'"{digits}"'), "acme.yaml").prices[1]
    assert str(price.rates["input_tokens"].usd) == str(Decimal(digits))


@pytest.mark.parametrize(
    ("good", "bad", "line", "field", "problem"),
    [
        ('"5"', "5.0", 14, "prices[1].rates.input_tokens.usd", 'not in quotes; write "5.0"'),
        ('"5"', "5", 14, "prices[1].rates.input_tokens.usd", "not in quotes"),
        ('"5"', '"-5"', 14, "prices[1].rates.input_tokens.usd", "negative"),
        ('"5"', '"NaN"', 14, "prices[1].rates.input_tokens.usd", "must be a number"),
        ('"5"', '"Infinity"', 14, "prices[1].rates.input_tokens.usd", "must be a number"),
        ('"5"', '"5e3"', 14, "prices[1].rates.input_tokens.usd", "must be a number"),
        ('"5"', '"1_000"', 14, "prices[1].rates.input_tokens.usd", "must be a number"),
        ('"5"', '"٥"', 14, "prices[1].rates.input_tokens.usd", "must be a number"),
        ('"5"', '""', 14, "prices[1].rates.input_tokens.usd", "must be a text that is not empty"),
        ('"5"', '"1000001"', 14, "prices[1].rates.input_tokens.usd", "the most is 1,000,000"),
        ('usd: "5", ', "", 14, "prices[1].rates.input_tokens.usd", "is missing"),
        ("per: 1000000", "per: 0", 14, "prices[1].rates.input_tokens.per", "whole number from 1"),
        ("per: 1000000", "per: -3", 14, "prices[1].rates.input_tokens.per", "whole number from 1"),
        ("per: 1000000", "per: 1e6", 14, "prices[1].rates.input_tokens.per", "whole number from 1"),
        ("per: 1000000", "per: 1:00", 14, "prices[1].rates.input_tokens.per", "whole number from 1"),
        (", per: 1000000", "", 14, "prices[1].rates.input_tokens.per", "is missing"),
        ("input_tokens:", "input_tokns:", 14, "prices[1].rates.input_tokns", "did you mean input_tokens?"),
        ("input_audio_tokens", "input_tokens", 15, "prices[1].rates.input_tokens", "given twice"),
        ("provider: openai\n", "provder: openai\n", 8, "prices[1].provder", "did you mean provider?"),
        ("  - provider: openai\n    match", "  - match", 8, "prices[1].provider", "is missing"),
        ("USD", "EUR", 2, "currency", "must be USD"),
        ("version: 2026-11-22.1\n", "", 1, "version", "is missing"),
        ("prices:", "prizes:", 3, "prizes", "did you mean prices?"),
        ("2024-10-01T00:00:00Z", "yesterday", 10, "prices[1].from", "must be a time such as"),
        ("2024-10-01T00:00:00Z", "2024-W40", 10, "prices[1].from", "must be a time such as"),
        ("2024-10-01T00:00:00Z", "20241001T000000Z", 10, "prices[1].from", "must be a time such as"),
        ("2024-10-01T00:00:00Z", "2024-10-01T00:00:00", 10, "prices[1].from", "add Z"),
        ("to: null", "to: 2024-10-01", 11, "prices[1].to", "is not after from"),
        ('multiplier: "1.1"', "multiplier: 1.1", 7, "prices[0].multiplier", "not in quotes"),
        ('multiplier: "1.1"', 'multiplier: "1.1"\n    multiplies: fees', 8, "prices[0].multiplies", "must be tokens"),
        ('multiplier: "1.1"', 'multiplier: "1001"', 7, "prices[0].multiplier", "the most is 1,000"),
        ("base: {provider: openai, model: gpt-4o}", "source: x", 4, "prices[0].rates", "are missing"),
        ("    rates:\n", '    multiplier: "2"\n    rates:\n', 13, "prices[1].multiplier", "needs a base"),
        ("{starts_with: gpt-4-realtime-preview}", '{regex: "("}', 9, "prices[1].match.regex", "no regular expression"),
        ("{starts_with: gpt-4-realtime-preview}", "{model: []}", 9, "prices[1].match.model", "empty list"),
        ("{starts_with: gpt-4-realtime-preview}", "{model: [[a]]}", 9, "prices[1].match.model", "must be a text"),
        ("{starts_with: gpt-4-realtime-preview}", "gpt-4o", 9, "prices[1].match", "must be a mapping of"),
        ("{service_tier: default}", "{tier: default}", 12, "prices[1].when.tier", "is not known"),
        ("service_tier: default", "input_tokens_above: 9", 8, "prices[1].when.input_tokens_above", "no price below"),
        ("source: the", "covered_by: {images: x}  #", 16, "prices[1].covered_by.images", "must be a unit"),
        ("checked: 2026-11-22", "checked: 22.11.2026", 17, "prices[1].checked", "must be a date"),
        ("checked: 2026-11-22", "checked: 2026-W47-7", 17, "prices[1].checked", "must be a date"),
    ],
)  # fmt: skip
def test_a_bad_price_names_file_line_and_field(good: str, bad: str, line: int, field: str, problem: str) -> None:
    """Whoever wrote the file finds the place, and reads what to do there."""
    assert good in GOOD
    with pytest.raises(PriceFileError) as caught:
        parse(GOOD.replace(good, bad, 1), "/etc/acme.yaml")
    error = caught.value
    assert (error.file, error.line, error.field) == ("/etc/acme.yaml", line, field)
    assert problem in error.problem
    assert str(error) == f"/etc/acme.yaml, line {line}: {field}: {error.problem}"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"", 1, "is empty"),
        (b"# nothing\n", 1, "is empty"),
        (b"just text", 1, "must be a mapping"),
        (b"[1, 2]", 1, "must be a mapping"),
        (b"a: b: c", 1, "is not YAML"),
        (b"version: 1\ncurrency: [", 2, "is not YAML"),
        (b"\x00", None, "is not YAML"),
        (b"\xff\xfe\xff", None, "is not YAML"),
        (b"a: 1\n--- \nb: 2\n", 2, "is not YAML"),
        (b"version: 1\ncurrency: USD\nprices: []\n", 3, "at least one"),
        (b"version: 1\ncurrency: USD\nprices: {}\n", 3, "must be a list"),
        (b"version: 1\ncurrency: USD\nprices: [gpt-4o]\n", 3, "must be a mapping"),
        (b"version: &x [*x]\ncurrency: USD\n", 1, "must be a text"),
    ],
)
def test_what_is_no_price_file_is_refused(text: bytes, line: int | None, problem: str) -> None:
    """Anything at all can stand in a file; it is an error that says so."""
    with pytest.raises(PriceFileError, match=problem) as caught:
        parse(text, "acme.yaml")
    assert caught.value.line in (line, line and line + 1)


@pytest.mark.parametrize("opening", [b"[", b"{a: ", b"- "])
def test_deep_nesting_does_not_take_the_process_down(opening: bytes) -> None:
    """A file of a hundred thousand brackets is an error like any other, and not a crash in C."""
    with pytest.raises(PriceFileError, match="nested too deeply"):
        parse(opening * 100_000, "acme.yaml")


RIVAL = """\
version: 1
currency: USD
prices:
  - provider: openai
    match: {model: [gpt-4o, gpt-4]}
    to: 2024-10-02
    rates: {input_tokens: {usd: "5", per: 1000000}}
  - provider: openai
    match: {model: gpt-4o}
    from: FROM
    WHEN
    rates: {input_tokens: {usd: "2.5", per: 1000000}}
"""


def test_prices_that_hold_at_the_same_time_are_refused() -> None:
    """Two prices for one call would make the cost a matter of luck."""
    with pytest.raises(PriceFileError, match="same time as the price in line 4") as caught:
        parse(RIVAL.replace("FROM", "2024-10-01T23:59:59Z").replace("WHEN", "source: x"), "acme.yaml")
    assert (caught.value.line, caught.value.field) == (8, "prices[1].from")


@pytest.mark.parametrize(
    ("start", "when"),
    [
        ("2024-10-02", "source: x"),
        ("2024-10-01", "when: {service_tier: flex}"),
        ("2024-10-01", "when: {processing: batch}"),
    ],
)
def test_prices_for_other_times_or_tiers_stand_side_by_side(start: str, when: str) -> None:
    """The next price begins where the last one ends, to the second; a tier has prices of its own."""
    assert len(parse(RIVAL.replace("FROM", start).replace("WHEN", when), "acme.yaml").prices) == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, a folder and a file that is no price file by size are told apart."""
    with pytest.raises(PriceFileError, match="No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(PriceFileError, match="cannot be read"):
        load(tmp_path)
    with pytest.raises(PriceFileError, match="cannot be read"):
        load("a\0b")
    (tmp_path / "large.yaml").write_bytes(b"#" * 8_000_001)
    with pytest.raises(PriceFileError, match="larger than"):
        load(tmp_path / "large.yaml")


@given(st.one_of(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), max_size=200).map(str.encode)))
def test_no_file_raises_anything_else(text: bytes) -> None:
    """Whatever the bytes, there is a PriceFileError or a price file."""
    with suppress(PriceFileError):
        parse(text, "acme.yaml")


@given(
    st.sampled_from(sorted(set(GOOD.split()))),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
)
def test_no_change_to_a_file_raises_anything_else(word: str, other: str) -> None:
    """A slip of the keyboard in a good file is told as well."""
    with suppress(PriceFileError):
        parse(GOOD.replace(word, other, 1), "acme.yaml")


@pytest.mark.parametrize("path", ["https://u:hidden@x.example/y.yaml?key=hidden", "https:/u:hidden@x.example/y.yaml"])
def test_an_address_in_the_place_of_a_file_is_told_without_its_password(path: str) -> None:
    """A user who gives one may have a password in it, and the error is logged."""
    with pytest.raises(PriceFileError, match=r"x\.example/y\.yaml") as raised:
        load(path)
    assert "hidden" not in str(raised.value)
    assert "hidden" not in raised.value.file
    with pytest.raises(UnreadableError, match=r"x\.example/y\.yaml") as unreadable:
        compose(path)
    assert "hidden" not in str(unreadable.value)
