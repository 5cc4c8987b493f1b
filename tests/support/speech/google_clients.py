"""Clients of Google's packages on the stand-in: sync and async, driven alike."""

import asyncio
import importlib
from collections.abc import Iterable
from contextvars import copy_context
from typing import Any

import grpc

from .google import Google


class Clients:
    """Makes clients of a package, and does the same with the sync and with the async ones."""

    def __init__(self, kind: str, google: Google) -> None:
        self.kind, self._google = kind, google
        self._runner = asyncio.Runner() if kind == "async" else None
        self._channels: list[Any] = []

    def client(self, package: str, service: str) -> Any:
        """Return a client of `package.service`: `speech_v1`, `speech.Speech`."""
        module, _, name = service.partition(".")
        found = importlib.import_module(f"google.cloud.{package}")
        transports = importlib.import_module(f"google.cloud.{package}.services.{module}.transports")
        if self._runner is None:
            transport = getattr(transports, f"{name}GrpcTransport")
            self._channels.append(grpc.insecure_channel(self._google.target))
            return getattr(found, f"{name}Client")(
                transport=transport(host=self._google.target, channel=self._channels[-1])
            )
        return self._in_loop(self._async_client(found, transports, name))

    async def _async_client(self, found: Any, transports: Any, name: str) -> Any:
        transport = getattr(transports, f"{name}GrpcAsyncIOTransport")
        self._channels.append(grpc.aio.insecure_channel(self._google.target))
        client = getattr(found, f"{name}AsyncClient")
        return client(transport=transport(host=self._google.target, channel=self._channels[-1]))

    def _in_loop(self, coroutine: Any) -> Any:
        """Run it in the caller's context, whose session counts, and not in that of the runner's start."""
        assert self._runner is not None
        return self._runner.run(coroutine, context=copy_context())

    def run(self, asked: Any) -> Any:
        """Return what a call returns, awaited where it has to be."""
        return asked if self._runner is None else self._in_loop(_awaited(asked))

    def stream(self, method: Any, requests: Iterable[Any]) -> Any:
        """Open a stream with these requests."""
        if self._runner is None:
            return method(requests=iter(requests))
        return self._in_loop(_awaited(method(requests=_each(requests))))

    def read(self, stream: Any, number: int | None = None) -> list[Any]:
        """Read a stream, to its end or the first `number` answers."""
        if self._runner is None:
            return _read(stream, number)
        found: list[Any] = self._in_loop(_read_async(stream, number))
        return found

    def close(self) -> None:
        for channel in self._channels:
            if self._runner is None:
                channel.close()
            else:
                self._in_loop(channel.close())
        if self._runner is not None:
            self._runner.close()


async def _awaited(asked: Any) -> Any:
    return await asked


async def _each(requests: Iterable[Any]) -> Any:
    for request in requests:
        yield request


def _read(stream: Any, number: int | None) -> list[Any]:
    found: list[Any] = []
    for answer in stream:
        found.append(answer)
        if len(found) == number:
            break
    return found


async def _read_async(stream: Any, number: int | None) -> list[Any]:
    found: list[Any] = []
    async for answer in stream:
        found.append(answer)
        if len(found) == number:
            break
    return found
