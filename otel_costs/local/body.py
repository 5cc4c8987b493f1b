"""The body of an HTTP request, read with a limit."""

from typing import Final

from starlette.requests import Request

from otel_costs.local import compression

# A client that is still sending does not read the refusal: what is too large is read to the end, within reason.
_DISCARDED: Final = 256 * 2**20


async def read(request: Request, limit: int) -> bytes:
    """Return the body, decompressed as its Content-Encoding says.

    Raises compression.TooLargeError when `limit` bytes are not enough, before or after decompression (never more of
    them are held), compression.UnreadableError for a body that is not what it says.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= limit:
            parts.append(part)
        else:
            parts.clear()
            if size > limit + _DISCARDED:
                break
    if size > limit:
        raise compression.TooLargeError(limit)
    encoding = request.headers.get("content-encoding", "").strip().lower()
    return compression.decompress(b"".join(parts), encoding, limit)
