"""A provider that answers with canned bytes, after a moment, in a process of its own."""

import asyncio
import atexit
import json
import subprocess
import sys
from functools import cache
from typing import Any

CHUNKS = 200
LATENCY_S = 0.02
"""Until the first byte of an answer; a model takes longer, and what is done beside the call has that time."""
WORDS = ["Your", " order", " is", " on", " its", " way", " to", " you", "."]


@cache
def start() -> str:
    """Start the server in a process of its own, and return its URL."""
    server = subprocess.Popen([sys.executable, "-m", "benchmarks._canned"], stdout=subprocess.PIPE, text=True)
    atexit.register(server.kill)
    assert server.stdout
    return f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"


def serve() -> None:
    """Answer every request on a connection: what is asked for is told by one word of its body."""
    body = answer()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    events = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces()]

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            request = await reader.readuntil(b"\r\n\r\n")
            size = int(request.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            asked = await reader.readexactly(size)
            await asyncio.sleep(LATENCY_S)
            if b'"stream":true' in asked:
                # At once: the client takes it apart again, and nobody measures how two processes take turns.
                writer.write(events + b"".join(chunks) + b"0\r\n\r\n")
            else:
                writer.write(head + body)

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


def answer() -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(WORDS) * 3, "refusal": None, "annotations": []}
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


def pieces() -> list[bytes]:
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


if __name__ == "__main__":
    serve()
