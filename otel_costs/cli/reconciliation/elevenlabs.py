"""What ElevenLabs says that a workspace used, day by day, from its usage endpoint.

Read from its description (GET /v1/usage/character-stats, https://elevenlabs.io/docs/api-reference/usage/get, and its
published OpenAPI document) on 2026-11-28, and never run against the real one. ElevenLabs calls the endpoint deprecated
and still answers it; what replaces it has the same figures by product.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from otel_costs.cli.reconciliation.naming import is_written_otherwise
from otel_costs.cli.reconciliation.pages import Source, StatusError
from otel_costs.cli.reconciliation.refusals import refused, shaped
from otel_costs.cli.reconciliation.reported import Line, Question, Report, Reported, Terms, number

_PATH: Final = "v1/usage/character-stats"
_METRICS: Final = {"credits": "credits", "tts_characters": "input_characters"}

TERMS: Final = Terms(
    name="elevenlabs",
    title="ElevenLabs",
    providers=("elevenlabs",),
    grain="day and model, in credits and characters",
    settles_after=timedelta(hours=6),
    cannot_tell="money, since a plan pays for credits: costs are not compared; calls whose answer named no credits",
    documentation="https://elevenlabs.io/docs/api-reference/usage/get",
    read="2026-11-28",
    env_key="ELEVENLABS_API_KEY",
    which_key="set ELEVENLABS_API_KEY to a key that may read the usage of the workspace",
    base_url="https://api.elevenlabs.io",
    filters=(),
    rounding={"credits": 1},
    matches=is_written_otherwise,
)


def source(base_url: str, key: str) -> Source:
    """Return where the report is. Raises ProviderError."""
    return Source(base_url, key, header="xi-api-key", before="")


def reported(source: Source, question: Question) -> Reported:
    """Return what ElevenLabs reports. Raises ProviderError."""
    asked = {
        "start_unix": int(question.since.timestamp()) * 1000,
        "end_unix": int(question.until.timestamp()) * 1000 - 1,
        "include_workspace_metrics": "true",
        "breakdown_type": "model",
        "aggregation_interval": "day",
    }
    report = Report(question)
    for metric, unit in _METRICS.items():
        try:
            answer = source.answer(_PATH, {**asked, "metric": metric}, "usage")
        except StatusError as error:
            raise refused(error, TERMS, source.host, _PATH) from None
        with shaped(source.host, _PATH):
            report.add_all(_lines(answer, unit))
    return report.whole(has_costs=False)


def _lines(answer: Mapping[str, Any], unit: str) -> Iterator[Line]:
    for model, quantities in answer["usage"].items():
        for at, quantity in zip(answer["time"], quantities, strict=True):
            if number(quantity):
                yield Line(datetime.fromtimestamp(at / 1000, UTC).date(), str(model), {unit: number(quantity)})
