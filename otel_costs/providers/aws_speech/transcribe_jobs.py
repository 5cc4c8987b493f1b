"""Amazon Transcribe's jobs: the session that started each, its end, and how long they were where AWS says it.

AWS bills seconds of audio, and its answers do not name them: only a job that identifies several languages says how long
each was. Of every other one the record says `duration_not_reported`, and has no cost; nothing is downloaded for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, Final, NamedTuple

from otel_costs import semconv as names
from otel_costs.calls.reading import Job, Reading
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.aws_speech.billed import add_on, audio_usage
from otel_costs.providers.aws_speech.operation import AwsService, Operation, epoch_s, text
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT
from otel_costs.values import sanitize

_ADD_ONS: Final = ("ContentRedaction", "ToxicityDetection")


class _Kind(NamedTuple):
    """A kind of job: what its answers call it, and under which name it is priced."""

    name: str
    model: str
    status: str = ""

    def asked_model(self, _: Mapping[str, Any]) -> str:
        return self.model

    def read(self, place: AwsService, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Reading:
        """Return what the answer to a start says; with an empty one, what is asked."""
        language = {names.SPEECH_INPUT_LANGUAGE: text(asked.get("LanguageCode"))}
        return (
            replace(self._job(place, answer.get(self.name) or {}), attributes=language)
            if answer
            else Reading(attributes=language)
        )

    def polled(self, place: AwsService, answer: Mapping[str, Any]) -> Iterator[Reading]:
        """Yield what the answer to a look says of its job."""
        job = answer.get(self.name) or {}
        if text(job.get(f"{self.name}Name")):
            failed = job.get(self.status or f"{self.name}Status") == "FAILED"
            language = {names.SPEECH_INPUT_LANGUAGE: text(job.get("LanguageCode"))}
            yield replace(self._job(place, job), attributes=language, error="failed" if failed else None)

    def _job(self, place: AwsService, job: Mapping[str, Any]) -> Reading:
        status, name = job.get(self.status or f"{self.name}Status"), text(job.get(f"{self.name}Name"))
        ended, created_s = status in ("COMPLETED", "FAILED"), epoch_s(job.get("CreationTime"))
        usage = _usage(job) if ended else None
        return Reading(
            usage,
            request_model=self.model,
            response_id=name,
            processing="batch",
            reasons=(
                CostReason.DURATION_NOT_REPORTED if usage is None else None,
                add_on({**job, **(job.get("Settings") or {})}, *_ADD_ONS),
                add_on(job.get("ModelSettings") or {}, "LanguageModelName"),
            ),
            # A name can be used again when its job was deleted, and other regions have their own.
            job=Job(f"{place.region}/{name}/{created_s}", ended, created_s, epoch_s(job.get("CompletionTime"))),
        )


def _usage(job: Mapping[str, Any]) -> Usage | None:
    """Return how long the languages were that were identified, together; None if the job does not say it."""
    found = [sanitize.number(language.get("DurationInSeconds")) for language in job.get("LanguageCodes") or ()]
    seconds = [one for one in found if one is not None]
    return audio_usage(reduce(EXACT.add, seconds)) if seconds else None


_KINDS: Final = (
    ("TranscriptionJob", _Kind("TranscriptionJob", "standard")),
    ("MedicalTranscriptionJob", _Kind("MedicalTranscriptionJob", "medical", "TranscriptionJobStatus")),
    ("CallAnalyticsJob", _Kind("CallAnalyticsJob", "call-analytics")),
    ("MedicalScribeJob", _Kind("MedicalScribeJob", "medical-scribe")),
)

OPERATIONS: Final[Mapping[str, Operation]] = {
    **{f"Start{name}": Operation("speech_to_text", kind.read, kind.asked_model) for name, kind in _KINDS},
    **{f"Get{name}": Operation("speech_to_text", polled=kind.polled) for name, kind in _KINDS},
}
