"""What holds for the sockets of every library: whole messages, in order, once, and the end, whatever ends them."""

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from otel_costs.sessions.session import BudgetExceeded
from tests.transports.websocket import observer
from tests.transports.websocket.observer import Kept
from tests.transports.websocket.server import Server, answered

Work = Callable[[], Awaitable[Any]]


def run(work: Awaitable[Any]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(main())


def test_messages_are_told_in_order(server: Server, followed: list[Kept], connect: Any) -> None:
    """What is sent is told before it is sent, what arrives before it is read; text stays text and bytes bytes."""

    async def talk() -> None:
        async with connect(server.url("/ours/echo")) as client:
            for message in ("grüß dich", b"\x00\xff", "", "x" * 100_000):
                await client.send(message)
                assert followed[0].said[-1] in [("sent", message), ("received", message)]
                assert await client.receive() == message

    run(talk())
    (kept,) = followed
    messages = ("grüß dich", b"\x00\xff", "", "x" * 100_000)
    assert kept.said == [(what, said) for said in messages for what in ("sent", "received")] + [("closed", None)]


def test_handshake(server: Server, followed: list[Kept], connect: Any) -> None:
    """The observer is chosen by host, port, path, query and headers of the request."""

    async def talk() -> None:
        async with connect(server.url("/ours/echo?model=gpt-realtime&n=1"), headers={"X-Thing": "Yes"}):
            pass

    run(talk())
    (asked,) = observer.asked
    assert asked[:4] == ("127.0.0.1", server.port, "/ours/echo", "model=gpt-realtime&n=1")
    assert asked.headers["x-thing"] == "Yes"
    assert asked.headers["upgrade"].lower() == "websocket"


def test_what_nobody_claims(server: Server, followed: list[Kept], connect: Any) -> None:
    """Whoever may follow a socket is asked once; a bug in there leaves the socket as it is."""

    async def talk(path: str) -> None:
        async with connect(server.url(path)) as client:
            for _ in range(3):
                await client.send("hello")
                assert await client.receive() == "hello"

    run(talk("/theirs/echo"))
    assert len(observer.asked) == 1
    run(talk("/broken/echo"))
    assert len(observer.asked) == 2
    assert followed == []


def test_greeting(server: Server, followed: list[Kept], connect: Any) -> None:
    """Messages that come with the answer to the handshake are told of, however they are read."""

    async def talk() -> list[str | bytes]:
        async with connect(server.url("/ours/greet")) as client:
            return [await client.receive() for _ in range(3)]

    assert run(talk()) == ["first", "second", "third"]
    assert followed[0].said == [("received", text) for text in ("first", "second", "third")] + [("closed", None)]


def test_what_is_never_read(server: Server, followed: list[Kept], connect: Any) -> None:
    """An answer that has arrived is told of, if the application closes without having read it: it is billed."""

    answered.clear()

    async def talk() -> None:
        async with connect(server.url("/ours/late")) as client:
            await client.send("question")
            answered.wait()

    run(talk())
    assert followed[0].said == [("sent", "question"), ("received", "answer"), ("closed", None)]


@pytest.mark.parametrize(("path", "error"), [("/ours/drop", "1006"), ("/ours/fail", "1011"), ("/ours/leave", None)])
def test_server_ends(server: Server, followed: list[Kept], connect: Any, path: str, error: str | None) -> None:
    """A socket that the server ends says how: with a code of trouble, without a word (1006), or well."""

    async def talk() -> None:
        async with connect(server.url(path)) as client:
            await client.send("go")
            with contextlib.suppress(Exception):
                await client.receive()

    run(talk())
    assert followed[0].said == [("sent", "go"), ("closed", error)]


def test_iteration(server: Server, followed: list[Kept], connect: Any) -> None:
    """Iterating sees and tells the same as receiving."""

    async def talk() -> Any:
        async with connect(server.url("/ours/tell")) as client:
            return await client.read_out()

    assert run(talk()) == ["first", "second", "third"]
    assert [what for what, _ in followed[0].said] == ["received"] * 3 + ["closed"]


def test_fragments_arrive(server: Server, followed: list[Kept], connect: Any) -> None:
    """Fragments are put together for the observer as they are for the application."""

    async def talk() -> list[str | bytes]:
        async with connect(server.url("/ours/fragments")) as client:
            await client.send("go")
            return [await client.receive() for _ in range(3)]

    assert run(talk()) == ["grüß dich", b"\x00\xff", "whole"]
    assert followed[0].said[1:4] == [("received", "grüß dich"), ("received", b"\x00\xff"), ("received", "whole")]


def test_bug_of_ours(server: Server, followed: list[Kept], connect: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An observer that raises each time is logged once, and the application does not notice."""

    def fail(what: str) -> None:
        raise ValueError(f"a bug when {what}")

    async def talk() -> None:
        async with connect(server.url("/ours/echo")) as client:
            followed[0].act = fail
            for _ in range(3):
                await client.send("hello")
                assert await client.receive() == "hello"

    run(talk())
    assert [what for what, _ in followed[0].said] == ["sent", "received"] * 3 + ["closed"]
    assert [record.message for record in caplog.records if record.name == "otel_costs"] == [
        "otel_costs could not follow a socket's messages (ValueError)"
    ]


def test_budget(server: Server, followed: list[Kept], connect: Any) -> None:
    """A spent budget is raised where the application sends; the message is not sent, and the socket lives on."""

    def refuse(what: str) -> None:
        if what == "sent":
            raise BudgetExceeded("abc", Decimal(1), Decimal(2))

    async def talk() -> None:
        async with connect(server.url("/ours/echo")) as client:
            followed[0].act = refuse
            with pytest.raises(BudgetExceeded):
                await client.send("refused")
            followed[0].act = lambda _: None
            await client.send("allowed")
            assert await client.receive() == "allowed"

    run(talk())
    assert followed[0].said[1:] == [("sent", "allowed"), ("received", "allowed"), ("closed", None)]


def test_cancelled_while_receiving(server: Server, followed: list[Kept], connect: Any) -> None:
    """A task that is cancelled in the middle of receiving loses no message, and its socket still ends."""
    if "sync" in connect.__name__:
        pytest.skip("a thread is not cancelled")

    async def talk() -> None:
        async with connect(server.url("/ours/echo")) as client:
            task = asyncio.ensure_future(client.receive())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await client.send("still there")
            assert await client.receive() == "still there"

    run(talk())
    assert followed[0].said == [("sent", "still there"), ("received", "still there"), ("closed", None)]


def test_cancelled_task(server: Server, followed: list[Kept], connect: Any) -> None:
    """A task that is cancelled with its socket open gets its CancelledError, and the socket its end, once."""
    if "sync" in connect.__name__:
        pytest.skip("a thread is not cancelled")

    async def wait(waiting: asyncio.Event) -> None:
        async with connect(server.url("/ours/echo")) as client:
            waiting.set()
            await client.receive()

    async def talk() -> None:
        waiting = asyncio.Event()
        task = asyncio.ensure_future(wait(waiting))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(talk())
    assert [what for what, _ in followed[0].said] == ["closed"]


def test_callback_raises(server: Server, followed: list[Kept], connect: Any) -> None:
    """An exception of the application's, raised where it handles a message, goes on, and the socket ends."""

    async def talk() -> None:
        async with connect(server.url("/ours/greet")) as client:
            await client.receive()
            raise KeyError("the application's")

    with pytest.raises(KeyError, match="the application's"):
        run(talk())
    whats = [what for what, _ in followed[0].said]
    assert whats[0] == "received"
    assert whats.count("closed") == 1
    assert whats[-1] == "closed"


def test_context(server: Server, followed: list[Kept], connect: Any) -> None:
    """What arrives and the end belong to who opened the socket, what is sent to who sends it."""

    async def talk() -> None:
        observer.whose.set("opener")
        async with connect(server.url("/ours/echo")) as client:
            observer.whose.set("sender")
            await client.send("hello")
            await client.receive()
            await contextvars.Context().run(asyncio.ensure_future, client.close())

    run(talk())
    assert [(what, whose) for what, _, whose in followed[0].told] == [
        ("sent", "sender"),
        ("received", "opener"),
        ("closed", "opener"),
    ]


def test_many_sockets(server: Server, followed: list[Kept], connect: Any) -> None:
    """Each of many sockets at a time has an observer of its own."""

    async def talk(number: int) -> None:
        async with connect(server.url(f"/ours/{number}/echo")) as client:
            for turn in range(5):
                await client.send(f"{number} {turn}")
                assert await client.receive() == f"{number} {turn}"

    async def all_of_them() -> None:
        await asyncio.gather(*(talk(number) for number in range(8)))

    run(all_of_them())
    assert len(followed) == 8
    for kept in followed:
        number = kept.handshake.path.split("/")[2]
        turns = [(what, f"{number} {turn}") for turn in range(5) for what in ("sent", "received")]
        assert kept.said == [*turns, ("closed", None)]


def test_reconnect(server: Server, followed: list[Kept], connect: Any) -> None:
    """A socket that is opened again is another socket."""

    async def talk() -> None:
        for path in ("/ours/drop", "/ours/echo"):
            async with connect(server.url(path)) as client:
                await client.send("hello")
                with contextlib.suppress(Exception):
                    await client.receive()

    run(talk())
    assert [kept.said[-1] for kept in followed] == [("closed", "1006"), ("closed", None)]
