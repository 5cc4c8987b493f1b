"""The command `reconcile` with each provider's bill, over a real store: what it says, what it notes, and its end."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from otel_costs.cli.reconciliation.vendors import MODULES, NEVER_MET, Vendor
from otel_costs.local import Stack
from otel_costs.store import bill_differences, connect
from tests.support.billing import KEY, Asked, running
from tests.support.organization import midnight

from .support import Ledger, run

_days = count(30)


@pytest.fixture(scope="module")
def stack(emptied_stack: Stack) -> Stack:
    """Return a store that records can be sent to."""
    return emptied_stack


class Day:
    """A day of its own: calls of it, and a bill."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.url, self.folder = stack.http_url, folder
        self.at = midnight(next(_days)) + timedelta(hours=12)
        self.day = f"{self.at:%Y-%m-%d}"

    def call(self, provider: str, model: str, usd: str | None, operation: str = "chat", **used: Any) -> None:
        """Record a call; usage is by unit."""
        known = ("input_tokens", "output_tokens", "cache_read__input_tokens")
        named = {f"{'gen_ai' if unit in known else 'otel_costs'}__usage__{unit}": value for unit, value in used.items()}
        priced = {"otel_costs__cost__usd": usd} if usd else {"otel_costs__cost__status": "unpriced"}
        who = {"gen_ai__provider__name": provider, "gen_ai__response__model": model}
        Ledger(self.url).call("s", self.at, gen_ai__operation__name=operation, **who, **named, **priced)

    def bill(self, name: str, *rows: dict[str, Any]) -> str:
        """Write a file of the bill: CSV, or JSON lines by its name."""
        path = self.folder / name
        if name.endswith("csv"):
            text = io.StringIO()
            writer = csv.DictWriter(text, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
            path.write_text(text.getvalue())
        else:
            path.write_text("\n".join(map(json.dumps, rows)))
        return str(path)

    def run(self, provider: str, *arguments: str, environ: dict[str, str | None] | None = None) -> Result:
        """Run the command over the day, and see that the key is nowhere."""
        days = ("--from", self.day, "--to", self.day)
        given = dict.fromkeys(KEYS.values()) | (environ or {})
        said = run("reconcile", "--provider", provider, *days, *arguments, url=self.url, environ=given)
        assert said.exception is None or isinstance(said.exception, SystemExit)
        assert KEY not in said.output
        return said

    def json(self, provider: str, *arguments: str, **given: Any) -> dict[str, Any]:
        """Run the command and return what it says as JSON."""
        said = self.run(provider, *arguments, "--format", "json", **given)
        found: dict[str, Any] = json.loads(said.stdout)
        assert said.exit_code == (1 if found["findings"] else 0)
        return found

    def noted(self, vendor: str) -> dict[tuple[str, str, str], Decimal]:
        """Return what stands in the store of this day's bill."""
        client = connect(self.url)
        try:
            rows = bill_differences.differences(client, self.at.date(), self.at.date() + timedelta(days=1))
        finally:
            client.close()
        money = ("usd", "day_usd")
        return {
            (row["part"], row["model"], row["unit"]): row["difference_usd" if row["unit"] in money else "difference"]
            for row in rows
            if row["vendor"] == vendor
        }


KEYS = {name: Vendor(name).terms.env_key for name in MODULES if Vendor(name).terms.env_key}


@pytest.fixture
def day(stack: Stack, tmp_path: Path) -> Day:
    """Return a day without anything in it."""
    return Day(stack, tmp_path)


def cur(day: Day, usage: str, amount: str, cost: str, unit: str, code: str, **more: str) -> dict[str, Any]:
    """Return a row of AWS's report."""
    return {
        "line_item_usage_start_date": f"{day.day}T08:00:00Z", "line_item_line_item_type": "Usage",
        "line_item_product_code": code, "line_item_usage_type": usage, "line_item_usage_amount": amount,
        "line_item_unblended_cost": cost, "line_item_currency_code": "USD", "pricing_unit": unit,
        "line_item_usage_account_id": "1", **more,
    }  # fmt: skip


def speech(day: Day) -> list[dict[str, Any]]:
    """Record what Polly, Transcribe and Bedrock were asked, and return the same as a bill."""
    day.call("aws.polly", "neural", "0.0192", "text_to_speech", input_characters=1200)
    day.call("aws.transcribe", "standard", "0.006", "speech_to_text", audio_seconds=60)
    day.call("aws.bedrock", "us.anthropic.claude-opus-4-6-v1:0", "0.0575", input_tokens=1500, output_tokens=2000)
    return [
        cur(day, "USE1-SynthesizeSpeechNeural-Characters", "1200", "0.0192", "Characters", "AmazonPolly"),
        cur(day, "USE1-TranscribeAudio", "60", "0.006", "second", "transcribe"),
        cur(day, "USE1-Claude4.6Opus-input-tokens", "1.5", "0.0075", "1K tokens", "AmazonBedrock"),
        cur(day, "USE1-Claude4.6Opus-output-tokens-cross-region-global", "2", "0.05", "1K tokens", "AmazonBedrock"),
    ]


@pytest.mark.long
def test_aws_agrees(day: Day) -> None:
    """To the last digit, from a file, without a key; nothing is noted, and the output says what it cannot tell."""
    file = day.bill("cur.csv", *speech(day))
    said = day.run("aws", "--file", file, "--tolerance", "0")
    assert (said.exit_code, said.stderr) == (0, "")
    text = " ".join(said.stdout.split())
    assert "all is well: 1 day, usage and costs agree within 0 %" in text
    assert NEVER_MET in text
    assert "report does not tell requests" in text
    assert day.noted("aws") == {}


@pytest.mark.long
def test_what_differs_is_noted_until_it_does_not(day: Day) -> None:
    """By default, for the inbox; the next comparison that finds it no more resolves it."""
    rows = speech(day)
    good = day.bill("good.csv", *rows)
    dear = {**rows[0], "line_item_unblended_cost": "0.0384"}
    more = {**rows[1], "line_item_usage_amount": "600", "line_item_unblended_cost": "0.06"}
    bad = day.bill("bad.csv", dear, more, *rows[2:])
    said = day.run("aws", "--file", bad)
    assert said.exit_code == 1
    assert "noted for the inbox: 4 new, 0 known, 0 resolved" in said.stderr
    assert day.noted("aws") == {
        ("", "polly/neural", "usd"): Decimal("0.0192"),
        ("", "transcribe/standard", "audio_seconds"): 540,
        ("", "transcribe/standard", "usd"): Decimal("0.054"),
        ("", "", "day_usd"): Decimal("0.0732"),
    }
    assert "0 new, 4 known, 0 resolved" in day.run("aws", "--file", bad).stderr
    assert day.run("aws", "--file", bad, "--no-store").stderr == ""
    part = day.run("aws", "--file", bad, "--service", "shop", "--service", "a", "--project", "1")
    assert "5 new" in part.stderr or "4 new" in part.stderr
    assert {key[0] for key in day.noted("aws")} == {"", "project=1 service=a service=shop"}
    assert "0 new, 0 known, 4 resolved" in day.run("aws", "--file", good).stderr
    assert {key[0] for key in day.noted("aws")} == {"project=1 service=a service=shop"}


@pytest.mark.long
def test_files_of_other_days(day: Day) -> None:
    """A file of another month is not taken for a bill of nothing: that is said, and nothing is noted or resolved."""
    rows = speech(day)
    dear = {**rows[0], "line_item_unblended_cost": "0.0384"}
    day.run("aws", "--file", day.bill("dear.csv", dear, *rows[1:]))
    noted = day.noted("aws")
    assert noted
    other = day.bill("other.csv", {**rows[0], "line_item_usage_start_date": "2020-01-01T00:00:00Z"})
    said = day.run("aws", "--file", other)
    assert said.exit_code == 1
    assert "no line of these files is of these days" in said.stderr
    assert day.noted("aws") == noted


@pytest.mark.long
def test_a_store_that_cannot_note_it(day: Day) -> None:
    """As one of an older version, or whose user may not write: it is said, and is an error where it was asked for."""
    row = speech(day)[0]
    file = day.bill("cur.csv", {**row, "line_item_unblended_cost": "5"})
    arguments = ("--file", file, "--writer-dsn", f"{day.url}/system")
    said = day.run("aws", *arguments)
    assert said.exit_code == 1
    assert "not noted for the inbox and alerts" in said.stderr
    assert "--writer-dsn" in said.stderr
    assert day.noted("aws") == {}
    said = day.run("aws", *arguments, "--store")
    assert said.exit_code == 2
    assert "otel-costs schema" in said.stderr


def test_google_and_azure_from_files(day: Day) -> None:
    """Names that they write in their own way are ours, and free tiers and refunds are credits."""
    day.call("gcp.gemini", "gemini-2.5-flash", "0.00055", input_tokens=1000, output_tokens=100)
    day.call("gcp.text_to_speech", "wavenet", "0.002", "text_to_speech", input_characters=500)
    common = {
        "usage_start_time": f"{day.day} 08:00:00 UTC", "currency": "USD", "cost_type": "regular", "credits": [],
        "service": {"description": "Vertex AI"}, "usage": {"amount": "1000", "unit": "count"},
    }  # fmt: skip
    rows: list[dict[str, Any]] = [
        {**common, "sku": {"description": "Gemini 2.5 Flash GA Text Input - Predictions"}, "cost": "0.0003"},
        {**common, "sku": {"description": "Gemini 2.5 Flash GA Text Output - Predictions"}, "cost": "0.00025",
         "usage": {"amount": "100", "unit": "count"}},
        {**common, "sku": {"description": "WaveNet voice"}, "cost": "0.002",
         "service": {"description": "Cloud Text-to-Speech API"}, "usage": {"amount": "500", "unit": "count"},
         "credits": [{"name": "free", "amount": "-0.002", "type": "FREE_TIER"}]},
    ]  # fmt: skip
    found = day.json("google", "--file", day.bill("rows.jsonl", *rows), "--tolerance", "0")
    assert {row["model"]: row["state"] for row in found["usage"]} == {
        "gemini 2.5 flash": "agrees", "text-to-speech": "agrees",
    }  # fmt: skip
    (costs,) = found["costs"]
    assert (costs["state"], costs["credits_usd"], costs["difference_usd"]) == ("credited", "-0.002000", "0")
    assert found["checked"] == NEVER_MET
    day.call("azure.ai.openai", "gpt-4o-2024-08-06", "0.00375", input_tokens=1500)
    meter = {
        "Date": day.day, "MeterName": "gpt 4o 0806 Inp glbl Tokens", "MeterCategory": "Foundry Models",
        "Quantity": "1.5", "UnitOfMeasure": "1K", "CostInBillingCurrency": "0.0034", "BillingCurrency": "EUR",
        "ChargeType": "Usage",
    }  # fmt: skip
    file = day.bill("bill.csv", meter)
    found = day.json("azure", "--file", file)
    assert (found["usage"][0]["state"], found["usage"][0]["recorded_as"]) == ("agrees", ["gpt-4o-2024-08-06"])
    assert (found["costs"][0]["state"], found["costs"][0]["foreign"]) == ("another_currency", {"EUR": "0.003400"})
    assert day.noted("azure") == {("", "", "eur"): Decimal("0.0034")}
    (costs,) = day.json("azure", "--file", file, "--rate", "EUR=1.10294117647")["costs"]
    assert costs["state"] == "agrees"
    assert day.noted("azure") == {}
    table = " ".join(day.run("azure", "--file", file, "--no-store").stdout.split())
    assert "in EUR 0.003400" in table
    assert "give its rate, such as --rate EUR=1.08" in table


def test_over_http_with_a_key_of_a_file(day: Day) -> None:
    """The key is read from the file, sent in the provider's header, and is in no output."""
    day.call("elevenlabs", "eleven_multilingual_v2", "0.01", "text_to_speech", input_characters=100, credits=100)

    def answer(asked: Asked) -> Any:
        at = int(midnight_of(day).timestamp()) * 1000
        return {"time": [at], "usage": {"Eleven Multilingual v2": [100 if "credits" in asked.query["metric"] else 120]}}

    key = day.folder / "key"
    key.write_text(f"{KEY}\n")
    with running(answer, "xi-api-key", KEY) as reports:
        found = day.json("elevenlabs", "--url", reports.url, "--key-file", str(key))
        assert day.run("elevenlabs", "--url", reports.url, environ={"ELEVENLABS_API_KEY": KEY}).exit_code == 1
        assert day.run("elevenlabs", "--url", reports.url, environ={"ELEVENLABS_API_KEY": f"{KEY}x"}).exit_code == 2
    (row,) = found["usage"]
    assert row["figures"]["credits"] == {"theirs": 100, "ours": 100, "difference": 0}
    assert row["causes"] == {"input_characters": "not_recorded"}
    assert found["costs"] == []
    assert day.noted("elevenlabs") == {("", "Eleven Multilingual v2", "input_characters"): 20}


def midnight_of(day: Day) -> datetime:
    return day.at.replace(hour=0).astimezone(UTC)


@pytest.mark.parametrize("name", KEYS)
def test_no_key(day: Day, name: str) -> None:
    """Which key is needed, and where it comes from."""
    said = day.run(name)
    assert (said.exit_code, said.stdout) == (2, "")
    assert f"set {KEYS[name]} to a" in said.stderr


@pytest.mark.parametrize("name", ["google", "aws"])
def test_files_are_needed(day: Day, name: str) -> None:
    """Where nobody can be asked, it is said what to give."""
    said = day.run(name)
    assert (said.exit_code, said.stdout) == (2, "")
    assert "give --file" in said.stderr


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("azure", "--api-key-id"),
        ("deepgram", "--api-key-id"),
        ("elevenlabs", "--project"),
        ("elevenlabs", "--api-key-id"),
    ],
)
def test_a_part_that_cannot_be_asked_for(day: Day, name: str, option: str) -> None:
    """The whole bill is not taken for that of a key or a project."""
    said = day.run(name, option, "x", environ={KEYS[name]: KEY})
    assert (said.exit_code, said.stdout) == (2, "")
    assert f"has nothing by {option}" in said.stderr


@pytest.mark.parametrize(
    ("name", "option"),
    [("openai", "--project"), ("anthropic", "--project"), ("openai", "--api-key-id"), ("aws", "--api-key-id")],
)
def test_a_part_that_files_do_not_tell(day: Day, name: str, option: str) -> None:
    """Nor is the whole of a file."""
    said = day.run(name, option, "x", "--file", day.bill("a.jsonl", {"data": []}))
    assert (said.exit_code, said.stdout) == (2, "")
    assert f"has nothing by {option}" in said.stderr


def test_elevenlabs_has_no_files(day: Day) -> None:
    """Its answers do not say what they count."""
    said = day.run("elevenlabs", "--file", day.bill("a.jsonl", {}))
    assert said.exit_code == 2
    assert "no files of its bill" in said.stderr


@pytest.mark.parametrize("rate", ["EUR", "EUR=", "EUR=x", "EUR=0", "EUR=-1", "E1=2", "=2", "EUR=NaN", "EUR=Infinity"])
def test_a_rate_that_is_none(day: Day, rate: str) -> None:
    """It is a wrong call."""
    said = day.run("aws", "--file", day.bill("a.csv", {"a": 1}), "--rate", rate)
    assert said.exit_code == 2
    assert "is no rate" in said.stderr


def test_help_says_what_was_never_tried() -> None:
    """Of every module; and names every key."""
    text = " ".join(run("reconcile", "--help").stdout.split())
    assert NEVER_MET in text
    for variable in KEYS.values():
        assert variable in text


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_was_written_against(name: str) -> None:
    """Source and date in its docstring, delay and what it cannot tell in its terms, a row in the documentation."""
    module, terms = MODULES[name], Vendor(name).terms
    assert "never" in str(module.__doc__)
    assert terms.read in str(module.__doc__)
    assert "https://" in str(module.__doc__)
    assert terms.settles_after > timedelta(0)
    assert terms.cannot_tell
    assert terms.grain
    page = (Path(__file__).parents[2] / "docs" / "reconcile.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    assert f"{terms.settles_after // timedelta(hours=1)} hours" in row
    assert terms.env_key in row
