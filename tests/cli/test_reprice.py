"""The command reprice, over a real store."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_costs import pricing

from .support import Ledger, at, run

PRICES = """
version: acme-1
currency: USD
prices:
  - provider: openai
    match: {model: house-model}
    rates:
      input_tokens: {usd: "3", per: 1000000}
    source: https://example.com/prices
    checked: 2026-11-22
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[str]:
    """Return a price file for a model that no list of ours has; the prices in force are given back."""
    path = tmp_path / "prices.yaml"
    path.write_text(PRICES)
    yield str(path)
    pricing.use(None)


def test_reprice(store: str, file: str) -> None:
    """A dry run says what would change, the command changes it, and the second time there is nothing to do."""
    for minute in range(2):
        Ledger(store).call(
            "house",
            at(f"11:0{minute}:00"),
            gen_ai__response__model="house-model",
            gen_ai__usage__input_tokens=1500,
            otel_costs__cost__status="unpriced",
            otel_costs__cost__reason="unknown_model",
            gen_ai__usage__cost__source="None",
        )
    options = ("--prices", file, "--model", "house-model")
    dry = run("reprice", *options, "--dry-run", "--format", "json", url=store)
    change = {
        "provider": "openai",
        "model": "house-model",
        "calls": 2,
        "before_usd": "0",
        "after_usd": "0.009000",
        "unpriced_before": 2,
        "unpriced_after": 0,
        "computed_only": 0,
    }
    found = json.loads(dry.stdout)
    assert found.pop("price_book").startswith("acme-1")
    assert found == {"checked": 2, "changed": 2, "dry_run": True, "changes": [change]}
    said = run("reprice", *options, url=store)
    assert (said.exit_code, said.stderr) == (0, "")
    assert "2 calls looked at, 2 changed, from $0 to $0.009000" in said.stdout
    assert "2 → 0" in said.stdout
    again = run("reprice", *options, url=store)
    assert again.stdout == "2 calls looked at, 0 changed\n"
    assert json.loads(run("session", "house", "--format", "json", url=store).stdout)["cost_usd"] == "0.009000"


@pytest.mark.long
def test_reprice_as_csv(url: str) -> None:
    """A row per provider and model; what costs what it cost is not among them."""
    said = run("reprice", "--session", "parcel", "--format", "csv", url=url)
    assert said.exit_code == 0
    assert [row["model"] for row in csv.DictReader(io.StringIO(said.stdout))] == ["gpt-4o-2024-08-06"]
    assert (
        list(csv.DictReader(io.StringIO(run("reprice", "--session", "parcel", "--format", "csv", url=url).stdout)))
        == []
    )


def test_a_price_file_that_is_none(store: str, tmp_path: Path) -> None:
    """It is told before anything is looked at."""
    said = run("reprice", "--prices", str(tmp_path / "none.yaml"), url=store)
    assert (said.exit_code, said.stdout) == (2, "")
    assert "none.yaml" in said.stderr


@pytest.mark.long
def test_an_update_prices_what_had_no_price(store: str, file: str, tmp_path: Path) -> None:
    """Two commands: one that stores newer prices, and one for the calls that waited for them."""
    home = {"XDG_DATA_HOME": str(tmp_path / "home")}
    Ledger(store).call(
        "waiting",
        at("12:00:00"),
        gen_ai__response__model="house-model",
        gen_ai__usage__input_tokens=1_000_000,
        otel_costs__cost__status="unpriced",
        otel_costs__cost__reason="unknown_model",
        gen_ai__usage__cost__source="None",
    )
    options = ("--unpriced", "--session", "waiting", "--format", "json")
    assert json.loads(run("reprice", *options, url=store, environ=home).stdout)["changed"] == 0
    assert run("prices", "update", "--from", file, environ=home).exit_code == 0
    done = json.loads(run("reprice", *options, url=store, environ=home).stdout)
    assert (done["changed"], done["changes"][0]["after_usd"]) == (1, "3.000000")
    assert done["price_book"].startswith("acme-1+")


@pytest.mark.long
def test_a_month_is_settled(store: str, file: str, tmp_path: Path) -> None:
    """An hour that is over gets its sum, though its month may not be over; the second time there is nothing to do."""
    terms = "match: {model: kept-model}, from: 2026-01-01, reservations: [{id: r, amount_per_hour: '12'}]"
    contract = tmp_path / "contract.yaml"
    prices = PRICES.replace("house-model", "kept-model")
    contract.write_text(f"{prices}contracts: [{{id: acme, provider: openai, {terms}}}]\n")
    ended = at("03:10:00")
    Ledger(store).call(
        "reserved", ended, gen_ai__response__model="kept-model", gen_ai__usage__input_tokens=1_000_000,
        gen_ai__usage__cost__source="None",
    )  # fmt: skip
    options = ("--period", f"{ended:%Y-%m}", "--prices", str(contract))
    done = run("reprice", *options, url=store)
    assert (done.exit_code, done.stderr) == (0, "")
    session = json.loads(run("session", "reserved", "--format", "json", url=store).stdout)
    assert session["cost_usd"] == "12.000000"
    assert run("reprice", *options, url=store).stdout.endswith("looked at, 0 changed\n")
    found = json.loads(
        run("contracts", "--range", f"{ended:%Y-%m}", "--prices", str(contract), "--format", "json", url=store).stdout
    )
    (acme,) = found["contracts"]
    (hours,) = acme["reservations"]
    assert (acme["cost_usd"], acme["list_usd"], hours["used_amount"]) == ("12.000000", "3.000000", "12.000000")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--period", "2026-13"), "is no month: give one such as 2026-11"),
        (("--period", "november"), "is no month"),
        (("--period", "2026-1"), "is no month"),
        (("--period", "9999-12"), "is no month"),
        (("--period", "0001-01"), "is no month"),
        (("--period", "2262-01"), "is no month"),
        (("--period", "2026-11", "--user", "u1"), "all calls of a month"),
        (("--period", "2026-11", "--unpriced"), "all calls of a month"),
    ],
)
def test_what_is_no_month_to_settle(store: str, options: tuple[str, ...], said: str) -> None:
    """A part of a month cannot be settled."""
    result = run("reprice", *options, url=store)
    assert result.exit_code == 2
    assert said in result.stderr
