"""Files of bills in the shapes that providers export: read exactly, whatever they are written as, and bounded."""

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from otel_costs.cli.reconciliation import files, naming
from otel_costs.cli.reconciliation.reported import ProviderError, Question, Reported
from otel_costs.cli.reconciliation.vendors import MODULES, Vendor

DAYS = Question(datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 3, tzinfo=UTC))
FIRST, SECOND = date(2026, 9, 1), date(2026, 9, 2)

Row = Mapping[str, Any]


def written(path: Path, rows: Sequence[Row]) -> Path:
    """Write rows in the format that the name says."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
        return path
    if name.endswith(".csv"):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows([{key: _cell(value) for key, value in row.items()} for row in rows])
        body = text.getvalue()
    elif name.endswith(".json"):
        body = json.dumps(list(rows), default=str)
    else:
        body = "\n".join(json.dumps(row, default=str) for row in rows)
    data = ("\ufeff" + body).encode() if name.endswith(".csv") else body.encode()
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def read(name: str, *paths: Path, question: Question = DAYS) -> Reported:
    return Vendor(name).read(paths, question)


def cur(usage: str, amount: str, cost: str, unit: str, code: str, **more: Any) -> dict[str, Any]:
    """Return a row of AWS's cost and usage report."""
    return {
        "line_item_usage_start_date": "2026-09-01T08:00:00.000Z", "line_item_line_item_type": "Usage",
        "line_item_product_code": code, "line_item_usage_type": usage, "line_item_usage_amount": amount,
        "line_item_unblended_cost": cost, "line_item_currency_code": "USD", "pricing_unit": unit,
        "line_item_usage_account_id": "111122223333", "product": {}, **more,
    }  # fmt: skip


AWS = [
    cur("USE1-SynthesizeSpeechNeural-Characters", "1200", "0.0192", "Characters", "AmazonPolly"),
    cur("SynthesizeSpeech-Characters", "100", "0.0004", "Characters", "AmazonPolly"),
    cur("EUW2-TranscribeAudio", "61.5", "0.0061500000", "second", "transcribe"),
    cur("APN1-CallAnalyticsTranscribeAudio", "15", "0.0075", "second", "transcribe"),
    cur("USE1-Claude4.6Opus-input-tokens", "1.5", "0.0075", "1K tokens", "AmazonBedrock"),
    cur("USE1-Claude4.6Opus-output-tokens-cross-region-global", "2", "0.05", "1K tokens", "AmazonBedrock"),
    cur("USE1-Claude4.6Opus-cache-read-input-token-count", "4", "0.002", "1K tokens", "AmazonBedrock"),
    cur(
        "USE1_OutputTokenCount-Units", "3", "0.045", "Units", "c6ivqvlbc9h",
        product={"product_name": "Claude Sonnet 4.5 (Amazon Bedrock Edition)"},
    ),
    cur("USE1-Guardrail-ContentPolicyUnits", "3", "0.0005", "Units", "AmazonBedrock"),
    cur("USE1-SynthesizeSpeechNeural-Characters", "5", "0.00008", "Characters", "AmazonPolly",
        line_item_usage_start_date="2026-09-03T00:00:00.000Z"),
    cur("USE1-SynthesizeSpeechNeural-Characters", "0", "-0.01", "Characters", "AmazonPolly",
        line_item_line_item_type="Credit"),
    cur("USE1-SynthesizeSpeechNeural-Characters", "0", "0.002", "Characters", "AmazonPolly",
        line_item_line_item_type="Tax"),
    cur("USE1-BoxUsage:t3.large", "24", "2", "Hrs", "AmazonEC2"),
]  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "json.gz", "parquet"])
def test_aws(tmp_path: Path, ending: str) -> None:
    """Whatever the format: quantities in single tokens, characters, seconds; what is not understood keeps its cost."""
    rows = AWS
    if ending == "parquet":  # a map there is pairs, and times are times
        cost, start = "line_item_unblended_cost", "line_item_usage_start_date"
        rows = [
            {
                **row, "product": list(row["product"].items()) or None,
                cost: float(row[cost]), start: datetime.fromisoformat(row[start]),
            }
            for row in AWS
        ]  # fmt: skip
        schema = pyarrow.schema([
            (name, pyarrow.map_(pyarrow.string(), pyarrow.string()) if name == "product" else kind)
            for name, kind in {
                **dict.fromkeys(rows[0], pyarrow.string()), "line_item_unblended_cost": pyarrow.float64(),
                "line_item_usage_start_date": pyarrow.timestamp("ms", "UTC"),
            }.items()
        ])  # fmt: skip
        path = tmp_path / "cur.parquet"
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), path)
    else:
        path = written(tmp_path / f"cur.{ending}", rows)
    found = read("aws", path)
    assert found.usage == {
        (FIRST, "polly/neural"): {"input_characters": 1200},
        (FIRST, "polly/standard"): {"input_characters": 100},
        (FIRST, "transcribe/standard"): {"audio_seconds": Decimal("61.5")},
        (FIRST, "transcribe/call-analytics"): {"audio_seconds": 15},
        (FIRST, "Claude4.6Opus"): {"input_tokens": 5500, "output_tokens": 2000, "cache_read_tokens": 4000},
    }
    assert found.costs == {
        (FIRST, "polly/neural"): Decimal("0.0192"), (FIRST, "polly/standard"): Decimal("0.0004"),
        (FIRST, "transcribe/standard"): Decimal("0.00615"), (FIRST, "transcribe/call-analytics"): Decimal("0.0075"),
        (FIRST, "Claude4.6Opus"): Decimal("0.0595"), (FIRST, "Claude Sonnet 4.5"): Decimal("0.045"),
        (FIRST, "bedrock/Guardrail-ContentPolicyUnits"): Decimal("0.0005"),
    }  # fmt: skip
    assert found.credits == {FIRST: Decimal("-0.01")}


def test_the_report_before(tmp_path: Path) -> None:
    """Legacy names of columns are the same ones."""
    names = {
        "line_item_usage_start_date": "lineItem/UsageStartDate", "line_item_line_item_type": "lineItem/LineItemType",
        "line_item_product_code": "lineItem/ProductCode", "line_item_usage_type": "lineItem/UsageType",
        "line_item_usage_amount": "lineItem/UsageAmount", "line_item_unblended_cost": "lineItem/UnblendedCost",
        "line_item_currency_code": "lineItem/CurrencyCode", "pricing_unit": "pricing/unit",
    }  # fmt: skip
    legacy = [{names[key]: value for key, value in row.items() if key in names} for row in AWS[:6]]
    assert read("aws", written(tmp_path / "a.csv", legacy)) == read("aws", written(tmp_path / "b.csv", AWS[:6]))


def test_accounts(tmp_path: Path) -> None:
    """Only the rows of the accounts that are asked for."""
    path = written(tmp_path / "cur.csv", [AWS[0], {**AWS[0], "line_item_usage_account_id": "444455556666"}])
    assert read("aws", path).usage[FIRST, "polly/neural"] == {"input_characters": 2400}
    one = Question(DAYS.since, DAYS.until, ["444455556666"])
    assert read("aws", path, question=one).usage[FIRST, "polly/neural"] == {"input_characters": 1200}


def billed(sku: str, amount: str, cost: str, service: str = "Vertex AI", **more: Any) -> dict[str, Any]:
    """Return a row of Google's billing export, as `bq query --format=json` writes it."""
    return {
        "service": {"id": "C7E2-9256-1C43", "description": service}, "sku": {"id": "X", "description": sku},
        "usage_start_time": "2026-09-01 08:00:00 UTC", "usage_end_time": "2026-09-01 09:00:00 UTC",
        "project": {"id": "shop"}, "cost": cost, "currency": "USD", "currency_conversion_rate": "1.0",
        "usage": {"amount": amount, "unit": "count"}, "credits": [], "cost_type": "regular", **more,
    }  # fmt: skip


GOOGLE = [
    billed("Gemini 2.5 Flash GA Text Input - Predictions", "1000", "0.0003"),
    billed("Gemini 2.5 Flash GA Thinking Text Output - Predictions", "200", "0.0005"),
    billed("Gemini 2.5 Flash GA Text Output - Predictions", "100", "0.00025"),
    billed("Gemini 2.5 Flash Text Input Caching", "50", "0.0000015"),
    billed("Gemini 2.5 Flash Text Input Caching Storage", "3600", "0.001", usage={"amount": 3600, "unit": "h"}),
    billed("Generate content input token count gemini 2.5 flash lite short input text", "70", "0.000007", "Gemini API"),
    billed("Speech-to-Text V2 Recognition", "90", "0.024", "Cloud Speech API", usage={"amount": 90, "unit": "seconds"}),
    billed("WaveNet voice", "500", "0.002", "Cloud Text-to-Speech API",
           credits=[{"name": "Free tier", "amount": "-0.002", "type": "FREE_TIER"}]),
    billed("Gemini 2.5 Pro Text Input - Predictions", "10", "0.0108", currency="EUR", currency_conversion_rate="0.9",
           usage_start_time="2026-09-02 08:00:00 UTC"),
    billed("Tax", "0", "1", cost_type="tax"),
    billed("E2 Instance Core", "1", "4", "Compute Engine"),
]  # fmt: skip


@pytest.mark.parametrize("ending", ["json", "ndjson", "csv"])
def test_google(tmp_path: Path, ending: str) -> None:
    """SKUs name models; thinking is output; euros are dollars at the row's own rate; a credit stands by itself."""
    found = read("google", written(tmp_path / f"rows.{ending}", GOOGLE))
    assert found.usage == {
        (FIRST, "gemini 2.5 flash"): {"input_tokens": 1050, "output_tokens": 300, "cache_read_tokens": 50},
        (FIRST, "gemini 2.5 flash lite"): {"input_tokens": 70},
        (FIRST, "speech-to-text"): {"audio_seconds": 90},
        (FIRST, "text-to-speech"): {"input_characters": 500},
        (SECOND, "gemini 2.5 pro"): {"input_tokens": 10},
    }
    assert found.costs[FIRST, "gemini 2.5 flash"] == Decimal("0.0020515")
    assert found.costs[SECOND, "gemini 2.5 pro"] == Decimal("0.012")
    assert found.credits == {FIRST: Decimal("-0.002")}
    assert found.foreign == {}


AZURE_EA = {
    "Date": "09/01/2026", "MeterName": "gpt 4o 0806 Inp glbl Tokens", "MeterCategory": "Azure OpenAI",
    "ConsumedService": "Microsoft.CognitiveServices", "Quantity": "1.5", "UnitOfMeasure": "1K",
    "CostInBillingCurrency": "0.00375", "BillingCurrencyCode": "USD", "ChargeType": "Usage",
    "SubscriptionId": "abc-1",
}  # fmt: skip
AZURE_MCA = {
    "date": "09/01/2026", "meterName": "gpt 4o 0806 Inp glbl Tokens", "meterCategory": "Foundry Models",
    "consumedService": "microsoft.cognitiveservices", "quantity": "1.5", "unitOfMeasure": "1K",
    "costInBillingCurrency": "0.003375", "costInUsd": "0.00375", "billingCurrency": "EUR", "chargeType": "Usage",
    "SubscriptionId": "abc-1",
}  # fmt: skip
QUERY = {
    "properties": {
        "columns": [
            {"name": name} for name in ("Cost", "UsageQuantity", "UsageDate", "Meter", "UnitOfMeasure", "Currency")
        ],
        "rows": [[0.00375, 1.5, 20260901, "gpt 4o 0806 Inp glbl Tokens", "1K", "USD"]],
    }
}  # fmt: skip
DETAILS = {"value": [{"kind": "modern", "properties": {**AZURE_MCA, "date": "2026-09-01T00:00:00Z"}}]}


@pytest.mark.parametrize("row", [AZURE_EA, AZURE_MCA, QUERY, DETAILS])
def test_azure(tmp_path: Path, row: Row) -> None:
    """Each agreement writes its columns otherwise, and both interfaces of the API, and all say the same."""
    ending = "csv" if row in (AZURE_EA, AZURE_MCA) else "json"
    path = written(tmp_path / f"bill.{ending}", [row])
    found = read("azure", path)
    assert found.usage == {(FIRST, "gpt 4o 0806"): {"input_tokens": 1500}}
    assert found.costs == {(FIRST, "gpt 4o 0806"): Decimal("0.00375")}
    assert found.foreign == {}


def test_subscriptions(tmp_path: Path) -> None:
    """Only the rows of the subscriptions that are asked for."""
    path = written(tmp_path / "bill.csv", [AZURE_EA, {**AZURE_EA, "SubscriptionId": "def-2"}])
    one = Question(DAYS.since, DAYS.until, ["/subscriptions/DEF-2"])
    assert read("azure", path, question=one).usage[FIRST, "gpt 4o 0806"] == {"input_tokens": 1500}


@pytest.mark.parametrize(
    ("meter", "unit", "name", "quantities"),
    [
        ("gpt-4o-mini-0718-Outp-glbl Tokens", "1K", "gpt 4o mini 0718", {"output_tokens": 2000}),
        ("gpt 4.1 nano cached Inp glbl Tokens", "1M", "gpt 4.1 nano",
         {"input_tokens": 2_000_000, "cache_read_tokens": 2_000_000}),
        ("GPT 5 Inpt Glbl 1M Tokens", "1M", "gpt 5", {"input_tokens": 2_000_000}),
        ("text-embedding-3-small-glbl Tokens", "1K", "text embedding 3 small", {"input_tokens": 2000}),
        ("gpt-4o-rt-aud-1217 Outp glbl Tokens", "1K", "gpt 4o rt 1217",
         {"output_tokens": 2000, "output_audio_tokens": 2000}),
        ("S1 Speech To Text", "10 Hours", "speech/standard", {"audio_seconds": 72_000}),
        ("S1 Custom Neural Text To Speech Characters", "1M", "speech/custom-neural", {"input_characters": 2_000_000}),
        ("Provisioned Managed Global", "1 Hour", "Provisioned Managed Global", {}),
        ("gpt 4o Inp glbl Tokens", "1 Hour", "gpt 4o", {}),
        ("gpt 4o Inp glbl Tokens", "whatever", "gpt 4o", {}),
        ("S1 Speech To Text", "1K", "speech/standard", {}),
    ],
)  # fmt: skip
def test_meters(tmp_path: Path, meter: str, unit: str, name: str, quantities: dict[str, int]) -> None:
    """A meter says model, direction and kind; a unit that does not say how many of what has no quantity."""
    row = {**AZURE_EA, "MeterName": meter, "UnitOfMeasure": unit, "Quantity": "2"}
    found = read("azure", written(tmp_path / "bill.csv", [row]))
    assert found.usage == ({(FIRST, name): quantities} if quantities else {})
    assert found.costs == {(FIRST, name): Decimal("0.00375")}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("gpt 4o 0806", "gpt-4o-2024-08-06", True), ("gpt 4o", "gpt-4o-2024-08-06", True),
        ("gpt 4o 1120", "gpt-4o-2024-08-06", False), ("gpt 4o mini 0718", "gpt-4o-2024-07-18", False),
        ("gpt 5", "gpt-5-2025-08-07", True), ("o3 0416", "o3-2025-04-16", True),
        ("gpt 35 turbo", "gpt-3.5-turbo", True),
        ("Claude4.6Opus", "claude-opus-4-6", True), ("Claude3Sonnet", "claude-3-sonnet-20240229", True),
        ("Claude3Haiku", "claude-3-sonnet-20240229", False), ("Nova2.0Lite", "nova-2-lite", True),
        ("gemini 2.5 flash", "gemini-2.5-flash", True), ("gemini 2.5 flash lite", "gemini-2.5-flash", False),
        ("gemini 2.0 flash", "gemini-2.0-flash-001", True), ("gemini 2.5 flash", "gemini-3-flash", False),
        ("Eleven Multilingual v2", "eleven_multilingual_v2", True), ("", "", False), ("1", "1", False),
    ],
)  # fmt: skip
def test_names_that_are_written_otherwise(one: str, other: str, same: bool) -> None:
    """The same words, numbers and version, in whatever order and with whatever between; nothing is guessed."""
    assert naming.is_written_otherwise(one, other) is same
    assert naming.is_written_otherwise(other, one) is same


def test_a_name_that_is_nearer_is_meant() -> None:
    """Of a model with its version, and one without, it is that with the same version."""
    names = naming.Names(((FIRST, "gpt 4o 0806"), (FIRST, "gpt 4o")), naming.is_written_otherwise)
    assert names.theirs(FIRST, "gpt-4o-2024-08-06") == "gpt 4o 0806"
    assert names.theirs(FIRST, "gpt-4o") == "gpt 4o"
    assert names.theirs(FIRST, "gpt-4o-2024-11-20") == "gpt 4o"
    assert names.theirs(SECOND, "gpt-4o") == "gpt-4o"


def test_our_names() -> None:
    """What a report cannot tell apart is one here, too."""
    ours = {name: MODULES[name].TERMS.ours for name in MODULES}
    assert ours["aws"]("aws.bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0") == "claude-3-5-sonnet-20241022"
    assert ours["aws"]("aws.bedrock", "amazon.nova-2-lite-v1:0") == "nova-2-lite"
    assert ours["aws"]("aws.polly", "neural") == "polly/neural"
    assert ours["google"]("gcp.speech", "latest_long") == ours["google"]("gcp.speech", "chirp_3")
    assert ours["azure"]("azure.speech", "standard/language-identification") == "speech/standard"
    assert ours["deepgram"]("deepgram", "nova-3-general") == "nova-3"


SAVED: list[tuple[str, Any]] = [
    ("openai", {"data": [{"start_time": 1788220800, "results": [
        {"object": "organization.usage.completions.result", "model": "m", "input_tokens": 5},
        {"object": "organization.costs.result", "line_item": "m", "amount": {"value": "0.5", "currency": "usd"}}]}]}),
    ("anthropic", {"data": [{"starting_at": "2026-09-01T00:00:00Z", "results": [
        {"model": "m", "uncached_input_tokens": 5}, {"model": "m", "amount": "50", "currency": "USD"}]}]}),
    ("deepgram", {"results": [
        {"hours": 1, "grouping": {"start": "2026-09-01", "end": "2026-09-01", "models": ["m"]}},
        {"dollars": 0.5, "grouping": {"start": "2026-09-01", "end": "2026-09-01", "line_item": "batch::m"}}]}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), SAVED)
def test_saved_answers(tmp_path: Path, name: str, answer: Any) -> None:
    """What an endpoint answered can be kept, and read without asking it again."""
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(answer))
    found = read(name, path)
    assert found.costs == {(FIRST, "m"): Decimal("0.5")}
    assert len(found.usage) == 1


PAGE_ENDS: dict[str, dict[str, Any]] = {"openai": {"start_time": 1788220800, "end_time": 1788307200}, "anthropic": {
    "starting_at": "2026-09-01T00:00:00Z", "ending_at": "2026-09-02T00:00:00Z"}}  # fmt: skip


def page(name: str, results: Sequence[Row], **more: Any) -> dict[str, Any]:
    """Return a page of a report of the first day."""
    return {"data": [{**PAGE_ENDS[name], "results": list(results)}], "has_more": False, "next_page": None, **more}


GOES_ON: dict[str, tuple[Row, Row]] = {
    "openai": (SAVED[0][1]["data"][0]["results"][0], SAVED[0][1]["data"][0]["results"][1]),
    "anthropic": (SAVED[1][1]["data"][0]["results"][0], SAVED[1][1]["data"][0]["results"][1]),
}


@pytest.mark.parametrize("name", GOES_ON)
def test_pages_that_are_not_all_there(tmp_path: Path, name: str) -> None:
    """The sum of some would be a wrong one; of the days that the pages have, they are enough."""
    used, charged = GOES_ON[name]
    first = page(name, [used], has_more=True, next_page="page_2")
    path = written(tmp_path / "saved.json", [first, page(name, [charged])])
    with pytest.raises(ProviderError, match=r"saved\.json, row 1, is not the last page"):
        read(name, path)
    one_day = Question(DAYS.since, DAYS.since + timedelta(days=1))
    assert read(name, path, question=one_day).costs == {(FIRST, "m"): Decimal("0.5")}
    until = {"end_time": 1788393600} if name == "openai" else {"ending_at": "2026-09-03T00:00:00Z"}
    for number, results in enumerate(([], [{**used, "model": "n"}])):
        last = {"data": [{**PAGE_ENDS[name], **until, "results": results}], "has_more": False}
        pages = written(tmp_path / f"{number}.json", [first, last])
        assert len(read(name, pages).usage) == 1 + number
        # The last page is all that there is, whatever days are asked for.
        assert read(name, pages, question=Question(DAYS.since, DAYS.until + timedelta(days=9))).has_usage


@pytest.mark.parametrize(
    "link", [{"nextLink": "https://a/b"}, {"properties": {**QUERY["properties"], "nextLink": "https://a/b"}}]
)
def test_links_to_pages_that_are_not_there(tmp_path: Path, link: Row) -> None:
    """Azure names the next page by its address."""
    answer = {**QUERY, **link} if "properties" in link else {**DETAILS, **link}
    with pytest.raises(ProviderError, match="is not the last page"):
        read("azure", written(tmp_path / "saved.json", [answer]))
    more = {"value": [{"properties": {**AZURE_MCA, "costInUsd": "1"}}]} if "value" in answer else {
        "properties": {**QUERY["properties"], "rows": [[1, 1, 20260902, "x", "1K", "USD"]]}}  # fmt: skip
    assert read("azure", written(tmp_path / "all.json", [answer, more])).costs


@pytest.mark.parametrize(
    ("name", "answer"),
    [*SAVED, ("azure", DETAILS), ("azure", QUERY)],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_given_twice(tmp_path: Path, name: str, answer: Any) -> None:
    """A page, in one file or in two, and a file: each would be billed twice."""
    one, other = written(tmp_path / "one.json", [answer]), written(tmp_path / "other.jsonl", [answer])
    (tmp_path / "copy.json").write_bytes(one.read_bytes())
    for paths in (
        [one, one],
        [one, tmp_path / "copy.json"],
        [one, other],
        [written(tmp_path / "a.json", [answer] * 2)],
    ):
        with pytest.raises(ProviderError, match=r"each (file|page) once"):
            read(name, *paths)


def test_pages_without_anything_are_alike(tmp_path: Path) -> None:
    """And are given as often as somebody likes."""
    assert read("deepgram", written(tmp_path / "a.json", [{"results": []}, {"results": []}])).costs == {}


@pytest.mark.parametrize("item", ["moderations", "vector_stores", "code_interpreter_sessions", "something_new"])
def test_usage_that_is_no_models(tmp_path: Path, item: str) -> None:
    """Is left out of a saved answer, too: what it costs is among the costs."""
    results = [*SAVED[0][1]["data"][0]["results"], {"object": f"organization.usage.{item}.result", "x": 1}]
    found = read("openai", written(tmp_path / "a.json", [page("openai", results)]))
    assert (len(found.usage), len(found.costs)) == (1, 1)
    with pytest.raises(ProviderError, match="object"):
        read("openai", written(tmp_path / "b.json", [page("openai", [{"object": "organization.project"}])]))


@pytest.mark.parametrize(
    ("name", "row", "columns"),
    [
        ("aws", AWS[4], ("line_item_line_item_type", "line_item_product_code", "line_item_usage_type",
                         "line_item_unblended_cost", "line_item_currency_code", "line_item_usage_start_date")),
        ("google", GOOGLE[0], ("service", "sku", "cost", "currency", "usage_start_time")),
        ("azure", AZURE_EA, ("Date", "CostInBillingCurrency", "BillingCurrencyCode")),
    ],
)  # fmt: skip
def test_a_column_that_is_missing(tmp_path: Path, name: str, row: Row, columns: Sequence[str]) -> None:
    """Without it all would be left out, cost nothing, or be taken for dollars: it is named."""
    ending = "jsonl" if name == "google" else "csv"
    for column in columns:
        path = written(tmp_path / f"{column}.{ending}", [{key: row[key] for key in row if key != column}])
        with pytest.raises(ProviderError, match="is missing"):
            read(name, path)


@pytest.mark.parametrize(
    ("name", "row", "column", "other"),
    [
        ("aws", AWS[4], "lineItem/UnblendedCost", "9"),
        ("aws", AWS[4], "LINE_ITEM_USAGE_AMOUNT", "9"),
        ("azure", AZURE_EA, "quantity", "9"),
        ("azure", AZURE_EA, "cost_in_billing_currency", "9"),
    ],
)
def test_two_columns_of_one_name(tmp_path: Path, name: str, row: Row, column: str, other: str) -> None:
    """Nobody knows which of them is meant, unless they say the same."""
    with pytest.raises(ProviderError, match="has row 1"):
        read(name, written(tmp_path / "two.csv", [{**row, column: other}]))
    plain = {"".join(filter(str.isalnum, key)).lower(): value for key, value in row.items()}
    same = plain["".join(filter(str.isalnum, column)).lower()]
    once, twice = written(tmp_path / "a.csv", [row]), written(tmp_path / "b.csv", [{**row, column: same}])
    assert read(name, once) == read(name, twice)


@pytest.mark.parametrize(
    ("column", "value", "is_read"),
    [
        ("line_item_unblended_cost", AWS[4]["line_item_unblended_cost"], True),
        ("line_item_unblended_cost", "9", False),
        ("tags", "9", True),
    ],
)
def test_a_head_that_names_a_column_twice(tmp_path: Path, column: str, value: str, is_read: bool) -> None:
    """As often as it does: what is read has to say the same, and what is not may say anything."""
    row = {key: text for key, text in AWS[4].items() if key != "product"}
    path = tmp_path / "cur.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[*row, "tags", column, column], [*row.values(), "", "", value]])
    if is_read:
        assert read("aws", path).costs == {(FIRST, "Claude4.6Opus"): Decimal("0.0075")}
    else:
        with pytest.raises(ProviderError, match="has row 1"):
            read("aws", path)


@pytest.mark.parametrize(
    ("name", "row", "column"),
    [
        ("aws", AWS[0], "line_item_usage_start_date"), ("google", GOOGLE[0], "usage_start_time"),
        ("azure", AZURE_EA, "Date"),
    ],
)  # fmt: skip
def test_times_that_name_a_zone(tmp_path: Path, name: str, row: Row, column: str) -> None:
    """Are of the day that they are in UTC, and without one they are times in UTC."""
    ending = "jsonl" if name == "google" else "csv"
    for number, (at, day) in enumerate((
        ("2026-08-31T22:00:00-05:00", FIRST), ("2026-09-02T01:00:00+02:00", FIRST), ("2026-09-02T23:59:59Z", SECOND),
        ("2026-09-02 23:59:59", SECOND),
    )):  # fmt: skip
        found = read(name, written(tmp_path / f"{number}.{ending}", [{**row, column: at}]))
        assert {key[0] for key in found.costs} == {day}


@pytest.mark.parametrize(
    ("usage", "code", "unit", "quantity"),
    [
        ("USE1-TranscribeAudio", "transcribe", "Hrs", 7200), ("USE1-TranscribeAudio", "transcribe", "Minutes", 120),
        ("USE1-TranscribeAudio", "transcribe", "parsecs", None), ("USE1-TranscribeAudio", "transcribe", "", None),
        ("USE1-Nova2.0Lite-input-tokens", "AmazonBedrock", "1,000 tokens", 2000),
        ("USE1-Nova2.0Lite-input-tokens", "AmazonBedrock", "", None),
    ],
)  # fmt: skip
def test_units_of_aws(tmp_path: Path, usage: str, code: str, unit: str, quantity: int | None) -> None:
    """What one is of a unit that nobody knows is not guessed."""
    found = read("aws", written(tmp_path / "a.csv", [cur(usage, "2", "1", unit, code)]))
    assert [value for counts in found.usage.values() for value in counts.values()] == ([quantity] if quantity else [])


def test_a_row_of_sums(tmp_path: Path) -> None:
    """In a file that has columns of services, it is of none, and not billed once more."""
    sums = {**dict.fromkeys(AZURE_EA, ""), "Date": "09/01/2026", "CostInBillingCurrency": "0.00375"}
    found = read("azure", written(tmp_path / "a.csv", [AZURE_EA, sums]))
    assert found.costs == {(FIRST, "gpt 4o 0806"): Decimal("0.00375")}


def test_a_file_of_costs_alone_tells_no_usage(tmp_path: Path) -> None:
    """And one of nothing tells that there was nothing."""
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"data": [{"starting_at": "2026-09-01T00:00:00Z", "results": [{"amount": "50"}]}]}))
    found = read("anthropic", path)
    assert (found.has_usage, found.has_costs) == (False, True)
    path.write_text(json.dumps({"data": []}))
    found = read("anthropic", path)
    assert (found.has_usage, found.has_costs) == (True, True)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.csv", b"a,b\n1\n"), ("a.csv", b"a,b\n1,2,3\n"), ("a.csv", b"\xff\xfe"), ("a.csv", b'a\n"x'),
        ("a.json", b"{"), ("a.json", b"[1]"), ("a.json", b"NaN"), ("a.json", b"[" * 100_000), ("a.jsonl", b"{}\n7\n"),
        ("a.csv.gz", b"no gzip"), ("a.csv.gz", gzip.compress(b"a,b\n" * 99, mtime=0)[:-9]),
        ("a.csv.gz", gzip.compress(b"", mtime=0)[:10] + b"\xff" * 40), ("a.parquet", b"PAR1"),
        ("a.xlsx", b""),
        ("a", b""),
    ],
)  # fmt: skip
def test_a_file_that_is_none(tmp_path: Path, name: str, body: bytes) -> None:
    """It is told with its name, and not taken for nothing."""
    path = tmp_path / name
    path.write_bytes(body)
    with pytest.raises(ProviderError, match=r"^a.*: "):
        read("aws", path)


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("aws", {**AWS[0], "line_item_usage_amount": "many"}, "has row 2"),
        ("aws", {**AWS[0], "line_item_unblended_cost": "NaN"}, "has row 2"),
        ("aws", {**AWS[0], "line_item_usage_start_date": ""}, "line_item_usage_start_date is missing"),
        ("google", {**GOOGLE[0], "cost": ""}, "cost is missing"),
        ("google", {**GOOGLE[0], "usage_start_time": "soon"}, "has row 2"),
        ("azure", {**AZURE_EA, "CostInBillingCurrency": "1,5"}, "has row 2.*: a number is not written as 1234.5 is"),
        ("aws", {**AWS[0], "line_item_unblended_cost": "1,234.50"}, "has row 2.*: a number is not written"),
        ("azure", {**AZURE_EA, "Date": "01.09.2026"}, "has row 2"),
    ],
)
def test_a_value_that_is_none(tmp_path: Path, name: str, row: Row, said: str) -> None:
    """It is told with the number of its row, or the name of the column, and not taken for nothing."""
    good = {"aws": AWS[0], "google": GOOGLE[0], "azure": AZURE_EA}[name]
    with pytest.raises(ProviderError, match=said):
        read(name, written(tmp_path / "bill.csv", [good, row]))


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that unpacks to more than can be read is refused, not read."""
    monkeypatch.setattr(files, "MOST_BYTES", 1000)
    monkeypatch.setattr(files, "MOST_LINE", 1000)
    for name, body in (
        ("a.json.gz", b" " * 2000),
        ("a.jsonl.gz", b" " * 2000),
        ("a.csv.gz", b'a\n"' + b"x" * 2000 + b'"'),
    ):
        path = tmp_path / name
        path.write_bytes(gzip.compress(body))
        with pytest.raises(ProviderError):
            read("aws", path)


def test_days_that_were_not_asked_for(tmp_path: Path) -> None:
    """A file of a month is read for the days that are asked for."""
    rows = [{**AWS[0], "line_item_usage_start_date": f"2026-09-{day:02}T00:00:00Z"} for day in range(1, 31)]
    found = read("aws", written(tmp_path / "cur.csv", rows))
    assert {day for day, _ in found.usage} == {FIRST, SECOND}
    later = Question(DAYS.since + timedelta(days=60), DAYS.until + timedelta(days=60))
    assert read("aws", tmp_path / "cur.csv", question=later).usage == {}


def padded(value: Any) -> Any:
    """Return a value with blanks around its texts."""
    if isinstance(value, dict):
        return {name: padded(each) for name, each in value.items()}
    return f" {value} " if isinstance(value, str) and value else value


@pytest.mark.parametrize(
    ("vendor", "rows", "ending"),
    [("aws", AWS, "jsonl"), ("aws", AWS, "csv"), ("google", GOOGLE, "jsonl"), ("azure", [AZURE_EA], "csv")],
)
def test_blanks_around_values_are_not_theirs(tmp_path: Path, vendor: str, rows: Sequence[Row], ending: str) -> None:
    """A currency with a blank behind it is the same currency, and a service the same service."""
    plain = read(vendor, written(tmp_path / f"plain.{ending}", rows))
    found = read(vendor, written(tmp_path / f"padded.{ending}", [padded(row) for row in rows]))
    assert plain.costs
    assert (found.usage, found.costs, found.credits) == (plain.usage, plain.costs, plain.credits)
