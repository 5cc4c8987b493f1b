"""What Google bills for Gemini and for speech: rows of the Cloud Billing export to BigQuery, as JSON or CSV.

Read from its documentation (https://docs.cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/standard-usage)
and from names of SKUs as others quote them from their bills (`Gemini 2.5 Flash GA Text Input - Predictions`) on
2026-11-28, and never run against the real one. `bq query --format=json 'select * from TABLE where ...'` makes such a
file.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from otel_costs.cli.reconciliation.files import Columns, loaded
from otel_costs.cli.reconciliation.naming import is_written_otherwise
from otel_costs.cli.reconciliation.reported import CREDIT, USAGE, Line, Number, Terms, money, number

_SPEECH: Final = "speech-to-text"
_VOICE: Final = "text-to-speech"
_SERVICES: Final = {
    "vertex ai": "", "gemini api": "", "generative language api": "",
    "cloud speech api": _SPEECH, "cloud speech-to-text api": _SPEECH, "cloud text-to-speech api": _VOICE,
}  # fmt: skip
# "Gemini 2.5 Flash GA Thinking Text Output - Predictions", "Gemini 3 Flash Text Input Caching"
_VERTEX: Final = re.compile(
    r"(?i)(gemini .+?|embeddings? .+?)\s+"
    r"(?:(?:GA|preview|global|regional|long|batch|flex|priority|thinking|live api|live)\s+)*"
    r"(text|audio|image|video)\s+(input|output)\b(.*)"
)
# "Generate content input token count gemini 2.5 flash short input text"
_API: Final = re.compile(
    r"(?i)generate[ _]content (cached )?(?:content )?(?:(input|output) )?token count (?:for )?(gemini .+?)"
    r"((?:\s+(?:short|long|input|output|text|audio|image|video|thinking|batch|caching))*)"
)

TERMS: Final = Terms(
    name="google",
    title="Google Cloud",
    providers=("gcp.gemini", "gcp.vertex_ai", "gcp.speech", "gcp.text_to_speech"),
    grain="hour and SKU, which names a model and a direction; added up by day",
    settles_after=timedelta(hours=48),
    cannot_tell="requests; models of speech services, which are compared as one; which call a credit is of",
    documentation="https://docs.cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/standard-usage",
    read="2026-11-28",
    files="rows of the table gcp_billing_export_v1_... (JSON, JSON lines, CSV or Parquet)",
    rounding={"audio_seconds": 15, "usd": Decimal("0.000001")},
    ours=lambda provider, model: {"gcp.speech": _SPEECH, "gcp.text_to_speech": _VOICE}.get(provider, model),
    matches=is_written_otherwise,
)


def lines(row: Mapping[str, Any]) -> Iterator[Line]:
    """Yield the lines of a row: its cost, and each of its credits."""
    found = Columns(row)
    service = _SERVICES.get(found.stated_text("service.description", "service").lower())
    if service is None or found.text("cost_type").lower() == "tax":
        return
    day = _time(found.needed("usage_start_time")).date()
    name, units = (service, _units_of_speech(found)) if service else _sku(found.stated_text("sku.description", "sku"))
    kind = USAGE if found.text("cost_type").lower() in ("", "regular") else CREDIT
    currency = found.needed_text("currency")
    rate = money(found.get("currency_conversion_rate")) if currency != "USD" else Decimal(1)
    yield Line(
        day, name, _quantities(units, found), *_in_dollars(money(found.needed("cost")), currency, rate), kind=kind
    )
    for credit in _credits(row.get("credits")):
        yield Line(day, name, {}, *_in_dollars(money(credit.get("amount")), currency, rate), kind=CREDIT)


def of_project(row: Mapping[str, Any], projects: tuple[str, ...]) -> bool:
    """Return whether a row is of one of the projects."""
    return Columns(row).text("project.id") in projects


def _in_dollars(amount: Decimal, currency: str, rate: Decimal) -> tuple[Decimal, str]:
    """Return an amount in dollars where the row says how many of its currency one is."""
    return (amount / rate, "USD") if rate else (amount, currency)


def _credits(value: Any) -> list[Mapping[str, Any]]:
    found = loaded(value) if isinstance(value, str) and value.strip() else value
    return list(found or [])


def _time(value: Any) -> datetime:
    """Return a time as BigQuery writes it: 2026-11-22 08:00:00 UTC, or ISO."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    found = datetime.fromisoformat(str(value).strip().replace(" UTC", "+00:00"))
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def _sku(sku: str) -> tuple[str, tuple[str, ...]]:
    """Return the model of a SKU and the units that it counts in; of one that says no direction, itself and none."""
    if found := _VERTEX.fullmatch(sku):
        model, modality, direction, rest = found.groups()
        return model.lower(), _tokens(modality.lower(), direction.lower(), is_cached="cach" in rest.lower())
    if found := _API.fullmatch(sku):
        cached, direction, model, rest = found.groups()
        words = rest.lower().split()
        modality = "audio" if "audio" in words else "text"
        direction = (direction or ("output" if "output" in words else "input")).lower()
        return model.lower(), _tokens(modality, direction, is_cached=bool(cached) or "caching" in words)
    return sku, ()


def _tokens(modality: str, direction: str, *, is_cached: bool) -> tuple[str, ...]:
    audio = (f"{direction}_audio_tokens",) if modality == "audio" else ()
    return (f"{direction}_tokens", *audio, *(("cache_read_tokens",) if is_cached else ()))


def _units_of_speech(row: Columns) -> tuple[str, ...]:
    return ("audio_seconds",) if row.text("usage.unit").lower() == "seconds" else ("input_characters",)


def _quantities(units: tuple[str, ...], row: Columns) -> dict[str, Number]:
    """Return what was used; none of what is counted in hours and bytes: storage of caches."""
    amount, unit = row.get("usage.amount"), row.text("usage.unit").lower()
    if amount is None or unit not in ("", "count", "requests", "seconds", "characters", "tokens"):
        return {}
    return dict.fromkeys(units, number(amount))
