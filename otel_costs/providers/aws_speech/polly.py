"""Amazon Polly: the characters that it bills, by the engine that speaks them.

Every answer names the characters that are billed, markup left out (`RequestCharacters`); the price is the engine's. A
task that writes to S3 names them when it is started: until somebody looks at it, that is what it will probably cost.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from otel_costs import attributes as names
from otel_costs import outbox
from otel_costs.call import Call
from otel_costs.jobs import is_first_look
from otel_costs.providers import spoken
from otel_costs.providers.aws_speech.operation import Operation, Place, epoch_s, text
from otel_costs.usage import Usage

_DEFAULT_ENGINE: Final = "standard"  # "If you don't provide an engine, the standard engine is selected by default."
_ENDED: Final = ("completed", "failed")
_TAG: Final = re.compile(r"<[^<>]*>")


def _start(place: Place, asked: Mapping[str, Any]) -> Call:
    call = place.call("text_to_speech", text(asked.get("Engine")) or _DEFAULT_ENGINE)
    call.show(names.OUTPUT_TYPE, "speech")
    call.show(names.SPEECH_VOICE, text(asked.get("VoiceId")))
    call.inputs = spoken.synthesized(asked.get("Text"))
    return call


def _read(_: Place, asked: Mapping[str, Any], answer: Mapping[str, Any], call: Call | None) -> None:
    if call is not None:
        call.bill.usage = _usage(answer.get("RequestCharacters"), asked)


def _usage(characters: object, asked: Mapping[str, Any]) -> Usage | None:
    if characters is not None:
        return Usage.of({"input_characters": characters})
    if (said := text(asked.get("Text"))) is None:
        return None
    plain = _TAG.sub("", said) if asked.get("TextType") == "ssml" else said
    return Usage.of({"input_characters": len(plain)}, estimated=True)


def _read_started(_: Place, asked: Mapping[str, Any], answer: Mapping[str, Any], call: Call | None) -> None:
    if call is not None:
        _read_task(call, answer.get("SynthesisTask") or {}, asked)


def _look(place: Place, _: Mapping[str, Any], answer: Mapping[str, Any], __: Call | None) -> None:
    one = answer.get("SynthesisTask")
    for task in [one] if one else answer.get("SynthesisTasks") or ():
        task_id = text(task.get("TaskId"))
        if task_id and task.get("TaskStatus") in _ENDED and is_first_look("aws.polly", task_id):
            call = place.call("text_to_speech", text(task.get("Engine")) or _DEFAULT_ENGINE)
            _read_task(call, task, {})
            call.stop()
            # Failed tasks are not charged: https://repost.aws/questions/QULTgcHYOzQHS-ecJxBi8tEA
            outbox.put(partial(call.refuse, "failed") if task["TaskStatus"] == "failed" else call.finish)


def _read_task(call: Call, task: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    usage, task_id = _usage(task.get("RequestCharacters"), asked), text(task.get("TaskId"))
    call.bill.usage = usage
    if task_id:
        call.set(names.RESPONSE_ID, task_id)
        created_s, ended = epoch_s(task.get("CreationTime")), task.get("TaskStatus") in _ENDED
        call.as_job(task_id, created_s=created_s, ended_s=None, ended=ended)
        call.bill.usage = usage  # what it costs if it does not fail


OPERATIONS: Final[Mapping[str, Operation]] = {
    "SynthesizeSpeech": Operation(_read, _start),
    "StartSpeechSynthesisTask": Operation(_read_started, _start),
    "GetSpeechSynthesisTask": Operation(_look),
    "ListSpeechSynthesisTasks": Operation(_look),
}
