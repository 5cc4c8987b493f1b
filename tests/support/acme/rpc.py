"""Acme over gRPC; its messages are JSON, so that nothing has to be generated."""

import json
from typing import Any

import grpc
import grpc.aio


def _written(message: Any) -> bytes:
    return json.dumps(message).encode()


class Client:
    def __init__(self, target: str) -> None:
        self.target, self._channel = target, grpc.insecure_channel(target)
        self._generate: Any = self._channel.unary_unary("/acme.Chat/Generate", _written, json.loads)
        self._stream: Any = self._channel.unary_stream("/acme.Chat/Stream", _written, json.loads)

    def generate(self, request: dict[str, Any]) -> Any:
        return self._generate(request, timeout=30)

    def stream(self, request: dict[str, Any]) -> Any:
        return self._stream(request, timeout=30)


class AsyncClient:
    def __init__(self, target: str) -> None:
        self.target, self._channel = target, grpc.aio.insecure_channel(target)
        self._generate: Any = self._channel.unary_unary("/acme.Chat/Generate", _written, json.loads)
        self._stream: Any = self._channel.unary_stream("/acme.Chat/Stream", _written, json.loads)

    async def generate(self, request: dict[str, Any]) -> Any:
        return await self._generate(request, timeout=30)

    def stream(self, request: dict[str, Any]) -> Any:
        return self._stream(request, timeout=30)

    async def close(self) -> None:
        await self._channel.close()
