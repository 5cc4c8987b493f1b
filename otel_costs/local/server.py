"""The server: its ports over one data folder, from the first to the last request."""

import asyncio
import errno
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import clickhouse_connect
import grpc.aio

from otel_costs import pricing
from otel_costs.chargeback import rules_file
from otel_costs.chargeback.rules import Allocation
from otel_costs.local import clickhouse_http, confinement, otlp_grpc, otlp_http
from otel_costs.local.body import BodyMemory
from otel_costs.local.http_server import Server
from otel_costs.local.ingest import Ingest
from otel_costs.local.limits import MEMORY_SHARE, machine_memory
from otel_costs.local.options import STOP_S, Addresses, EndedError, Options, StartError
from otel_costs.local.receiver import Receiver
from otel_costs.local.state import State
from otel_costs.store import damage, files, private, schema
from otel_costs.store.backups import snapshot
from otel_costs.store.embedded import Engine, EngineError, FolderInUseError
from otel_costs.web.access import Policy
from otel_costs.web.page_settings import Otlp, PageSettings

_BACKLOG: Final = 256
_LAST_ANSWERS_S: Final = 2.0
_OPTIONS: Final = {
    "otlp_http_port": ("OTLP over HTTP", "--otlp-http-port"),
    "otlp_grpc_port": ("OTLP over gRPC", "--otlp-grpc-port"),
    "http_port": ("ClickHouse's HTTP interface", "--http-port"),
}


async def serve(options: Options, ready: Callable[[Addresses], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set, or SIGINT or SIGTERM comes; call `ready` when every port answers.

    Raises StartError, and EndedError when something that it cannot do without has ended. A second signal ends the
    process at once. A stop answers what is under way and stores what was acknowledged.
    """
    os.umask(private.UMASK)
    _allow_files()
    with _stopped_by_signals(stop), _listening(options) as sockets, ExitStack() as opened:
        settings, allocation = _page_settings(options, sockets), _allocation(options)
        pricing.warm_up()  # calls are priced here too, by files that cannot be read once the process is confined
        unconfined = _confined(options.data, sockets)
        engine = opened.enter_context(_engine(options.data))
        writer_failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        ingest = Ingest(engine, failed=partial(_report_failure, asyncio.get_running_loop(), writer_failed))
        receiver = Receiver(ingest)
        memory = BodyMemory(max(machine_memory() // 8, 768 * 2**20))
        set_aside = map(str, engine.set_aside)
        notices = [*unconfined, *_shared(options.data), *set_aside, *map(str, damage.detached(engine))]
        state = State(engine, ingest, notices)
        interface = clickhouse_http.Interface(engine, memory, state, ingest, settings, allocation)
        policy = Policy(options.token or None, options.is_loopback)
        rpc = otlp_grpc.server(receiver, policy, options.max_body_bytes)
        grpc_port = _hand_over(rpc, options.host, sockets["otlp_grpc_port"])
        await rpc.start()
        servers = {
            "otlp_http_port": Server(otlp_http.application(receiver, policy, options.max_body_bytes, memory)),
            "http_port": Server(interface.application(policy)),
        }
        serving: dict[str, asyncio.Future[object]] = {
            name: asyncio.ensure_future(server.serve([sockets[name]])) for name, server in servers.items()
        }
        # The sockets of HTTP listen already: what comes before uvicorn is up waits in them.
        ports = {name: sockets[name].getsockname()[1] for name in servers}
        ready(_addresses(options.host, {**ports, "otlp_grpc_port": grpc_port}, [*notices, *state.unfinished()]))
        state.start()
        serving["otlp_grpc_port"] = asyncio.ensure_future(rpc.wait_for_termination())
        reason = await _until_end(stop, writer_failed, serving)
        with _ended_at_the_latest(reason):
            interface.end_streams()
            for server in servers.values():
                server.should_exit = True
            await _ended(asyncio.gather(rpc.stop(STOP_S / 2), *serving.values(), return_exceptions=True), interface)
            await asyncio.to_thread(ingest.close, STOP_S / 2)
            receiver.close()
            await asyncio.to_thread(state.stop)
        if reason:
            raise EndedError(reason)


async def _until_end(
    stop: asyncio.Event, writer_failed: "asyncio.Future[str]", serving: Mapping[str, "asyncio.Future[object]"]
) -> str:
    """Wait until it is to stop, or cannot go on; return why it cannot, or ""."""
    stopping = asyncio.ensure_future(stop.wait())
    parts: list[asyncio.Future[Any]] = [stopping, writer_failed, *serving.values()]
    await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done():
        return ""
    stopping.cancel()
    if writer_failed.done():
        what = f"the thread that stores records has ended ({writer_failed.result()})"
    else:
        what = f"{next(_OPTIONS[name][0] for name, task in serving.items() if task.done())} has ended"
    return f"{what}. What was acknowledged is stored; start it again, clients send the rest again."


def _report_failure(loop: asyncio.AbstractEventLoop, waiting: "asyncio.Future[str]", error: BaseException) -> None:
    """Set the kind of `error` in `waiting`, from another thread. The text of the error may hold a record."""
    loop.call_soon_threadsafe(waiting.set_result, type(error).__name__)


@contextmanager
def _ended_at_the_latest(reason: str) -> Iterator[None]:
    """End the process, when there is a `reason` for that, even if its stop hangs on what has failed."""
    timer = threading.Timer(2 * STOP_S, _exit, (reason,))
    timer.daemon = True
    if reason:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _exit(reason: str) -> None:
    sys.stderr.write(f"{reason}\n")
    sys.stderr.flush()
    os._exit(1)


async def _ended(ending: Awaitable[object], interface: clickhouse_http.Interface) -> None:
    """Wait for the last answers, but not for queries that take longer than that."""
    ended = asyncio.ensure_future(ending)
    await asyncio.wait([ended], timeout=_LAST_ANSWERS_S)
    await asyncio.to_thread(interface.close)
    await ended


@contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def restore() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)

    def handle() -> None:
        restore()
        stop.set()

    for number in numbers:
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        restore()


@contextmanager
def _listening(options: Options) -> Iterator[Mapping[str, socket.socket]]:
    """Bind all ports, before anything slow, to say at once that one is taken."""
    with ExitStack() as taken:
        yield {name: taken.enter_context(_listen(options.host, getattr(options, name), name)) for name in _OPTIONS}


def _listen(host: str, port: int, name: str) -> socket.socket:
    # With its protocol: asyncio gives TCP_NODELAY to no other, and the second part of an answer would wait for 40 ms.
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        made.close()
        what, option = _OPTIONS[name]
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        why = "is taken by another program: stop that, or" if taken else f"cannot be used ({error}):"
        raise StartError(f"port {port} on {host}, for {what}, {why} choose another port with {option}") from None
    return made


def _hand_over(rpc: grpc.aio.Server, host: str, taken: socket.socket) -> int:
    """Let gRPC, which opens its own socket, have the port of `taken`."""
    port: int = taken.getsockname()[1]
    taken.close()
    return rpc.add_insecure_port(f"{_bracketed(host)}:{port}")


def _confined(data: Path, sockets: Mapping[str, socket.socket]) -> list[str]:
    """Confine the process to its folder and ports, before the engine is there, and return what does not hold."""
    scratch = data / "tmp"  # the engine's own, and Python's from here on: there is no other
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unusable(data, error) from None
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    # Port 0 is any that is free: gRPC takes one for a moment, to see whether there is IPv6.
    ports = [0, *(taken.getsockname()[1] for taken in sockets.values())]
    # Imported, the engine has threads, which stay as they are.
    early = ["The engine was imported before, and its threads are not confined."] if "chdb" in sys.modules else []
    missing = confinement.confine(writable=[data], readable=[files.folder()], ports=ports)
    return [*early, missing] if missing else early


def _unusable(data: Path, error: OSError) -> StartError:
    return StartError(f"the data folder {data} cannot be used: {error.strerror}")


def _page_settings(options: Options, sockets: Mapping[str, socket.socket]) -> PageSettings:
    ports = {name: taken.getsockname()[1] for name, taken in sockets.items()}
    addresses = _addresses(options.host, ports, ())
    try:
        return PageSettings.of(options.jaeger_url, Otlp(addresses.otlp_http_url, addresses.otlp_grpc_url))
    except ValueError as error:
        raise StartError(str(error)) from None


def _allocation(options: Options) -> Allocation | None:
    try:
        return rules_file.of_environment(options.allocation)
    except rules_file.AllocationError as error:
        raise StartError(str(error)) from None


@contextmanager
def _engine(data: Path) -> Iterator[Engine]:
    """Open the folder and bring its schema up to date."""
    try:
        with Engine(data, memory_bytes=int(MEMORY_SHARE * machine_memory())) as engine:
            engine.shut_files_out()
            client = clickhouse_connect.get_client(interface="chdb", path=str(data))
            try:
                schema.apply(client)
                snapshot.drop_all(client)
            finally:
                client.close()
            yield engine
    except FolderInUseError as error:
        raise StartError(f"{error.message} with --data") from None
    except OSError as error:
        raise _unusable(data, error) from None
    except EngineError as error:
        raise StartError(f"the data folder {data} cannot be opened: {error.message}") from None


def _shared(data: Path) -> Iterator[str]:
    """Give the data folder to its user alone, also what is there from before, and say where that was not possible."""
    if failed := private.make_private(data):
        yield f"{failed} files in {data} belong to somebody else, and others may read them: change their owner."


def _allow_files() -> None:
    """Raise the limit of open files to what this user may have: the engine has many, and each connection is one."""
    with suppress(OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _addresses(host: str, ports: Mapping[str, int], notices: Sequence[str]) -> Addresses:
    urls = {name: f"http://{_bracketed(host)}:{port}" for name, port in ports.items()}
    return Addresses(urls["otlp_http_port"], urls["otlp_grpc_port"], urls["http_port"], tuple(notices))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
