"""What Deepgram says that a project used and was billed, day by day, from its usage and billing breakdowns.

Read from its documentation (https://developers.deepgram.com/reference/manage/usage/breakdown/get and
.../billing/breakdown/get) on 2026-11-28, and never run against the real one.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from otel_costs.cli.reconciliation.naming import is_written_otherwise
from otel_costs.cli.reconciliation.pages import Source, StatusError
from otel_costs.cli.reconciliation.refusals import refused, shaped
from otel_costs.cli.reconciliation.reported import (
    Line,
    Number,
    ProviderError,
    Question,
    Report,
    Reported,
    Terms,
    money,
    number,
)

_HOUR: Final = 3600

_Result = Mapping[str, Any]


def _ours(_provider: str, model: str) -> str:
    """Return a model as the report knows it: the kind `-general` is the one that is meant where none is named."""
    return model.removesuffix("-general")


TERMS: Final = Terms(
    name="deepgram",
    title="Deepgram",
    providers=("deepgram",),
    grain="day and model; costs by line item, which names a model",
    settles_after=timedelta(hours=24),
    cannot_tell="features of a model apart; credits that pay for it, and a plan's minimum",
    documentation="https://developers.deepgram.com/reference/manage",
    read="2026-11-28",
    env_key="DEEPGRAM_API_KEY",
    which_key="set DEEPGRAM_API_KEY to a key with the scopes usage:read and billing:read of the project",
    base_url="https://api.deepgram.com",
    files="saved answers of its endpoints (JSON)",
    rounding={"audio_seconds": 1},
    ours=_ours,
    matches=is_written_otherwise,
)


def source(base_url: str, key: str) -> Source:
    """Return where the report is. Raises ProviderError."""
    return Source(base_url, key, before="Token ")


def reported(source: Source, question: Question) -> Reported:
    """Return what Deepgram reports of the projects that were asked for, or of all that the key may see."""
    report = Report(question)
    days = {"start": f"{question.since:%Y-%m-%d}", "end": f"{question.until - timedelta(days=1):%Y-%m-%d}"}
    for project in question.projects or _projects(source):
        if not project.replace("-", "").isalnum():
            raise ProviderError("a project's id has letters, digits and hyphens")
        for kind, group in (("usage", "models"), ("billing", "line_item")):
            path = f"v1/projects/{project}/{kind}/breakdown"
            answer = _answer(source, path, {**days, "grouping": group}, "results")
            with shaped(source.host, path):
                report.add_all(lines(answer))
    return report.whole()


def lines(row: _Result) -> Iterator[Line]:
    """Yield the lines of an answer, of usage or of billing."""
    for result in row["results"]:
        group = result["grouping"]
        # What says no time of its own has that of the whole answer.
        day, end = (date.fromisoformat(str(group.get(name) or row[name])[:10]) for name in ("start", "end"))
        if end - day > timedelta(days=1):
            raise ValueError("days are told together")
        if "dollars" in result:
            yield Line(day, _model(str(group.get("line_item") or "")), amount=money(result["dollars"]))
        else:
            models = [str(model) for model in group.get("models") or [] if model]
            yield Line(day, _model(",".join(models)), dict(_counts(result)))


def _counts(result: _Result) -> Iterator[tuple[str, Number]]:
    yield "requests", number(result.get("requests") or 0)
    if hours := result.get("hours"):
        yield "audio_seconds", number(Decimal(number(hours)) * _HOUR)
    if characters := result.get("tts_characters"):
        yield "input_characters", number(characters)


def _model(item: str) -> str:
    """Return the model of `streaming::nova-3`."""
    return item.rpartition("::")[2].removesuffix("-general")


def _projects(source: Source) -> list[str]:
    answer = _answer(source, "v1/projects", {}, "projects")
    with shaped(source.host, "v1/projects"):
        return [str(project["project_id"]) for project in answer["projects"]]


def _answer(source: Source, path: str, parameters: Mapping[str, object], holds: str) -> _Result:
    try:
        return source.answer(path, parameters, holds)
    except StatusError as error:
        raise refused(error, TERMS, source.host, path) from None
