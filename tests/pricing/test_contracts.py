"""Contracts of a price file: what they make of a price, and how a mistake in them is told."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs import pricing
from otel_costs.pricing import Cost, PriceBook, PriceFileError, price_check, price_file, price_update
from otel_costs.pricing.contract_terms import Discount, Reservation, Tier
from otel_costs.pricing.price_entry import Match
from otel_costs.pricing.settlement import reserved_hour, volume_discount
from otel_costs.pricing.updates import PriceUpdateError

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
HEAD = """version: t
currency: USD
prices:
  - {provider: openai, match: {model: house}, rates: {input_tokens: {usd: "10", per: 1000000},
     output_tokens: {usd: "40", per: 1000000}, web_searches: {usd: "10", per: 1000}}}
  - {provider: azure, match: {model: house}, rates: {input_tokens: {usd: "10", per: 1000000}}}
"""
RATES = """exchange_rates:
  - {currency: EUR, from: 2026-11-01, usd: "1.08"}
  - {currency: EUR, from: 2026-11-16, usd: "1.25"}
"""


def book(text: str) -> PriceBook:
    """Return the prices of a file with `text`, and no others."""
    return PriceBook((price_file.parse(HEAD + text, "t.yaml"),), version="t")


def cost(text: str, usage: dict[str, Any] | None = None, model: str = "house", **given: Any) -> Cost:
    usage = usage or {"input_tokens": 1_000_000}
    asked: dict[str, Any] = {"provider": "openai", "at": AT, **given}
    return pricing.price(usage, model=model, prices=book(text), **asked)


def contract(terms: str, *, head: str = "id: acme, provider: openai") -> str:
    return f"contracts:\n  - {{{head}, {terms}}}\n"


def told(found: Cost) -> tuple[Any, ...]:
    """Return what a cost says: total, list, amount, currency, status."""
    assert found.contract is not None
    return found.total, found.list_usd, found.contract.amount, found.contract.currency, found.status


def test_a_discount() -> None:
    """Ten percent off ten dollars; the line explains itself."""
    found = cost(contract('discounts: [{percent: "10"}]'))
    assert told(found) == (Decimal(9), Decimal(10), Decimal(9), "USD", "priced")
    (line,) = found.lines
    assert (line.rate, line.multiplier, line.amount) == (Decimal(10), Decimal("0.9"), Decimal(9))


def test_without_a_contract_nothing_changes() -> None:
    """For another provider's calls, before it begins, and when it has ended."""
    terms = 'from: 2026-11-01, to: 2026-11-11, discounts: [{percent: "10"}]'
    for given_ in (
        {"provider": "azure"},
        {"at": datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)},
        {"at": datetime(2026, 11, 11, tzinfo=UTC)},
    ):
        found = cost(contract(terms), **given_)
        assert (found.total, found.list_usd, found.contract) == (Decimal(10), Decimal(10), None)


def test_the_end_of_a_call_decides() -> None:
    """Its list price is that of its beginning; its contract, as its day in reports, that of its end."""
    begun, ended = datetime(2026, 10, 31, 23, 59, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    terms = contract('from: 2026-11-01, discounts: [{percent: "10"}]')
    assert cost(terms, at=begun).contract is None
    assert cost(terms, at=begun, ended=ended).total == Decimal(9)


def test_the_narrowest_counts() -> None:
    """Of contracts and of their discounts; the order in the file does not matter."""
    text = """contracts:
  - {id: all, provider: [openai, azure], discounts: [{percent: "10"}]}
  - {id: one, provider: openai, match: {model: house},
     discounts: [{percent: "20"}, {match: {starts_with: ho}, percent: "30"}, {match: {model: other}, percent: "90"}]}
"""
    found = cost(text)
    assert (found.total, found.contract and found.contract.id) == (Decimal(7), "one")
    assert cost(text, provider="azure").total == Decimal(9)


def test_rates_in_euros() -> None:
    """At the day's rate in dollars, exact in euros; what they do not name is the list's, converted; they are net."""
    text = RATES + contract(
        'currency: EUR, rates: [{match: {model: house}, rates: {input_tokens: {amount: "8", per: 1000000}}}],'
        ' discounts: [{percent: "50"}]'
    )
    found = cost(text, {"input_tokens": 1_000_000, "output_tokens": 27_000})
    # 8 euros are 8.64 dollars; 0.027 × 40 = 1.08, half of it is 0.54 dollars, which are 0.50 euros.
    assert told(found) == (Decimal("9.18"), Decimal("11.08"), Decimal("8.5"), "EUR", "priced")
    later = cost(text, {"input_tokens": 1_000_000, "output_tokens": 27_000}, at=datetime(2026, 11, 16, tzinfo=UTC))
    assert told(later) == (Decimal("10.54"), Decimal("11.08"), Decimal("8.432"), "EUR", "priced")


def test_before_the_first_rate_of_exchange() -> None:
    """What euros are is not known: the list price is an estimate, and there is no amount."""
    text = RATES + contract('currency: EUR, rates: [{rates: {input_tokens: {amount: "8", per: 1000000}}}]')
    found = cost(text, at=datetime(2026, 10, 31, tzinfo=UTC))
    assert told(found) == (Decimal(10), Decimal(10), None, "EUR", "estimated")
    assert found.reason == "exchange_rate_unknown"


def test_a_model_that_only_the_contract_prices() -> None:
    """Its price is the list price, too."""
    text = contract('rates: [{match: {model: nobody}, rates: {input_tokens: {amount: "3", per: 1000000}}}]')
    found = cost(text, model="nobody")
    assert told(found) == (Decimal(3), Decimal(3), Decimal(3), "USD", "priced")
    assert found.price_id == "contract:acme"
    assert cost(text, model="somebody").status == "unpriced"


FAMILIES = {"house-big": Decimal(10), "house-small": Decimal(1)}
NAMES = [*FAMILIES, *(f"{name}-2025-01-01" for name in FAMILIES), "house-big-latest", "nobody", "nobody-2025-01-01"]


def of_names(term: str, **given: Any) -> Cost:
    """Return what a million tokens cost where a contract has 7 dollars for the model `term`."""
    listed = "".join(
        f'  - {{provider: openai, match: {{starts_with: {name}}}, rates: {{input_tokens: {{usd: "{usd}",'
        " per: 1000000}}}\n"
        for name, usd in FAMILIES.items()
    )
    rate = f'rates: [{{match: {{model: {term}}}, rates: {{input_tokens: {{amount: "7", per: 1000000}}}}}}]'
    text = f"version: t\ncurrency: USD\nprices:\n{listed}{contract(rate)}"
    prices = PriceBook((price_file.parse(text, "t.yaml"),), version="t")
    return pricing.price({"input_tokens": 1_000_000}, provider="openai", at=AT, prices=prices, **given)


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(NAMES[:5]))
def test_a_contract_prices_what_the_list_prices(answered: str, asked: str, term: str) -> None:
    """Its rate for a model is never that of a call which another model answered, whatever was asked for."""
    found = of_names(term, model=answered, request_model=asked)
    assert found.contract is not None
    if found.total == 7:
        assert any(term.startswith(name) and found.list_usd == usd for name, usd in FAMILIES.items())
    else:
        assert found.total == found.list_usd


@pytest.mark.parametrize(
    ("answered", "asked", "term", "total", "status"),
    [
        ("house-small", "house-big", "house-big", 1, "priced"),
        ("house-small", "house-big", "house-small", 7, "priced"),
        ("house-big-2025-01-01", "house-big", "house-big", 7, "priced"),
        ("nobody", "house-big", "house-big", 7, "estimated"),  # as its list price: nobody knows what answered
        ("nobody", "house-big", "house-small", 10, "estimated"),
        (None, "house-big", "house-big", 7, "priced"),
    ],
)
def test_the_name_that_a_contract_goes_by(answered: str | None, asked: str, term: str, total: int, status: str) -> None:
    """The model that answered, and the one that was asked where the list goes by it."""
    found = of_names(term, model=answered, request_model=asked)
    assert (found.total, found.status) == (Decimal(total), status)


def test_the_name_that_answered_goes_first() -> None:
    """Of two rates for one model; where it was made, an agreement on that goes before both."""
    rates = (
        'rates: [{match: {model: house}, rates: {input_tokens: {amount: "2", per: 1000000}}},'
        ' {match: {starts_with: house-2025}, rates: {input_tokens: {amount: "3", per: 1000000}}},'
        ' {match: {endpoint: eu.example}, rates: {input_tokens: {amount: "4", per: 1000000}}}]'
    )
    for endpoint, total in ((None, 3), ("https://eu.example/v1", 4)):
        found = cost(contract(rates), model="house-2025-01-01", request_model="house", endpoint=endpoint)
        assert found.total == total


@pytest.mark.parametrize(
    ("terms", "reason", "total"),
    [
        ('discounts: [{tiers: [{above: "0", percent: "5"}, {above: "9", percent: "20"}]}]', "volume", "9.5"),
        ('discounts: [{tiers: [{above: "9", percent: "20"}]}]', "volume", "10"),
        ('from: 2026-11-01, reservations: [{id: r, amount_per_hour: "5"}]', "reservation", "10"),
    ],
)  # fmt: skip
def test_what_a_month_decides_is_an_estimate(terms: str, reason: str, total: str) -> None:
    """At the first tier, or without the reservation."""
    found = cost(contract(terms))
    assert (found.total, found.status, found.reason) == (Decimal(total), "estimated", f"{reason}_not_settled")


def test_a_graver_status_stays() -> None:
    """A partial cost is a lower bound by a contract, too, and the contract's own doubt is kept beside it."""
    found = cost(
        contract('discounts: [{tiers: [{above: "9", percent: "20"}]}]'), {"input_tokens": 1_000_000, "images": 1}
    )
    assert (found.status, found.reason) == ("partial", "unit_not_priced")
    assert found.contract is not None
    assert found.contract.reason == "volume_not_settled"


@pytest.mark.parametrize(
    ("deployment", "usd", "status"),
    [
        ("zone: data_zone_eu", "11", "priced"),
        ("zone: data_zone_us", "11", "priced"),
        ("zone: global", "10", "priced"),
        ("zone: regional", "10", "estimated"),
        ('zone: data_zone_eu, multiplier: "1.3"', "13", "priced"),
        ('zone: regional, multiplier: "1.3"', "13", "priced"),
    ],
)
def test_zones_of_a_deployment(deployment: str, usd: str, status: str) -> None:
    """The list price of a deployment is that of its zone, whatever the deployment is called, on its host alone."""
    text = (
        "version: t\ncurrency: USD\ndeployments:\n  - {provider: azure.ai.openai, deployment: Prod,"
        f" endpoint: acme.openai.azure.com, model: gpt-4o, {deployment}}}\n"
    )
    files = (price_file.parse(text, "t.yaml"), *pricing.builtin_prices.builtin_files())
    asked: dict[str, Any] = {"provider": "azure.ai.openai", "at": AT, "prices": PriceBook(files, version="t")}
    at_host = "https://acme.openai.azure.com/openai"
    usage = {"input_tokens": 4_000_000}  # at 2.50 a million
    for names in (
        {"model": "prod"},
        {"model": "gpt-4o-2024-08-06", "request_model": "PROD"},
        {"model": None, "deployment": "prod"},
    ):
        found = pricing.price(usage, endpoint=at_host, **names, **asked)
        assert (found.total, found.status) == (Decimal(usd), status), names
        assert found.reason == ("zone_not_priced" if status == "estimated" else None)
    assert pricing.price(usage, endpoint="https://other.example", model="prod", **asked).total is None


@pytest.mark.parametrize(
    ("model", "zone", "usd"),
    [
        ("gpt-6-sol", "data_zone_us", "2.2"),
        ("gpt-6-sol", "data_zone_eu", "2.4"),
        ("gpt-6-sol-2026-09-03", "data_zone_eu", "2.4"),
        ("gpt-5", "data_zone_eu", "1.375"),
        ("text-embedding-3-large", "data_zone_us", "0.13"),
        ("text-embedding-3-large", "data_zone_eu", "0.13"),
    ],
)
def test_one_factor_of_a_data_zone(model: str, zone: str, usd: str) -> None:
    """A narrower one takes the place of that for all models, and does not multiply it."""
    text = (
        "version: t\ncurrency: USD\ndeployments:\n"
        f"  - {{provider: azure, deployment: prod, model: {model}, zone: {zone}}}\n"
    )
    files = (price_file.parse(text, "t.yaml"), *pricing.builtin_prices.builtin_files())
    found = pricing.price(
        {"input_tokens": 100_000}, provider="azure", model="prod", at=AT, prices=PriceBook(files, version="t")
    )
    assert found.total == Decimal(usd) / 10


GOOD = contract('from: 2026-11-01, to: 2026-12-01, currency: EUR, discounts: [{percent: "1"}]')


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        (contract('discounts: [{percent: 10}]'), "contracts[0].discounts[0].percent", "is not in quotes"),
        (contract('discounts: [{percent: "101"}]'), "contracts[0].discounts[0].percent", "the most is 100"),
        (contract('discounts: [{percents: "10"}]'), "contracts[0].discounts[0].percents", "did you mean percent?"),
        (contract('discounts: [{match: {model: a}}]'), "contracts[0].discounts[0].percent", "one of both"),
        (contract('discounts: [{percent: "1", measure: {requests: "1"}}]'), "contracts[0].discounts[0].measure",
         "tiers"),
        (contract('discounts: [{tiers: [{above: "5", percent: "1"}, {above: "5", percent: "2"}]}]'),
         "contracts[0].discounts[0].tiers", "ever higher"),
        (contract('discounts: [{percent: "1"}, {percent: "2"}]'), "contracts[0].discounts[1].from", "at the same time"),
        (contract('discounts: [{percent: "1", from: 2026-11-02, to: 2026-11-01}]'),
         "contracts[0].discounts[0].to", "is not after from"),
        (contract('to: 2026-12-01, discounts: [{percent: "1", to: 2026-12-02}]'),
         "contracts[0].discounts[0].to", "after the contract ends"),
        (contract('source: x'), "contracts[0].id", "it says nothing"),
        (contract('currency: EUR'), "contracts[0].currency", "no rate"),
        (contract('currency: Euro'), "contracts[0].currency", "ISO 4217"),
        (contract('rates: [{rates: {input_token: {amount: "1", per: 1}}}]'),
         "contracts[0].rates[0].rates.input_token", "did you mean input_tokens?"),
        (contract('reservations: [{id: r, amount_per_hour: "1"}]'), "contracts[0].reservations[0].from", "beginning"),
        (contract('from: "2026-11-01T00:30:00Z", reservations: [{id: r, amount_per_hour: "1"}]'),
         "contracts[0].reservations[0].from", "full hour"),
        (contract('from: 2026-11-01, reservations: [{id: r, amount_per_hour: "1", measure: {input_tokens: "0"}}]'),
         "contracts[0].reservations[0].measure", "counts nothing"),
        (contract('from: 2026-11-01, commitments: [{id: c, amount: "1"}]'), "contracts[0].commitments[0].to",
         "missing"),
        (contract('discounts: [{percent: "1"}]', head='id: "a b", provider: openai'), "contracts[0].id", "letters"),
        (contract('discounts: [{percent: "1"}]', head="id: a"), "contracts[0].provider", "missing"),
        (GOOD + GOOD.removeprefix("contracts:\n") + RATES, "contracts[1].id", "is that of line"),
        (GOOD + GOOD.removeprefix("contracts:\n").replace("acme", "b") + RATES, "contracts[1].from",
         "for the same calls"),
        ('exchange_rates: [{currency: EUR, from: 2026-11-01, usd: "0"}]\n', "exchange_rates[0].usd", "zero"),
        ('exchange_rates: [{currency: USD, from: 2026-11-01, usd: "1"}]\n', "exchange_rates[0].currency", "other than"),
        ("deployments: [{provider: azure, deployment: a}]\n", "deployments[0].deployment", "says nothing"),
        ('exchange_rates: [{currency: EUR, from: 2026-11-01, usd: "1"}, {currency: EUR, from: 2026-11-01, usd: "2"}]\n',
         "exchange_rates[1].from", "has a rate of EUR"),
        (contract('from: 2026-11-01, to: 2026-12-01, commitments: [{id: c, amount: "1"}, {id: c, amount: "2"}]'),
         "contracts[0].commitments[1].id", "is that of line"),
        (("deployments: [{provider: azure, deployment: a, zone: global},"
         " {provider: azure, deployment: A, zone: global}]\n"), "deployments[1].deployment", "is the one of line"),
        (contract('from: "0001-01-01T00:00:00+14:00", discounts: [{percent: "1"}]'), "contracts[0].from",
         "no time in UTC"),
        (contract('to: "9999-12-31T23:00:00-14:00", discounts: [{percent: "1"}]'), "contracts[0].to", "no time in UTC"),
        (contract('discounts: [{match: {model: [a, b]}, percent: "1"}, {match: {model: [c, b]}, percent: "2"}]'),
         "contracts[0].discounts[1].from", "at the same time"),
        (contract('discounts: [{match: {starts_with: [a, b]}, percent: "1"}, {match: {starts_with: b}, percent: "2"}]'),
         "contracts[0].discounts[1].from", "at the same time"),
        (contract('match: {model: [a, b]}, discounts: [{percent: "1"}]')
         + contract('match: {model: [b, c]}, discounts: [{percent: "1"}]', head="id: b, provider: openai")
         .removeprefix("contracts:\n"), "contracts[1].from", "for the same calls"),
        ("deployments: [{provider: azure, deployment: a, zone: mars}]\n", "deployments[0].zone", "they are global"),
        ("deployments: [{provider: azure, deployment: a, endpoint: 'https://x/y', zone: global}]\n",
         "deployments[0].endpoint", "must be a host"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(text: str, field: str, problem: str) -> None:
    """With its field and its line, when the file is read."""
    with pytest.raises(PriceFileError) as error:
        price_file.parse(HEAD + text, "t.yaml")
    assert error.value.field == field
    assert problem in str(error.value)
    assert error.value.line


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{model: [a, b]}", "{model: c}"),
        ("{model: a}", "{starts_with: a}"),
        ("{starts_with: a}", "{starts_with: ab}"),
        ("{model: a, zone: data_zone_eu}", "{model: a, zone: data_zone_us}"),
        ("{model: a, region: x}", "{model: a}"),
        ("{deployment: a}", "{deployment: b}"),
    ],
)
def test_what_is_for_other_calls_stands_beside(one: str, other: str) -> None:
    """Or is for the same, and one of both more narrowly."""
    terms = f'discounts: [{{match: {one}, percent: "1"}}, {{match: {other}, percent: "2"}}]'
    assert price_file.parse(HEAD + contract(terms), "t.yaml").terms


def test_a_file_that_cannot_be_used_never_stops_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with it, the list prices hold."""
    file = tmp_path / "c.yaml"
    file.write_text(HEAD + contract('from: "0001-01-01T00:00:00+14:00", discounts: [{percent: "1"}]'))
    monkeypatch.setenv("OTEL_COSTS_PRICES", str(file))
    pricing.use(None)
    try:
        found = pricing.price({"input_tokens": 1_000_000}, provider="openai", model="gpt-4o")
        assert (found.total, found.status) == (Decimal("2.5"), "priced")
    finally:
        pricing.use(None)


def test_a_file_of_contracts_alone(tmp_path: Path) -> None:
    """Needs no prices; one of rates of exchange alone has none to be for."""
    file = tmp_path / "c.yaml"
    file.write_text("version: t\ncurrency: USD\n" + contract('discounts: [{percent: "10"}]'))
    found = pricing.price(
        {"input_tokens": 1_000_000}, provider="openai", model="gpt-4o", prices=pricing.load(str(file))
    )
    assert found.list_usd is not None
    assert found.total == found.list_usd * Decimal("0.9")
    with pytest.raises(PriceFileError, match="prices: is missing"):
        price_file.parse("version: t\ncurrency: USD\n" + RATES, "t.yaml")


def test_an_update_takes_no_contracts(tmp_path: Path) -> None:
    """It would store the prices and forget the rest: it says where the file belongs instead."""
    file = tmp_path / "c.yaml"
    file.write_text(HEAD + contract('discounts: [{percent: "10"}]'))
    with pytest.raises(PriceUpdateError, match="OTEL_COSTS_PRICES"):
        price_update.prepare(str(file))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (contract('discounts: [{percent: "1"}]'), None),
        (contract('discounts: [{percent: "1"}]', head="id: acme, provider: opena"), "did you mean openai"),
        (contract('discounts: [{match: {model: gpt4o}, percent: "1"}]'), "did you mean gpt-4o"),
        (contract('match: {endpoint: "https://a.b/c"}, discounts: [{percent: "1"}]'), "is no host"),
        (contract('to: 2026-11-01, discounts: [{percent: "1"}]'), "ended on 2026-11-01"),
        (RATES + contract("from: 2026-10-01, currency: EUR"), "the first rate of EUR is that of 2026-11-01"),
        (RATES + contract("currency: EUR"), None),
    ],
)
def test_what_check_says(text: str, said: str | None) -> None:
    """Of contracts that no call has, or that lack a rate of exchange."""
    text = "version: t\ncurrency: USD\n" + text
    below = PriceBook(pricing.builtin_prices.builtin_files(), version="t")
    found = price_check.findings(price_file.parse(text, "t.yaml"), below, now=datetime(2026, 12, 1, tzinfo=UTC))
    assert len(found) == (said is not None), found
    if said is not None:
        assert said in found[0].problem
        assert found[0].price == "contract acme"


TIERS = st.lists(
    st.tuples(st.decimals(0, 10_000, places=3), st.decimals(0, 100, places=2)), min_size=1, max_size=6,
    unique_by=lambda tier: tier[0],
).map(lambda found: tuple(Tier(*tier) for tier in sorted(found)))  # fmt: skip
VOLUMES = st.decimals(0, 20_000, places=12)


@given(TIERS, VOLUMES)
def test_tiers_by_dollars(tiers: tuple[Tier, ...], volume: Decimal) -> None:
    """Every dollar has the percentage of the tier that it is in: as when the tiers are gone through one by one."""
    discount = Discount(Match(), tiers=tiers)
    expected = Decimal(0)
    for number, tier in enumerate(tiers):
        above = tiers[number + 1].above if number + 1 < len(tiers) else volume
        expected += max(Decimal(0), min(above, volume) - tier.above) * tier.percent / 100
    found = volume_discount(discount, volume, volume)
    assert abs(found - expected) <= Decimal("1e-11")
    assert 0 <= found <= volume


@given(TIERS, VOLUMES)
def test_a_tier_for_all(tiers: tuple[Tier, ...], volume: Decimal) -> None:
    """The tier that is reached is for all of the month."""
    reached = [tier.percent for tier in tiers if volume > tier.above]
    found = volume_discount(Discount(Match(), tiers=tiers, on_all=True), volume, volume)
    assert abs(found - volume * (reached[-1] if reached else 0) / 100) <= Decimal("1e-11")


@given(st.decimals(0, 1000, places=6), st.decimals("0.01", 10, places=6), st.decimals(0, 500, places=3))
def test_an_hour_is_used_or_not(per_hour: Decimal, usd: Decimal, used: Decimal) -> None:
    """Never more than it costs; all of it at its capacity, and where that is not known."""
    reservation = Reservation(Match(), per_hour=per_hour, capacity=Decimal(100))
    hour = reserved_hour(reservation, usd, used, calls=1)
    assert hour.used_usd is not None
    assert hour.amount_usd is not None
    assert 0 <= hour.used <= hour.amount == per_hour
    assert 0 <= hour.used_usd <= hour.amount_usd
    assert (used < 100 and per_hour > 0) or hour.used == hour.amount
    assert reserved_hour(reservation, usd, Decimal(0), calls=0).used == 0
    assert reserved_hour(Reservation(Match(), per_hour=per_hour), None, used, calls=1).used == per_hour


def test_the_file_of_the_docs() -> None:
    """docs/contracts.md has a file of which there is nothing to say."""
    page = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
    text = page.partition("```yaml\n")[2].partition("```")[0]
    below = PriceBook(pricing.builtin_prices.builtin_files(), version="t")
    file = price_file.parse(text, "contracts.yaml")
    assert file.terms is not None
    assert len(file.terms.contracts) == 3
    assert price_check.findings(file, below, now=datetime(2026, 12, 1, tzinfo=UTC)) == []
