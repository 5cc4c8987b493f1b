"""A response that is followed does whatever it does without us, and what follows it hears of one reader, to the end."""

import asyncio
import copy
import gzip
import pickle
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest

from otel_costs.transports.http import streaming
from tests.transports.http.test_streaming import BODY, Kept

LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
WHOLE = b"".join(BODY)


class HoldsBack:
    """A filter that hides nothing, and holds each chunk back until the next one is there."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        shown, self._held = self._held, chunk
        return shown

    def flush(self) -> bytes:
        held, self._held = self._held, b""
        return held


def opened(library: Any, pieces: tuple[bytes, ...] = BODY, *, encoding: str = "", error: bool = False) -> Any:
    """A response whose body comes in pieces, sync and async, and then breaks, if it is to."""

    class Pieces(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Any:
            yield from pieces
            if error:
                raise library.ReadError("broken")

        async def __aiter__(self) -> Any:
            for piece in self:
                yield piece

    request = library.Request("GET", "http://llm.example")
    headers = {"content-length": "16", **({"content-encoding": encoding} if encoding else {})}
    return library.Response(200, headers=headers, stream=Pieces(), request=request)


def said(action: Callable[[], Any]) -> Any:
    """What an action returns, or the name of the error that it raises."""
    try:
        return action()
    except Exception as error:  # noqa: BLE001
        return type(error).__name__


def joined(items: list[Any]) -> bytes:
    return b"".join(item.encode() if isinstance(item, str) else item for item in items)


FIRST = ("iter_bytes", "iter_raw", "iter_text", "iter_lines")
SECOND: dict[str, Callable[[Any], Any]] = {
    "read": lambda r: r.read(),
    "iter_bytes": lambda r: joined(list(r.iter_bytes())),
    "iter_raw": lambda r: joined(list(r.iter_raw())),
    "iter_lines": lambda r: joined(list(r.iter_lines())),
    "iter_raw of a copy": lambda r: joined(list(copy.copy(r).iter_raw())),
    "read of a copy": lambda r: copy.copy(r).read(),
}


def twice(response: Any, first: str, second: str) -> tuple[bytes, Any]:
    """Read a body in one way, and, when that has begun, in another, too."""
    reading = getattr(response, first)()
    begun = [next(reading)]
    other = said(lambda: SECOND[second](response))
    return joined([*begun, *reading]), other


LINES = (b"data: 1\n\ndata: 2\n\nda", b"ta: 3\n\n", b"data: 4\n\n", b"data: [DONE]\n\n")


@LIBRARIES
@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("second", SECOND)
def test_a_second_reader(library: Any, first: str, second: str) -> None:
    """It raises what it raises without us, takes nothing from the first, and is not the end."""
    response, kept = opened(library, LINES), Kept()
    streaming.watch(response, kept, HoldsBack())
    assert twice(response, first, second) == twice(opened(library, LINES), first, second)
    assert kept.data == b"".join(LINES)
    assert kept.ends == [None]


async def twice_async(response: Any, first: str, second: str) -> tuple[bytes, Any]:
    reading = getattr(response, f"a{first}")()
    begun = [await anext(reading)]
    try:
        if second == "aread":
            other: Any = await response.aread()
        else:
            other = [item async for item in getattr(response, second)()]
    except Exception as error:  # noqa: BLE001
        other = type(error).__name__
    return joined([*begun, *[item async for item in reading]]), other


@LIBRARIES
@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("second", ["aread", "aiter_bytes", "aiter_raw", "aiter_lines"])
def test_a_second_async_reader(library: Any, first: str, second: str) -> None:
    """The same of the async methods."""
    response, kept = opened(library, LINES), Kept()
    streaming.watch(response, kept, HoldsBack())
    bare = asyncio.run(twice_async(opened(library, LINES), first, second))
    assert asyncio.run(twice_async(response, first, second)) == bare
    assert kept.data == b"".join(LINES)
    assert kept.ends == [None]


@LIBRARIES
@pytest.mark.parametrize("is_filtered", [False, True])
def test_the_object_stays_what_it_is(library: Any, is_filtered: bool) -> None:
    """Its class and its attributes; a copy and a pickle are what they are without us, and the body goes on."""

    def seen(response: Any) -> Any:
        def kind_and_state(other: Any) -> Any:
            return type(other), sorted(vars(other)), said(other.read)

        return [
            kind_and_state(copy.copy(response)),
            kind_and_state(copy.deepcopy(response)),
            kind_and_state(pickle.loads(pickle.dumps(response))),
            type(response),
            sorted(vars(response)),
            isinstance(response.stream, library.SyncByteStream),
            response.read(),
            response.num_bytes_downloaded,
        ]

    response, kept = opened(library), Kept()
    streaming.watch(response, kept, HoldsBack() if is_filtered else None)
    assert seen(response) == seen(opened(library))
    assert kept.data == WHOLE
    assert kept.ends == [None]


@LIBRARIES
@pytest.mark.parametrize("size", [1, 3, 5, 14, 100])
@pytest.mark.parametrize("way", ["iter_bytes", "iter_raw", "iter_text"])
def test_chunks_of_a_size(library: Any, size: int, way: str) -> None:
    """They are cut as httpx cuts them."""
    response = opened(library)
    streaming.watch(response, Kept(), HoldsBack())
    assert list(getattr(response, way)(size)) == list(getattr(opened(library), way)(size))


@LIBRARIES
def test_the_stream_itself(library: Any) -> None:
    """A body that is read from below the response is followed, too."""
    response, kept = opened(library), Kept()
    streaming.watch(response, kept, HoldsBack())
    assert joined(list(response.stream)) == WHOLE
    assert kept.data == WHOLE
    assert joined(list(response.stream)) == WHOLE  # this one can be read again
    assert (kept.data, kept.ends) == (WHOLE, [None])


PACKED: dict[str, bytes] = {"gzip": gzip.compress(WHOLE), "deflate": zlib.compress(WHOLE)}


def cut(packed: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(packed[at : at + size] for at in range(0, len(packed), size))


@LIBRARIES
@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("way", ["iter_bytes", "iter_raw", "iter_text"])
@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("is_async", [False, True])
def test_compressed(library: Any, encoding: str, way: str, size: int, is_async: bool) -> None:
    """A compressed body is followed however it is read, and read as without us."""

    async def gathered(response: Any) -> list[Any]:
        return [item async for item in getattr(response, f"a{way}")()]

    def read(response: Any) -> bytes:
        found = asyncio.run(gathered(response)) if is_async else list(getattr(response, way)())
        return joined(found)

    pieces = cut(PACKED[encoding], size)
    response, kept = opened(library, pieces, encoding=encoding), Kept()
    streaming.watch(response, kept, HoldsBack())
    assert read(response) == read(opened(library, pieces, encoding=encoding))
    assert kept.data == WHOLE
    assert kept.ends == [None]


@LIBRARIES
def test_left_raw(library: Any) -> None:
    """What has passed as it came counts, even if the body is closed after it."""
    response, kept = opened(library, (gzip.compress(WHOLE),), encoding="gzip"), Kept()
    streaming.watch(response, kept)
    next(response.iter_raw())
    response.close()
    assert kept.data == WHOLE
    assert kept.ends == [None]


@LIBRARIES
@pytest.mark.parametrize("way", ["iter_bytes", "iter_raw"])
@pytest.mark.parametrize("encoding", ["", "gzip", "unheard-of"])
def test_a_body_that_breaks(library: Any, way: str, encoding: str) -> None:
    """All that was there before the error comes, then the error."""
    pieces = cut(gzip.compress(WHOLE * 50, 0), 100) if encoding == "gzip" else BODY

    def read(response: Any) -> Any:
        found: list[bytes] = []
        try:
            for chunk in getattr(response, way)():
                found.append(chunk)  # noqa: PERF402
        except library.ReadError as error:
            return b"".join(found), str(error), response.num_bytes_downloaded

    response, kept = opened(library, pieces[:9], encoding=encoding, error=True), Kept()
    streaming.watch(response, kept, HoldsBack())
    assert read(response) == read(opened(library, pieces[:9], encoding=encoding, error=True))
    assert [type(end) for end in kept.ends] == [library.ReadError]


@LIBRARIES
@pytest.mark.parametrize("way", ["iter_bytes", "iter_raw"])
def test_what_cannot_be_decompressed(library: Any, way: str) -> None:
    """It raises the decoder's error, or passes where nobody decompresses it; the reader is told of it, once."""
    response, bare, kept = opened(library, encoding="gzip"), opened(library, encoding="gzip"), Kept()
    streaming.watch(response, kept)
    without_us = said(lambda: joined(list(getattr(bare, way)())))
    assert said(lambda: joined(list(getattr(response, way)()))) == without_us
    assert [type(end) for end in kept.ends] == [library.DecodingError]


@LIBRARIES
@pytest.mark.parametrize("way", ["iter_bytes", "iter_raw"])
def test_an_encoding_that_httpx_does_not_know(library: Any, way: str) -> None:
    """What nobody here can read is not held back."""
    response, kept = opened(library, encoding="unheard-of"), Kept()
    streaming.watch(response, kept, HoldsBack())
    assert list(getattr(response, way)()) == list(BODY)
    assert kept.ends == [None]


class Hides:
    """A filter that hides an event, and holds back what has no end yet."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        *whole, self._held = (self._held + chunk).split(b"\n\n")
        return b"".join(event + b"\n\n" for event in whole if event != b"data: 4")

    def flush(self) -> bytes:
        return self._held


SHOWN = b"data: 1\n\ndata: 2\n\ndata: 3\n\ndata: [DONE]\n\n"


@LIBRARIES
@pytest.mark.parametrize("way", FIRST)
@pytest.mark.parametrize("encoding", ["", "identity"])
@pytest.mark.parametrize("has_length", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_the_length_of_a_body(library: Any, way: str, encoding: str, has_length: bool, is_async: bool) -> None:
    """A length counts all bytes: as many are read, blank lines in the place of those that are hidden."""
    response, length = opened(library, LINES, encoding=encoding), len(b"".join(LINES))
    response.headers["content-length"] = str(length)
    if not has_length:
        del response.headers["content-length"]
    before = dict(response.headers)
    streaming.watch(response, Kept(), Hides())

    async def gathered() -> list[Any]:
        return [item async for item in getattr(response, f"a{way}")()]

    found = joined(asyncio.run(gathered()) if is_async else list(getattr(response, way)()))
    shown = SHOWN.ljust(length, b"\n") if has_length else SHOWN
    assert found == (shown.replace(b"\n", b"") if way == "iter_lines" else shown)
    assert dict(response.headers) == before
    assert response.num_bytes_downloaded == len(shown)


@LIBRARIES
def test_the_length_of_a_compressed_body(library: Any) -> None:
    """It counts compressed bytes, of which none is hidden."""
    response = opened(library, (gzip.compress(b"".join(LINES)),), encoding="gzip")
    streaming.watch(response, Kept(), Hides())
    assert response.read() == SHOWN
    assert "content-length" in response.headers


@LIBRARIES
def test_the_length_of_a_body_that_breaks(library: Any) -> None:
    """An event that an error cuts short is not ended by a blank line."""
    response = opened(library, (*LINES[:3], b"data: {"), error=True)
    streaming.watch(response, Kept(), Hides())
    found: list[bytes] = []
    try:
        for chunk in response.iter_bytes():
            found.append(chunk)  # noqa: PERF402
    except library.ReadError:
        found.append(b"broken")
    assert b"".join(found) == b"data: 1\n\ndata: 2\n\ndata: 3\n\ndata: {broken"
