"""A stored call as it was priced: its usage, and the bill that the same code comes to a cost by."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from otel_costs import pricing
from otel_costs import semconv as names
from otel_costs.calls.bill import SUMS, Bill
from otel_costs.pricing.call_search import Call
from otel_costs.pricing.contract_prices import CallTerms
from otel_costs.pricing.cost import Cost
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.endpoint import host, region
from otel_costs.pricing.rates import Rates
from otel_costs.usage import Usage

UNITS: Final = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "input_text_tokens",
    "input_audio_tokens", "input_image_tokens", "output_text_tokens", "output_audio_tokens", "output_image_tokens",
    "output_reasoning_tokens", "cache_text_read_tokens", "cache_audio_read_tokens", "cache_image_read_tokens",
    "training_tokens", "input_characters", "images", "web_searches", "file_searches", "containers", "requests",
    "audio_seconds", "input_audio_seconds", "output_audio_seconds", "video_seconds",
)  # fmt: skip
"""The units that have a column in the table calls, under their name; other_usage has the others."""

FACTS: Final = (
    "operation", "provider", "model", "request_model", "service_tier", "server_address", "price_model",
    "price_deployment", "price_processing", "invalid_usage", "cost_unknown", "cost_usd", "cost_reason", "cost_source",
    "start_time", "end_time",
)  # fmt: skip
"""The columns of calls that a price depends on beside the usage, or that tell how the recorded cost came about."""

COLUMNS: Final = (*FACTS, *UNITS, "other_usage")

# What a price said, or the bill for want of one: a new price says it anew.
_REASONS_OF_PRICES: Final = frozenset(
    {
        CostReason.ANSWER_UNKNOWN,
        CostReason.DATED_NAME,
        CostReason.EXCHANGE_RATE_UNKNOWN,
        CostReason.INTERNAL_ERROR,
        CostReason.INVALID_USAGE,
        CostReason.MODALITIES_UNKNOWN,
        CostReason.MODALITY_NOT_PRICED,
        CostReason.NO_USAGE,
        CostReason.OVERLAP_UNKNOWN,
        CostReason.PART_NOT_PRICED,
        CostReason.PROCESSING_NOT_PRICED,
        CostReason.RATE_ESTIMATED,
        CostReason.RESERVATION_NOT_SETTLED,
        CostReason.SEVERAL_REQUESTS,
        CostReason.SIZE_NOT_PRICED,
        CostReason.TIER_NOT_PRICED,
        CostReason.UNIT_NOT_PRICED,
        CostReason.UNKNOWN_MODEL,
        CostReason.UNKNOWN_OPTION,
        CostReason.UNKNOWN_USAGE,
        CostReason.USAGE_ESTIMATED,
        CostReason.USAGE_UNKNOWN,
        CostReason.VOLUME_NOT_SETTLED,
        CostReason.ZONE_NOT_PRICED,
    }
)


def usage(row: Mapping[str, Any]) -> Usage:
    """Return what a call used, of a row that has COLUMNS; quantities as they were reported."""
    found = {unit: row[unit] for unit in UNITS if row[unit] is not None} | row["other_usage"]
    reasons = row["cost_reason"].split(",")
    used = Usage.of(
        found,
        invalid=tuple(row["invalid_usage"]),
        estimated=CostReason.USAGE_ESTIMATED in reasons,
        # A unit that was unknown may have a price now.
        unknown=tuple(key for key in row["cost_unknown"] if key not in found and CostReason.UNKNOWN_USAGE in reasons),
    )
    return replace(used, several=True) if row["operation"] in SUMS else used


def bill(row: Mapping[str, Any]) -> Bill:
    """Return the bill of a call, of a row that has COLUMNS; its usage is None where it is not known."""
    used, reasons = usage(row), row["cost_reason"].split(",")
    return Bill(
        usage=used if used.quantities or used.invalid or used.unknown else None,
        price_model=row["price_model"] or None,
        service_tier=row["service_tier"] or None,
        processing=row["price_processing"] or None,
        endpoint=row["server_address"] or None,
        deployment=row["price_deployment"] or None,
        reported=row["cost_usd"] if row["cost_source"] == "provider" else None,
        reasons=[
            reason for reason in reasons if reason and (not _comes_of_prices(reason, row) or _is_of_call(reason, used))
        ],
        refused=CostReason.REQUEST_REFUSED in reasons,
        # Keys and options stand in one list; where there are both, each of them is both.
        unknown=list(row["cost_unknown"]) if CostReason.UNKNOWN_OPTION in reasons else [],
    )


def _comes_of_prices(reason: str, row: Mapping[str, Any]) -> bool:
    """Whether a new price gives a reason anew; a region's does where the host names the region."""
    if reason == CostReason.REGION_NOT_PRICED:
        return region(host(row["server_address"])) is not None
    return reason in _REASONS_OF_PRICES


def _is_of_call(reason: str, used: Usage) -> bool:
    """Whether a reason that prices give, too, is the call's own: tools were counted, and no tokens were told."""
    return reason == CostReason.NO_USAGE and bool(used.quantities)


def cost(row: Mapping[str, Any]) -> Cost | None:
    """Return what a call costs by the prices that hold here; None if its usage is not known or it was refused."""
    found = bill(row)
    if found.refused:
        return None
    models = row["model"], row["request_model"]
    return found.cost(row["provider"], models, nanoseconds(row["start_time"]), nanoseconds(row["end_time"]))


def terms(row: Mapping[str, Any]) -> CallTerms | None:
    """Return what a contract says of a call, a row that has COLUMNS; None where none is for it."""
    book = pricing.current()
    if book.contracts is None:
        return None
    return book.terms(_way(row), row["end_time"], **_models(row))


def rates(row: Mapping[str, Any]) -> Rates:
    """Return the list prices of a call, a row that has COLUMNS."""
    return pricing.current().rates(_way(row), row["start_time"], **_models(row))


def _models(row: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the models, beside the one that answered, by which a price may be found."""
    return {"request_model": row["request_model"], "price_model": row["price_model"] or None}


def _way(row: Mapping[str, Any]) -> Call:
    asked = (row["service_tier"], row["price_processing"], row["server_address"], row["price_deployment"])
    return (row["provider"], row["model"], *(text or None for text in asked))


def amount(attributes: Mapping[str, Any], name: str) -> Decimal | None:
    """Return an amount of a ledger record, None where it has none."""
    text = attributes.get(name)
    return None if text is None else Decimal(text)


def list_usd(attributes: Mapping[str, Any]) -> Decimal | None:
    """Return what a call costs at list prices, of the attributes of its ledger record; as call_records_mv does."""
    own = names.COST_COMPUTED_USD if attributes.get(names.COST_SOURCE) == "provider" else names.COST_USD
    found = amount(attributes, names.COST_LIST_USD)
    return amount(attributes, own) if found is None else found


def nanoseconds(when: datetime) -> int:
    """Return a moment in nanoseconds since 1970, exact to the microsecond."""
    return int(Decimal(str(when.timestamp())) * 1_000_000) * 1000
