"""What OpenAI says that an organization used and will be billed, day by day, from its administration API.

Read from the published description (openai 3.54, `types/admin/organization`; https://developers.openai.com, Usage) on
2026-11-26, and never run against the real one.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from otel_costs.cli.reconciliation.pages import Source, StatusError
from otel_costs.cli.reconciliation.refusals import refused, shaped
from otel_costs.cli.reconciliation.reported import (
    API_KEY,
    PROJECT,
    Line,
    Number,
    Question,
    Report,
    Reported,
    Terms,
    money,
    number,
)

NAME: Final = "openai"
BASE_URL: Final = "https://api.openai.com/v1"
ENV_KEY: Final = "OPENAI_ADMIN_KEY"
WHICH_KEY: Final = (
    f"set {ENV_KEY} to an admin key, which an owner of the organization makes at"
    " https://platform.openai.com/settings/organization/admin-keys; other keys may not read usage and costs"
)

_Fields = Mapping[str, tuple[str, ...]]
_Result = Mapping[str, Any]

_REQUESTS: Final[_Fields] = {"requests": ("num_model_requests",)}
# OpenAI's input_tokens have cached ones in them, as ours have. Its input_audio_tokens had them too, until it began to
# state input_cached_audio_tokens beside: together they are all audio in both shapes.
_TOKENS: Final[_Fields] = {
    **_REQUESTS,
    "input_tokens": ("input_tokens",),
    "cache_read_tokens": ("input_cached_tokens",),
    "output_tokens": ("output_tokens",),
    "input_audio_tokens": ("input_audio_tokens", "input_cached_audio_tokens"),
    "output_audio_tokens": ("output_audio_tokens",),
}
_USAGE: Final[Mapping[str, _Fields]] = {
    "organization/usage/completions": _TOKENS,
    "organization/usage/decisions": _TOKENS,
    "organization/usage/embeddings": {**_REQUESTS, "input_tokens": ("input_tokens",)},
    "organization/usage/images": {**_REQUESTS, "images": ("images",)},
    "organization/usage/audio_speeches": {**_REQUESTS, "input_characters": ("characters",)},
    "organization/usage/audio_transcriptions": {**_REQUESTS, "audio_seconds": ("seconds",)},
}
_COSTS: Final = "organization/costs"
_USAGE_OF: Final = "organization/usage/"
"""What is not in _USAGE of these is moderations, storage and tools, whose costs are in the costs alone."""
_INDISPENSABLE: Final = ("organization/usage/completions", _COSTS)

_DAYS: Final = 31  # of a page; more are refused

TERMS: Final = Terms(
    name=NAME,
    title="OpenAI",
    providers=("openai",),
    grain="day and model; costs by line item, of which most name a model",
    settles_after=timedelta(hours=6),
    cannot_tell="which call a cost is of; credits, taxes and discounts that are no line items",
    documentation="openai 3.54, types/admin/organization; https://developers.openai.com, Usage",
    read="2026-11-26",
    env_key=ENV_KEY,
    which_key=WHICH_KEY,
    base_url=BASE_URL,
    files="saved answers of its endpoints (JSON)",
    filters=(PROJECT, API_KEY),
    rounding={"audio_seconds": 1},
)


def source(base_url: str, key: str) -> Source:
    """Return where the report is. Raises ProviderError."""
    return Source(base_url, key)


def reported(source: Source, question: Question) -> Reported:
    """Return what OpenAI reports. Raises ProviderError, and what a result of another shape raises."""
    asked = {
        "start_time": int(question.since.timestamp()),
        "end_time": int(question.until.timestamp()),
        "bucket_width": "1d",
        "limit": _DAYS,
        **_listed("project_ids", question.projects),
        **_listed("api_key_ids", question.api_keys),
    }
    report = Report(question)
    for path in (*_USAGE, _COSTS):
        try:
            for page in source.pages(path, {**asked, **_listed("group_by", [_group(path)])}):
                with shaped(source.host, path):
                    report.add_all(_page(page, path))
        except StatusError as error:
            if error.status != 404 or path in _INDISPENSABLE:
                raise refused(error, TERMS, source.host, path) from None
            report.unavailable.append(path)
    return report.whole()


def lines(row: Mapping[str, Any]) -> Iterator[Line]:
    """Yield the lines of a saved page of a report."""
    for bucket in row["data"]:
        for result in bucket["results"]:
            path = str(result["object"]).removesuffix(".result").replace(".", "/")
            if path in _USAGE or path == _COSTS:
                yield from _page({"data": [{**bucket, "results": [result]}]}, path)
            elif not path.startswith(_USAGE_OF):
                raise KeyError("object of a result of usage or costs")


def _page(page: _Result, path: str) -> Iterator[Line]:
    for bucket in page["data"]:
        day = datetime.fromtimestamp(bucket["start_time"], UTC).date()
        for result in bucket["results"]:
            yield _cost(day, result) if path == _COSTS else _use(day, result, _USAGE[path])


def _use(day: date, result: _Result, fields: _Fields) -> Line:
    return Line(day, str(result.get("model") or ""), dict(_counts(result, fields)))


def _cost(day: date, result: _Result) -> Line:
    """Return dollars: the description says a number, and answers have been seen with a string of thirty decimals."""
    amount = result.get("amount") or {}
    value, currency = amount.get("value"), str(amount.get("currency") or "usd")
    return Line(day, str(result.get("line_item") or ""), amount=money(value), currency=currency)


def _counts(result: _Result, fields: _Fields) -> Iterator[tuple[str, Number]]:
    for unit, names in fields.items():
        stated = [result[name] for name in names if result.get(name) is not None]
        if stated:
            yield unit, sum(map(_number, stated))


def _number(value: object) -> Number:
    if isinstance(value, str):
        raise TypeError("no number")
    return number(value)


def _group(path: str) -> str:
    return "line_item" if path == _COSTS else "model"


def _listed(name: str, values: Sequence[str]) -> dict[str, Sequence[str]]:
    """Return a parameter of several values as OpenAI's own client writes it: `name[]=a&name[]=b`; of none, nothing."""
    return {f"{name}[]": values} if values else {}
