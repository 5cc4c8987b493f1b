"""Which price a call has: a book before a name, and what `price` says of a name is what a call of it costs."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from textwrap import dedent, indent
from time import time_ns
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs import pricing
from otel_costs import semconv as names
from otel_costs.calls.bill import Bill
from otel_costs.pricing import Cost
from otel_costs.pricing.builtin_prices import builtin_base, builtin_files
from otel_costs.pricing.model_names import is_form, spellings, undated
from otel_costs.pricing.price_book import PriceBook, builtin, with_file
from otel_costs.pricing.price_file import parse
from otel_costs.usage import Usage
from tests.support.recorded import Recorded
from tests.support.selection import examples

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
USAGE = {
    "input_tokens": 1_000_000, "output_tokens": 100_000, "cache_read_tokens": 300_000, "input_characters": 5_000,
    "audio_seconds": 90, "images": 2, "web_searches": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def built_in() -> Iterator[None]:
    """Leave the built-in book in force behind every test."""
    yield
    pricing.use(None)


def book(prices: str) -> PriceBook:
    """Return a book of the user's prices over the built-in ones."""
    own = parse("version: mine\ncurrency: USD\nprices:\n" + indent(dedent(prices), "  "), "mine.yaml")
    return PriceBook((own, *builtin_files()), version="mine")


def usd(answered: str | None, asked: str | None, prices: PriceBook | None = None, provider: str = "openai") -> Decimal:
    """Return what a million input tokens cost, answered by one model and asked of another; -1 without a price."""
    cost = price(answered, asked, prices, provider)
    return Decimal(-1) if cost.total is None else cost.total


def price(answered: str | None, asked: str | None, prices: PriceBook | None = None, provider: str = "openai") -> Cost:
    usage = {"input_tokens": 1_000_000}
    return pricing.price(
        usage, provider=provider, model=answered, request_model=asked, at=NOON, prices=prices or builtin()
    )


OWN_4O = """
    - provider: openai
      match: {model: gpt-4o}
      rates: {input_tokens: {usd: "7", per: 1000000}}
"""


def test_a_book_goes_before_a_name() -> None:
    """The user's price for the name that was asked is over a built-in one for the name that answered."""
    mine = book(OWN_4O)
    assert usd("gpt-4o-2024-08-06", "gpt-4o", mine) == 7
    assert usd("gpt-4o-2024-05-13", "gpt-4o", mine) == 7
    assert usd("gpt-4o-2024-05-13", "gpt-4o") == 5


def test_within_a_book_the_answered_model_goes_before_the_asked_one() -> None:
    """A price for the very version that answered is narrower than one for its name."""
    versions = """
        - provider: openai
          match: {%s}
          rates: {input_tokens: {usd: "9", per: 1000000}}
    """
    for narrow in ("model: gpt-4o-2024-08-06", "starts_with: gpt-4o-2024", "ends_with: -08-06"):
        assert usd("gpt-4o-2024-08-06", "gpt-4o", book(OWN_4O + dedent(versions % narrow).replace("\n", "\n    "))) == 9


def test_a_wide_price_says_nothing_of_the_version_that_answered() -> None:
    """Where one entry is for both names, what is narrower for the asked one counts: as `price` says of it."""
    wide = (
        OWN_4O
        + """
    - provider: openai
      match: {starts_with: gpt-4}
      rates: {input_tokens: {usd: "9", per: 1000000}}
"""
    )
    assert usd("gpt-4o", None, book(wide)) == 7
    assert usd("gpt-4o-2024-08-06", "gpt-4o", book(wide)) == 7
    assert usd("gpt-4o-2024-08-06", None, book(wide)) == 9


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-4o", "gpt-4o-mini-2024-07-18"),
        ("gpt-4o", "gpt-4o-mini"),
        ("gpt-4o", "gpt-4.1"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-11-20"),
        ("gpt-4o-mini", "gpt-4o"),
    ],
)
def test_a_gateway_that_turns_to_another_model_is_not_priced_as_the_first(asked: str, answered: str) -> None:
    """The user's price for the asked model is none for a model that answered in its place."""
    mine = book(OWN_4O.replace("gpt-4o", asked))
    assert usd(answered, asked, mine) == usd(answered, None) != 7


def test_a_model_of_another_provider_is_not_priced_as_the_asked_one() -> None:
    """A proxy that is known as OpenAI and turns to Claude has no price: it is not that of what was asked."""
    for answered in ("claude-sonnet-4-5-20250929", "mistral-large-2411", "grok-4"):
        cost = price(answered, "gpt-4o")
        assert (cost.total, cost.status, cost.reason) == (None, "unpriced", "unknown_model")


def test_an_answer_that_nobody_knows_is_priced_as_what_was_asked_and_said_so() -> None:
    """A name that no book has may be a name of the asked model, or of another one."""
    cost = price("our-best-model", "gpt-4o")
    assert (cost.total, cost.status, cost.reason) == (Decimal("2.5"), "estimated", "answer_unknown")


def test_an_alias_is_the_model_that_it_stands_for() -> None:
    """Two names of one model in a book, or of one entry, are one model."""
    mine = book("""
        - provider: mistral
          match: {model: mistral-small-latest}
          rates: {input_tokens: {usd: "7", per: 1000000}}
        - provider: acme
          match: {model: [fast, turtle-2]}
          rates: {input_tokens: {usd: "1", per: 1000000}}
        - provider: acme
          match: {model: fast, endpoint: eu.acme.com}
          rates: {input_tokens: {usd: "2", per: 1000000}}
    """)
    assert usd("mistral-small-2503", "mistral-small-latest", mine, "mistral") == 7
    call = ("acme", "turtle-2", None, None, "eu.acme.com", None)
    assert mine.rates(call, NOON, request_model="fast").bands[0][1]["input_tokens"].usd == 2


@pytest.mark.parametrize("date", ["-2026-07-07", "-20260707", "@20260707", "-2026-07", "-07-2026", "-0707", "-07-07"])
def test_a_dated_name_that_no_book_knows_costs_as_the_plain_one(date: str) -> None:
    """`NAME-2026-07-07` takes the price of NAME, and says that it is an estimate."""
    for provider, name in (("openai", "gpt-realtime-2.1"), ("azure.ai.openai", "gpt-5.1-codex")):
        plain, dated = (price(model, None, provider=provider) for model in (name, name + date))
        assert (dated.total, dated.status, dated.reason) == (plain.total, "estimated", "dated_name")
        assert price(name + date, name, provider=provider).status == plain.status == "priced"


@pytest.mark.parametrize("name", ["gpt-4o-2026-13-07", "gpt-4o-2026-02-30", "gpt-4o-9999", "gpt-4o-v9", "2026-07-07"])
def test_what_is_no_date_is_no_dated_name(name: str) -> None:
    """A number at the end may be a size, or another model."""
    assert price(name, None).reason == "unknown_model"


@pytest.mark.parametrize(
    ("provider", "name", "plain"),
    [
        ("gcp.gemini", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gcp.gemini", " Models/Gemini-2.5-Pro ", "gemini-2.5-pro"),
        ("gcp.vertex_ai", "google/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("gcp.vertex_ai", "projects/p/locations/eu/publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("gcp.gemini", "gemini/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gcp.vertex_ai", "gemini-2.5-flash@default", "gemini-2.5-flash"),
        ("openai", "openai/gpt-4o", "gpt-4o"),
        ("openai", "GPT-4o\n", "gpt-4o"),
        ("azure.ai.openai", "azure/gpt-4o", "gpt-4o"),
        ("x_ai", "xai/grok-4", "grok-4"),
        ("aws.bedrock", "bedrock/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
        ("aws.bedrock", "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
    ],
)
def test_paths_and_prefixes_of_the_providers_own_are_no_part_of_a_name(provider: str, name: str, plain: str) -> None:
    """`models/NAME` is NAME, in the built-in prices and in the user's, and no estimate."""
    mine = book(f"""
        - provider: {provider}
          match: {{model: "{plain}"}}
          rates: {{input_tokens: {{usd: "7", per: 1000000}}}}
    """)
    assert usd(name, None, provider=provider) == usd(plain, None, provider=provider) > 0
    assert usd(name, None, mine, provider) == 7
    assert usd(plain, name, mine, provider) == 7
    assert price(name, None, provider=provider).status == "priced"


def test_the_makers_name_does_not_make_a_gateway_the_maker() -> None:
    """`openai/gpt-4o` of a provider that is not OpenAI has that provider's price, or none."""
    assert usd("openai/gpt-4o", None, provider="acme") == -1
    assert usd("openai/gpt-4o", None, provider="openrouter") == Decimal("2.5")


def test_a_date_with_hyphens_and_without_is_one_name() -> None:
    """A narrow price of ours is not missed because a gateway writes the date in another way."""
    dashed, compact = (price(f"gpt-4o-realtime-preview-{date}", None) for date in ("2024-10-01", "20241001"))
    assert dashed.price_id == compact.price_id
    assert "2024-10-01" in spellings("gpt-4o-20241001", "openai")[1]


def test_forms_of_a_name() -> None:
    """Dates, versions and makers make no other model; sizes and numbers do."""
    same = [
        ("gpt-4o", "gpt-4o-2024-08-06"), ("text-embedding-ada-002", "text-embedding-ada-002-v2"),
        ("mistral-large-latest", "mistral-large-2411"), ("openai/gpt-4o", "gpt-4o"), ("grok-4", "grok-4-0709"),
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5@20250929"), ("gemini-2.0-flash", "gemini-2.0-flash-001"),
    ]  # fmt: skip
    other = [
        ("gpt-4o", "gpt-4o-mini"), ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06"), ("gpt-4", "gpt-4.1"),
        ("o1", "o1-pro"), ("claude-sonnet-4", "claude-opus-4"), ("x-70b", "x-8b"),
    ]  # fmt: skip
    assert [pair for pair in same if not is_form(*pair)] == []
    assert [pair for pair in other if is_form(*pair) or is_form(*reversed(pair))] == []
    assert undated("gpt-4o") is None


def test_a_users_price_covers_what_the_built_in_one_covers() -> None:
    """Seconds that are not billed beside tokens are not billed beside them at the user's prices either."""
    mine = book("""
        - provider: openai
          match: {model: gpt-4o-mini-transcribe}
          rates:
            input_tokens: {usd: "1", per: 1000000}
            audio_seconds: {usd: "1", per: 60}
    """)
    cost = pricing.price(
        {"input_tokens": 1_000_000, "audio_seconds": 60}, provider="openai", model="gpt-4o-mini-transcribe", prices=mine
    )
    assert (cost.total, cost.status) == (Decimal(1), "priced")
    seconds = pricing.price({"audio_seconds": 60}, provider="openai", model="gpt-4o-mini-transcribe", prices=mine)
    assert (seconds.total, seconds.status) == (Decimal(1), "priced")


def test_seconds_stay_billed_where_the_user_prices_nothing_in_their_place() -> None:
    """A price per second alone is one: the tokens beside it are not what is paid."""
    mine = book("""
        - provider: openai
          match: {model: gpt-4o-mini-transcribe}
          rates: {audio_seconds: {usd: "1", per: 60}}
    """)
    cost = pricing.price(
        {"input_tokens": 9, "audio_seconds": 60}, provider="openai", model="gpt-4o-mini-transcribe", prices=mine
    )
    assert (cost.total, cost.unpriced_units) == (Decimal(1), ("input_tokens",))


def test_a_users_price_keeps_the_least_that_is_billed() -> None:
    """Ten seconds are billed of three, at the user's price too, unless that says otherwise."""
    entry = """
        - provider: groq
          match: {model: whisper-large-v3}
          %s
          rates: {audio_seconds: {usd: "1", per: 1%s}}
    """
    for base, minimum, expected in (("", "", 10), ("base: {provider: groq}", "", 10), ("", ", minimum: 0", 3)):
        mine = book(entry % (base, minimum))
        cost = pricing.price({"audio_seconds": 3}, provider="groq", model="whisper-large-v3", prices=mine)
        assert cost.total == expected


@cache
def table() -> tuple[tuple[str, str], ...]:
    """Return every (provider, name) that has a price by its name in any book."""
    named = [(known.provider, name) for known in builtin_base().models() for name in known.names()]
    for file in builtin_files():
        for entry in file.prices:
            if entry.match.region or entry.match.endpoint or entry.conditions() != (None, None):
                continue  # for some calls alone
            named += [(entry.provider, name) for name in entry.match.model]
    return tuple(dict.fromkeys(named))


def called(provider: str, asked: str, answered: str | None) -> Cost | None:
    """Return the cost of a call that is made, and answered, now."""
    return Bill(Usage.of(USAGE)).cost(provider, (answered, asked), time_ns())


def said(provider: str, name: str) -> Cost:
    """Return what `otel-costs price NAME` says."""
    return pricing.price(USAGE, provider=provider, model=name, prices=pricing.current())


@pytest.mark.long
def test_the_whole_table_is_what_calls_cost() -> None:
    """Of each name that has a price, `price` says what a call costs that asks for it, however it is answered.

    Each way to write a name is tried with every third of them.
    """
    pricing.use(builtin())
    assert len(table()) > 3_000
    for number, (provider, name) in enumerate(table()):
        expected = said(provider, name)
        assert expected.price_id is not None, (provider, name)
        written = (name.upper(), f" {name} ", f"models/{name}" if "/" not in name else name)
        for answered in (None, name, written[number % 3]):
            assert called(provider, name, answered) == expected, (provider, name, answered)


def test_a_recorded_call_costs_what_the_table_says(recorded: Recorded) -> None:
    """The records of real calls have the costs that `price` says, for a name of every provider."""
    pricing.use(builtin())
    from otel_costs import record

    chosen = dict(table())
    for provider, name in chosen.items():
        record("chat", provider=provider, model=name, usage=USAGE)
    written = recorded.records(names.CALL_EVENT)
    assert len(written) == len(chosen)
    for call, (provider, name) in zip(written, chosen.items(), strict=True):
        expected = said(provider, name)
        assert call.get(names.PRICE_ID) == expected.price_id, (provider, name)
        usd = call.get(names.COST_USD)
        assert (None if usd is None else Decimal(str(usd))) == expected.total, (provider, name)


_matches = st.sampled_from(["model", "starts_with", "ends_with"])


@st.composite
def user_prices(draw: st.DrawFn) -> tuple[PriceBook, str, str]:
    """Draw a user's file of some entries around a name of the table; return the book and the name."""
    provider, name = draw(st.sampled_from(table()))
    entries: dict[tuple[str, str], str] = {}
    for number in range(draw(st.integers(1, 4))):
        kind = draw(_matches)
        cut = len(name) if kind == "model" else draw(st.integers(1, len(name)))
        word = name[-cut:] if kind == "ends_with" else name[:cut]
        base = draw(st.booleans())
        entries[kind, word] = (
            f"- provider: {provider}\n  match: {{{kind}: {word!r}}}\n"
            + (f"  base: {{provider: {provider}}}\n" if base else "")
            + f'  rates: {{input_tokens: {{usd: "{number}.5", per: 1000000}}}}\n'
        )
    return book("".join(entries.values())), provider, name


@examples(150)
@given(drawn=user_prices(), date=st.sampled_from(["-2026-07-07", "-20260707"]))
def test_a_users_prices_are_what_calls_cost(drawn: tuple[PriceBook, str, str], date: str) -> None:
    """The same with any file of the user's; and a dated answer costs what the name costs that was asked."""
    mine, provider, name = drawn
    pricing.use(mine)
    expected = said(provider, name)
    assert called(provider, name, None) == called(provider, name, name) == expected
    # However the answer is dated, but for a book that knows this very date, or a price that is for it alone.
    dated = said(provider, name + date)
    assert called(provider, name + date, name + date) == dated
    if dated.reason == "dated_name":
        assert called(provider, name, name + date) == expected
        assert (dated.total, dated.price_id) == (expected.total, expected.price_id)


FEES = """
version: acme-1
currency: USD
prices:
  - provider: acme
    match: {model: [small]}
    rates:
      input_tokens: {usd: "1", per: 1000000}
      cache_read_tokens: {usd: "0.1", per: 1000000}
      output_tokens: {usd: "2", per: 1000000}
      web_searches: {usd: "10", per: 1000}
      preview_web_searches: {usd: "25", per: 1000}
      containers: {usd: "1", per: 10}
      containers_4g: {usd: "4", per: 10}
  - provider: acme
    match: {model: [small]}
    when: {processing: window_8h}
    inherited: false
    base: {provider: acme, processing: sync}
    multiplier: "0.5"
  - id: router
    provider: acme
    match: {model: router}
    on_top: true
    rates: {input_tokens: {usd: "0.5", per: 1000}}
  - provider: gateway
    base: {provider: acme}
    rates:
      input_tokens: {usd: "3", per: 1000000}
      web_searches: {usd: "14", per: 1000}
      containers: {usd: "0.033", per: 1}
"""


def by_fees(tmp_path: Path, provider: str, model: str, usage: dict[str, int], **more: Any) -> Cost:
    file = tmp_path / "fees.yaml"
    file.write_text(FEES)
    tokens = {"input_tokens": 1000, "output_tokens": 100}
    return pricing.price({**tokens, **usage}, provider=provider, model=model, prices=with_file(str(file)), **more)


@pytest.mark.parametrize(
    ("provider", "usage", "usd", "reason"),
    [
        ("acme", {"web_searches": 1, "preview_web_searches": 1}, "0.0262", None),
        ("gateway", {"web_searches": 1, "preview_web_searches": 1}, "0.0172", "part_not_priced"),
        ("gateway", {"containers": 1, "containers_4g": 1}, "0.0362", "part_not_priced"),
        ("gateway", {"containers": 1}, "0.0362", None),
        ("gateway", {"cache_read_tokens": 1000}, "0.0003", None),  # as documented: what is cached stays what it is
    ],
)
def test_a_fee_of_its_own_is_that_of_its_parts(
    tmp_path: Path, provider: str, usage: dict[str, int], usd: str, reason: str | None
) -> None:
    """Who has another price of a tool does not have the base's prices of its kinds and sizes."""
    found = by_fees(tmp_path, provider, "small", usage)
    assert (found.total, found.reason) == (Decimal(usd), reason)


def test_a_price_that_is_not_inherited(tmp_path: Path) -> None:
    """What a provider takes less for, others that build on its prices may not know."""
    own = by_fees(tmp_path, "acme", "small", {}, processing="window_8h")
    assert (own.total, own.status) == (Decimal("0.0006"), "priced")
    other = by_fees(tmp_path, "gateway", "small", {}, processing="window_8h")
    assert (other.total, other.reason) == (Decimal("0.0032"), "processing_not_priced")


@pytest.mark.parametrize("called", [{"request_model": "router"}, {"deployment": "router"}])
def test_a_fee_on_top(tmp_path: Path, called: dict[str, str]) -> None:
    """A router's fee is on top of the price of the model that it chose, of cached tokens too, exactly."""
    found = by_fees(tmp_path, "acme", "small", {"cache_read_tokens": 400}, **called)
    assert (found.total, found.status) == (Decimal("0.50084"), "priced")
    assert found.price_id == "fees:acme/router+fees:acme/small"


@pytest.mark.parametrize("model", ["router", "unheard-of"])
def test_a_fee_alone_is_a_part_of_the_cost(tmp_path: Path, model: str) -> None:
    """Nobody says which model answered: what it costs is not in the cost."""
    found = by_fees(tmp_path, "acme", model, {}, request_model="router")
    assert (found.total, found.status, found.reason) == (Decimal("0.5"), "partial", "unit_not_priced")


def test_azure_has_prices_of_its_own() -> None:
    """No windows of its own are known, no kinds of searches, and the router's fee is for what is entered."""
    tokens = {"input_tokens": 1000, "output_tokens": 100}
    window = pricing.price(tokens, provider="azure.ai.openai", model="gpt-5", processing="window_8h")
    assert (window.total, window.status) == (Decimal("0.00225"), "estimated")
    search = pricing.price(
        {**tokens, "web_searches": 1, "preview_web_searches": 1}, provider="azure.ai.openai", model="gpt-5"
    )  # fmt: skip
    assert (search.total, search.status) == (Decimal("0.01625"), "estimated")
    routed = pricing.price(tokens, provider="azure.ai.openai", model="gpt-5-mini-2025-08-07", deployment="model-router")
    assert (routed.total, routed.status) == (Decimal("0.00059"), "priced")
    assert pricing.price(tokens, provider="azure.ai.openai", model="model-router").status == "partial"
