"""Other instrumentations of openai, really installed, in every order with ours: a program for environments of its own.

`python -m tests.support.instrumentations BASE_URL` reads orders, as JSON, from stdin and prints for each of them what
came of it. Each has a process of its own, forked from one that has imported everything and instrumented nothing.
"""

import asyncio
import importlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

OURS = "otel_costs"
INSTRUMENTORS = {
    "openinference": "openinference.instrumentation.openai",
    "openllmetry": "opentelemetry.instrumentation.openai",
    "openai-v2": "opentelemetry.instrumentation.openai_v2",
    "genai-openai": "opentelemetry.instrumentation.genai.openai",
    "elastic": "opentelemetry.instrumentation.openai",
}
"""Modules that have an `OpenAIInstrumentor`. Two are of one name, and cannot be installed together."""

ASKED: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
ASKED_RESPONSE: Any = {"model": "gpt-4o", "input": "hi"}


def results(base_url: str) -> list[Any]:
    """Return what an application gets: of chats and responses, streamed and not, refused and not, sync and async."""
    return [*_sync_results(base_url), *asyncio.run(_async_results(base_url))]


def _sync_results(base_url: str) -> list[Any]:
    import openai

    transport: Any = openai.DefaultHttpxClient(verify=False)  # reading certificates takes longer than the calls
    with openai.OpenAI(base_url=base_url, api_key="sk-none", max_retries=0, http_client=transport) as client:
        found: list[Any] = [client.chat.completions.create(**ASKED).choices[0].message.content]
        found += [_piece(chunk) for chunk in client.chat.completions.create(**ASKED, stream=True)]
        found += [client.responses.create(**ASKED_RESPONSE).output_text]
        found += [event.type for event in client.responses.create(**ASKED_RESPONSE, stream=True)]
        try:
            client.chat.completions.create(**{**ASKED, "model": ""})
        except openai.APIStatusError as error:
            found += [error.status_code]
    return found


async def _async_results(base_url: str) -> list[Any]:
    import openai

    transport: Any = openai.DefaultAsyncHttpxClient(verify=False)
    async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-none", max_retries=0, http_client=transport) as client:
        answer = await client.chat.completions.create(**ASKED)
        found: list[Any] = [answer.choices[0].message.content]
        found += [_piece(chunk) async for chunk in await client.chat.completions.create(**ASKED, stream=True)]
        response = await client.responses.create(**ASKED_RESPONSE)
        found += [response.output_text]
        found += [event.type async for event in await client.responses.create(**ASKED_RESPONSE, stream=True)]
        try:
            await client.chat.completions.create(**{**ASKED, "model": ""})
        except openai.APIStatusError as error:
            found += [error.status_code]
    return found


def _piece(chunk: Any) -> Any:
    return [[choice.delta.content for choice in chunk.choices], chunk.usage is None]


def instrument(name: str, recorded: Any) -> Callable[[], object]:
    """Instrument with `name`, and return what takes it back; what has no way back stays."""
    if name == OURS:
        from otel_costs import CostsInstrumentor

        CostsInstrumentor().instrument(**recorded.providers)
        back: Callable[[], object] = CostsInstrumentor().uninstrument
        return back
    if name == "langfuse":
        importlib.import_module("langfuse.openai")
        return lambda: None
    if name == "logfire":
        logfire = importlib.import_module("logfire")
        logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
        undo = logfire.instrument_openai()

        def undone() -> None:
            with undo:
                pass

        return undone
    instrumentor = importlib.import_module(INSTRUMENTORS[name]).OpenAIInstrumentor()
    # The wish to see one instrumentation alone is theirs, and their check of versions is not our subject.
    instrumentor.instrument(tracer_provider=recorded.tracer_provider, skip_dep_check=True)
    return instrumentor.uninstrument  # type: ignore[no-any-return]


def outcome(base_url: str, order: list[str], back: list[str]) -> Mapping[str, Any]:
    """Instrument in `order`, ask for everything, and take it back in the order of `back`; return what came of it."""
    from tests.support.recorded import Recorded

    recorded, warnings = Recorded(), _Warnings()
    logging.getLogger(OURS).addHandler(warnings)
    undo = {name: instrument(name, recorded) for name in order}
    found = results(base_url)
    calls = _calls(recorded)
    after = {}
    for name in back:
        undo[name]()
        before = len(recorded.calls)
        with suppress(Exception):  # some do not survive to be taken back, in an order that they do not know
            _sync_results(base_url)
            after[name] = _calls(recorded)[before:]
    again = None
    if back:  # we come back, whatever others have left behind
        before = len(recorded.calls)
        instrument(OURS, recorded)
        with suppress(Exception):
            _sync_results(base_url)
            again = _calls(recorded)[before:]
    return {"results": found, "calls": calls, "after": after, "again": again, "said": warnings.said}


def _calls(recorded: Any) -> list[Any]:
    keys = ("gen_ai.operation.name", "otel_costs.cost.status", "otel_costs.cost.usd", "error.type")
    return [[call.get(key) for key in keys] for call in recorded.calls]


class _Warnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def _forked(work: Callable[[], Any]) -> Any:
    """Return what `work` returns in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            found: Any = work()
        except BaseException:  # noqa: BLE001
            found = {"error": traceback.format_exc()}
        with os.fdopen(writing, "w") as pipe:
            json.dump(found, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text or '{"error": "the process ended"}')


def import_all(base_url: str, names: list[str]) -> None:
    """Import, and have pydantic build, what is used by each of the instrumentations, so that no fork has to.

    Here nothing is instrumented: what they import is found out in forks.
    """
    results(base_url)
    for name in (OURS, *names):
        for module in _forked(lambda name=name: _imported_by(base_url, name)):  # type: ignore[misc]
            if module != "langfuse.openai":  # to import it is to instrument
                with suppress(Exception):
                    importlib.import_module(module)


def _imported_by(base_url: str, name: str) -> list[str]:
    with suppress(Exception):
        outcome(base_url, [name], [name])
    return sorted(sys.modules)


def main() -> None:
    """Print the outcome of each order, a line of JSON each."""
    base_url, *names = sys.argv[1:]
    for name in names:
        importlib.import_module(INSTRUMENTORS.get(name, name))
    importlib.import_module("otel_costs.pricing").warm_up()
    import_all(base_url, names)
    for task in json.load(sys.stdin):
        found = _forked(lambda task=task: outcome(base_url, task["order"], task["back"]))  # type: ignore[misc]
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
