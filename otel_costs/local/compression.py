"""Compressed bodies, read with a limit on what comes out of them: a small body may hold a large one."""

import importlib
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import clickhouse_cityhash.cityhash as cityhash  # type: ignore[import-untyped]
import lz4.block  # type: ignore[import-untyped]
import lz4.frame  # type: ignore[import-untyped]

# compression.zstd of Python 3.14, and its backport, which clickhouse-connect brings.
_zstd: Any = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

_LZ4: Final = 0x82
_ZSTD: Final = 0x90
_NONE: Final = 0x02
_CHECKSUM: Final = 16
_HEADER: Final = 9  # method, compressed size with these 9, size
_FRAME: Final = 2**20


class TooLargeError(Exception):
    """A body is larger than `limit` bytes, or becomes so when it is decompressed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes")
        self.limit = limit


class UnreadableError(ValueError):
    """A body is not compressed the way it says, or in a way that is not known here."""


class _Decompressor(Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_DECOMPRESSORS: Final[dict[str, Callable[[], Any]]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": lambda: zlib.decompressobj(15),
    "zstd": lambda: _zstd.ZstdDecompressor(),
    "lz4": lz4.frame.LZ4FrameDecompressor,
}
_COMPRESSORS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "zstd": lambda data: bytes(_zstd.compress(data)),
    "lz4": lambda data: bytes(lz4.frame.compress(data)),
    "gzip": lambda data: zlib.compress(data, 3, 31),
    "deflate": lambda data: zlib.compress(data, 3),
}


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo a Content-Encoding; "" and "identity" are none. Raises TooLargeError, UnreadableError."""
    if encoding in ("", "identity"):
        return body
    if encoding not in _DECOMPRESSORS:
        raise UnreadableError(f"Content-Encoding {encoding!r} is not supported: use {', '.join(_DECOMPRESSORS)}")
    parts: list[bytes] = []
    left = limit
    while body:
        decompressor: _Decompressor = _DECOMPRESSORS[encoding]()
        try:
            parts.append(decompressor.decompress(body, left + 1))
        except (zlib.error, RuntimeError, ValueError, _zstd.ZstdError) as error:
            raise UnreadableError(f"the body is not {encoding}") from error
        left -= len(parts[-1])
        if left < 0:
            raise TooLargeError(limit)
        if not decompressor.eof:
            raise UnreadableError(f"the {encoding} body is cut off")
        body = decompressor.unused_data  # one more member, as gzip allows
    return b"".join(parts)


def compress(body: bytes, accepted: str) -> tuple[bytes, str]:
    """Compress in the first way that an Accept-Encoding names and we know; return the body and its Content-Encoding."""
    for name in accepted.lower().split(","):
        encoding = name.split(";")[0].strip()
        if encoding in _COMPRESSORS:
            return _COMPRESSORS[encoding](body), encoding
    return body, ""


def unframe(body: bytes, limit: int) -> bytes:
    """Undo ClickHouse's own framing (`decompress=1`). Raises TooLargeError, UnreadableError."""
    parts = []
    size = 0
    for method, data, length in _frames(body):
        size += length
        if size > limit:
            raise TooLargeError(limit)
        parts.append(_unpack(method, data, length))
    return b"".join(parts)


def frame(body: bytes) -> Iterator[bytes]:
    """Write ClickHouse's own framing (`compress=1`): per frame CityHash128, method, both sizes, LZ4."""
    for start in range(0, len(body), _FRAME):
        block = body[start : start + _FRAME]
        packed = lz4.block.compress(block, store_size=False)
        data = bytes([_LZ4]) + (len(packed) + _HEADER).to_bytes(4, "little") + len(block).to_bytes(4, "little") + packed
        yield _checksum(data) + data


def _frames(body: bytes) -> Iterator[tuple[int, bytes, int]]:
    position = 0
    while position < len(body):
        start = position + _CHECKSUM
        method, packed, length = body[start : start + 1], body[start + 1 : start + 5], body[start + 5 : start + _HEADER]
        position = start + int.from_bytes(packed, "little")
        data = body[start:position]
        if len(data) < _HEADER or position > len(body):
            raise UnreadableError("the compressed body is cut off")
        if _checksum(data) != body[start - _CHECKSUM : start]:
            raise UnreadableError("the checksum of the compressed body does not match")
        yield method[0], data[_HEADER:], int.from_bytes(length, "little")


def _unpack(method: int, data: bytes, length: int) -> bytes:
    try:
        if method == _LZ4:
            return bytes(lz4.block.decompress(data, uncompressed_size=length))
        if method == _ZSTD:
            return decompress(data, "zstd", length)
        if method == _NONE:
            return data
    except (lz4.block.LZ4BlockError, TooLargeError) as error:
        raise UnreadableError("the compressed body is broken") from error
    raise UnreadableError(f"compression method {method:#x} is not supported: use lz4 or zstd")


def _checksum(data: bytes) -> bytes:
    high, low = divmod(cityhash.CityHash128(data), 2**64)
    return bytes(high.to_bytes(8, "little") + low.to_bytes(8, "little"))
