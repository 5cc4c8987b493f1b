"""Amazon Transcribe's jobs: who started them, that they ended, and how long they were where AWS says it.

AWS bills seconds of audio, and its answers do not name them: only a job that identifies several languages says how long
each was. Of every other one the record says `duration_not_reported`, and has no cost; nothing is downloaded for it.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from otel_costs import attributes as names
from otel_costs import clean, outbox
from otel_costs.call import Call
from otel_costs.cost_reason import CostReason
from otel_costs.jobs import is_first_look
from otel_costs.providers.aws_speech.billed import audio_usage, note_add_ons
from otel_costs.providers.aws_speech.operation import Operation, Place, epoch_s, text
from otel_costs.usage import Usage

_ADD_ONS: Final = ("ContentRedaction", "ToxicityDetection")


class _Kind(NamedTuple):
    """A kind of job: what its answers call it, and under which name it is priced."""

    name: str
    model: str
    status: str = ""

    def start(self, place: Place, asked: Mapping[str, Any]) -> Call:
        call = place.call("speech_to_text", self.model)
        call.show(names.SPEECH_INPUT_LANGUAGE, text(asked.get("LanguageCode")))
        return call

    def read(self, place: Place, _: Mapping[str, Any], answer: Mapping[str, Any], call: Call | None) -> None:
        """Read the answer to a start, or that to a look, whose call is None."""
        job = answer.get(self.name) or {}
        status, name = job.get(self.status or f"{self.name}Status"), text(job.get(f"{self.name}Name"))
        ended = status in ("COMPLETED", "FAILED")
        # A name can be used again when its job was deleted, and other regions have their own.
        job_id = f"{place.region}/{name}/{epoch_s(job.get('CreationTime'))}"
        if call is not None:
            self._describe(call, job, job_id, ended=ended)
        elif name and ended and is_first_look("aws.transcribe", job_id):
            call = self.start(place, job)
            self._describe(call, job, job_id, ended=True)
            call.stop()
            outbox.put(partial(call.fail, "failed") if status == "FAILED" else call.finish)

    def _describe(self, call: Call, job: Mapping[str, Any], job_id: str, *, ended: bool) -> None:
        call.set(names.RESPONSE_ID, text(job.get(f"{self.name}Name")))
        call.bill.processing = "batch"
        if ended:
            call.bill.usage = _usage(job)
            note_add_ons(call, {**job, **(job.get("Settings") or {})}, *_ADD_ONS)
            note_add_ons(call, job.get("ModelSettings") or {}, "LanguageModelName")
            if call.bill.usage is None:
                call.bill.reasons.insert(0, CostReason.DURATION_NOT_REPORTED)
        created_s, ended_s = epoch_s(job.get("CreationTime")), epoch_s(job.get("CompletionTime"))
        call.as_job(job_id, created_s=created_s, ended_s=ended_s, ended=ended)


def _usage(job: Mapping[str, Any]) -> Usage | None:
    """Return how long the languages were that were identified, together; None if the job does not say it."""
    found = [clean.number(language.get("DurationInSeconds")) for language in job.get("LanguageCodes") or ()]
    seconds = [one for one in found if one is not None]
    return audio_usage(sum(seconds, Decimal(0))) if seconds else None


_KINDS: Final = (
    ("TranscriptionJob", _Kind("TranscriptionJob", "standard")),
    ("MedicalTranscriptionJob", _Kind("MedicalTranscriptionJob", "medical", "TranscriptionJobStatus")),
    ("CallAnalyticsJob", _Kind("CallAnalyticsJob", "call-analytics")),
    ("MedicalScribeJob", _Kind("MedicalScribeJob", "medical-scribe")),
)

OPERATIONS: Final[Mapping[str, Operation]] = {
    **{f"Start{name}": Operation(kind.read, kind.start) for name, kind in _KINDS},
    **{f"Get{name}": Operation(kind.read) for name, kind in _KINDS},
}
