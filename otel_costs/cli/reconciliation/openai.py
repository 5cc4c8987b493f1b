"""What OpenAI says that an organization used and will be billed, day by day, from its administration API.

Read from the published description (openai 3.54, `types/admin/organization`; https://developers.openai.com, Usage).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from otel_costs.cli.reconciliation.pages import Source, StatusError
from otel_costs.cli.reconciliation.reported import Number, ProviderError, Reported

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
_INDISPENSABLE: Final = ("organization/usage/completions", _COSTS)

_DAYS: Final = 31  # of a page; more are refused
_ATOM: Final = Decimal("1e-12")  # as the store keeps money; what is finer is the noise of a float
_WIDE: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


def reported(
    source: Source,
    since: datetime,
    until: datetime,
    *,
    projects: Sequence[str] = (),
    api_keys: Sequence[str] = (),
) -> Reported:
    """Return what OpenAI reports for the days of [since, until), of all projects and keys or of some.

    Raises ProviderError.
    """
    asked = {
        "start_time": int(since.timestamp()),
        "end_time": int(until.timestamp()),
        "bucket_width": "1d",
        "limit": _DAYS,
        **_listed("project_ids", projects),
        **_listed("api_key_ids", api_keys),
    }
    report = _Report(source, asked, since.date(), until.date())
    for path in _USAGE:
        report.read(path, "model", report.add_usage)
    report.read(_COSTS, "line_item", report.add_costs)
    costs = {key: _WIDE.quantize(amount, _ATOM) for key, amount in report.costs.items()}
    return Reported(report.usage, costs, tuple(report.unavailable))


class _Report:
    """What was read until now, and what OpenAI does not have of it."""

    def __init__(self, source: Source, asked: Mapping[str, object], since: date, until: date) -> None:
        self._source, self._asked, self._since, self._until = source, asked, since, until
        self.usage: dict[tuple[date, str], dict[str, Number]] = {}
        self.costs: dict[tuple[date, str], Decimal] = {}
        self.unavailable: list[str] = []

    def read(self, path: str, group: str, add: Callable[[str, date, _Result], None]) -> None:
        """Add every result of a report."""
        try:
            for page in self._source.pages(path, {**self._asked, **_listed("group_by", [group])}):
                for bucket in page["data"]:
                    day = datetime.fromtimestamp(bucket["start_time"], UTC).date()
                    for result in bucket["results"] if self._since <= day < self._until else ():
                        add(path, day, result)
        except StatusError as error:
            if error.status != 404 or path in _INDISPENSABLE:
                raise ProviderError(_what_to_do(error, self._source.host, path)) from None
            self.unavailable.append(path)
        except (TypeError, AttributeError, KeyError, ValueError, ArithmeticError, OSError) as error:
            raise ProviderError(f"{self._source.host} answered {path} with results of another shape") from error

    def add_usage(self, path: str, day: date, result: _Result) -> None:
        """Add what a model used; several reports may name the same."""
        counts = self.usage.setdefault((day, str(result.get("model") or "")), {})
        for unit, quantity in _counts(result, _USAGE[path]):
            counts[unit] = counts.get(unit, 0) + quantity

    def add_costs(self, _: str, day: date, result: _Result) -> None:
        """Add what a line item costs."""
        key = day, str(result.get("line_item") or "")
        self.costs[key] = _WIDE.add(self.costs.get(key, Decimal()), _usd(result.get("amount")))


def _counts(result: _Result, fields: _Fields) -> Iterator[tuple[str, Number]]:
    for unit, names in fields.items():
        stated = [result[name] for name in names if result.get(name) is not None]
        if stated:
            yield unit, sum(map(_number, stated))


def _number(value: object) -> Number:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError("no number")
    return value


def _usd(amount: Any) -> Decimal:
    """Return dollars: the description says a number, and answers have been seen with a string of thirty decimals."""
    if amount is None or amount.get("value") is None:
        return Decimal()
    if str(amount.get("currency") or "usd").lower() != "usd":
        raise ProviderError(
            f"the costs are in {amount['currency']!s:.10}, and ours in dollars: they cannot be compared"
        )
    value = amount["value"]
    found = Decimal(value) if isinstance(value, str) else Decimal(_number(value))
    if not found.is_finite() or abs(found) > 10**15:
        raise ValueError("no amount")
    return found


def _listed(name: str, values: Sequence[str]) -> dict[str, Sequence[str]]:
    """Return a parameter of several values as OpenAI's own client writes it: `name[]=a&name[]=b`; of none, nothing."""
    return {f"{name}[]": values} if values else {}


def _what_to_do(error: StatusError, host: str, path: str) -> str:
    if error.status in (401, 403):
        return f"{host} refused the key (HTTP {error.status}): {WHICH_KEY}"
    if error.status == 404:
        return f"{host} has no {path}: give OpenAI's own address, --base-url {BASE_URL}"
    if error.status == 429:
        return f"{host} {error}; try again in some minutes, or ask for fewer days"
    return f"{host} {error}" + ("; try again later" if error.status >= 500 else f" ({path})")
