"""What AWS bills for Bedrock, Polly and Transcribe: its cost and usage report (CUR 2.0, and the one before).

Read from the dictionary of its columns (https://docs.aws.amazon.com/cur/latest/userguide/table-dictionary-cur2.html)
and from usage types as others quote them from the price list (`USE1-SynthesizeSpeechNeural-Characters`,
`USE1-TranscribeAudio`, `USE1-Claude4.6Opus-input-tokens-cross-region-global`) on 2026-11-28, and never run against the
real one. FOCUS exports are another shape.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from otel_costs.cli.reconciliation.files import Columns
from otel_costs.cli.reconciliation.naming import is_written_otherwise
from otel_costs.cli.reconciliation.reported import CREDIT, USAGE, Line, Number, Terms, money, number, utc_day

_POLLY: Final = re.compile(r"SynthesizeSpeech(Neural|LongForm|Generative)?-Characters", re.I)
_ENGINES: Final = {"": "standard", "neural": "neural", "longform": "long-form", "generative": "generative"}
_TRANSCRIBE: Final = re.compile(r"(CallAnalytics|Medical)?(Streaming)?(TranscribeAudio|StreamingAudio)", re.I)
_KINDS: Final = {"": "standard", "callanalytics": "call-analytics", "medical": "medical"}
# "Claude4.6Opus-input-tokens-cross-region-global", "Nova2.0Lite-cache-read-input-token-count"
_BEDROCK: Final = re.compile(
    r"(.+?)-(cache-read-input|cache-write-input|text-input|input|text-output|output)-tokens?\b.*", re.I
)
# Models that are sold through the marketplace: "USE1_InputTokenCount-Units", the model is the product.
_MARKETPLACE: Final = re.compile(r".*?(Cache(?:Read|Write))?(Input|Output)TokenCount.*", re.I)
_EDITION: Final = re.compile(r"(.+?)\s*\((?:Amazon )?Bedrock Edition\)", re.I)
_REGION: Final = re.compile(r"^(?:[A-Z]{2,4}\d{0,2}|us-gov-\w+-\d)-(?=[A-Z])", re.I)
_VENDOR: Final = re.compile(
    r"^(?:(?:us|eu|apac|jp|au|ca|global|us-gov)\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen|google)\."
)
_BUILD: Final = re.compile(r"-v\d+(?::\d+)?(?::\w+)?$")
_TOKENS: Final = {
    "input": ("input_tokens",), "text-input": ("input_tokens",), "output": ("output_tokens",),
    "text-output": ("output_tokens",), "cache-read-input": ("input_tokens", "cache_read_tokens"),
    "cache-write-input": ("input_tokens", "cache_write_tokens"),
}  # fmt: skip
_TIMES: Final = re.compile(r"(?i)\s*(\d[\d,]*)?\s*(k|m|million|thousand)?\b.*")
_SECONDS: Final = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "hr": 3600}
_FACTORS: Final = {"k": 1000, "thousand": 1000, "m": 1_000_000, "million": 1_000_000}
_USED: Final = ("usage", "discountedusage", "savingsplancoveredusage", "fee")
_REDUCING: Final = (
    "credit",
    "refund",
    "edpdiscount",
    "bundleddiscount",
    "discount",
    "privateratediscount",
    "savingsplannegation",
)


def _ours(provider: str, model: str) -> str:
    """Return a model as the report can tell it: Bedrock's without vendor and build."""
    if provider == "aws.bedrock":
        return _BUILD.sub("", _VENDOR.sub("", model))
    return f"{provider.removeprefix('aws.')}/{model}"


TERMS: Final = Terms(
    name="aws",
    title="AWS",
    providers=("aws.bedrock", "aws.polly", "aws.transcribe"),
    grain="hour or day, and usage type, which names a model or an engine, and a direction; added up by day",
    settles_after=timedelta(hours=48),
    cannot_tell="requests; tokens of models that the marketplace sells in units of its own; live and recorded apart",
    documentation="https://docs.aws.amazon.com/cur/latest/userguide/table-dictionary-cur2.html",
    read="2026-11-28",
    files="the cost and usage report (CSV, CSV.gz or Parquet)",
    rounding={"audio_seconds": 15, "usd": Decimal("0.0000000001")},
    ours=_ours,
    matches=is_written_otherwise,
)


def lines(row: Mapping[str, Any]) -> Iterator[Line]:
    """Yield the line of a row, where it is of a service that is compared."""
    found = Columns(row)
    item = found.stated_text("line_item_line_item_type").lower()
    named = _named(found)
    if named is None or item not in (*_USED, *_REDUCING):
        return
    name, units = named
    amount = money(found.stated("line_item_unblended_cost"))
    currency = found.needed_text("line_item_currency_code")
    kind = USAGE if item in _USED else CREDIT
    day = utc_day(found.needed("line_item_usage_start_date"))
    yield Line(day, name, _quantities(units, found) if item != "fee" and kind == USAGE else {}, amount, currency, kind)


def of_project(row: Mapping[str, Any], projects: tuple[str, ...]) -> bool:
    """Return whether a row is of one of the accounts."""
    return Columns(row).text("line_item_usage_account_id") in projects


def _named(row: Columns) -> tuple[str, tuple[str, ...]] | None:
    """Return what a row is of, as our names have it, and the units that it counts in; None for another service."""
    code = row.stated_text("line_item_product_code").lower()
    usage = _REGION.sub("", row.stated_text("line_item_usage_type"))
    if code == "amazonpolly":
        found = _POLLY.fullmatch(usage)
        return (
            (f"polly/{_ENGINES[(found[1] or '').lower()]}", ("input_characters",)) if found else (f"polly/{usage}", ())
        )
    if code in ("transcribe", "amazontranscribe"):
        found = _TRANSCRIBE.fullmatch(usage)
        return (
            (f"transcribe/{_KINDS[(found[1] or '').lower()]}", ("audio_seconds",))
            if found
            else (f"transcribe/{usage}", ())
        )
    edition = _EDITION.fullmatch(row.text("product_product_name", "product.product_name"))
    if edition is None and not code.startswith("amazonbedrock"):
        return None
    if edition is not None and (sold := _MARKETPLACE.fullmatch(usage)):
        cache, direction = (sold[1] or "").lower(), sold[2].lower()
        return edition[1], _TOKENS[f"cache-{cache.removeprefix('cache')}-input" if cache else direction]
    if found := _BEDROCK.fullmatch(usage):
        return found[1], _TOKENS[found[2].lower()]
    return f"bedrock/{usage}", ()


def _quantities(units: tuple[str, ...], row: Columns) -> dict[str, Number]:
    """Return the quantity in tokens, characters or seconds; none where its unit does not say how many one is."""
    amount, unit = row.get("line_item_usage_amount"), row.text("pricing_unit").lower()
    if amount is None or not units or unit in ("", "unit", "units"):
        return {}
    factor = 1
    if units == ("audio_seconds",):
        if (span := _SECONDS.get(unit.rstrip("s"))) is None:
            return {}
        factor = span
    elif found := _TIMES.fullmatch(unit):
        factor = int((found[1] or "1").replace(",", "")) * _FACTORS.get(found[2] or "", 1)
    return dict.fromkeys(units, number(Decimal(number(amount)) * factor))
