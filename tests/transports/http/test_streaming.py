"""A body is followed to its end, whichever way it is read, and ends once."""

import asyncio
import contextlib
import gzip
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from otel_costs.runtime import background, unfinished
from otel_costs.stand_in import Fault, Provider
from otel_costs.transports.http import streaming
from tests.support import garbage

ROOT = Path(__file__).parents[3]


class Kept:
    """A reader that keeps what it is told."""

    def __init__(self) -> None:
        self.data = b""
        self.ends: list[BaseException | None] = []

    def feed(self, chunk: bytes) -> None:
        self.data += chunk

    def end(self, error: BaseException | None) -> background.Job:
        self.ends.append(error)
        return lambda: None


class NoVowels:
    """A filter that takes bytes out, and holds the last chunk back."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        shown, self._held = self._held, chunk.translate(None, b"aeiou")
        return shown

    def flush(self) -> bytes:
        return self._held


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in pieces, sync and async; an exception among them is raised."""

    def __init__(self, *pieces: bytes | BaseException) -> None:
        self.pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


BODY = (b"once ", b"upon ", b"a time")


def watched(*pieces: bytes | BaseException, filtered: Any = None, **headers: str) -> tuple[Any, Kept, Pieces]:
    stream = Pieces(*(pieces or BODY))
    request = httpx.Request("GET", "http://llm.example")
    response = httpx.Response(200, headers=headers, stream=stream, request=request)
    kept = Kept()
    streaming.watch(response, kept, filtered)
    return response, kept, stream


READS: dict[str, Any] = {
    "iter_bytes": lambda r: b"".join(r.iter_bytes()),
    "iter_raw": lambda r: b"".join(r.iter_raw()),
    "iter_text": lambda r: "".join(r.iter_text()).encode(),
    "iter_lines": lambda r: "".join(r.iter_lines()).encode(),
    "read": lambda r: r.read(),
    "sized": lambda r: b"".join(r.iter_bytes(3)),
}


async def gathered(items: Any) -> list[Any]:
    return [item async for item in items]


async def joined(response: Any, way: str) -> bytes:
    if way == "read":
        return bytes(await response.aread())
    if way == "sized":
        return b"".join(await gathered(response.aiter_bytes(3)))
    found = await gathered(getattr(response, f"a{way}")())
    return "".join(found).encode() if isinstance(found[0], str) else b"".join(found)


@pytest.mark.parametrize("way", READS)
@pytest.mark.parametrize("is_async", [False, True])
def test_read_to_the_end(way: str, is_async: bool) -> None:
    """Whichever method reads the body, the reader sees it whole, and one end; the response is what it was."""
    response, kept, stream = watched()
    assert type(response) is httpx.Response
    body = asyncio.run(joined(response, way)) if is_async else READS[way](response)
    assert body == kept.data == b"once upon a time"
    assert kept.ends == [None]
    assert stream.closed == 1
    assert type(response) is httpx.Response
    assert not [name for name in vars(response) if "otel" in name]


@pytest.mark.parametrize("is_async", [False, True])
def test_through_a_filter(is_async: bool) -> None:
    """What a filter takes out the application does not see, in chunks of the size it asked for; the reader does."""
    response, kept, _ = watched(filtered=NoVowels())
    found = asyncio.run(gathered(response.aiter_bytes(2))) if is_async else list(response.iter_bytes(2))
    assert found == [b"nc", b" p", b"n ", b" t", b"m"]
    assert kept.data == b"once upon a time"


def test_content_encoding() -> None:
    """Decompressed bytes are what is followed; compressed ones that the application asks for pass as they are."""
    packed = gzip.compress(b"once upon a time")
    response, kept, _ = watched(packed, **{"content-encoding": "gzip"})
    assert response.read() == kept.data == b"once upon a time"
    response, kept, _ = watched(packed, **{"content-encoding": "gzip"})
    assert b"".join(response.iter_raw()) == packed
    assert kept.data == b"once upon a time"
    assert kept.ends == [None]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_while_reading(is_async: bool) -> None:
    """An error goes on as the same object, behind what was held back; the reader is told, once."""
    failure = httpx.ReadError("broken")
    response, kept, stream = watched(b"once ", b"upon ", failure, filtered=NoVowels())
    found: list[bytes] = []

    async def read() -> None:
        async for chunk in response.aiter_bytes():
            found.append(chunk)  # noqa: PERF401

    with pytest.raises(httpx.ReadError) as raised:
        asyncio.run(read()) if is_async else found.extend(response.iter_bytes())
    assert raised.value is failure
    assert found in ([b"nc ", b"pn "], [])  # `extend` throws away what it had
    assert kept.ends == [failure]
    assert stream.closed == 1


@pytest.mark.parametrize("is_async", [False, True])
def test_left_early(is_async: bool) -> None:
    """A loop that is left ends the body when its generator is closed, and closes the transport, as without us."""
    response, kept, stream = watched()

    async def leave() -> None:
        chunks = response.aiter_bytes()
        async for _ in chunks:
            break
        await chunks.aclose()

    if is_async:
        asyncio.run(leave())
    else:
        for _ in response.iter_bytes():
            break
    assert kept.data == b"once "
    assert kept.ends == [None]
    assert stream.closed == 1


def test_closed_with_an_error_in_flight() -> None:
    """What made the application close the body is told; what it was handling before, or leaving a generator, is not."""
    failure = ValueError("mine")
    response, kept, _ = watched()
    with pytest.raises(ValueError, match="mine"), contextlib.closing(response):
        raise failure
    assert kept.ends == [failure]
    try:
        raise failure
    except ValueError:
        response, kept, _ = watched()
        response.close()
    assert kept.ends == [None]


def test_closed_by_another_thread() -> None:
    """A body that is closed while it is being read ends once, by who reads it."""
    reached, go_on = threading.Event(), threading.Event()

    class Slow(Pieces):
        def __iter__(self) -> Iterator[bytes]:
            yield b"once "
            reached.set()
            go_on.wait(10)
            raise httpx.ReadError("closed")

    response = httpx.Response(200, stream=Slow(), request=httpx.Request("GET", "http://llm.example"))
    kept = Kept()
    streaming.watch(response, kept)
    errors: list[BaseException] = []

    def read() -> None:
        try:
            list(response.iter_bytes())
        except httpx.ReadError as error:
            errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    reached.wait(10)
    response.close()
    assert kept.ends == []
    go_on.set()
    thread.join()
    assert kept.ends == errors != []


def test_abandoned() -> None:
    """A body that is dropped is ended when it is collected: never read, or in the middle, or in a cycle."""
    ends: list[Kept] = []
    for read in (0, 1):
        response, kept, _ = watched()
        response.me = response  # a cycle, which only the collector frees
        chunks = response.iter_bytes()
        for _ in range(read):
            next(chunks)
        ends.append(kept)
        del response, chunks
    garbage.collect()
    assert [kept.ends for kept in ends] == [[None], [None]]


def test_collected_in_the_middle_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the collector ends is only put aside: it may interrupt whoever holds the locks of the background."""
    jobs: list[Any] = []
    monkeypatch.setattr(background, "put", lambda job: pytest.fail("a finalizer may not do that"))
    monkeypatch.setattr(background, "put_from_finalizer", jobs.append)
    response, kept, _ = watched()
    chunks = response.iter_bytes()
    next(chunks)
    response.me = response
    del response, chunks
    garbage.collect()
    assert len(jobs) == 1
    assert kept.ends == [None]


def test_read_on_after_the_end_of_all() -> None:
    """A body that was ended with the process can be read on, whole; the reader hears of one end and nothing after."""
    response, kept, _ = watched()
    chunks = response.iter_bytes()
    found = next(chunks)
    unfinished.end_all()
    assert found + b"".join(chunks) == b"once upon a time"
    assert (kept.data, kept.ends) == (b"once ", [None])
    assert type(response) is httpx.Response


def test_read_twice() -> None:
    """A body that was read can be looked at again; nothing more is told."""
    response, kept, _ = watched()
    assert response.read() == response.read() == response.content
    assert b"".join(response.iter_bytes(4)) == b"once upon a time"
    response.close()
    assert kept.ends == [None]
    assert kept.data == b"once upon a time"


def test_a_method_that_somebody_kept() -> None:
    """A method that was bound while we watched works afterwards, too."""
    response, kept, _ = watched()
    close, again = response.close, response.iter_bytes
    response.read()
    close()
    assert b"".join(again()) == b"once upon a time"
    assert kept.ends == [None]


def test_a_class_of_ones_own() -> None:
    """A response of a class of the application's own is watched below it and stays one; what is none is refused."""

    class Mine(httpx.Response):
        def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
            for chunk in super().iter_bytes(chunk_size):
                yield chunk.upper()

    response = Mine(200, stream=Pieces(*BODY), request=httpx.Request("GET", "http://llm.example"))
    kept = Kept()
    streaming.watch(response, kept)
    assert type(response) is Mine
    assert response.read() == b"ONCE UPON A TIME"
    assert kept.data == b"once upon a time"
    with pytest.raises(AttributeError):
        streaming.watch(3, kept)


class Broken:
    def feed(self, chunk: bytes) -> Any:
        raise RuntimeError

    def flush(self) -> bytes:
        raise RuntimeError

    def end(self, error: BaseException | None) -> background.Job:
        raise RuntimeError


@pytest.mark.parametrize("is_async", [False, True])
def test_bugs_of_ours(is_async: bool) -> None:
    """A reader or a filter that raises leaves the body as it is."""
    response = httpx.Response(200, stream=Pieces(*BODY), request=httpx.Request("GET", "http://llm.example"))
    streaming.watch(response, Broken(), Broken())
    found = asyncio.run(gathered(response.aiter_bytes())) if is_async else list(response.iter_bytes())
    assert found == list(BODY)


PROGRAM = """
import json, os, sys
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, SimpleLogRecordProcessor
from opentelemetry import _logs as logs

class Lines(LogRecordExporter):
    def export(self, batch):
        for data in batch:
            found = data.log_record.attributes
            print(os.getpid() == MAIN, found["otel_costs.cost.reason"], flush=True)
    def shutdown(self): pass
    def force_flush(self, timeout_millis=0): return True

MAIN = os.getpid()
provider = LoggerProvider()
provider.add_log_record_processor(SimpleLogRecordProcessor(Lines()))
logs.set_logger_provider(provider)
from otel_costs import CostsInstrumentor
CostsInstrumentor().instrument()
import openai
client = openai.OpenAI(api_key="k")
stream = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True)
next(stream)
"""


def run(program: str, provider: Provider) -> str:
    environ = {
        **os.environ, "OPENAI_BASE_URL": provider.base_url, "OTEL_COSTS_PROVIDERS": "127.0.0.1=openai",
        "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none",
    }  # fmt: skip
    source = PROGRAM + textwrap.dedent(program)
    command = [sys.executable, "-W", "ignore", "-c", source]
    ran = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def slow(provider: Provider) -> None:
    """Have the next stream stop after a few events, so that its end is not read by chance."""
    provider.script(Fault(gate=threading.Event(), gate_events=4))


@pytest.mark.long
def test_open_at_the_end_of_the_process(provider: Provider) -> None:
    """A stream that is still open when the process ends is recorded: what was said until then is billed."""
    slow(provider)
    assert run("", provider) == "True stream_closed_early,usage_estimated\n"


@pytest.mark.long
def test_open_when_we_go(provider: Provider) -> None:
    """A stream that is open when we are taken back is at its end for us, and is read on as if we were there."""
    slow(provider)
    ending = """
        CostsInstrumentor().uninstrument()
        print(next(stream).choices[0].delta.content is not None)
        stream.close()
    """
    assert run(ending, provider) == "True stream_closed_early,usage_estimated\nTrue\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_open_while_the_process_forks(provider: Provider) -> None:
    """A stream that was open when the process forked is the parent's: one record, however both of them end it."""
    slow(provider)
    ending = """
        import gc
        child = os.fork()
        if child == 0:
            stream.close()
            del stream
            gc.collect()
            from otel_costs.runtime import background
            assert background.drain(60)
            sys.exit(0)
        os.waitpid(child, 0)
        stream.close()
    """
    assert run(ending, provider) == "True stream_closed_early,usage_estimated\n"
