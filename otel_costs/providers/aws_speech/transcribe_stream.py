"""Amazon Transcribe's streams through amazon-transcribe: the seconds of sound that were sent.

Nothing that the service answers says what it bills. Raw sound says by its bytes how long it is; of other formats the
end of the last result is known, silence after it left out. Both are estimates, and so the record says.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from otel_costs import hosts
from otel_costs import semconv as names
from otel_costs.calls.call import Call
from otel_costs.calls.reading import Reading
from otel_costs.calls.writer import write
from otel_costs.providers.aws_speech.billed import add_on, audio_usage
from otel_costs.providers.kit import transcripts
from otel_costs.providers.kit.sdk_request import SpeechRequest, error_name
from otel_costs.runtime import background, telemetry, unfinished
from otel_costs.runtime.patching import Patches
from otel_costs.transports.http import streaming
from otel_costs.usage.numbers import EXACT
from otel_costs.values import sanitize

_SAMPLE_BYTES: Final = 2  # of pcm, which is 16 bits, its channels interleaved
_ADD_ONS: Final = ("content_redaction_type", "language_model_name")


def install(patches: Patches) -> None:
    """Patch the client, and what it sends a sound with."""
    patches.wrap("amazon_transcribe.client", "TranscribeStreamingClient.start_stream_transcription", _start)
    patches.wrap("amazon_transcribe.eventstream", "BaseStream.send_event", _send_event)


class Transcription:
    """One stream: what is sent, and what is heard in it."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._bytes = 0
        self._end = Decimal(0)
        self._phrases: list[str] = []
        self._error: str | None = None
        self._call: Call | None = None
        self.session_id: str | None = None

    def start(self, client: Any) -> Call:
        """Start the call of the stream."""
        host = hosts.at(*_address(client))
        self._call = Call(
            "speech_to_text", host.provider, "standard", attributes=host.attributes, endpoint=host.address
        )
        return self._call

    def asked(self) -> Reading:
        """Return what is known before anything is heard."""
        return Reading(attributes={names.SPEECH_INPUT_LANGUAGE: self._options.get("language_code")})

    def sent(self, size: int) -> None:
        """Note the bytes of sound that were sent."""
        self._bytes += size

    def feed(self, chunk: Any) -> None:
        """Read an event of the service."""
        if self._call is not None:
            self._call.first_chunk()
            self._call.chunks += 1
        if chunk.headers.get(":message-type") in ("exception", "error"):
            self._error = str(chunk.headers.get(":exception-type") or chunk.headers.get(":error-code"))
            return
        for result in json.loads(chunk.payload)["Transcript"]["Results"]:
            self._end = max(self._end, sanitize.number(result.get("EndTime")) or Decimal(0))
            if not result.get("IsPartial") and result.get("Alternatives"):
                self._phrases.append(str(result["Alternatives"][0].get("Transcript", "")))

    @property
    def has_failed(self) -> bool:
        """Whether the service said that it goes on no longer."""
        return self._error is not None

    def end(self, error: BaseException | None) -> background.Job:
        """Write the call: this is the end of the stream, or of its reader's patience."""
        call = self._call
        if call is None:
            return _nothing
        call.stop()
        return partial(write, call, self._reading, self._error or (None if error is None else error_name(error)))

    def _reading(self) -> Reading:
        return replace(
            self.asked(),
            usage=audio_usage(self._seconds()),
            reasons=(add_on(self._options, *_ADD_ONS),),
            inputs=[transcripts.alone()],
            outputs=[transcripts.heard(" ".join(self._phrases), self._end or None)],
            response_id=self.session_id,
        )

    def _seconds(self) -> Decimal:
        rate, channels = self._options.get("media_sample_rate_hz"), self._options.get("number_of_channels") or 1
        if self._options.get("media_encoding") != "pcm" or not rate:
            return self._end
        return EXACT.divide(Decimal(self._bytes), _SAMPLE_BYTES * rate * channels)


_transcriptions: WeakKeyDictionary[Any, Transcription] = WeakKeyDictionary()
"""The streams that are sent to, by what the application sends with."""


async def _start(wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    transcription = Transcription(kwargs)
    with SpeechRequest.begin(partial(transcription.start, client), transcription.asked) as request:
        stream = await wrapped(*args, **kwargs)
    if request.call is not None:
        _follow(transcription, stream)
    return stream


def _follow(transcription: Transcription, stream: Any) -> None:
    watch = streaming.Watch(transcription, None)
    try:
        transcription.session_id = stream.response.session_id
        events = stream.output_stream
        # The SDK's generator of raw events, in one of the same kind.
        events._event_generator = _followed(events._event_generator, transcription, watch)
        _transcriptions[stream.input_stream] = transcription
        unfinished.add(watch, events, watch.end_from_finalizer)
    except Exception as error:  # noqa: BLE001
        telemetry.warn_once("bug:stream", "otel_costs could not follow a stream of Transcribe", error=error)
        watch.end(None)


async def _followed(
    events: AsyncIterator[Any], transcription: Transcription, watch: streaming.Watch
) -> AsyncIterator[Any]:
    try:
        async for event in events:
            watch.feed(event)
            if transcription.has_failed:
                watch.end(None)
            yield event
    except GeneratorExit:
        raise
    except BaseException as error:
        watch.end(error)
        raise
    watch.end(None)


async def _send_event(wrapped: Any, stream: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = await wrapped(*args, **kwargs)
    _count(stream, args, kwargs)
    return result


@telemetry.never_raises("count the sound that is sent")
def _count(stream: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    if (transcription := _transcriptions.get(stream)) is not None:
        event = args[0] if args else kwargs["audio_event"]
        transcription.sent(len(event.payload or b""))


def _address(client: Any) -> tuple[str, int]:
    """Return host and port of a client: fixed ones, or those of its region."""
    url = urlsplit(getattr(client._endpoint_resolver, "_endpoint", None) or "")
    end = ".cn" if client.region.startswith("cn") else ""
    return url.hostname or f"transcribestreaming.{client.region}.amazonaws.com{end}", url.port or 443


def _nothing() -> None:
    """There is nothing to write."""
