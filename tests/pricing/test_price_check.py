"""The check of a price file: what a price takes away, and which prices no call ever has."""

import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent, indent

import pytest

from otel_costs import pricing
from otel_costs.pricing import price_check
from otel_costs.pricing.base_prices import BaseBook
from otel_costs.pricing.price_book import PriceBook, builtin
from otel_costs.pricing.price_file import parse

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def problems(prices: str) -> list[str]:
    """Return what is said of the prices of a user's file."""
    file = parse("version: mine\ncurrency: USD\nprices:\n" + indent(dedent(prices), "  "), "mine.yaml")
    return [finding.problem for finding in price_check.findings(file, builtin(), now=NOW)]


@pytest.mark.parametrize(
    "match", ["model: gpt-4o", "starts_with: gpt-4o-2024", 'regex: "^gpt-4o(-2024.*)?$"', "ends_with: 4o"]
)
def test_units_that_a_price_takes_away_are_named(match: str) -> None:
    """A cached token at the price of a fresh one is twice what is billed: `base` keeps it."""
    entry = """
        - provider: openai
          match: {%s}
          %s
          rates: {input_tokens: {usd: "2", per: 1000000}, output_tokens: {usd: "8", per: 1000000}}
    """
    (said,) = problems(entry % (match, ""))
    assert said.startswith("drops cache_read_tokens, ")
    assert "add `base:`" in said
    assert "`base: {provider: openai}`" in said
    assert problems(entry % (match, "base: {provider: openai}")) == []


def test_longer_contexts_tiers_and_batches_that_are_taken_away_are_named() -> None:
    """They cost otherwise below, and as all others by the user's price."""
    (said,) = problems("""
        - provider: google
          match: {model: gemini-2.5-pro}
          rates:
            input_tokens: {usd: "1", per: 1000000}
            output_tokens: {usd: "1", per: 1000000}
            cache_read_tokens: {usd: "1", per: 1000000}
    """)
    assert "the price above 200,000 input tokens" in said
    (said,) = problems("""
        - provider: openai
          match: {model: o3}
          rates: {input_tokens: {usd: "1", per: 1000000}, output_tokens: {usd: "1", per: 1000000}}
    """)
    assert "cache_read_tokens, the price of flex, the price of priority, the price of batch" in said


def test_a_price_of_a_provider_of_the_users_own_takes_nothing_away() -> None:
    """There is none below it."""
    assert (
        problems("""
        - provider: acme
          match: {starts_with: acme-large}
          rates: {input_tokens: {usd: "1", per: 1000000}}
        - {provider: acme, rates: {images: {usd: "1", per: 1}}}
    """)
        == []
    )


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{provider: opanai, match: {model: gpt-4o}, %s}", "no provider is called opanai; did you mean openai?"),
        ("{provider: bedrock, match: {model: x}, %s}", "did you mean aws.bedrock?"),
        ("{provider: gemini, match: {model: x}, %s}", "did you mean gcp.gemini?"),
        ("{provider: openai, match: {model: gpt4o}, %s}", "no model of openai is called gpt4o; did you mean gpt-4o?"),
        ("{provider: openai, match: {model: gpt 4o mini}, %s}", "did you mean gpt-4o-mini?"),
        ("{provider: anthropic, match: {model: claude-3.opus-latest}, %s}", "did you mean claude-3-opus-latest?"),
        ('{provider: openai, match: {regex: "^GPT-4"}, %s}', "names are compared in lower case"),
        ("{provider: openai, match: {model: gpt-4o, starts_with: o}, %s}", "is not true of any of its models"),
        ('{provider: azure, match: {endpoint: "https://a.azure.com/v1"}, %s}', "is no host; write a.azure.com"),
        ('{provider: azure, match: {endpoint: "a.azure.com:443"}, %s}', "is no host; write a.azure.com"),
        ("{provider: acme, match: {model: x}, to: 2026-11-27, %s}", "ended on 2026-11-27, and no price in the file"),
        ("{provider: acme, match: {model: x}, base: {provider: openai, model: gpt-nonsense}}", "has no price"),
    ],
)  # fmt: skip
def test_prices_that_nothing_has_are_named(entry: str, said: str) -> None:
    """With what is wrong, and what was probably meant."""
    (problem,) = problems(f"- {entry % RATES if '%s' in entry else entry}\n")
    assert said in problem


RATES = 'rates: {input_tokens: {usd: "1", per: 1000000}}'


def test_a_price_behind_another_one_is_named() -> None:
    """The other one is narrower or as narrow for everything that it is for, at every time."""
    entries = """
        - {provider: acme, match: {model: [a, b]}, rates: {images: {usd: "1", per: 1}}}
        - {provider: acme, match: {regex: "^(a|b)$", starts_with: a}, rates: {images: {usd: "1", per: 1}}}
    """
    assert problems(entries) == ["never holds: the price in line 5 is always before it"]
    # One that ends leaves room, and one on a base may be built on the next.
    assert problems(entries.replace("[a, b]}", "[a, b]}, to: 2030-01-01")) == []
    assert (
        problems(entries.replace('[a, b]}, rates: {images: {usd: "1", per: 1}}', "[a, b]}, base: {provider: acme}"))
        == []
    )


def test_a_price_of_longer_contexts_goes_with_one_of_the_same_hours() -> None:
    """Where that one has ended, the price of all hours holds, and what is for longer contexts in some never does."""
    entries = """
        - {provider: acme, match: {model: a}, rates: {images: {usd: "1", per: 1}}}
        - {provider: acme, match: {model: a}, when: {days: saturday}, rates: {images: {usd: "2", per: 1}}}
        - provider: acme
          match: {model: a}
          when: {days: saturday, input_tokens_above: 9}
          rates: {images: {usd: "3", per: 1}}
    """
    assert problems(entries) == []
    ended = entries.replace("when: {days: saturday},", "to: 2026-01-01, when: {days: saturday},")
    assert problems(ended) == ["never holds: the price in line 5 is always before it"]


def test_what_is_in_order_is_not_said_anything_of() -> None:
    """A history of prices, prices to come, tiers, hosts, new models."""
    assert (
        problems("""
        - {provider: acme, match: {model: x}, to: 2026-01-01, rates: {images: {usd: "1", per: 1}}}
        - {provider: acme, match: {model: x}, from: 2026-01-01, to: 2027-01-01, rates: {images: {usd: "2", per: 1}}}
        - {provider: acme, match: {model: x}, from: 2027-01-01, rates: {images: {usd: "3", per: 1}}}
        - {provider: acme, match: {model: x}, when: {processing: batch}, rates: {images: {usd: "3", per: 1}}}
        - {provider: openai, match: {model: gpt-99-quark}, rates: {input_tokens: {usd: "3", per: 1}}}
        - {provider: azure, match: {endpoint: "*.acme.com", deployment: prod}, base: {provider: openai, model: gpt-4o}}
        - {provider: openai, match: {starts_with: gpt-4o}, base: {provider: openai}, multiplier: "0.9"}
        - {provider: openai, match: {model: gpt-4o}, base: {provider: openai}, multiplier: "0.9"}
    """)
        == []
    )


def test_a_provider_of_a_gateway_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What OTEL_COSTS_PROVIDERS calls it may be near to another name."""
    entry = f"- {{provider: openai-2, match: {{model: x}}, {RATES}}}\n"
    assert "did you mean openai?" in problems(entry)[0]
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "llm.acme.com=openai-2")
    assert problems(entry) == []


def test_a_provider_that_falls_back_on_one_without_prices_is_checked() -> None:
    """What genai-prices publishes may name a maker that it has no prices of."""
    base = BaseBook("1", {"acme": '{"fallback": ["nobody"], "models": []}'})
    prices = """
        prices:
          - {provider: acme, match: {model: x}, rates: {images: {usd: "1", per: 1}}}
          - {provider: acme, match: {regex: "^y"}, rates: {images: {usd: "1", per: 1}}}
    """
    file = parse("version: mine\ncurrency: USD\n" + dedent(prices), "mine.yaml")
    assert price_check.findings(file, PriceBook((), version="", base=base), now=NOW) == []


def test_our_own_files_have_nothing_in_vain() -> None:
    """What the check says of a user's file is not true of ours."""
    from otel_costs.pricing.builtin_prices import builtin_base, builtin_files
    from otel_costs.pricing.price_book import PriceBook

    base = PriceBook((), version="base", base=builtin_base())
    never = [
        (file.name, finding)
        for file in builtin_files()
        for finding in price_check.findings(file, base, now=NOW)
        if finding.problem.startswith("never holds: the price in line")
    ]
    assert never == []


@pytest.mark.parametrize("page", ["README.md", "docs/prices.md"])
def test_the_examples_of_the_documentation_take_nothing_away(page: str) -> None:
    """What people copy is in order."""
    (example,) = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert "base:" in example
    assert price_check.findings(parse(example, "example.yaml"), builtin(), now=NOW) == []


def test_loading_a_users_file_says_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning for all of them, at the first price."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        f"version: mine\ncurrency: USD\nprices:\n  - {{provider: openai, match: {{model: gpt-4o}}, {RATES}}}\n"
    )
    monkeypatch.setenv("OTEL_COSTS_PRICES", str(path))
    pricing.use(None)
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                pricing.price({"input_tokens": 1}, provider="openai", model="gpt-4o")
    finally:
        pricing.use(None)
    (said,) = caplog.messages
    assert f"{path}: line 4: mine:openai/gpt-4o drops " in said
    assert "otel-costs prices check" in said
