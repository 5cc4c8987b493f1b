"""Time that is added to a call of a speech vendor, in the thread that calls, and to a request that is nobody's.

The vendors' real clients, on networks that answer at once within the process: `thread_time` of the caller, with what
we do later in a thread of our own left out. Calls without us, with one span written by hand (the floor) and with us
take turns in blocks; what is added is the median, over the blocks, of the difference of their medians. The bars are
about 100 us for a call that is billed and 3 us for a request over httpx that is none of ours.
"""

import argparse
import gc
import io
import logging
import os
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, Tracer

from otel_costs import CostsInstrumentor
from otel_costs.runtime import background

CALLS: Final = 20  # of a block
TEXT: Final = "Where is my order 4711?"

Answer = Callable[[], Any]


class Vendor(NamedTuple):
    """A call of a vendor's client, what is patched beneath it, and what a span by hand says of its answer."""

    ask: Answer
    patched: tuple[tuple[type, str], ...]
    about: dict[str, Any]
    used: Callable[[Any], tuple[str, Any]] | None
    """The unit that was used and how much of it; None of a request that is nobody's, which gets no span."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", type=int, default=100)
    options = parser.parse_args()
    os.environ.pop("OTEL_COSTS_PROVIDERS", None)
    logging.getLogger("otel_costs").setLevel(logging.ERROR)  # nothing takes the ledger
    tracer_provider = TracerProvider()
    CostsInstrumentor().instrument(tracer_provider=tracer_provider, logger_provider=LoggerProvider())
    tracer = tracer_provider.get_tracer("floor")
    print(f"{'':20}{'without, us':>12}{'floor adds':>12}{'ours adds':>12}{'x floor':>9}")
    for name, make in (("deepgram", _deepgram), ("aws.polly", _polly), ("gcp.speech", _google), ("nobody's", _nobody)):
        plain, floor, ours = _measure(make(), tracer, options.blocks)
        by_hand = f"{floor:12.1f}{ours:12.1f}{ours / floor:9.2f}" if floor else f"{'-':>12}{ours:12.1f}{'-':>9}"
        print(f"{name:20}{plain:12.0f}{by_hand}", flush=True)


def _measure(vendor: Vendor, tracer: Tracer, blocks: int) -> tuple[float, float, float]:
    """Return the time of a call without us, and what the floor and we add to it, in us."""
    switch = _switch(vendor)
    asks = {"plain": vendor.ask, "floor": _by_hand(tracer, vendor), "ours": vendor.ask}
    taken: dict[str, list[float]] = {name: [] for name in asks}
    for block in range(-2, blocks):
        names = list(asks)[block % 3 :] + list(asks)[: block % 3]
        for name in names:
            switch(name == "ours")
            spent = _block_us(asks[name])
            if block >= 0:  # the first blocks warm caches up
                taken[name].append(spent)
    switch(True)
    plain = taken["plain"]
    added = {
        name: statistics.median(with_it - without for with_it, without in zip(taken[name], plain, strict=True))
        for name in ("floor", "ours")
    }
    return statistics.median(plain), added["floor"] if vendor.used else 0.0, added["ours"]


def _block_us(ask: Answer) -> float:
    """Return the median of a block of calls, in us of this thread."""
    ask()
    gc.collect()
    gc.freeze()
    gc.disable()
    spent = []
    for _ in range(CALLS):
        begun = time.thread_time_ns()
        ask()
        spent.append(time.thread_time_ns() - begun)
    gc.enable()
    background.drain()
    return statistics.median(spent) / 1000


def _switch(vendor: Vendor) -> Callable[[bool], None]:
    """Return what puts our wrappers on, or the originals back."""
    ours = [(owner, name, vars(owner)[name]) for owner, name in vendor.patched]
    assert all(hasattr(wrapper, "__wrapped__") for *_, wrapper in ours)

    def switch(on: bool) -> None:
        for owner, name, wrapper in ours:
            setattr(owner, name, wrapper if on else wrapper.__wrapped__)

    return switch


def _by_hand(tracer: Tracer, vendor: Vendor) -> Answer:
    """The floor: what somebody would write who needs one span with what was used, and nothing else."""
    used = vendor.used
    if used is None:
        return vendor.ask

    def traced() -> Any:
        span = tracer.start_span(vendor.about["gen_ai.operation.name"], kind=SpanKind.CLIENT, attributes=vendor.about)
        answer = vendor.ask()
        span.set_attribute(*used(answer))
        span.end()
        return answer

    return traced


def _about(operation: str, provider: str, model: str, address: str) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "server.address": address,
    }


def _network() -> Any:
    """Return a network for httpx on which everybody answers as Deepgram does."""
    import httpx

    channel = {"alternatives": [{"transcript": TEXT, "confidence": 0.99, "words": []}]}
    info = {"m-1": {"name": "general-nova-3", "version": "2025-04-17.21547", "arch": "nova-3"}}
    metadata = {"request_id": "r-1", "sha256": "0" * 64, "created": "2026-11-22T10:00:00.000Z", "duration": 15.5,
                "channels": 1, "models": ["m-1"], "model_info": info}  # fmt: skip
    content = {"metadata": metadata, "results": {"channels": [channel]}}
    return httpx.MockTransport(lambda _: httpx.Response(200, json=content))


def _deepgram() -> Vendor:
    import httpx

    with warnings.catch_warnings():  # of the package itself
        warnings.simplefilter("ignore")
        from deepgram import DeepgramClient
        from deepgram.core.http_client import HttpClient

        client = DeepgramClient(api_key="key", httpx_client=httpx.Client(transport=_network()))
        media = client.listen.v1.media
    return Vendor(
        lambda: media.transcribe_url(url="https://example.com/a.wav", model="nova-3"),
        ((httpx.Client, "send"), (HttpClient, "request")),
        _about("speech_to_text", "deepgram", "nova-3", "api.deepgram.com"),
        lambda answer: ("audio_seconds", answer.metadata.duration),
    )


def _polly() -> Vendor:
    import boto3  # type: ignore[import-untyped, unused-ignore]
    from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped, unused-ignore]
    from botocore.client import BaseClient  # type: ignore[import-untyped, unused-ignore]

    client: Any = boto3.client("polly", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
    headers = {"content-type": "audio/mpeg", "x-amzn-requestcharacters": str(len(TEXT))}
    client.meta.events.register(
        "before-send.polly", lambda request, **_: AWSResponse(request.url, 200, headers, io.BytesIO(b"ID3"))
    )
    return Vendor(
        lambda: client.synthesize_speech(Text=TEXT, VoiceId="Joanna", OutputFormat="mp3", Engine="neural"),
        ((BaseClient, "_make_api_call"),),
        _about("text_to_speech", "aws.polly", "neural", "polly.eu-west-1.amazonaws.com"),
        lambda answer: ("input_characters", answer["RequestCharacters"]),
    )


def _google() -> Vendor:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.speech_v1 import RecognizeResponse
    from google.cloud.speech_v1.services.speech.client import SpeechClient
    from google.cloud.speech_v1.services.speech.transports import SpeechGrpcTransport

    heard = {"alternatives": [{"transcript": TEXT, "confidence": 0.9}]}
    answer = RecognizeResponse(results=[heard], total_billed_time={"seconds": 16})
    transport = SpeechGrpcTransport(credentials=AnonymousCredentials())  # type: ignore[no-untyped-call, unused-ignore]
    transport._wrapped_methods[transport.recognize] = lambda *_, **__: answer
    client: Any = SpeechClient(transport=transport)
    config = {"encoding": "LINEAR16", "sample_rate_hertz": 16000, "language_code": "en-US", "model": "latest_long"}
    audio = {"content": b"\x00" * 32000}
    return Vendor(
        lambda: client.recognize(config=config, audio=audio),
        ((SpeechClient, "recognize"),),
        _about("speech_to_text", "gcp.speech", "latest_long", "speech.googleapis.com"),
        lambda found: ("audio_seconds", found.total_billed_time.total_seconds()),
    )


def _nobody() -> Vendor:
    import httpx

    client = httpx.Client(transport=_network())
    return Vendor(
        lambda: client.post("https://api.example.com/v1/items/4711", json={"name": "a"}),
        ((httpx.Client, "send"),),
        {},
        None,
    )


if __name__ == "__main__":
    main()
