"""Walks the ways of the page on adding a provider, in a process that has its packages: `python -m tests.support.walk`.

It uses the made-up SDK `acme` over each way, against stand-ins on loopback, and prints as JSON what was recorded.
"""

import asyncio
import importlib
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from tests.support.anthropic import _Heard
from tests.support.recorded import Recorded
from tests.support.speech.service import Answering, Asked, Said, Service
from tests.support.speech.sockets import SocketService

USAGE = {"input_tokens": 1000, "output_tokens": 200}
WORDS = ("It", " left", " on", " Friday")
AT_ONCE = {"retry-after": "0"}
DONE = {"type": "done", "model": "acme-large-2", "usage": USAGE}


class Acme(Service):
    def routes(self) -> dict[tuple[str, str], Answering]:
        return {("POST", "/v1/chat"): self.chat}

    def chat(self, asked: Asked) -> Said:
        headers = {"x-request-id": "r-1"}
        if not asked.json.get("stream"):
            return Said({"model": "acme-large-2", "text": "".join(WORDS), "usage": USAGE}, headers=headers)
        events = [*({"type": "piece", "text": word} for word in WORDS), DONE]
        pieces = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
        return Said(pieces=pieces, headers=headers, kind="text/event-stream")


def _rpc_server() -> tuple[grpc.Server, str]:
    def generate(request: Any, context: grpc.ServicerContext) -> Any:
        if not request["text"]:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "nothing is asked")
        return {"model": "acme-large-2", "text": "".join(WORDS), "usage": USAGE}

    def stream(_: Any, __: grpc.ServicerContext) -> Iterator[Any]:
        yield from [*({"text": word} for word in WORDS), DONE]

    def write(message: Any) -> bytes:
        return json.dumps(message).encode()

    server = grpc.server(ThreadPoolExecutor(4))
    handlers = {
        "Generate": grpc.unary_unary_rpc_method_handler(generate, json.loads, write),
        "Stream": grpc.unary_stream_rpc_method_handler(stream, json.loads, write),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("acme.Chat", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


async def _take(stream: Any, number: int | None, end: str = "") -> int:
    """Read so many messages of a stream, None for all, and leave it, or end it by its method `end`."""
    found = 0
    if hasattr(stream, "__aiter__"):
        async for _ in stream:
            found += 1
            if found == number:
                break
    else:
        for _ in stream:
            found += 1
            if found == number:
                break
    if end:
        ended = getattr(stream, end)()
        await ended if hasattr(ended, "__await__") else None
    return found


async def _done(found: Any) -> Any:
    return await found if hasattr(found, "__await__") else found


Doings = Mapping[str, Callable[[], Awaitable[object]]]


def over_http(service: Acme, kind: str, library: str) -> Doings:
    client: Any = getattr(importlib.import_module("acme.client"), kind)(service.url, library)
    close = "aclose" if kind == "AsyncClient" else "close"

    async def faulty(*faults: int) -> Any:
        service.faults = [Said({}, status=status, headers=AT_ONCE) for status in faults]
        return await _done(client.chat("hi"))

    return {
        "whole": lambda: _done(client.chat("hi")),
        "stream": lambda: _take(client.chat_stream("hi"), None),
        "left": lambda: _take(client.chat_stream("hi"), 2, close),
        "refused": lambda: faulty(400),
        "retried": lambda: faulty(503, 500),
    }


def over_rpc(target: str, kind: str) -> Doings:
    client: Any = getattr(importlib.import_module("acme.rpc"), kind)(target)
    asked = {"model": "acme-large", "text": "hi"}
    return {
        "whole": lambda: _done(client.generate(asked)),
        "stream": lambda: _take(client.stream(request=asked), None),
        "left": lambda: _take(client.stream(asked), 2, "cancel"),
        "dropped": lambda: _take(client.stream(asked), 2),
        "refused": lambda: _done(client.generate({**asked, "text": ""})),
    }


def _dictation(service: SocketService, connection: Any) -> None:
    while "end" not in str(service.take(connection)):
        pass
    connection.send(json.dumps({"type": "heard", "text": "where is my order"}))
    connection.send(json.dumps({"type": "billed", "seconds": 15}))


def main() -> None:
    from otel_costs import CostsInstrumentor, session
    from otel_costs.runtime import background

    heard, recorded, found = _Heard(), Recorded(), dict[str, Any]()
    logging.getLogger("otel_costs").addHandler(heard)
    CostsInstrumentor().instrument(**recorded.providers)

    async def walk(way: str, doings: Doings) -> None:
        for name, do in doings.items():
            try:
                with session(f"{way} {name}"):
                    ended = str(await do())
            except Exception as error:  # noqa: BLE001
                ended = type(error).__name__
            background.drain()
            found[f"{way} {name}"] = {"ended": ended, "calls": recorded.calls, "messages": recorded.messages}
            recorded.log_exporter.clear()

    server, target = _rpc_server()
    with Acme() as service, SocketService(_dictation) as voice:

        async def dictate() -> object:
            return importlib.import_module("acme.voice").dictate(voice.url, [b"\0" * 32_000] * 2)

        for kind in ("Client", "AsyncClient"):
            for library in ("httpx", "httpx2"):
                asyncio.run(walk(f"{library} {kind}", over_http(service, kind, library)))

            async def rpc(kind: str = kind) -> None:
                await walk(f"gRPC {kind}", over_rpc(target, kind))

            asyncio.run(rpc())
        asyncio.run(walk("socket", {"whole": dictate}))
        CostsInstrumentor().uninstrument()
        asyncio.run(_take(importlib.import_module("acme.client").Client(service.url, "httpx2").chat_stream("hi"), None))
        importlib.import_module("acme.rpc").Client(target).generate({"model": "acme-large", "text": "hi"})
        found["uninstrumented"] = len(recorded.calls)
        found["errors"] = [repr(error) for error in service.errors]
    server.stop(None)
    found["said"] = heard.said
    sys.stdout.write(json.dumps(found, default=str) + "\n")


if __name__ == "__main__":
    main()
