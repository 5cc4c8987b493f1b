"""The body of an HTTP request, read with a limit of its size, of the time that it takes, and of memory for all of them.

A request that is half sent takes nothing away from others: when memory for bodies runs out, the one that has been
coming for longest is given up.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request

from otel_costs.local import compression

# A client that is still sending does not read the refusal: what is too large is read to the end, within reason.
_DISCARDED: Final = 256 * 2**20

_AT_ONCE: Final = 2**16  # compressed bytes that may become so many that others would wait

PAUSE_S: Final = 20.0
"""Seconds that a client may pause in a body, and that it may take more than SLOWEST has it."""

SLOWEST: Final = 8 * 2**10
"""Bytes a second that a body must have, on average."""


class SlowError(Exception):
    """A body came too slowly, or stood in the way of others."""

    def __init__(self) -> None:
        super().__init__("the body of the request came too slowly")


class NoMemoryError(Exception):
    """There is no memory for another body; it may come again."""

    def __init__(self) -> None:
        super().__init__("too many requests are under way")


@dataclass(slots=True, eq=False)
class BodyShare:
    """What one body takes. `timer` is there while it is read."""

    memory: "BodyMemory"
    size: int = 0
    timer: asyncio.Timeout | None = field(default=None)

    def grow(self, size: int) -> None:
        """Reserve `size` bytes more, from the oldest unfinished bodies if there are no others. Raises NoMemoryError."""
        self.memory.take(self, size)

    def shrink(self, size: int) -> None:
        """Give back what is there more than `size` bytes."""
        self.memory.left += self.size - size
        self.size = size


class BodyMemory:
    """Memory for the bodies of all requests: `size` bytes."""

    def __init__(self, size: int) -> None:
        self.left = size
        self._shares: dict[BodyShare, None] = {}  # the oldest first

    @asynccontextmanager
    async def share(self) -> AsyncIterator[BodyShare]:
        """Give the body of a request its share until the request is answered."""
        made = BodyShare(self)
        self._shares[made] = None
        try:
            yield made
        finally:
            self._shares.pop(made, None)
            made.shrink(0)

    def take(self, share: BodyShare, size: int) -> None:
        """Let `share` have `size` bytes more. Raises NoMemoryError."""
        for other in [one for one in self._shares if one.timer is not None and one is not share]:
            if size <= self.left:
                break
            if other.timer is not None and not other.timer.expired():
                other.timer.reschedule(asyncio.get_running_loop().time())
            other.timer = None
            other.shrink(0)
        if size > self.left:
            raise NoMemoryError
        self.left -= size
        share.size += size


async def read(request: Request, limit: int, share: BodyShare) -> bytes:
    """Return the body, decompressed as its Content-Encoding says.

    Raises compression.TooLargeError when `limit` bytes are not enough, before or after decompression (never more of
    them are held), compression.UnreadableError for a body that is not what it says, SlowError and NoMemoryError.
    """
    try:
        content = await _whole(request, limit, share)
    except TimeoutError:
        raise SlowError from None
    finally:
        share.timer = None
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding and len(content) > _AT_ONCE:
        return await asyncio.to_thread(compression.decompress, content, encoding, limit)
    return compression.decompress(content, encoding, limit)


async def _whole(request: Request, limit: int, share: BodyShare) -> bytes:
    parts: list[bytes] = []
    size = 0
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with asyncio.timeout(PAUSE_S) as timer:
        share.timer = timer
        async for part in request.stream():
            size += len(part)
            if size <= limit:
                share.grow(len(part))
                parts.append(part)
            else:
                parts.clear()
                share.shrink(0)
                if size > limit + _DISCARDED:
                    break
            if not timer.expired():
                timer.reschedule(min(loop.time(), started + size / SLOWEST) + PAUSE_S)
    if size > limit:
        raise compression.TooLargeError(limit)
    return b"".join(parts)
