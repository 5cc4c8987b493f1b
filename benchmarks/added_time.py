"""Time that instrumentations add to a chat call and to a stream of 200 chunks.

Each candidate runs in a process of its own, where blocks of instrumented and of plain calls take turns; what it adds is
the difference of their medians. The provider is a server on loopback in a third process, with canned answers. Everything writes to the real SDK with batch processors, and exporters that drop it all.
The floor is a wrapper written by hand that makes one span. A candidate that is not installed is left out.
"""

import argparse
import asyncio
import atexit
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

CANDIDATES = ("floor", "otel_costs", "genai-openai", "openinference")
CHUNKS = 200
CLOCK = time.thread_time if "thread" in os.environ.get("BENCH_CLOCK", "") else time.perf_counter
QUESTION = [{"role": "system", "content": "You are a support assistant."}, {"role": "user", "content": "Where is my order 4711?"}]
WORDS = ["Your", " order", " is", " on", " its", " way", " to", " you", "."]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--candidate", choices=CANDIDATES)
    parser.add_argument("--blocks", type=int, default=30)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.serve:
        return _serve()
    if options.candidate:
        print(json.dumps(_memory(options.candidate) if options.memory else _measure(options.candidate, options.blocks)))
        return
    rows = {name: _run(name, options.blocks) for name in CANDIDATES}
    _table({name: row for name, row in rows.items() if row is not None})


def _run(candidate: str, blocks: int) -> dict[str, float] | None:
    found: dict[str, float] = {}
    for extra in ([], ["--memory"]):
        command = [sys.executable, "-m", "benchmarks.added_time", "--candidate", candidate, "--blocks", str(blocks), *extra]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            if candidate in CANDIDATES[:2]:
                sys.exit(ran.stderr)
            print(f"{candidate}: left out ({ran.stderr.strip().splitlines()[-1]})")
            return None
        found |= json.loads(ran.stdout.splitlines()[-1])
    return found


def _table(rows: dict[str, dict[str, float]]) -> None:
    floor = rows["floor"]
    print(f"{'':14}{'chat, us':>10}{'x floor':>9}{'stream, us':>12}{'x floor':>9}{'import, ms':>12}{'RSS, MiB':>10}")
    for name, row in rows.items():
        print(
            f"{name:14}{row['chat']:10.0f}{row['chat'] / floor['chat']:9.2f}{row['stream']:12.0f}"
            f"{row['stream'] / floor['stream']:9.2f}{row['import']:12.0f}{row['rss']:10.1f}"
        )
    print(f"plain: chat {floor['plain_chat']:.0f} us, stream {floor['plain_stream']:.0f} us")


def _measure(candidate: str, blocks: int) -> dict[str, float]:
    import openai

    client = _client()
    begun = time.perf_counter()
    switch = _switch(candidate)
    imported = (time.perf_counter() - begun) * 1e3
    assert openai
    found: dict[str, float] = {"import": imported}
    for kind, calls, action in (("chat", 40, _chat), ("stream", 6, _stream)):
        plain, added = [], []
        for block in range(blocks + 2):
            for instrumented, times in ((False, plain), (True, added)):
                ask = switch(instrumented, client)
                taken = [_timed(action, ask) for _ in range(calls)]
                if block > 1:  # the first blocks warm caches up
                    times.extend(taken)
        found[f"plain_{kind}"] = statistics.median(plain)
        found[kind] = statistics.median(added) - statistics.median(plain)
    return found


def _memory(candidate: str) -> dict[str, float]:
    client = _client()
    ask = _switch(candidate)(True, client)
    for _ in range(50):
        _chat(ask)
    before = _rss()
    for _ in range(2000):
        _chat(ask)
    return {"rss": (_rss() - before) / 2**20}


def _rss() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _timed(action: Callable[[Any], None], ask: Any) -> float:
    begun = CLOCK()
    action(ask)
    return (CLOCK() - begun) * 1e6


def _chat(ask: Any) -> None:
    ask(model="gpt-4o", messages=QUESTION, temperature=0.2)


def _stream(ask: Any) -> None:
    for _ in ask(model="gpt-4o", messages=QUESTION, stream=True, stream_options={"include_usage": True}):
        pass


def _client() -> Any:
    import openai

    return openai.OpenAI(api_key="sk-benchmark", base_url=_server())


@cache
def _server() -> str:
    """Start the server in a process of its own, and return its URL."""
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.added_time", "--serve"], stdout=subprocess.PIPE, text=True)
    atexit.register(server.kill)
    assert server.stdout
    return f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"


def _serve() -> None:
    """Answer every request on a connection: what is asked for is told by one word of its body."""
    answer = _answer()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
    events = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in _pieces()]

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readuntil(b"\r\n\r\n"):
            size = int(request.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            if b'"stream":true' in await reader.readexactly(size):
                writer.write(events)
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n")
            else:
                writer.write(head + answer)

    async def run() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


def _usage() -> dict[str, Any]:
    return {
        "prompt_tokens": 25,
        "completion_tokens": CHUNKS,
        "total_tokens": 25 + CHUNKS,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _answer() -> bytes:
    message = {"role": "assistant", "content": "".join(WORDS) * 3, "refusal": None, "annotations": []}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1795343400,
            "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": _usage(),
            "service_tier": "default",
            "system_fingerprint": "fp_1",
        }
    ).encode()


def _pieces() -> list[bytes]:
    def chunk(choices: list[Any], usage: Any) -> bytes:
        found = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1795343400,
            "model": "gpt-4o-2024-08-06",
            "service_tier": "default",
            "system_fingerprint": "fp_1",
            "choices": choices,
            "usage": usage,
            "obfuscation": "aB3xY",
        }
        return b"data: " + json.dumps(found, separators=(",", ":")).encode() + b"\n\n"

    def choice(delta: dict[str, Any], reason: str | None = None) -> list[Any]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]

    texts = [chunk(choice({"content": WORDS[i % len(WORDS)]}), None) for i in range(CHUNKS - 3)]
    first = chunk(choice({"role": "assistant", "content": "", "refusal": None}), None)
    return [first, *texts, chunk(choice({}, "stop"), None), chunk([], _usage()), b"data: [DONE]\n\n"]


def _switch(candidate: str) -> Callable[[bool, Any], Any]:
    """Set the SDK up, and return what switches the candidate on or off and returns the function to call."""
    providers = _providers()
    if candidate == "floor":
        tracer = providers[0].get_tracer("floor")
        return lambda on, client: _by_hand(tracer, client.chat.completions.create) if on else client.chat.completions.create
    instrumentor = _instrumentor(candidate)
    state = {"on": False}
    options = dict(zip(("tracer_provider", "logger_provider", "meter_provider"), providers, strict=True))

    def switch(on: bool, client: Any) -> Any:
        if on != state["on"]:
            state["on"] = on
            instrumentor.instrument(**options) if on else instrumentor.uninstrument()
        # The resource keeps what was patched when it was made; a new one sees the patch of now.
        return type(client.chat.completions)(client).create

    switch(True, _client())
    return switch


def _instrumentor(candidate: str) -> Any:
    if candidate == "otel_costs":
        from otel_costs import CostsInstrumentor

        return CostsInstrumentor()
    if candidate == "genai-openai":
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

        return OpenAIInstrumentor()
    from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference

    os.environ.setdefault("OPENINFERENCE_HIDE_INPUTS", "true")
    os.environ.setdefault("OPENINFERENCE_HIDE_OUTPUTS", "true")
    return OpenInference()


def _providers() -> tuple[Any, Any, Any]:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class NoSpans(SpanExporter):
        def export(self, spans: Any) -> Any:
            return SpanExportResult.SUCCESS

        def shutdown(self) -> None: ...

    class NoRecords(LogRecordExporter):
        def export(self, batch: Any) -> Any:
            return LogRecordExportResult.SUCCESS

        def shutdown(self) -> None: ...

        def force_flush(self, timeout_millis: int = 0) -> bool:
            return True

    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(BatchSpanProcessor(NoSpans()))
    logger_provider = LoggerProvider()
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(NoRecords()))
    return tracer_provider, logger_provider, MeterProvider([InMemoryMetricReader()])


def _by_hand(tracer: Any, create: Any) -> Any:
    """The floor: what somebody would write who needs one span with the tokens, and nothing else."""
    from opentelemetry.trace import SpanKind

    def traced(**arguments: Any) -> Any:
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": arguments["model"],
            "server.address": "api.openai.com",
        }
        span = tracer.start_span("chat " + arguments["model"], kind=SpanKind.CLIENT, attributes=attributes)
        answer = create(**arguments)
        if arguments.get("stream"):
            return streamed(span, answer)
        finish(span, answer)
        return answer

    def streamed(span: Any, stream: Any) -> Iterator[Any]:
        last = None
        for chunk in stream:
            if chunk.usage is not None:
                last = chunk
            yield chunk
        finish(span, last)

    def finish(span: Any, answer: Any) -> None:
        span.set_attribute("gen_ai.response.id", answer.id)
        span.set_attribute("gen_ai.response.model", answer.model)
        span.set_attribute("gen_ai.usage.input_tokens", answer.usage.prompt_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", answer.usage.completion_tokens)
        span.end()

    return traced


if __name__ == "__main__":
    main()
