"""Amazon Polly: the characters that it bills, by the engine that speaks them.

Every answer names the characters that are billed, markup left out (`RequestCharacters`); the price is the engine's. A
task that writes to S3 names them when it is started: until it is polled, that is what it will probably cost.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.calls.reading import Job, Reading
from otel_costs.providers.aws_speech.operation import AwsService, Operation, epoch_s, text
from otel_costs.providers.kit import transcripts
from otel_costs.usage import Usage

_DEFAULT_ENGINE: Final = "standard"  # "If you don't provide an engine, the standard engine is selected by default."
_ENDED: Final = ("completed", "failed")
_TAG: Final = re.compile(r"<[^<>]*>")


def _engine(asked: Mapping[str, Any]) -> str:
    return text(asked.get("Engine")) or _DEFAULT_ENGINE


def _read(_: AwsService, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Reading:
    voice = {names.OUTPUT_TYPE: "speech", names.SPEECH_VOICE: text(asked.get("VoiceId"))}
    usage = _usage(answer.get("RequestCharacters"), asked) if answer else None
    return Reading(usage, inputs=transcripts.synthesized(asked.get("Text")), attributes=voice)


def _usage(characters: object, asked: Mapping[str, Any]) -> Usage | None:
    if characters is not None:
        return Usage.of({"input_characters": characters})
    if (spoken_text := text(asked.get("Text"))) is None:
        return None
    plain = _TAG.sub("", spoken_text) if asked.get("TextType") == "ssml" else spoken_text
    return Usage.of({"input_characters": len(plain)}, estimated=True)


def _read_started(place: AwsService, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Reading:
    about = _read(place, asked, {})
    found = _task(answer.get("SynthesisTask") or {}, asked)
    return replace(found, inputs=about.inputs, attributes=about.attributes)


def _polled(_: AwsService, answer: Mapping[str, Any]) -> Iterator[Reading]:
    one = answer.get("SynthesisTask")
    for task in [one] if one else answer.get("SynthesisTasks") or ():
        yield _task(task, {})


def _task(task: Mapping[str, Any], asked: Mapping[str, Any]) -> Reading:
    task_id, ended = text(task.get("TaskId")), task.get("TaskStatus") in _ENDED
    failed = task.get("TaskStatus") == "failed"
    return Reading(
        _usage(task.get("RequestCharacters"), asked),
        request_model=_engine(task),
        response_id=task_id,
        job=Job(task_id, ended, epoch_s(task.get("CreationTime")), is_known=True) if task_id else None,
        # Failed tasks are not charged: https://repost.aws/questions/QULTgcHYOzQHS-ecJxBi8tEA
        error="failed" if failed else None,
        refused=failed,
    )


OPERATIONS: Final[Mapping[str, Operation]] = {
    "SynthesizeSpeech": Operation("text_to_speech", _read, _engine),
    "StartSpeechSynthesisTask": Operation("text_to_speech", _read_started, _engine),
    "GetSpeechSynthesisTask": Operation("text_to_speech", polled=_polled),
    "ListSpeechSynthesisTasks": Operation("text_to_speech", polled=_polled),
}
