"""Time that instrumentations add to a chat call and to a stream of 200 chunks.

Each candidate runs in a process of its own, where blocks of instrumented and of plain calls take turns; what it adds is
the difference of their medians. The provider is a server on loopback in a third process, with canned answers.
Everything writes to the real SDK with batch processors, and exporters that drop it all. The floor is a wrapper written
by hand that makes one span. A candidate that is not installed is left out.

The SDK takes 30 ms of parsing for 200 chunks, give or take 3 ms. So what we add to a stream is shown where nothing is
parsed, too: the lines of `with_streaming_response`, in processor time of the application's thread. The others do not
record such a stream.
"""

import argparse
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import _canned
from benchmarks._candidates import finish_by_hand, instrumentor, providers, span_by_hand

CANDIDATES = ("floor", "otel_costs", "genai-openai", "openinference")
QUESTION = [
    {"role": "system", "content": "You are a support assistant."},
    {"role": "user", "content": "Where is my order 4711?"},
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--candidate", choices=CANDIDATES)
    parser.add_argument("--blocks", type=int, default=30)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    if options.candidate:
        print(json.dumps(_memory(options.candidate) if options.memory else _measure(options.candidate, options.blocks)))
        return
    rows = {name: _run(name, options.blocks) for name in CANDIDATES}
    _table({name: row for name, row in rows.items() if row is not None})


def _run(candidate: str, blocks: int) -> dict[str, float] | None:
    found: dict[str, float] = {}
    for extra in ([], ["--memory"]):
        command = [
            sys.executable,
            "-m",
            "benchmarks.added_time",
            "--candidate",
            candidate,
            "--blocks",
            str(blocks),
            *extra,
        ]
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
    print(f"{'':14}{'chat':>6}{'x floor':>9}{'cpu':>6}{'stream':>9}{'x floor':>9}", end="")
    print(f"{'cpu':>7}{'lines':>7}{'x floor':>9}{'start, ms':>11}{'RSS, MiB':>10}")
    for name, row in rows.items():
        print(
            f"{name:14}{row['chat']:6.0f}{row['chat'] / floor['chat']:9.2f}{row['chat_cpu']:6.0f}"
            f"{row['stream']:9.0f}{row['stream'] / floor['stream']:9.2f}{row['stream_cpu']:7.0f}"
            + (f"{row['lines']:7.0f}{row['lines'] / floor['lines']:9.2f}" if "lines" in row else f"{'-':>7}{'-':>9}")
            + f"{row['import']:11.0f}{row['rss']:10.1f}"
        )
    print(
        f"us added to a chat call of {floor['plain_chat']:.0f} us, and to a stream of {floor['plain_stream']:.0f} us;"
    )
    print("lines: of a stream that nobody parses, in the thread that reads it; cpu: of all threads, mean;")
    print("start: import and instrument, after openai; RSS: growth over 2,000 calls.")


def _measure(candidate: str, blocks: int) -> dict[str, float]:
    import openai

    assert openai  # its import is the application's own, and so is the SDK's
    sdk = providers()
    begun = time.perf_counter()
    switch = _switch(candidate, sdk)
    found = {"import": (time.perf_counter() - begun) * 1e3}
    client = _client()
    for kind, calls, action in (("chat", 20, _chat), ("stream", 5, _stream)):
        plain, added = Times(), Times()
        for block in range(blocks + 2):
            for instrumented, times in ((False, plain), (True, added)):
                ask = switch(instrumented, client)
                taken = Times()
                for _ in range(calls):
                    taken.time(action, ask)
                if block > 1:  # the first blocks warm caches up
                    times.extend(taken)
        found[f"plain_{kind}"] = plain.wall_us
        found[kind] = added.wall_us - plain.wall_us
        found[f"{kind}_cpu"] = added.cpu_us - plain.cpu_us
    if candidate in CANDIDATES[:2]:
        found["lines"] = _measure_lines(
            switch, sdk["tracer_provider"] if candidate == "floor" else None, client, blocks
        )
    return found


def _measure_lines(switch: Callable[[bool, Any], Any], tracer_provider: Any, client: Any, blocks: int) -> float:
    """Return the median difference, over blocks of ten streams, of the medians with and without, in us.

    With a `tracer_provider` the lines are read by hand, else through what `switch` switches.
    """
    differences = []
    for block in range(blocks + 2):
        medians = {}
        for instrumented in (False, True) if block % 2 else (True, False):
            switch(instrumented, client)
            completions = type(client.chat.completions)(client)
            gc.collect()
            gc.disable()
            taken = []
            for _ in range(10):
                begun = time.thread_time()
                if instrumented and tracer_provider is not None:
                    _lines_by_hand(tracer_provider.get_tracer("floor"), completions)
                else:
                    for _ in _lines(completions):
                        pass
                taken.append(time.thread_time() - begun)
            gc.enable()
            medians[instrumented] = statistics.median(taken)
        if block > 1:
            differences.append(medians[True] - medians[False])
    return statistics.median(differences) * 1e6


class Times:
    """Calls as they were timed: the median time of each, and the mean processor time of all threads."""

    def __init__(self) -> None:
        self._walls: list[float] = []
        self._cpu_s = 0.0

    def time(self, action: Callable[[Any], None], ask: Any) -> None:
        begun, cpu = time.perf_counter(), time.process_time()
        action(ask)
        self._walls.append(time.perf_counter() - begun)
        self._cpu_s += time.process_time() - cpu

    def extend(self, other: "Times") -> None:
        self._walls += other._walls
        self._cpu_s += other._cpu_s

    @property
    def wall_us(self) -> float:
        return statistics.median(self._walls) * 1e6

    @property
    def cpu_us(self) -> float:
        return self._cpu_s / len(self._walls) * 1e6


def _memory(candidate: str) -> dict[str, float]:
    client = _client()
    ask = _switch(candidate, providers())(True, client)
    for _ in range(50):
        _chat(ask)
    before = _rss()
    for _ in range(2000):
        _chat(ask)
    return {"rss": (_rss() - before) / 2**20}


def _rss() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _chat(ask: Any) -> None:
    ask(model="gpt-4o", messages=QUESTION, temperature=0.2)


def _stream(ask: Any) -> None:
    for _ in ask(model="gpt-4o", messages=QUESTION, stream=True, stream_options={"include_usage": True}):
        pass


def _lines(completions: Any) -> Iterator[str]:
    asked = {"model": "gpt-4o", "messages": QUESTION, "stream": True, "stream_options": {"include_usage": True}}
    with completions.with_streaming_response.create(**asked) as response:
        yield from response.iter_lines()


def _client() -> Any:
    import openai

    return openai.OpenAI(api_key="sk-benchmark", base_url=_canned.start())


def _switch(candidate: str, sdk: dict[str, Any]) -> Callable[[bool, Any], Any]:
    """Return what switches the candidate on or off and returns the function to call."""
    if candidate == "floor":
        tracer = sdk["tracer_provider"].get_tracer("floor")
        return lambda on, client: (
            _by_hand(tracer, client.chat.completions.create) if on else client.chat.completions.create
        )
    measured = instrumentor(candidate)
    measured.instrument(**sdk)
    state = {"on": True}

    def switch(on: bool, client: Any) -> Any:
        if on != state["on"]:
            state["on"] = on
            measured.instrument(**sdk) if on else measured.uninstrument()
        # The resource keeps what was patched when it was made; a new one sees the patch of now.
        return type(client.chat.completions)(client).create

    return switch


def _by_hand(tracer: Any, create: Any) -> Any:
    """The floor: what somebody would write who needs one span with the tokens, and nothing else."""

    def traced(**arguments: Any) -> Any:
        span = span_by_hand(tracer, arguments["model"])
        answer = create(**arguments)
        if arguments.get("stream"):
            return streamed(span, answer)
        finish_by_hand(span, answer)
        return answer

    def streamed(span: Any, stream: Any) -> Iterator[Any]:
        last = None
        for chunk in stream:
            if chunk.usage is not None:
                last = chunk
            yield chunk
        finish_by_hand(span, last)

    return traced


def _lines_by_hand(tracer: Any, completions: Any) -> None:
    span, last = span_by_hand(tracer, "gpt-4o"), ""
    for line in _lines(completions):
        if '"usage":{' in line:
            last = line
    answer = json.loads(last.removeprefix("data: "))
    span.set_attribute("gen_ai.response.id", answer["id"])
    span.set_attribute("gen_ai.response.model", answer["model"])
    span.set_attribute("gen_ai.usage.input_tokens", answer["usage"]["prompt_tokens"])
    span.set_attribute("gen_ai.usage.output_tokens", answer["usage"]["completion_tokens"])
    span.end()


if __name__ == "__main__":
    main()
