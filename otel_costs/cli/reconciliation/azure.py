"""What Azure bills for OpenAI's models and for speech: Cost Management's exports, and the usage details of its API.

Read on 2026-11-28 and never run against the real one: columns of cost and usage details (actual cost) of enterprise,
customer and pay-as-you-go agreements (https://learn.microsoft.com/azure/cost-management-billing/dataset-schema/schema-index),
Microsoft.Consumption/usageDetails (2024-08-01), Microsoft.CostManagement/query (2025-03-01), and names of meters as
others read them from the retail price list (`gpt 4o 0806 cached Inp glbl Tokens`, 1K). FOCUS exports are another shape.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any, Final

from otel_costs.cli.reconciliation.files import Columns
from otel_costs.cli.reconciliation.naming import is_written_otherwise
from otel_costs.cli.reconciliation.pages import Source, StatusError
from otel_costs.cli.reconciliation.refusals import refused, shaped
from otel_costs.cli.reconciliation.reported import (
    CREDIT,
    USAGE,
    Line,
    Number,
    ProviderError,
    Question,
    Report,
    Reported,
    Terms,
    money,
    number,
    utc_day,
)

_API_VERSION: Final = "2024-08-01"
_SERVICES: Final = (
    "microsoft.cognitiveservices",
    "cognitive services",
    "azure openai",
    "foundry models",
    "azure speech",
)
_SCOPE: Final = re.compile(r"/?[A-Za-z0-9._:/-]+")
_UNIT: Final = re.compile(r"(?i)(\d+)?\s*(k|m)?\s*/?\s*(?:(hour|second|minute)s?|tokens?|characters?)?")
_TIMES: Final = {"k": 1000, "m": 1_000_000}
_SECONDS: Final = {"hour": 3600, "minute": 60, "second": 1}

# Words of meters, as they are shortened there.
_INPUT: Final = {"input", "inp", "inpt", "in"}
_OUTPUT: Final = {"output", "outp", "outpt", "out", "opt"}
_CACHED: Final = {"cached", "cchd", "cache"}
_AUDIO: Final = {"audio", "aud"}
_IMAGE: Final = {"image", "img"}
_TEXT: Final = {"text", "txt"}
_OTHERS: Final = {
    "tokens", "token", "glbl", "global", "gl", "gbl", "regnl", "regional", "rgnl", "dzone", "dz", "datazone", "data",
    "zone", "batch", "1m", "1k", "priority", "pp", "std", "standard", "azure", "openai",
}  # fmt: skip

TERMS: Final = Terms(
    name="azure",
    title="Azure",
    providers=("azure.ai.openai", "azure.ai.inference", "azure.speech"),
    grain="day and meter, which names a model, a direction and a kind of deployment",
    settles_after=timedelta(hours=72),
    cannot_tell=(
        "requests; which deployment a call went to; provisioned throughput by model; models that the marketplace bills;"
        " seconds and characters of what has several meters for one call"
    ),
    documentation="https://learn.microsoft.com/azure/cost-management-billing/automate/understand-usage-details-fields",
    read="2026-11-28",
    env_key="AZURE_COST_TOKEN",
    which_key=(
        "set AZURE_COST_TOKEN to a token of somebody who may read costs: `az account get-access-token --query"
        " accessToken --output tsv`; it holds for about an hour"
    ),
    base_url="https://management.azure.com",
    files="exports of Cost Management (actual cost, CSV or Parquet), saved answers of usageDetails and query (JSON)",
    ours=lambda provider, model: f"speech/{model.partition('/')[0]}" if provider == "azure.speech" else model,
    matches=is_written_otherwise,
)


def source(base_url: str, key: str) -> Source:
    """Return where the report is. Raises ProviderError."""
    return Source(base_url, key)


def reported(source: Source, question: Question) -> Reported:
    """Return what Azure reports; projects are scopes: subscriptions, resource groups or billing accounts.

    Raises ProviderError.
    """
    if not question.projects:
        raise ProviderError("say whose costs are asked for: --project subscriptions/ID, or another scope")
    last = question.until - timedelta(days=1)
    asked = {
        "api-version": _API_VERSION,
        "metric": "actualcost",
        "startDate": f"{question.since:%Y-%m-%d}",
        "endDate": f"{last:%Y-%m-%d}",
    }
    report = Report(question)
    for scope in _scopes(question.projects):
        path = f"{scope}/providers/Microsoft.Consumption/usageDetails"
        try:
            for page in source.linked_pages(path, asked):
                with shaped(source.host, path):
                    report.add_all(lines(page))
        except StatusError as error:
            raise refused(error, TERMS, source.host, path) from None
    return report.whole()


def _scopes(given: Sequence[str]) -> list[str]:
    """Return the scopes, each once. Raises ProviderError for what is none, and for one that is within another."""
    if not all(_SCOPE.fullmatch(scope) and ".." not in scope for scope in given):
        raise ProviderError("a scope is a path such as subscriptions/ID")
    found = list({scope.strip("/").lower(): scope.strip("/") for scope in given}.values())
    for outer, inner in permutations(found, 2):
        if inner.lower().startswith(f"{outer.lower()}/"):
            raise ProviderError(f"the costs of {inner} are in those of {outer}: give one of both")
    return found


def lines(row: Mapping[str, Any]) -> Iterator[Line]:
    """Yield the lines of a row of an export, or of a saved answer of usageDetails or query."""
    if isinstance(row.get("value"), list):
        for one in row["value"]:
            yield from _line(Columns(one["properties"]))
    elif isinstance(row.get("properties"), dict) and "rows" in row["properties"]:
        names = [column["name"] for column in row["properties"]["columns"]]
        for values in row["properties"]["rows"]:
            yield from _line(Columns(dict(zip(names, values, strict=True))))
    else:
        yield from _line(Columns(row))


def of_project(row: Mapping[str, Any], projects: tuple[str, ...]) -> bool:
    """Return whether a row of a file is of one of the subscriptions."""
    found = Columns(row).text("subscriptionId", "subscriptionGuid", "SubscriptionId").lower()
    return any(project.lower().rpartition("/")[2] == found.rpartition("/")[2] for project in projects)


def _line(row: Columns) -> Iterator[Line]:
    service = row.text("consumedService") or row.text("meterCategory", "ServiceName")
    category = row.text("meterCategory").lower()
    # A query that was grouped by meters alone has no column of services: its meters are all taken.
    names_service = service or row.has("consumedService", "meterCategory", "ServiceName")
    if names_service and not (service.lower() in _SERVICES or category in _SERVICES):
        return
    charge = row.text("chargeType", "ChargeType").lower() or "usage"
    if charge == "tax":
        return
    meter = row.text("meterName", "Meter", "meterDetailsMeterName") or row.text("product", "productName", "ProductName")
    name, units = _meter(meter)
    amount, currency = _amount(row)
    kind = USAGE if charge in ("usage", "purchase") else CREDIT
    quantities = _quantities(units, row, meter) if charge == "usage" else {}
    yield Line(_day(row.needed("date", "usageDate", "usageStart")), name, quantities, amount, currency, kind)


def _amount(row: Columns) -> tuple[Decimal, str]:
    """Return what is billed: in dollars where the export has it in those, else in the currency of the bill."""
    in_dollars = row.get("costInUsd", "costInUSD", "CostUSD")
    if in_dollars is not None:
        return money(in_dollars), "USD"
    amount = row.needed("costInBillingCurrency", "cost", "PreTaxCost")
    return money(amount), row.needed_text("billingCurrency", "billingCurrencyCode", "currency")


def _day(value: Any) -> date:
    """Return a day, as 2026-11-22, 20261122, 11/22/2026 or with a time."""
    text = str(value).strip()
    if text.isdigit() and len(text) == 8:
        return datetime.strptime(text, "%Y%m%d").date()  # it is a day
    if "/" in text:
        return datetime.strptime(text.split()[0], "%m/%d/%Y").date()
    return utc_day(text)


def _meter(meter: str) -> tuple[str, tuple[str, ...]]:
    """Return the model of a meter, and the units that its quantity counts in: none where it says no direction."""
    low = [word for word in re.split(r"[\s_-]+", meter.lower()) if word]
    if "speech" in low or "characters" in low:
        return _speech(low)
    is_embedding = "embedding" in low
    is_cached, is_audio = bool(_CACHED & {*low}), bool(_AUDIO & {*low})
    dropped = _INPUT | _OUTPUT | _CACHED | _AUDIO | _IMAGE | _OTHERS | (set() if is_embedding else _TEXT)
    if _OUTPUT & {*low}:
        units = ("output_tokens", *(("output_audio_tokens",) if is_audio else ()))
    elif _INPUT & {*low} or is_cached or is_embedding:
        cached = ("cache_read_tokens",) if is_cached else ()
        units = ("input_tokens", *cached, *(("input_audio_tokens",) if is_audio else ()))
    else:
        return meter, ()
    return " ".join(word for word in low if word not in dropped), units


def _speech(words: list[str]) -> tuple[str, tuple[str, ...]]:
    """Return our name for a meter of Azure Speech."""
    if "characters" in words:
        custom, hd = "custom" in words, "hd" in words
        kind = "custom-neural" if custom else "neural-hd" if hd else "neural"
        return f"speech/{kind}", ("input_characters",)
    return f"speech/{'custom' if 'custom' in words else 'standard'}", ("audio_seconds",)


def _quantities(units: tuple[str, ...], row: Columns, meter: str) -> dict[str, Number]:
    """Return the quantity in single tokens, characters or seconds; none where the row's unit does not say of what."""
    quantity, unit = row.get("quantity", "usageQuantity"), row.text("unitOfMeasure")
    if quantity is None or not units:
        return {}
    if not unit and meter.endswith(" 1M Tokens"):
        unit = "1M"
    found = _UNIT.fullmatch(unit)
    if not found or not unit:
        return {}
    count, times, span = found.groups()
    factor = int(count or 1) * _TIMES.get((times or "").lower(), 1)
    if units == ("audio_seconds",):
        if span is None:
            return {}
        factor *= _SECONDS[span.lower()]
    elif span is not None:
        return {}
    return dict.fromkeys(units, number(Decimal(number(quantity)) * factor))
