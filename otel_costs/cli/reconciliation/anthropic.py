"""What Anthropic says that an organization used and will be billed, day by day, from its Usage and Cost API.

Read from its documentation (https://platform.claude.com/docs/en/api/admin-api/usage-cost/get-messages-usage-report and
get-cost-report) on 2026-11-28, and never run against the real one. Anthropic calls these two endpoints legacy since
October 2026: the ones that replace them are of enterprises.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from otel_costs.cli.reconciliation.naming import is_snapshot
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
    utc_day,
)

_USAGE: Final = "v1/organizations/usage_report/messages"
_COSTS: Final = "v1/organizations/cost_report"
_DAYS: Final = 31  # of a page
_CENTS: Final = Decimal(100)

TERMS: Final = Terms(
    name="anthropic",
    title="Anthropic",
    providers=("anthropic",),
    grain="day and model; costs by model, and by description where there is none",
    settles_after=timedelta(hours=6),
    cannot_tell="requests; costs of the priority tier, which are not in the report; credits and taxes",
    documentation="https://platform.claude.com/docs/en/manage-claude/usage-cost-api",
    read="2026-11-28",
    env_key="ANTHROPIC_ADMIN_KEY",
    which_key=(
        "set ANTHROPIC_ADMIN_KEY to an admin key (sk-ant-admin...), which an admin of the organization makes at"
        " https://platform.claude.com/settings/admin-keys; other keys may not read usage and costs"
    ),
    base_url="https://api.anthropic.com",
    files="saved answers of its endpoints (JSON)",
    filters=(PROJECT, API_KEY),
    matches=is_snapshot,
)

_Result = Mapping[str, Any]


def source(base_url: str, key: str) -> Source:
    """Return where the report is. Raises ProviderError."""
    return Source(base_url, key, header="x-api-key", before="", headers={"anthropic-version": "2023-06-01"})


def reported(source: Source, question: Question) -> Reported:
    """Return what Anthropic reports; projects are its workspaces. Raises ProviderError."""
    asked: dict[str, object] = {
        "starting_at": f"{question.since:%Y-%m-%dT%H:%M:%SZ}",
        "ending_at": f"{question.until:%Y-%m-%dT%H:%M:%SZ}",
        "bucket_width": "1d",
        "limit": _DAYS,
    }
    filters = {
        **({"workspace_ids[]": question.projects} if question.projects else {}),
        **({"api_key_ids[]": question.api_keys} if question.api_keys else {}),
    }
    report = Report(question)
    # Costs know workspaces as groups alone, and no keys.
    costs = {"group_by[]": ["description", "workspace_id"]}
    for path, more in ((_USAGE, {"group_by[]": ["model"], **filters}), (_COSTS, costs)):
        if path == _COSTS and question.api_keys:
            continue
        try:
            for page in source.pages(path, {**asked, **more}):
                with shaped(source.host, path):
                    report.add_all(_of_workspaces(page, question) if path == _COSTS else lines(page))
        except StatusError as error:
            raise refused(error, TERMS, source.host, path) from None
    return report.whole(has_costs=not question.api_keys)


def lines(row: _Result) -> Iterator[Line]:
    """Yield the lines of a page of either report."""
    for bucket in row["data"]:
        day = utc_day(bucket["starting_at"])
        for result in bucket["results"]:
            yield _cost(day, result) if "amount" in result else _use(day, result)


def _of_workspaces(page: _Result, question: Question) -> Iterator[Line]:
    for bucket in page["data"]:
        kept = [
            one for one in bucket["results"] if not question.projects or one.get("workspace_id") in question.projects
        ]
        yield from lines({"data": [{**bucket, "results": kept}]})


def _use(day: date, result: _Result) -> Line:
    written = [_count(value) for value in (result.get("cache_creation") or {}).values()]
    read, fresh = _count(result.get("cache_read_input_tokens")), _count(result.get("uncached_input_tokens"))
    tools = result.get("server_tool_use") or {}
    quantities = {
        "input_tokens": fresh + read + sum(written),  # totals have their parts in them, as ours have
        "cache_read_tokens": read,
        "cache_write_tokens": sum(written),
        "output_tokens": _count(result.get("output_tokens")),
        **({"web_searches": _count(searches)} if (searches := tools.get("web_search_requests")) else {}),
    }
    return Line(day, str(result.get("model") or ""), quantities)


def _cost(day: date, result: _Result) -> Line:
    """Return a cost: amounts are cents, as decimal text."""
    name = str(result.get("model") or result.get("description") or "")
    return Line(day, name, amount=money(result["amount"]) / _CENTS, currency=str(result.get("currency") or "USD"))


def _count(value: object) -> Number:
    return 0 if value is None else number(value)
