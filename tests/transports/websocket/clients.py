"""The clients of all libraries under one interface, so that what holds for one is tested of all."""

import asyncio
import contextlib
import warnings
from collections.abc import AsyncIterator, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol

import aiohttp
from websockets.asyncio.client import connect as connect_asyncio
from websockets.sync.client import connect as connect_sync

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from websockets.legacy.client import connect as connect_legacy


__all__ = ["CLIENTS", "Broken", "Client", "connect_legacy"]


_VERSION = int(version("websockets").partition(".")[0])
_DIRECT: dict[str, Any] = {"proxy": None} if _VERSION >= 15 else {}
_PATIENCE: dict[str, Any] = {"close_timeout": 1} if _VERSION < 14 else {}
"""Version 13 with threads waits for it, ten seconds, in each connection that is closed with something left to read."""


class Broken(Exception):  # noqa: N818
    """The socket closed; the argument is its close code."""


class Client(Protocol):
    """A connection. `socket` is the library's own."""

    socket: Any

    async def send(self, message: Any) -> None: ...

    async def receive(self) -> str | bytes: ...

    async def read_out(self) -> list[str | bytes]:
        """Iterate until the socket closes."""
        ...

    async def close(self) -> None: ...


class Websockets:
    """Of `websockets`, the new client and the old one."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def send(self, message: Any) -> None:
        await self.socket.send(message)

    async def receive(self) -> str | bytes:
        found: str | bytes = await self.socket.recv()
        return found

    async def read_out(self) -> list[str | bytes]:
        return [message async for message in self.socket]

    async def close(self) -> None:
        await self.socket.close()


class Sync:
    """Of `websockets` with threads."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def send(self, message: Any) -> None:
        await asyncio.to_thread(self.socket.send, message)

    async def receive(self) -> str | bytes:
        found: str | bytes = await asyncio.to_thread(self.socket.recv)
        return found

    async def read_out(self) -> list[str | bytes]:
        return await asyncio.to_thread(list, self.socket)

    async def close(self) -> None:
        await asyncio.to_thread(self.socket.close)


class Aiohttp:
    """Of `aiohttp`."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def send(self, message: Any) -> None:
        await (self.socket.send_str(message) if isinstance(message, str) else self.socket.send_bytes(message))

    async def receive(self) -> str | bytes:
        message = await self.socket.receive()
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            raise Broken(self.socket.close_code)
        found: str | bytes = message.data
        return found

    async def read_out(self) -> list[str | bytes]:
        return [message.data async for message in self.socket]

    async def close(self) -> None:
        await self.socket.close()


@contextlib.asynccontextmanager
async def asyncio_client(url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Client]:
    async with connect_asyncio(url, additional_headers=headers, **_DIRECT, max_size=None) as socket:
        yield Websockets(socket)


@contextlib.asynccontextmanager
async def legacy_client(url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Client]:
    async with connect_legacy(url, extra_headers=headers or {}, max_size=None) as socket:
        yield Websockets(socket)


@contextlib.asynccontextmanager
async def sync_client(url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Client]:
    options: Any = {"additional_headers": headers, "max_size": None, **_DIRECT, **_PATIENCE}
    manager = await asyncio.to_thread(partial(connect_sync, url, **options))
    with manager as socket:
        yield Sync(socket)


@contextlib.asynccontextmanager
async def aiohttp_client(url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Client]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers=headers, max_msg_size=0) as socket,
    ):
        yield Aiohttp(socket)


CLIENTS = {"asyncio": asyncio_client, "legacy": legacy_client, "sync": sync_client, "aiohttp": aiohttp_client}
