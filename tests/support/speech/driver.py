"""A client of a vendor's own package on its stand-in, sync or async, and what all of them are asked to do."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import httpx


class Driver:
    """Does the same with the sync and with the async client of a vendor."""

    provider: ClassVar[str]
    text: ClassVar[str] = "Good morning! How may I help you today?"
    """What `speak` has spoken."""
    heard: ClassVar[str]
    """What `transcribe` returns."""

    def __init__(self, kind: str, service: Any) -> None:
        self.kind, self.service = kind, service
        self._runner = asyncio.Runner() if kind == "async" else None
        self.client: Any = self.open()

    @property
    def is_async(self) -> bool:
        return self._runner is not None

    def open(self) -> Any:
        """Return a client of the stand-in."""
        raise NotImplementedError

    def speak(self) -> Any:
        """Return an iterator over the bytes of `text` spoken, not yet read."""
        raise NotImplementedError

    def transcribe(self) -> str:
        """Return the transcript of a sound."""
        raise NotImplementedError

    def look(self) -> None:
        """Ask for something that costs nothing."""
        raise NotImplementedError

    @property
    def refusal(self) -> type[Exception]:
        """What the package raises for an error status."""
        raise NotImplementedError

    @property
    def breakage(self) -> type[Exception]:
        """What the package raises where a sound breaks off."""
        return httpx.RemoteProtocolError

    def shut(self) -> Any:
        """Close the client's connections; the packages differ in how, if they have it at all."""
        raise NotImplementedError

    def run(self, asked: Any) -> Any:
        """Return what a call returns, awaited where it has to be."""
        return self._runner.run(_awaited(asked)) if self._runner and hasattr(asked, "__await__") else asked

    def read(self, pieces: Any) -> list[Any]:
        """Read a stream to its end."""
        return list(pieces) if self._runner is None else self._runner.run(_read(pieces))

    def take(self, pieces: Any, number: int) -> list[Any]:
        """Read the first pieces, and close the stream as a loop is left."""
        return _take(pieces, number) if self._runner is None else self._runner.run(_take_async(pieces, number))

    def cancel(self, pieces: Any) -> bool:
        """Cancel a task that reads a stream after its first piece; return whether it was told so."""
        assert self._runner is not None
        return self._runner.run(_cancelled(pieces))

    def close(self) -> None:
        self.run(self.shut())
        if self._runner is not None:
            self._runner.close()


async def _awaited(asked: Any) -> Any:
    return await asked


async def _read(pieces: AsyncIterator[Any]) -> list[Any]:
    return [piece async for piece in pieces]


def _take(pieces: Iterator[Any], number: int) -> list[Any]:
    found = [next(pieces) for _ in range(number)]
    pieces.close()  # type: ignore[attr-defined]
    return found


async def _take_async(pieces: Any, number: int) -> list[Any]:
    found = [await anext(pieces) for _ in range(number)]
    await pieces.aclose()
    return found


async def _cancelled(pieces: AsyncIterator[Any]) -> bool:
    begun = asyncio.Event()

    async def listen() -> None:
        async for _ in pieces:
            begun.set()

    task = asyncio.create_task(listen())
    await begun.wait()
    task.cancel()
    return isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
