"""What an asyncio program feels that calls without a pause: throughput, the slowest calls, and processor time.

Each variant runs in a process of its own: openai's client over a transport that answers at once within the process,
the real SDK with batch processors, content off, and exporters that drop it all. The variants take turns, a short round
each, so that whatever else the machine does meets all of them; figures are medians over the rounds, relative to the
round of `bare` and of `by hand`, a wrapper that makes one span. A round ends when what its calls left is written.
Variants that are not installed are left out. `sdk alone` writes by hand what a call of ours leaves: less than that is
not to be had for a span, a record and measurements.

Where other programs are at work on the machine, the share of `bare` by processor time says more than that by the clock.

`busy` has a process on every other core of the machine. `one by one` is a single task, whose answers take a moment.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

from benchmarks import _canned
from benchmarks._candidates import NoSpans, finish_by_hand, instrumentor, providers, span_by_hand
from benchmarks._sdk_alone import SdkAlone, left_by

BARE: Final = "bare"
BY_HAND: Final = "by hand"
SDK_ALONE: Final = "sdk alone"
"""What a call of ours leaves, written by hand: less is not to be had with the SDK."""
BEFORE: Final = "before"
"""Our own code of another checkout."""
VARIANTS: Final = (BARE, BY_HAND, SDK_ALONE, "otel_costs", "genai-openai", "openinference", "langfuse")
OURS: Final = VARIANTS[:4]

CONVERSATION: Final = [
    {"role": "system", "content": "You are a support assistant of a shop. Answer in one or two sentences."},
    {"role": "user", "content": "I ordered a lamp on Monday, and it is still not here."},
    {"role": "assistant", "content": "I am sorry to hear that. Would you tell me the number of your order?"},
    {"role": "user", "content": "It is 4711. The confirmation said three days."},
    {"role": "assistant", "content": "Thank you. Order 4711 left our warehouse on Tuesday."},
    {"role": "user", "content": "So where is it now?"},
]


class Case(NamedTuple):
    """What is asked in one round: `calls` in all, by so many `tasks`."""

    tasks: int
    calls: int
    stream: bool = False
    busy: bool = False
    answers_after_s: float = 0


CASES: Final = {
    "chats, 100 tasks": Case(100, 400),
    "chats, 5 tasks": Case(5, 300),
    "chats, 100 tasks, busy": Case(100, 400, busy=True),
    "chats, 5 tasks, busy": Case(5, 300, busy=True),
    "streams, 100 tasks": Case(100, 100, stream=True),
    "streams, 5 tasks": Case(5, 50, stream=True),
    "streams, 100 tasks, busy": Case(100, 100, stream=True, busy=True),
    "one by one": Case(1, 40, answers_after_s=0.005),
}


class Round(NamedTuple):
    """What one round of a variant came to."""

    per_s: float
    p99_ms: float
    cpu_us: float
    """Of all threads of the process, for each call."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--variant", choices=(*VARIANTS, BEFORE))
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--before", help="another checkout, to be measured beside this one")
    options = parser.parse_args()
    if options.variant:
        if options.before:
            sys.path.insert(0, options.before)
        _serve(options.variant)
        return
    names = [*options.variants.split(","), *([BEFORE] if options.before else [])]
    programs = {name: program for name in names if (program := Program.start(name, options.before))}
    try:
        _table_of_starts(programs)
        for name, case in CASES.items():
            if name.startswith(options.only):
                _table(name, _rounds(programs, name, case, options.rounds))
    finally:
        for program in programs.values():
            program.end()


class Program:
    """A variant's process: it is told a case by its name, and answers with a round."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.start_ms = 0.0
        """Processor time from the import of the instrumentation until its first call was written."""

    @classmethod
    def start(cls, variant: str, before: str | None) -> "Program | None":
        """Start a variant; return None if it is not installed. `before` is the checkout of that one."""
        command = [sys.executable, "-m", "benchmarks.load", "--variant", variant]
        if before and variant == BEFORE:
            command += ["--before", before]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        program = cls(process)
        assert process.stdout
        assert process.stderr
        if not (line := process.stdout.readline()):
            error = process.stderr.read().strip()
            if variant in OURS:
                sys.exit(error)
            print(f"{variant}: left out ({error.splitlines()[-1]})")
            return None
        program.start_ms = json.loads(line)
        return program

    def run(self, case: str) -> Round:
        """Run one round of a case."""
        assert self._process.stdin
        assert self._process.stdout
        print(case, file=self._process.stdin, flush=True)
        return Round(*json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def _rounds(programs: dict[str, Program], name: str, case: Case, rounds: int) -> dict[str, list[Round]]:
    names, found = list(programs), {variant: list[Round]() for variant in programs}
    with _busy() if case.busy else _idle():
        for number in range(rounds + 1):
            turn = number % len(names)
            for variant in names[turn:] + names[:turn]:
                ran = programs[variant].run(name)
                if number:  # the first one warms up
                    found[variant].append(ran)
    return found


def _table_of_starts(programs: dict[str, Program]) -> None:
    print("start and first call, ms of processor time more than bare: ", end="")
    print(", ".join(f"{name} {each.start_ms - programs[BARE].start_ms:.0f}" for name, each in programs.items()))


def _table(case: str, found: dict[str, list[Round]]) -> None:
    print(
        f"\n{case:26}{'calls/s':>8}{'of bare':>9}{'by cpu':>9}{'p99, ms':>9}{'x by hand':>11}{'cpu, us':>9}{'added':>7}"
    )
    for variant, rounds in found.items():
        share = _median(here.per_s / bare.per_s for here, bare in zip(rounds, found[BARE], strict=True))
        slow = _median(here.p99_ms / hand.p99_ms for here, hand in zip(rounds, found[BY_HAND], strict=True))
        by_cpu = _median(bare.cpu_us / here.cpu_us for here, bare in zip(rounds, found[BARE], strict=True))
        added = _median(here.cpu_us - bare.cpu_us for here, bare in zip(rounds, found[BARE], strict=True))
        per_s, p99_ms, cpu_us = (_median(each[field] for each in rounds) for field in range(3))
        print(
            f"  {variant:24}{per_s:8.0f}{share:9.1%}{by_cpu:9.1%}{p99_ms:9.1f}{slow:11.2f}{cpu_us:9.0f}{added:7.0f}",
            flush=True,
        )


def _median(values: Iterator[float]) -> float:
    return statistics.median(values)


@contextmanager
def _busy() -> Iterator[None]:
    spinning = [multiprocessing.get_context("spawn").Process(target=_spin) for _ in range((os.cpu_count() or 2) - 1)]
    for process in spinning:
        process.start()
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.join()


@contextmanager
def _idle() -> Iterator[None]:
    yield


def _spin() -> None:
    while True:
        pass


def _serve(variant: str) -> None:
    """Run the rounds of one variant, as they are asked for."""
    import openai

    assert openai  # its import is the application's own, and so is the SDK's
    sdk = providers()
    begun = time.process_time()
    transport = _transport()
    client = openai.AsyncOpenAI(api_key="sk-benchmark", http_client=openai.DefaultAsyncHttpxClient(transport=transport))
    ask = _instrument(variant, sdk, client)

    def run(case: Case) -> Round:
        transport.answers_after_s = case.answers_after_s
        return _round(ask, case, lambda: [provider.force_flush() for provider in sdk.values()])

    run(Case(1, 1))
    print((time.process_time() - begun) * 1e3, flush=True)
    for line in sys.stdin:
        print(json.dumps(run(CASES[line.strip()])), flush=True)


def _round(ask: Any, case: Case, flush: Callable[[], object]) -> Round:
    begun, cpu = time.perf_counter(), time.process_time()
    taken = asyncio.run(_calls(ask, case))
    flush()
    wall_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    slowest = sorted(taken)[-1 - len(taken) // 100]
    return Round(len(taken) / wall_s, slowest * 1e3, cpu_s / len(taken) * 1e6)


async def _calls(ask: Any, case: Case) -> list[float]:
    taken = []

    async def task() -> None:
        for _ in range(case.calls // case.tasks):
            begun = time.perf_counter()
            if case.stream:
                options = {"stream": True, "stream_options": {"include_usage": True}}
                async for _chunk in await ask(model="gpt-4o", messages=CONVERSATION, **options):
                    pass
            else:
                await ask(model="gpt-4o", messages=CONVERSATION, temperature=0.2)
            taken.append(time.perf_counter() - begun)

    await asyncio.gather(*(task() for _ in range(case.tasks)))
    return taken


def _transport() -> Any:
    import httpx2

    answer, pieces = _canned.answer(), _canned.pieces()

    class Pieces(httpx2.AsyncByteStream):
        async def __aiter__(self) -> Any:
            for piece in pieces:
                await asyncio.sleep(0)  # each comes by itself
                yield piece

    class Transport(httpx2.AsyncBaseTransport):
        answers_after_s = 0.0

        async def handle_async_request(self, request: Any) -> Any:
            body = await request.aread()
            await asyncio.sleep(self.answers_after_s)
            if b'"stream":true' in body:
                return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces())
            return httpx2.Response(200, headers={"content-type": "application/json"}, content=answer)

    return Transport()


def _instrument(variant: str, sdk: dict[str, Any], client: Any) -> Any:
    """Switch a variant on, and return the function to be called."""
    if variant == BY_HAND:
        tracer = sdk["tracer_provider"].get_tracer("by hand")
        return _by_hand(partial(span_by_hand, tracer), finish_by_hand, client.chat.completions.create)
    if variant == SDK_ALONE:
        left = left_by(lambda: type(client.chat.completions)(client).create(model="gpt-4o", messages=CONVERSATION))
        alone = SdkAlone(sdk, left)
        return _by_hand(alone.start, alone.finish, client.with_options().chat.completions.create)
    if variant == "langfuse":
        _langfuse()
    elif variant != BARE:
        instrumentor("otel_costs" if variant == BEFORE else variant).instrument(**sdk)
    return client.chat.completions.create


def _langfuse() -> None:
    os.environ["LANGFUSE_MEDIA_UPLOAD_ENABLED"] = "false"
    import langfuse.openai  # noqa: F401  # patches what is called
    from langfuse import Langfuse
    from opentelemetry.sdk.trace import TracerProvider

    Langfuse(
        public_key="pk", secret_key="sk", base_url="http://127.0.0.1:9", tracer_provider=TracerProvider(),
        span_exporter=NoSpans(), mask=lambda data, **_: None,
    )  # fmt: skip


def _by_hand(start: Callable[[str], Any], finish: Callable[[Any, Any], None], create: Any) -> Any:
    """What somebody writes around a call: something that starts, and is finished with the answer or the last chunk."""

    async def traced(**arguments: Any) -> Any:
        span = start(arguments["model"])
        answer = await create(**arguments)
        if arguments.get("stream"):
            return streamed(span, answer)
        finish(span, answer)
        return answer

    async def streamed(span: Any, stream: Any) -> Any:
        last = None
        async for chunk in stream:
            if chunk.usage is not None:
                last = chunk
            yield chunk
        finish(span, last)

    return traced


if __name__ == "__main__":
    main()
