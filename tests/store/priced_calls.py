"""Ledger records of calls that are priced by the book in force, as programs write them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from otel_costs import semconv as names
from otel_costs.calls.bill import Bill, cost_attributes, usage_attributes
from otel_costs.usage import Usage
from tests.queries.ledger import NOON, LogRow, call

USAGE = {"input_tokens": 1000, "output_tokens": 100}


def priced(
    usage: Mapping[str, object] | None = None,
    at: datetime = NOON,
    *,
    provider: str = "openai",
    model: str = "gpt-4o",
    tier: str | None = None,
    processing: str | None = None,
    **rest: Any,
) -> LogRow:
    """Return the record of a call, an instant long; `rest` is what `call` takes."""
    bill = Bill(Usage.of(USAGE if usage is None else usage), service_tier=tier, processing=processing)
    cost = bill.cost(provider, (model, None), int(at.timestamp()) * 10**9)
    found = usage_attributes(bill.usage or Usage({})) | cost_attributes(bill, cost)
    found |= {name: json.dumps(value) for name, value in found.items() if isinstance(value, list | tuple)}
    given = {
        names.REQUEST_MODEL: None,
        names.RESPONSE_MODEL: model,
        names.PROVIDER_NAME: provider,
        names.OPENAI_RESPONSE_SERVICE_TIER: tier,
        **found,
        **{name.replace("__", "."): value for name, value in rest.items()},
    }
    return call(at, cost=given.pop(names.COST_USD, None), lasted=0, **given)
