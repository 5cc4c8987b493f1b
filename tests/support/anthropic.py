"""Anthropic's own package against a stand-in, in an environment that has it and the example of a provider's package.

`python -m tests.support.anthropic` prints as JSON what was recorded of each thing that is done, sync and async.
"""

import asyncio
import importlib
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from otel_costs import BudgetExceeded, CostsInstrumentor, session
from otel_costs.runtime import background
from tests.support.recorded import Recorded
from tests.support.speech.service import Answering, Asked, Said, Service

MODEL = "claude-sonnet-4-5"
WORDS = ("The", " order", " left", " on", " Friday", ".")
USAGE = {
    "input_tokens": 1000, "cache_read_input_tokens": 500, "cache_creation_input_tokens": 300, "output_tokens": 80,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
    "service_tier": "standard",
}  # fmt: skip
TOOL: Any = {
    "name": "find_order", "description": "Find it",
    "input_schema": {"type": "object", "properties": {"id": {"type": "string"}}},
}  # fmt: skip
ASKED: Any = {
    "model": MODEL,
    "max_tokens": 100,
    "system": "Be kind.",
    "messages": [{"role": "user", "content": "Where is my order?"}],
}
AFTER_TOOL: Any = [
    {"role": "user", "content": "Where is my order?"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "tu_1", "name": "find_order", "input": {"id": "7"}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "tu_1", "content": "left on Friday"}]},
]


class Anthropic(Service):
    """Answers as Anthropic does; it calls a tool where there is one, until its result is in the history."""

    def routes(self) -> dict[tuple[str, str], Answering]:
        free = Said({"input_tokens": 12})
        return {
            ("POST", "/v1/messages"): self.message,
            ("POST", "/v1/messages/count_tokens"): lambda _: free,
            ("POST", "/v1/messages/batches"): lambda _: Said({"id": "msgbatch_1", "type": "message_batch"}),
        }

    def message(self, asked: Asked) -> Said:
        body = asked.json
        calls_tool = bool(body.get("tools")) and "tool_result" not in json.dumps(body["messages"])
        about = {"id": "msg_1", "type": "message", "role": "assistant", "model": f"{MODEL}-20250929"}
        stopped = {"stop_reason": "tool_use" if calls_tool else "end_turn", "stop_sequence": None}
        block = {"type": "tool_use", "id": "tu_1", "name": "find_order", "input": {"id": "7"}}
        content = block if calls_tool else {"type": "text", "text": "".join(WORDS)}
        if not body.get("stream"):
            return Said({**about, **stopped, "content": [content], "usage": USAGE})
        begun: dict[str, Any] = {**about, "stop_reason": None, "content": [], "usage": {**USAGE, "output_tokens": 1}}
        empty = {**block, "input": {}} if calls_tool else {"type": "text", "text": ""}
        pieces = ['{"id":', '"7"}'] if calls_tool else WORDS
        name, field = ("input_json_delta", "partial_json") if calls_tool else ("text_delta", "text")
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": begun},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            *({"type": "content_block_delta", "index": 0, "delta": {"type": name, field: piece}} for piece in pieces),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": stopped, "usage": {"output_tokens": 80}},
            {"type": "message_stop"},
        ]
        if self.cut:
            events = events[:4]
        if body.get("metadata", {}).get("user_id") == "overloaded":
            events[4:] = [{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}]
        return Said(
            pieces=[f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events],
            kind="text/event-stream",
        )


class Client:
    """Does the same with the sync and with the async client of the package."""

    def __init__(self, service: Anthropic, *, is_async: bool) -> None:
        package = importlib.import_module("anthropic")
        kind = package.AsyncAnthropic if is_async else package.Anthropic
        self.service, self.is_async = service, is_async
        self.messages: Any = kind(base_url=service.url, api_key="sk-ant-secret", max_retries=2).messages

    async def ask(self, **more: Any) -> Any:
        return await self._done(self.messages.create(**{**ASKED, **more}))

    async def count(self) -> Any:
        return await self._done(self.messages.count_tokens(model=MODEL, messages=ASKED["messages"]))

    async def batch(self) -> Any:
        return await self._done(self.messages.batches.create(requests=[]))

    async def stream(self, number: int | None = None, **more: Any) -> int:
        """Read so many events of a stream, None for all; return how many there were."""
        stream, found = await self.ask(stream=True, **more), 0
        if number == 0:
            await self._done(stream.close())
        elif self.is_async:
            async for _ in stream:
                found += 1
                if found == number:
                    break
            await stream.close()
        else:
            for _ in stream:
                found += 1
                if found == number:
                    break
            stream.close()
        return found

    async def help_stream(self) -> str:
        """Use the package's own helper for streams."""
        if self.is_async:
            async with self.messages.stream(**ASKED) as stream:
                return str(await stream.get_final_text())
        with self.messages.stream(**ASKED) as stream:
            return str(stream.get_final_text())

    async def cancelled(self) -> None:
        """Cancel a task that waits for the next event; sync, leave the stream for an exception of one's own."""
        if not self.is_async:
            stream = await self.ask(stream=True)
            with stream:
                next(iter(stream))
                raise KeyError
        self.service.go_on.clear()
        read = asyncio.Event()

        async def listen() -> None:
            async for _ in await self.ask(stream=True):
                read.set()

        task = asyncio.create_task(listen())
        await read.wait()
        task.cancel()
        self.service.go_on.set()
        await task

    async def _done(self, asked: Any) -> Any:
        return await asked if self.is_async else asked


def doings(client: Client) -> Mapping[str, Callable[[], Awaitable[object]]]:
    """Return what is done, by name."""
    service = client.service

    async def refused() -> None:
        error = {"type": "invalid_request_error", "message": "no"}
        service.faults = [Said({"type": "error", "error": error}, status=400)]
        await client.ask()

    async def retried() -> None:
        at_once = {"retry-after-ms": "1"}
        service.faults = [Said({}, status=529, headers=at_once), Said({}, status=500, headers=at_once)]
        await client.ask()

    async def cut() -> None:
        service.cut = True
        try:
            await client.stream()
        finally:
            service.cut = False

    async def spent() -> int:
        """Return how many requests are sent after the budget is spent."""
        with session(f"budget {client.is_async}", budget_usd="0.000001"):
            await client.ask()
            background.drain()
            sent = len(service.asked)
            for ask in (client.ask, client.stream, client.help_stream):
                with suppress(BudgetExceeded):
                    await ask()
        return len(service.asked) - sent

    return {
        "whole": client.ask,
        "spent": spent,
        "stream": client.stream,
        "helper": client.help_stream,
        "tool": lambda: client.ask(tools=[TOOL]),
        "tool stream": lambda: client.stream(tools=[TOOL]),
        "after tool": lambda: client.ask(tools=[TOOL], messages=AFTER_TOOL),
        "left": lambda: client.stream(5),
        "never read": lambda: client.stream(0),
        "cut": cut,
        "cancelled": client.cancelled,
        "overloaded": lambda: client.stream(metadata={"user_id": "overloaded"}),
        "refused": refused,
        "retried": retried,
        "free": client.count,
        "batch": client.batch,
    }


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def main() -> None:
    """Print what became of each thing, and of one after all was taken back."""
    heard, recorded, found = _Heard(), Recorded(), dict[str, Any]()
    logging.getLogger("otel_costs").addHandler(heard)
    os.environ["OTEL_COSTS_PROVIDERS"] = "127.0.0.1=anthropic"
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "EVENT_ONLY"
    CostsInstrumentor().instrument(**recorded.providers)

    async def run(kind: str) -> None:
        client = Client(service, is_async=kind == "async")
        for name, do in doings(client).items():
            try:
                with session(f"{kind} {name}"):
                    ended = str(await do())
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
                ended = type(error).__name__
            background.drain()
            found[f"{kind} {name}"] = {
                "ended": ended, "calls": recorded.calls, "messages": recorded.messages, "spans": len(recorded.spans),
                "said": heard.said[:],
            }  # fmt: skip
            recorded.log_exporter.clear()
            recorded.span_exporter.clear()

    with Anthropic() as service:
        for kind in ("sync", "async"):
            asyncio.run(run(kind))
        CostsInstrumentor().uninstrument()
        for kind in ("sync", "async"):
            asyncio.run(Client(service, is_async=kind == "async").ask())
        found["uninstrumented"] = len(recorded.calls)
    found["said"], found["errors"] = heard.said, [repr(error) for error in service.errors]
    sys.stdout.write(json.dumps(found, default=str) + "\n")


if __name__ == "__main__":
    main()
