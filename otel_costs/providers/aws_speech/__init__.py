"""Amazon Polly and Amazon Transcribe through boto3 and aiobotocore: patched where every operation passes.

`_make_api_call` sees each operation once, whatever is retried beneath it, with its parameters and its parsed answer.
The body of a sound is left alone: the answer's head says how many characters are billed.
"""

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from otel_costs.calls import writer
from otel_costs.calls.call import Call
from otel_costs.calls.jobs import is_first_poll
from otel_costs.calls.reading import Reading
from otel_costs.providers.aws_speech import polly, transcribe_jobs
from otel_costs.providers.aws_speech.operation import AwsService, Operation
from otel_costs.providers.kit.sdk_request import SpeechRequest
from otel_costs.runtime import background, telemetry
from otel_costs.runtime.patching import Patches

_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    **{("polly", name): operation for name, operation in polly.OPERATIONS.items()},
    **{("transcribe", name): operation for name, operation in transcribe_jobs.OPERATIONS.items()},
}
_SERVICES: Final = frozenset(service for service, _ in _OPERATIONS)


def install(patches: Patches) -> None:
    """Patch the clients of boto3, and those of aiobotocore where it is there."""
    if "botocore.client" in sys.modules:
        patches.wrap("botocore.client", "BaseClient._make_api_call", _call)
    if "aiobotocore.client" in sys.modules:
        patches.wrap("aiobotocore.client", "AioBaseClient._make_api_call", _call_async)


def _call(wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    operation = _operation(client, args)
    if operation is None:
        return wrapped(*args, **kwargs)
    if operation.read is None:
        answer = wrapped(*args, **kwargs)
        _poll(operation, client, answer)
        return answer
    asked = partial(_read, operation, client, args[1], {})
    with SpeechRequest.begin(partial(_start, operation, client, args[1]), asked) as request:
        answer = wrapped(*args, **kwargs)
    request.answered(partial(_read, operation, client, args[1], answer))
    return answer


async def _call_async(wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    operation = _operation(client, args)
    if operation is None:
        return await wrapped(*args, **kwargs)
    if operation.read is None:
        answer = await wrapped(*args, **kwargs)
        _poll(operation, client, answer)
        return answer
    asked = partial(_read, operation, client, args[1], {})
    with SpeechRequest.begin(partial(_start, operation, client, args[1]), asked) as request:
        answer = await wrapped(*args, **kwargs)
    request.answered(partial(_read, operation, client, args[1], answer))
    return answer


def _operation(client: Any, args: tuple[Any, ...]) -> Operation | None:
    """Return what is known of an operation; all of AWS comes by here, and most of it is none of ours."""
    try:
        service = client.meta.service_model.service_name
        return _OPERATIONS.get((service, args[0])) if service in _SERVICES and len(args) > 1 else None
    except Exception as error:  # noqa: BLE001
        telemetry.warn_once("bug:operation", "otel_costs could not read an operation of AWS", error=error)
        return None


def _start(operation: Operation, client: Any, asked: Mapping[str, Any]) -> Call:
    return AwsService.of(client).call(operation.operation, operation.model(asked))


def _read(operation: Operation, client: Any, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Reading:
    return Reading() if operation.read is None else operation.read(AwsService.of(client), asked, answer)


@telemetry.never_raises("look at a job")
def _poll(operation: Operation, client: Any, answer: Mapping[str, Any]) -> None:
    """Write each job that an answer shows to have ended, the first time."""
    place = AwsService.of(client)
    for found in () if operation.polled is None else operation.polled(place, answer):
        if found.job is not None and found.job.ended and is_first_poll(place.host.provider, found.job.id):
            call = place.call(operation.operation, found.request_model)
            call.stop()
            background.put(partial(writer.finish, call, found))
