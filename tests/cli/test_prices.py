"""The commands about prices: they need no store."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from .support import run

PRICES = """
version: 2026-11-22.1
currency: USD
prices:
  - provider: openai
    match: {model: gpt-4-realtime-preview}
    rates:
      input_tokens: {usd: "5", per: 1000000}
      output_tokens: {usd: "20", per: 1000000}
      input_audio_tokens: {usd: "100", per: 1000000}
      output_audio_tokens: {usd: "200", per: 1000000}
    source: https://example.com/prices
    checked: 2026-11-22
"""
AUDIO = ("input_tokens=11000", "output_tokens=22000", "input_audio_tokens=10000", "output_audio_tokens=20000")


def test_a_text_session_of_the_older_tool(tmp_path: Path) -> None:
    """1,250 tokens in and 3,400 out at 5 and 20 dollars per million are 0.074250, line by line."""
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES)
    usage = ("input_tokens=1250", "output_tokens=3400")
    said = run("price", "gpt-4-realtime-preview", *usage, "--prices", str(file), "--format", "json")
    cost = json.loads(said.stdout)
    assert (said.exit_code, cost["cost_usd"], cost["status"]) == (0, "0.074250", "priced")
    assert [line["amount_usd"] for line in cost["lines"]] == ["0.006250", "0.068000"]


def test_an_audio_session_of_the_older_tool(tmp_path: Path) -> None:
    """1,000 and 2,000 tokens of text and 10,000 and 20,000 of audio at 5, 20, 100 and 200 dollars are 5.045."""
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES)
    said = run("price", "gpt-4-realtime-preview", *AUDIO, environ={"OTEL_COSTS_PRICES": str(file)})
    assert said.exit_code == 0
    assert "$5.045" in said.stdout
    assert "audio output" in said.stdout


def test_price_as_csv() -> None:
    """A row per line, exact."""
    said = run("price", "gpt-4o", "input_tokens=1,250", "output_tokens=3_400", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(said.stdout)))
    assert [(row["unit"], row["quantity"], Decimal(row["amount_usd"])) for row in rows] == [
        ("input_tokens", "1250", Decimal("0.003125")),
        ("output_tokens", "3400", Decimal("0.034")),
    ]


def test_an_unknown_model_is_told_with_the_nearest() -> None:
    """Who mistypes a model learns its name, with exit code 2 and nothing on standard output."""
    said = run("price", "gpt4o", "input_tokens=1")
    assert (said.exit_code, said.stdout) == (2, "")
    assert "no price of model 'gpt4o' of openai; did you mean gpt-4o or" in said.stderr
    assert "OTEL_COSTS_PRICES" in said.stderr


@pytest.mark.long
def test_an_unknown_provider_is_told_with_the_nearest() -> None:
    """The same for the provider."""
    said = run("price", "gpt-4o", "input_tokens=1", "--provider", "opanai")
    assert said.exit_code == 2
    assert "no prices of provider 'opanai'; did you mean openai" in said.stderr


def test_a_unit_without_a_price_is_a_finding() -> None:
    """A cost that lacks a part is shown, and the exit code is 1."""
    said = run("price", "gpt-4o", "input_tokens=10", "audio_seconds=15")
    assert said.exit_code == 1
    assert "partial" in said.stdout
    assert "no price for audio seconds" in said.stdout


def test_wrong_usage_is_a_wrong_call() -> None:
    """What is no usage is refused with the nearest unit, or what to write."""
    for usage, hint in (
        ("input_token=3", "did you mean input_tokens"),
        ("input_tokens", "give UNIT=QUANTITY"),
        ("input_tokens=-3", "'-3' is no quantity of input_tokens"),
        ("input_tokens=many", "'many' is no quantity of input_tokens"),
    ):
        said = run("price", "gpt-4o", usage)
        assert said.exit_code == 2
        assert hint in said.stderr
    said = run("price", "gpt-4o", "input_tokens=3", "cache_read_tokens=4")
    assert said.exit_code == 2
    assert "cache_read_tokens are more than the whole" in said.stderr
    said = run("price", "gpt-4o", "input_tokens=100", "input_text_tokens=80", "input_audio_tokens=80")
    assert said.exit_code == 2
    assert "the parts of input_tokens are more than the whole together" in said.stderr


def test_the_time_decides_which_price_holds(tmp_path: Path) -> None:
    """--at asks for the price of then."""
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES.replace("    rates:", "    to: 2026-06-01T00:00:00Z\n    rates:"))
    model = ("price", "gpt-4-realtime-preview", "input_tokens=1000000", "--prices", str(file), "--format", "json")
    before = json.loads(run(*model, "--at", "2026-05-31").stdout)
    after = json.loads(run(*model, "--at", "2026-06-01").stdout)
    assert before["cost_usd"] == "5.000000"
    assert before["price_id"] != after["price_id"]


def test_a_broken_price_file_names_the_place(tmp_path: Path) -> None:
    """Both commands say file, line and field, with exit code 2."""
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES.replace('usd: "20"', 'usd: "-20"'))
    for command in (["price", "gpt-4o", "input_tokens=1"], ["prices"]):
        said = run(*command, "--prices", str(file))
        assert (said.exit_code, said.stdout) == (2, "")
        assert f"{file}, line 9: prices[0].rates.output_tokens.usd" in said.stderr


def test_the_table_in_force() -> None:
    """Every rate with its source, the user's models found by a part of their name."""
    table = run("prices", "whisper-1")
    assert table.exit_code == 0
    assert "per 3,600: audio seconds 0.36" in table.stdout
    listed = json.loads(run("prices", "whisper-1", "--provider", "openai", "--format", "json").stdout)
    assert {row["provider"] for row in listed["prices"]} == {"openai"}
    assert [row["usd"] for row in listed["prices"] if row["model"] == "whisper-1"] == ["0.36"]
    rows = list(csv.DictReader(io.StringIO(run("prices", "whisper-1", "--format", "csv").stdout)))
    assert {"provider", "model", "unit", "usd", "per", "source"} <= rows[0].keys()


@pytest.mark.long
def test_no_such_price() -> None:
    """A name that no price has is a wrong call, told with the nearest."""
    said = run("prices", "wisper-1")
    assert (said.exit_code, said.stdout) == (2, "")
    assert "did you mean whisper-1" in said.stderr


def test_prices_that_are_made_of_anothers() -> None:
    """Azure sells OpenAI's models at OpenAI's prices: the row says so, under the conventions' name of it too."""
    for name in ("azure", "azure.ai.openai"):
        said = run("prices", "gpt-4o", "--provider", name)
        assert (said.exit_code, "as openai/the same" in said.stdout) == (0, True)


BARE = """
version: mine
currency: USD
prices:
  - provider: openai
    match: {model: gpt-4o}
    rates: {input_tokens: {usd: "2", per: 1000000}, output_tokens: {usd: "8", per: 1000000}}
"""


def test_check_says_what_a_file_takes_away(tmp_path: Path) -> None:
    """Exit code 1 and the line of the price; 0 and nothing to say with a base; 2 for what is no price file."""
    file = tmp_path / "mine.yaml"
    file.write_text(BARE)
    said = run("prices", "check", str(file))
    assert said.exit_code == 1
    assert "line 5: mine:openai/gpt-4o drops cache_read_tokens, " in " ".join(said.stdout.split())
    (finding,) = json.loads(run("prices", "check", str(file), "--format", "json").stdout)["findings"]
    assert (finding["line"], finding["price"]) == (5, "mine:openai/gpt-4o")
    file.write_text(BARE.replace("    rates", "    base: {provider: openai}\n    rates"))
    good = run("prices", "check", str(file))
    assert (good.exit_code, "nothing to say" in " ".join(good.stdout.split())) == (0, True)
    for wrong in (
        ["prices", "check"],
        ["prices", "check", str(tmp_path / "none.yaml")],
        ["prices", "check", str(tmp_path)],
    ):
        assert (run(*wrong).exit_code, run(*wrong).stdout) == (2, "")


def test_update_says_what_changes_and_stores_it(tmp_path: Path) -> None:
    """Dry, then in earnest; the table in force then says where it is from, how old it is, and what wins."""
    home = {"XDG_DATA_HOME": str(tmp_path / "home")}
    book = tmp_path / "acme.yaml"
    book.write_text(BARE.replace("    rates", "    base: {provider: openai}\n    rates").replace("mine", "acme-7"))
    dry = run("prices", "update", "--from", str(book), "--dry-run", environ=home)
    assert dry.exit_code == 0
    assert "1 new, 0 changed, 0 gone; version acme-7 would be stored" in " ".join(dry.stdout.split())
    assert not (tmp_path / "home").exists()
    done = json.loads(run("prices", "update", "--from", str(book), "--format", "json", environ=home).stdout)
    assert (done["version"], done["stored"]) == ("acme-7", True)
    assert [change["kind"] for change in done["changes"]] == ["new"]
    cost = json.loads(run("price", "gpt-4o", "input_tokens=1000000", "--format", "json", environ=home).stdout)
    assert (cost["cost_usd"], cost["price_book"].startswith("acme-7+")) == ("2.000000", True)
    table = " ".join(run("prices", "gpt-4o", "--provider", "openai", environ=home).stdout.split())
    assert "1. acme-7, " in table
    assert "less than an hour ago" in table
    assert "not in force: acme:openai/gpt-4o>" in table
    listed = json.loads(run("prices", "gpt-4o", "--provider", "openai", "--format", "json", environ=home).stdout)
    wins = {
        row["price_id"]: row["wins"]
        for row in listed["prices"]
        if (row["model"], row["unit"]) == ("gpt-4o", "input_tokens")
    }
    assert wins == {"acme:openai/gpt-4o": True, "genai-prices:openai/gpt-4o": False}
    assert listed["sources"][0]["version"] == "acme-7"
    book.write_text(book.read_text().replace("acme-7", "acme-6"))
    older = run("prices", "update", "--from", str(book), environ=home)
    assert (older.exit_code, older.stdout) == (1, "")
    assert "it is older" in older.stderr
    assert "removed" in run("prices", "update", "--forget", environ=home).stdout


def test_update_of_what_cannot_be_had_is_a_wrong_call(tmp_path: Path) -> None:
    """One line, exit code 2, and no key of an address in it."""
    for source in (
        "http://me:SECRET@127.0.0.1:9/x?k=SECRET",
        "http://example.com/x",
        str(tmp_path / "none"),
        "ftp://x/",
    ):
        said = run("prices", "update", "--from", source)
        assert (said.exit_code, said.stdout) == (2, "")
        assert "SECRET" not in said.stderr


def test_prices_has_commands_of_its_own() -> None:
    """They are in its help; any other word is a model, and options come as before."""
    said = run("prices", "--help").stdout
    assert "update" in said
    assert "check" in said
    assert run("prices", "--provider", "openai", "whisper-1").exit_code == 0


def test_a_word_that_is_no_unit_is_told_with_the_units_of_tokens_first() -> None:
    """The plain units come before the ones of caches."""
    said = run("price", "gpt-4o", "in=3").stderr
    assert "'in' is no unit; the units are input_tokens, output_tokens, " in said


def test_a_model_that_is_like_none_is_not_told_with_another() -> None:
    """The way out is named: the provider, or a price of one's own."""
    said = run("price", "acme-large-2", "input_tokens=1").stderr
    assert "did you mean" not in said
    assert " more. Or give --provider, or add it to the file of OTEL_COSTS_PRICES" in said
