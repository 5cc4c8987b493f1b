"""Google Cloud Speech-to-Text and Text-to-Speech: patched at the methods of their clients, sync and async.

A method sees each call once, over gRPC and REST alike, with what is retried beneath it. Streams and operations go on
after it: they are followed by what the clients keep inside them, so that the application holds the SDK's own objects.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from otel_costs.providers.google_speech import operations, streams
from otel_costs.providers.google_speech.recognition import Recognition
from otel_costs.providers.google_speech.synthesis import Synthesis
from otel_costs.providers.google_speech.task import Task
from otel_costs.providers.kit.sdk_request import SpeechRequest
from otel_costs.runtime.patching import Patches, Wrapper

PACKAGES: Final[Mapping[str, tuple[Callable[[], Task], Mapping[str, Mapping[str, str]]]]] = {
    **{
        f"google.cloud.speech_{version}": (
            partial(Recognition, "v1"),
            {"speech.Speech": {"recognize": "unary", "long_running_recognize": "job", "streaming_recognize": "stream"}},
        )
        for version in ("v1", "v1p1beta1")
    },
    "google.cloud.speech_v2": (
        partial(Recognition, "v2"),
        {"speech.Speech": {"recognize": "unary", "batch_recognize": "job", "streaming_recognize": "stream"}},
    ),
    **{
        f"google.cloud.texttospeech_{version}": (
            Synthesis,
            {
                "text_to_speech.TextToSpeech": {"synthesize_speech": "unary", "streaming_synthesize": "stream"},
                "text_to_speech_long_audio_synthesize.TextToSpeechLongAudioSynthesize": {
                    "synthesize_long_audio": "job"
                },
            },
        )
        for version in ("v1", "v1beta1")
    },
}
"""Package to what reads its calls, and to its services with their methods and how these answer."""


def install(patches: Patches) -> None:
    """Patch the clients of the packages that are imported."""
    for package, (task, services) in PACKAGES.items():
        if package in sys.modules:
            for service, methods in services.items():
                _install(patches, package, service, methods, task)


def _install(
    patches: Patches, package: str, service: str, methods: Mapping[str, str], task: Callable[[], Task]
) -> None:
    module, _, name = service.partition(".")
    for method, kind in methods.items():
        for where, client, wrappers in (("client", "Client", _SYNC), ("async_client", "AsyncClient", _ASYNC)):
            path = f"{package}.services.{module}.{where}"
            if path in sys.modules:
                patches.wrap(path, f"{name}{client}.{method}", wrappers[kind](task))


def _unary(new: Callable[[], Task]) -> Wrapper:
    def call(wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        task = new()
        with SpeechRequest.begin(partial(task.start, client, args, kwargs)) as request:
            answer = wrapped(*args, **kwargs)
        request.answered(partial(task.read_answer, answer))
        return answer

    return call


def _unary_async(new: Callable[[], Task]) -> Wrapper:
    async def call(wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        task = new()
        with SpeechRequest.begin(partial(task.start, client, args, kwargs)) as request:
            answer = await wrapped(*args, **kwargs)
        request.answered(partial(task.read_answer, answer))
        return answer

    return call


def _job(new: Callable[[], Task]) -> Wrapper:
    def call(wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        task = new()
        with SpeechRequest.begin(partial(task.start, client, args, kwargs)) as request:
            future = wrapped(*args, **kwargs)
        operations.follow(request, task, future)
        return future

    return call


def _job_async(new: Callable[[], Task]) -> Wrapper:
    async def call(wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        task = new()
        with SpeechRequest.begin(partial(task.start, client, args, kwargs)) as request:
            future = await wrapped(*args, **kwargs)
        operations.follow_async(request, task, future)
        return future

    return call


def _stream(new: Callable[[], Task]) -> Wrapper:
    def call(wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        task = new()
        with SpeechRequest.begin(partial(task.start, client, (), {})) as request:
            stream = wrapped(*streams.observed(request, task, args, kwargs), **kwargs)
        streams.follow(request, task, stream)
        return stream

    return call


def _stream_async(new: Callable[[], Task]) -> Wrapper:
    async def call(wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        task = new()
        with SpeechRequest.begin(partial(task.start, client, (), {})) as request:
            stream = await wrapped(*streams.observed(request, task, args, kwargs), **kwargs)
        streams.follow_async(request, task, stream)
        return stream

    return call


_SYNC: Final[Mapping[str, Callable[[Callable[[], Task]], Wrapper]]] = {"unary": _unary, "job": _job, "stream": _stream}
_ASYNC: Final[Mapping[str, Callable[[Callable[[], Task]], Wrapper]]] = {
    "unary": _unary_async,
    "job": _job_async,
    "stream": _stream_async,
}
