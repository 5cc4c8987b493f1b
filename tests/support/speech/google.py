"""A stand-in for Google Cloud Speech-to-Text and Text-to-Speech: a gRPC server with the vendor's own messages."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import grpc
from google.cloud import speech_v1, speech_v1p1beta1, speech_v2, texttospeech_v1, texttospeech_v1beta1
from google.longrunning import operations_pb2  # type: ignore[import-untyped, unused-ignore]

CREATED: Final = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
UPDATED: Final = datetime(2026, 11, 22, 10, 1, tzinfo=UTC)
SOUND: Final = b"\x00\x01" * 2000


class Google:
    """Answers as scripted: `billed` is the time that it says, `errors` are the next answers, `answers` of a stream."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str]] = []
        self.billed: timedelta | None = timedelta(seconds=16)
        self.errors: list[grpc.StatusCode] = []
        self.breaks: grpc.StatusCode | None = None
        """How a stream ends after its second answer; None when it ends well."""
        self.polls = 1
        """How often an operation is asked for until it is done."""
        self.fails = False
        """Whether operations end with an error."""
        self.streaming = threading.Event()
        self.hold: threading.Event | None = None
        """What a stream waits for after its first answer."""
        self._operation: Callable[[], Any] = operations_pb2.Operation
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers(tuple(self._handlers()))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.hold is not None:
            self.hold.set()
        self._server.stop(None).wait()

    def _handlers(self) -> Iterator[Any]:
        for version, module in (("v1", speech_v1), ("v1p1beta1", speech_v1p1beta1)):
            yield _service(
                f"google.cloud.speech.{version}.Speech",
                {
                    "Recognize": _unary(module.RecognizeRequest, self._recognized(module)),
                    "LongRunningRecognize": _operation(module.LongRunningRecognizeRequest, self._long(module)),
                    "StreamingRecognize": _stream(module.StreamingRecognizeRequest, self._streamed(module)),
                },
            )
        yield _service(
            "google.cloud.speech.v2.Speech",
            {
                "Recognize": _unary(speech_v2.RecognizeRequest, self._recognized_v2),
                "BatchRecognize": _operation(speech_v2.BatchRecognizeRequest, self._batch),
                "StreamingRecognize": _stream(speech_v2.StreamingRecognizeRequest, self._streamed_v2),
            },
        )
        for version, tts in (("v1", texttospeech_v1), ("v1beta1", texttospeech_v1beta1)):
            yield _service(
                f"google.cloud.texttospeech.{version}.TextToSpeech",
                {
                    "SynthesizeSpeech": _unary(tts.SynthesizeSpeechRequest, self._spoken(tts)),
                    "StreamingSynthesize": _stream(tts.StreamingSynthesizeRequest, self._speaking(tts)),
                },
            )
            yield _service(
                f"google.cloud.texttospeech.{version}.TextToSpeechLongAudioSynthesize",
                {"SynthesizeLongAudio": _operation(tts.SynthesizeLongAudioRequest, self._long_audio(tts))},
            )
        get = grpc.unary_unary_rpc_method_handler(
            lambda request, _: self._polled(request),
            operations_pb2.GetOperationRequest.FromString,
            operations_pb2.Operation.SerializeToString,
        )
        yield grpc.method_handlers_generic_handler("google.longrunning.Operations", {"GetOperation": get})

    def _take(self, request: Any, context: grpc.ServicerContext, rest: Iterable[Any] = ()) -> None:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))  # type: ignore[arg-type, unused-ignore]
        if self.errors:
            list(rest)  # a client that is still writing would see a broken pipe
            context.abort(self.errors.pop(0), "no")

    def _recognized(self, module: Any) -> Callable[[Any, Any], Any]:
        def answer(request: Any, context: Any) -> Any:
            self._take(request, context)
            return module.RecognizeResponse(results=[_result(module, "swordfish is")], total_billed_time=self.billed)

        return answer

    def _recognized_v2(self, request: Any, context: Any) -> Any:
        self._take(request, context)
        metadata = speech_v2.RecognitionResponseMetadata(total_billed_duration=self.billed)
        said = speech_v2.SpeechRecognitionResult(alternatives=[{"transcript": "swordfish is"}])
        return speech_v2.RecognizeResponse(results=[said], metadata=metadata)

    def _streamed(self, module: Any) -> Callable[[Any, Any], Iterator[Any]]:
        def answer(requests: Iterator[Any], context: Any) -> Iterator[Any]:
            self._take(next(requests), context, requests)
            self.streaming.set()
            heard = sum(len(request.audio_content) for request in requests)
            response, result = module.StreamingRecognizeResponse, module.StreamingRecognitionResult
            yield response(results=[result(alternatives=[{"transcript": "sword"}], is_final=False)])
            self._wait()
            end = timedelta(milliseconds=heard // 32)
            said = result(alternatives=[{"transcript": "swordfish"}], is_final=True, result_end_time=end)
            yield response(results=[said])
            if self.breaks is not None:
                context.abort(self.breaks, "no")
            yield response(total_billed_time=self.billed)

        return answer

    def _streamed_v2(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        self._take(next(requests), context, requests)
        list(requests)
        response, metadata = speech_v2.StreamingRecognizeResponse, speech_v2.RecognitionResponseMetadata
        for part in (1, 2):
            billed = None if self.billed is None else self.billed * part / 2
            yield response(metadata=metadata(total_billed_duration=billed))

    def _wait(self) -> None:
        if self.hold is not None:
            self.hold.wait(10)

    def _long(self, module: Any) -> Callable[[Any, Any], Any]:
        def answer(request: Any, context: Any) -> Any:
            self._take(request, context)
            done = module.LongRunningRecognizeResponse(
                results=[_result(module, "swordfish is")], total_billed_time=self.billed
            )
            metadata = module.LongRunningRecognizeMetadata(start_time=CREATED, last_update_time=UPDATED)
            return self._begin("op-1", metadata, done)

        return answer

    def _batch(self, request: Any, context: Any) -> Any:
        self._take(request, context)
        said = speech_v2.SpeechRecognitionResult(alternatives=[{"transcript": "swordfish is"}])
        file = speech_v2.BatchRecognizeFileResult(inline_result={"transcript": {"results": [said]}})
        done = speech_v2.BatchRecognizeResponse(results={"gs://b/a.wav": file}, total_billed_duration=self.billed)
        return self._begin("op-2", speech_v2.OperationMetadata(create_time=CREATED, update_time=UPDATED), done)

    def _long_audio(self, tts: Any) -> Callable[[Any, Any], Any]:
        def answer(request: Any, context: Any) -> Any:
            self._take(request, context)
            metadata = tts.SynthesizeLongAudioMetadata(start_time=CREATED, last_update_time=UPDATED)
            return self._begin("op-3", metadata, tts.SynthesizeLongAudioResponse())

        return answer

    def _spoken(self, tts: Any) -> Callable[[Any, Any], Any]:
        def answer(request: Any, context: Any) -> Any:
            self._take(request, context)
            return tts.SynthesizeSpeechResponse(audio_content=SOUND)

        return answer

    def _speaking(self, tts: Any) -> Callable[[Any, Any], Iterator[Any]]:
        def answer(requests: Iterator[Any], context: Any) -> Iterator[Any]:
            self._take(next(requests), context, requests)
            for _ in requests:
                yield tts.StreamingSynthesizeResponse(audio_content=SOUND)

        return answer

    def _begin(self, name: str, metadata: Any, result: Any) -> Any:
        polls = self.polls

        def now() -> Any:
            nonlocal polls
            operation = operations_pb2.Operation(name=name)
            operation.metadata.Pack(type(metadata).pb(metadata))
            if polls > 0:
                polls -= 1
                return operation
            operation.done = True
            if self.fails:
                operation.error.code = grpc.StatusCode.INTERNAL.value[0]
            else:
                operation.response.Pack(type(result).pb(result))
            return operation

        self._operation = now
        return now()

    def _polled(self, _: Any) -> Any:
        return self._operation()


def _result(module: Any, said: str) -> Any:
    return module.SpeechRecognitionResult(alternatives=[{"transcript": said}], result_end_time=timedelta(seconds=15.5))


def _service(name: str, methods: dict[str, Any]) -> Any:
    return grpc.method_handlers_generic_handler(name, methods)


def _serialize(answer: Any) -> bytes:
    return bytes(type(answer).serialize(answer))


def _unary(request: Any, answer: Callable[[Any, Any], Any]) -> Any:
    return grpc.unary_unary_rpc_method_handler(answer, request.deserialize, _serialize)


def _operation(request: Any, answer: Callable[[Any, Any], Any]) -> Any:
    return grpc.unary_unary_rpc_method_handler(answer, request.deserialize, operations_pb2.Operation.SerializeToString)


def _stream(request: Any, answer: Callable[[Any, Any], Iterator[Any]]) -> Any:
    return grpc.stream_stream_rpc_method_handler(answer, request.deserialize, _serialize)
