"""The price book: which price holds for a call, and for how long."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from textwrap import dedent, indent

import pytest

from otel_costs.pricing import price_book
from otel_costs.pricing.builtin_prices import builtin_base, builtin_files
from otel_costs.pricing.call_search import Call
from otel_costs.pricing.endpoint import host, region
from otel_costs.pricing.price_book import PriceBook, builtin, with_file
from otel_costs.pricing.price_table import nearest, rows
from otel_costs.pricing.rates import EARLIEST, LATEST, Rates

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
Write = Callable[[str], PriceBook]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that makes a book of prices over the built-in ones."""

    def book(prices: str) -> PriceBook:
        path = tmp_path / "acme.yaml"
        path.write_text("version: acme-1\ncurrency: USD\nprices:\n" + indent(dedent(prices), "  "))
        return with_file(str(path))

    return book


def call(model: str, provider: str = "openai", **rest: str) -> Call:
    return (provider, model, *(rest.get(name) for name in ("tier", "processing", "endpoint", "deployment")))  # type: ignore[return-value]


def usd(rates: Rates, unit: str = "input_tokens", band: int = 0) -> Decimal | None:
    rate = rates.bands[band][1].get(unit)
    return None if rate is None else rate.usd * rate.multiplier * 1_000_000 / rate.per


def test_our_own_files_are_sound_and_say_where_their_prices_are_from() -> None:
    """Every price of ours can be checked by who reads it: it has a source and a day."""
    files = builtin_files()
    assert {Path(file.name).stem for file in files} >= {"openai", "azure"}
    for file in files:
        assert all(price.provider == Path(file.name).stem for price in file.prices)
        assert [price.id for price in file.prices if not (price.source and price.checked)] == []


def test_every_audio_model_of_openai_has_audio_rates() -> None:
    """Audio is never priced at the price of text because a rate is missing."""
    for known in builtin_base().models():
        name = known.id
        if known.provider == "openai" and any(part in name for part in ("audio", "realtime", "transcribe", "tts")):
            units = builtin().rates(call(name), NOON).bands[0][1]
            seconds_or_characters = {"audio_seconds", "input_characters"} & set(units)
            assert {"input_audio_tokens", "output_audio_tokens"} & set(units) or seconds_or_characters, name


def test_the_users_file_is_over_ours_and_ours_over_the_base(write: Write) -> None:
    """Each source fills in what the ones above it do not say."""
    book = write("""
        - provider: openai
          match: {model: gpt-4o}
          rates: {input_tokens: {usd: "1", per: 1000000}}
    """)
    assert usd(book.rates(call("gpt-4o"), NOON)) == 1
    assert usd(book.rates(call("gpt-4o"), NOON), "output_tokens") is None
    assert usd(book.rates(call("gpt-4o-transcribe"), NOON), "input_audio_tokens") == Decimal("2.50")
    assert usd(book.rates(call("gpt-4.1"), NOON)) == 2
    assert book.version == f"acme-1+{builtin().version}"
    assert builtin().version.endswith("+genai-prices-0.2.3")


def test_a_price_on_a_base_changes_what_it_names(write: Write) -> None:
    """A multiplier is on all of the base's rates; rates of its own are as written."""
    rates = write("""
        - provider: openai
          match: {model: gpt-4o}
          base: {provider: openai}
          multiplier: "0.88"
          rates: {output_tokens: {usd: "9", per: 1000000}}
    """).rates(call("gpt-4o"), NOON)
    assert usd(rates) == Decimal("2.5") * Decimal("0.88")
    assert usd(rates, "output_tokens") == 9
    assert usd(rates, "cache_read_tokens") == Decimal("1.25") * Decimal("0.88")
    assert rates.price_id == "acme:openai/gpt-4o>openai:tools>genai-prices:openai/gpt-4o"


def test_multipliers_multiply(write: Write) -> None:
    """A discount on a data zone is a discount on its surcharge."""
    book = write("""
        - provider: azure
          match: {endpoint: acme.openai.azure.com, deployment: prod-chat-eu}
          base: {provider: azure, model: zone}
          multiplier: "0.5"
        - provider: azure
          match: {model: zone}
          base: {provider: openai, model: gpt-4o}
          multiplier: "1.1"
    """)
    rates = book.rates(call("gpt-4o", "azure", endpoint="acme.openai.azure.com", deployment="Prod-Chat-EU"), NOON)
    assert usd(rates) == Decimal("2.5") * Decimal("0.55")


def test_a_price_does_not_build_on_itself(write: Write) -> None:
    """Prices that name each other as their base end in the one below them, or nowhere; nothing goes round."""
    book = write("""
        - provider: openai
          match: {model: gpt-4o}
          base: {provider: acme, model: b}
        - provider: acme
          match: {model: b}
          base: {provider: openai, model: gpt-4o}
          multiplier: "2"
        - provider: acme
          match: {model: lost}
          base: {provider: acme, model: lost}
          rates: {output_tokens: {usd: "9", per: 1}}
    """)
    assert usd(book.rates(call("gpt-4o"), NOON)) == 5
    # Half a price is none: without its base, the input tokens would be free.
    assert book.rates(call("lost", "acme"), NOON).price_id is None


def test_a_base_is_asked_for_its_model_and_not_for_the_callers_deployment(write: Write) -> None:
    """Under a base of another model or provider, the deployment and the host of the call mean nothing."""
    book = write("""
        - provider: azure
          match: {endpoint: acme.openai.azure.com, deployment: prod}
          base: {provider: azure, model: gpt-4o}
        - provider: azure
          match: {deployment: prod}
          rates: {input_tokens: {usd: "999", per: 1000000}}
        - provider: azure
          match: {endpoint: acme.openai.azure.com, deployment: test}
          base: {provider: openai}
        - provider: openai
          match: {endpoint: acme.openai.azure.com}
          rates: {input_tokens: {usd: "999", per: 1000000}}
        - provider: openai
          match: {deployment: test}
          rates: {input_tokens: {usd: "999", per: 1000000}}
    """)
    for deployment in ("prod", "test"):
        asked = call("gpt-4o", "azure", endpoint="acme.openai.azure.com", deployment=deployment)
        assert usd(book.rates(asked, NOON)) == Decimal("2.5")


@pytest.mark.long
def test_an_unknown_name_in_many_wide_prices_is_looked_up_once_in_each(write: Write) -> None:
    """Prices that match everything, each on the next one, take time by their number and not by its factorial."""
    wide = """
        - provider: acme
          match: {regex: "%d|."}
          base: {provider: acme}
          multiplier: "1.01"
    """
    book = write("".join(wide % number for number in range(300)))
    assert book.rates(call("nothing", "acme"), NOON).price_id is None


def test_the_narrowest_match_wins(write: Write) -> None:
    """A deployment is narrower than an endpoint, a name than its beginning, a longer beginning than a shorter."""
    book = write("""
        - {provider: acme, rates: {images: {usd: "1", per: 1}}}
        - {provider: acme, match: {regex: "^chat"}, rates: {images: {usd: "2", per: 1}}}
        - {provider: acme, match: {starts_with: [c, chat]}, rates: {images: {usd: "3", per: 1}}}
        - {provider: acme, match: {starts_with: chat-, ends_with: -pro}, rates: {images: {usd: "4", per: 1}}}
        - {provider: acme, match: {model: chat-x-pro}, rates: {images: {usd: "5", per: 1}}}
        - {provider: acme, match: {endpoint: "*.acme.com"}, rates: {images: {usd: "6", per: 1}}}
        - {provider: acme, match: {endpoint: eu.acme.com}, rates: {images: {usd: "7", per: 1}}}
        - {provider: acme, match: {deployment: prod}, rates: {images: {usd: "8", per: 1}}}
    """)

    def price_of(model: str, **rest: str) -> Decimal:
        return book.rates(call(model, "acme", **rest), NOON).bands[0][1]["images"].usd

    assert price_of("other") == 1
    assert price_of("my-chat") == 1
    assert price_of("chat") == 3
    assert price_of("chat-y-pro") == 4
    assert price_of("CHAT-X-PRO") == 5
    assert price_of("chat-x-pro", endpoint="us.acme.com") == 6
    assert price_of("chat-x-pro", endpoint="https://EU.acme.com:443/v1") == 7
    assert price_of("chat-x-pro", endpoint="eu.acme.com", deployment="prod") == 8
    assert price_of("prod", endpoint="eu.acme.com") == 8
    assert price_of("other", endpoint="acme.com") == 1


def test_a_region_is_read_from_the_host(write: Write) -> None:
    """A price may be for a region, which a provider's host names."""
    book = write("""
        - provider: openai
          match: {model: gpt-4o, region: [eu, us]}
          base: {provider: openai}
          multiplier: "3"
    """)
    assert usd(book.rates(call("gpt-4o", endpoint="eu.api.openai.com"), NOON)) == Decimal("7.5")
    assert usd(book.rates(call("gpt-4o", endpoint="api.openai.com"), NOON)) == Decimal("2.5")


@pytest.mark.parametrize(
    ("endpoint", "name", "place"),
    [
        ("api.openai.com", "api.openai.com", None),
        ("https://eu.api.openai.com/v1", "eu.api.openai.com", "eu"),
        ("WestEurope.TTS.speech.microsoft.com:443", "westeurope.tts.speech.microsoft.com", "westeurope"),
        ("eastus.api.cognitive.microsoft.com", "eastus.api.cognitive.microsoft.com", "eastus"),
        ("bedrock-runtime.eu-central-1.amazonaws.com", "bedrock-runtime.eu-central-1.amazonaws.com", "eu-central-1"),
        ("us-central1-aiplatform.googleapis.com", "us-central1-aiplatform.googleapis.com", "us-central1"),
        ("wss://user:key@acme.openai.azure.com/openai?x=1", "acme.openai.azure.com", None),
        ("eu.api.openai.com.evil.org", "eu.api.openai.com.evil.org", None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_hosts_and_their_regions(endpoint: str | None, name: str | None, place: str | None) -> None:
    """An endpoint is a host, with a port, or a URL; keys in it are not part of its name."""
    assert host(endpoint) == name
    assert region(host(endpoint)) == place


DATED = """
    - provider: acme
      match: {model: chat}
      from: 2026-11-22T10:00:00Z
      to: 2026-11-22T12:30:15+01:00
      rates: {input_tokens: {usd: "1", per: 1}}
    - provider: acme
      match: {model: chat}
      from: 2026-11-22T11:30:15Z
      rates: {input_tokens: {usd: "2", per: 1}}
"""


def test_a_price_holds_from_its_first_moment_until_before_its_last(write: Write) -> None:
    """The price changes in the middle of a day, to the second, in whatever zone the times are written."""
    book = write(DATED)
    change = datetime(2026, 11, 22, 11, 30, 15, tzinfo=UTC)
    start = datetime(2026, 11, 22, 10, tzinfo=UTC)
    tick = timedelta(microseconds=1)

    def price_at(at: datetime) -> Decimal | None:
        rates = book.rates(call("chat", "acme"), at)
        assert rates.start <= at < rates.end
        return rates.bands[0][1]["input_tokens"].usd if rates.price_id else None

    assert [price_at(at) for at in (start - tick, start, change - tick, change)] == [None, 1, 1, 2]
    # And again, now that each of them is kept.
    assert [price_at(at) for at in (change, change - tick, start, start - tick)] == [2, 1, 1, None]


def test_rates_are_found_once(write: Write) -> None:
    """A second call of the same kind takes what the first one found, until the price changes."""
    book = write(DATED)
    first = book.rates(call("chat", "acme"), NOON)
    assert book.rates(call("chat", "acme"), NOON + timedelta(days=900)) is first
    assert book.rates(call("chat", "acme"), NOON - timedelta(hours=1)) is not first


def test_what_is_kept_is_bounded() -> None:
    """A model's name may come from the application's own users: memory does not grow with their inventions."""
    book = PriceBook(builtin_files(), version="x")
    for number in range(price_book._MAX_CALLS + 10):
        book.rates(call(f"no-such-model-{number}", "nobody"), NOON)
    book.rates(call("x" * 100_000), NOON)
    for hours in range(100):
        book.rates(call("deepseek-chat", "deepseek"), NOON + timedelta(hours=hours))
    assert len(book._kept) <= price_book._MAX_CALLS
    assert max(len(times) for times in book._kept.values()) <= price_book._MAX_TIMES
    assert max(len(part or "") for kept in book._kept for part in kept) < 1_000


def test_prices_by_the_hour_of_the_day() -> None:
    """DeepSeek was cheaper at night, every day, and the change is not missed because the rates of noon are kept."""
    noon = datetime(2025, 6, 1, 12, tzinfo=UTC)
    dear = builtin().rates(call("deepseek-chat", "deepseek"), noon)
    assert (dear.start.time().isoformat(), dear.end.time().isoformat()) == ("00:30:00", "16:30:00")
    night = builtin().rates(call("deepseek-chat", "deepseek"), dear.end)
    assert usd(night) == Decimal("0.135")
    assert usd(dear) == Decimal("0.27")
    assert night.end - night.start == timedelta(hours=8)


def test_a_tier_has_its_own_price_or_is_said_to_have_none(write: Write) -> None:
    """A tier that no price names is priced as the standard one, with a reason; so is a way of processing."""
    book = write("""
        - provider: acme
          match: {model: chat}
          rates: {input_tokens: {usd: "2", per: 1}}
        - provider: acme
          match: {model: chat}
          when: {service_tier: Flex}
          rates: {input_tokens: {usd: "1", per: 1}}
        - provider: acme
          when: {processing: batch}
          base: {provider: acme, processing: sync}
          multiplier: "0.5"
    """)

    def price_of(**rest: str) -> tuple[object, str | None]:
        rates = book.rates(call("chat", "acme", **rest), NOON)
        rate = rates.bands[0][1]["input_tokens"]
        return rate.usd * rate.multiplier, rates.reason

    assert price_of() == (2, None)
    for tier in ("default", "standard", "auto", "on_demand", "Default"):
        assert price_of(tier=tier) == (2, None)
    assert price_of(tier="flex") == (1, None)
    assert price_of(tier="priority") == (2, "tier_not_priced")
    assert price_of(processing="sync") == (2, None)
    assert price_of(processing="batch") == (1, None)
    assert price_of(tier="batch") == (1, None)
    assert price_of(tier="flex", processing="batch") == (1, None)
    assert price_of(processing="overnight") == (2, "processing_not_priced")


def test_own_rates_on_a_base_are_no_prices_of_another_tier(write: Write) -> None:
    """A token's price that was written for the standard tier is an estimate in another; a search's is the same."""
    book = write("""
        - provider: openai
          match: {model: o3}
          base: {provider: openai}
          rates: {input_tokens: {usd: "2", per: 1000000}}
        - provider: openai
          match: {model: o3-2025-04-16}
          base: {provider: openai}
          rates: {web_searches: {usd: "9", per: 1000}}
    """)
    assert book.rates(call("o3", tier="flex"), NOON).reason == "tier_not_priced"
    assert book.rates(call("o3-2025-04-16", tier="flex"), NOON).reason is None


@pytest.mark.parametrize(("multiplies", "fee"), [("", 2), ("multiplies: tokens", 1)])
def test_a_multiplier_of_tokens_leaves_fees(multiplies: str, fee: int, write: Write) -> None:
    """What is cheaper by the token may cost the same by the search."""
    book = write(f"""
        - provider: openai
          match: {{model: gpt-4o}}
          base: {{provider: openai}}
          multiplier: "2"
          {multiplies}
    """)
    units = book.rates(call("gpt-4o"), NOON).bands[0][1]
    assert units["input_tokens"].multiplier == 2
    assert units["web_searches"].multiplier == units["containers_4g"].multiplier == fee


def test_a_longer_context_has_its_own_rates(write: Write) -> None:
    """Bands of a file and of its base are put together; the threshold itself belongs to the band below."""
    book = write("""
        - provider: openai
          match: {model: gpt-6-sol}
          base: {provider: openai}
        - provider: openai
          match: {model: gpt-6-sol}
          when: {input_tokens_above: 500000}
          base: {provider: openai}
          multiplier: "3"
    """)
    rates = book.rates(call("gpt-6-sol"), NOON)
    assert [above for above, _ in rates.bands] == [-1, 272_000, 500_000]
    assert [usd(rates, band=band) for band in range(3)] == [2, 4, 12]


@pytest.mark.parametrize("provider", ["azure", "azure.ai.openai", "Azure.AI.OpenAI"])
def test_azure_by_either_name(provider: str) -> None:
    """Azure's models have OpenAI's prices, and its own for tools, by its name in the conventions as well."""
    rates = builtin().rates(call("gpt-4o", provider), NOON)
    assert usd(rates) == Decimal("2.5")
    assert rates.bands[0][1]["web_searches"].usd == 14
    assert usd(builtin().rates(call("phi-4", provider), NOON)) == Decimal("0.125")


@pytest.mark.parametrize("provider", ["my-openai-proxy", "openai-compatible", "llm.acme.com", ""])
def test_a_provider_is_known_by_its_whole_name(provider: str) -> None:
    """A gateway with `openai` in its name has no prices until somebody says which."""
    assert builtin().rates(call("gpt-4o", provider), NOON).price_id is None


def test_a_deployments_name_has_no_price() -> None:
    """Whatever a deployment is called, its model is not guessed."""
    assert builtin().rates(call("my-prod-deployment", "azure", endpoint="acme.openai.azure.com"), NOON).price_id is None


def test_residency_costs_more_for_newer_models() -> None:
    """OpenAI's regional hosts add 10 % to the tokens of models since March 2026, and nothing to older ones or tools."""
    regional = builtin().rates(call("gpt-5.4", endpoint="eu.api.openai.com"), NOON)
    assert usd(regional) == Decimal("2.75")
    assert usd(regional, band=1) == Decimal("5.5")
    assert regional.bands[0][1]["web_searches"].multiplier == 1
    assert usd(builtin().rates(call("gpt-4o", endpoint="eu.api.openai.com"), NOON)) == Decimal("2.5")


def test_a_size_without_a_price_is_that_of_the_plain_model() -> None:
    """`dall-e-3/hd/9x9` is priced as `dall-e-3`, and said to be an estimate; a model with a slash is left alone."""
    assert builtin().rates(call("dall-e-3/hd/1024x1024"), NOON).sized
    plain = builtin().rates(call("dall-e-3/hd/9x9"), NOON)
    assert not plain.sized
    assert plain.price_id == builtin().rates(call("dall-e-3"), NOON).price_id
    assert builtin().rates(call("openai/gpt-4o", "openrouter"), NOON).sized
    assert builtin().rates(call("openai/gpt-nonsense", "openrouter"), NOON).price_id is None


def test_a_book_without_files_has_the_base() -> None:
    """genai-prices alone prices what it knows."""
    book = PriceBook((), version="base")
    assert usd(book.rates(call("gpt-4o"), NOON)) == Decimal("2.5")
    assert book.rates(call("dall-e-3"), NOON).price_id is None


def test_the_table_lists_what_is_in_force(write: Write) -> None:
    """Every price of the files and of the base is there to be read, the ones that win first."""
    book = write(DATED)
    own, later = rows(book, "acme")
    assert (own.provider, own.model, own.unit, own.usd, own.per) == ("acme", "chat", "input_tokens", Decimal(1), 1)
    assert (own.start, own.end) == (datetime(2026, 11, 22, 10, tzinfo=UTC), later.start)
    assert later.end is None
    units = {row.unit: row for row in rows(book, "openai", "gpt-4o-transcribe")}
    assert units["input_audio_tokens"].price_id == "genai-prices:openai/gpt-4o-transcribe"
    assert units["audio_seconds"].condition == "as openai/gpt-4o-transcribe"
    assert len(list(rows(book))) > 5_000
    assert {row.condition for row in rows(book, "openai", "gpt-6-sol")} >= {"", "input_tokens above 272000"}


def test_a_name_that_is_not_known_has_neighbours(write: Write) -> None:
    """Who misspells a model is told which ones there are."""
    assert "gpt-4o" in nearest(builtin(), "openai", "gpt4o")
    assert nearest(write(DATED), "acme", "caht") == ["chat"]
    assert nearest(builtin(), "nobody", "gpt-4o") == []


def test_rates_hold_for_ever_without_dates() -> None:
    """An undated price has no boundaries, so it is looked up once."""
    rates = builtin().rates(call("dall-e-3"), NOON)
    assert (rates.start, rates.end) == (EARLIEST, LATEST)
    assert replace(rates).plans is rates.plans
