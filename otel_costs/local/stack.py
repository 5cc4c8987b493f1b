"""The one-process stack: starts and stops the ports over one data folder."""

import asyncio
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

import uvicorn
from chdb.cc_backend import ChdbClient
from starlette.types import ASGIApp

from otel_costs.local import clickhouse_http, otlp_grpc, otlp_http
from otel_costs.local.admission import Policy, is_loopback
from otel_costs.local.intake import Intake
from otel_costs.local.receiver import Receiver
from otel_costs.store import schema
from otel_costs.store.embedded import Engine, EngineError, FolderInUseError

BODY_BYTES: Final = 20 * 2**20  # as the collector's OTLP receiver
STOP_S: Final = 10.0

OTLP_HTTP: Final = "OTLP over HTTP"
GRPC: Final = "OTLP over gRPC"
CLICKHOUSE: Final = "ClickHouse's HTTP interface"

_OPTIONS: Final = {OTLP_HTTP: "--otlp-http-port", GRPC: "--otlp-grpc-port", CLICKHOUSE: "--http-port"}
_BACKLOG: Final = 256


class StartError(Exception):
    """The stack cannot start; the message says why and what to do."""


class Stack:
    """The stack over the folder `data`: a context manager that is ready when it is entered. Port 0: any free one.

    `token`: what every request must bring; needed for a `host` that is not loopback. `max_body_bytes`: of an OTLP
    request, also after decompression. Entering raises StartError.
    """

    def __init__(
        self,
        data: str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        otlp_http_port: int = 4318,
        otlp_grpc_port: int = 4317,
        http_port: int = 8123,
        token: str | None = None,
        max_body_bytes: int = BODY_BYTES,
    ) -> None:
        self.data = Path(data).absolute()
        self.host = host
        self.token = token or None
        self._wanted = {OTLP_HTTP: otlp_http_port, GRPC: otlp_grpc_port, CLICKHOUSE: http_port}
        self._ports: dict[str, int] = {}
        self._limit = max_body_bytes
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    @property
    def otlp_http_url(self) -> str:
        """Where OTLP over HTTP goes: OTEL_EXPORTER_OTLP_ENDPOINT."""
        return self._url(OTLP_HTTP)

    @property
    def otlp_grpc_url(self) -> str:
        """Where OTLP over gRPC goes: OTEL_EXPORTER_OTLP_ENDPOINT."""
        return self._url(GRPC)

    @property
    def http_url(self) -> str:
        """ClickHouse's HTTP interface, `/sessions` and the report page: OTEL_COSTS_DSN."""
        return self._url(CLICKHOUSE)

    def __enter__(self) -> Self:
        if self.token is None and not is_loopback(self.host):
            raise StartError(f"{self.host} can be reached from other machines: give a token, or use host 127.0.0.1")
        self._thread = threading.Thread(target=self._run, name="otel-costs-local", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Answer what is under way, store what was acknowledged, close the folder. Takes at most about STOP_S."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(STOP_S * 2)

    def _url(self, name: str) -> str:
        return f"http://{_bracketed(self.host)}:{self._ports[name]}"

    @property
    def running(self) -> bool:
        """Say whether the stack serves."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        try:
            with self._listening() as sockets, _engine(self.data) as engine:
                asyncio.run(self._serve(engine, sockets))
        except BaseException as error:  # noqa: BLE001 - raised again where the stack was entered
            self._failure = error
        finally:
            self._ready.set()

    @contextmanager
    def _listening(self) -> Iterator[dict[str, socket.socket]]:
        """Take the ports before anything slow, to say at once that one is taken. gRPC takes its own again."""
        with ExitStack() as taken:
            sockets = {name: taken.enter_context(_listen(self.host, port, name)) for name, port in self._wanted.items()}
            self._ports = {name: taken_socket.getsockname()[1] for name, taken_socket in sockets.items()}
            sockets.pop(GRPC).close()
            yield sockets

    async def _serve(self, engine: Engine, sockets: Mapping[str, socket.socket]) -> None:
        policy = Policy(self.token, is_loopback(self.host))
        intake = Intake(engine)
        receiver = Receiver(intake)
        rpc = otlp_grpc.server(receiver, policy, self._limit)
        rpc.add_insecure_port(f"{_bracketed(self.host)}:{self._ports[GRPC]}")
        servers = {
            OTLP_HTTP: _server(otlp_http.application(receiver, policy, self._limit)),
            CLICKHOUSE: _server(clickhouse_http.application(engine, policy)),
        }
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        serving = [asyncio.create_task(server.serve([sockets[name]])) for name, server in servers.items()]
        await rpc.start()
        self._ready.set()  # the sockets listen: what comes now waits in them for uvicorn
        await self._stop.wait()
        for server in servers.values():
            server.should_exit = True
        await asyncio.gather(rpc.stop(STOP_S / 2), *serving)
        await asyncio.to_thread(intake.close, STOP_S / 2)
        receiver.close()


def run(
    data: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    otlp_http_port: int = 4318,
    otlp_grpc_port: int = 4317,
    http_port: int = 8123,
    token: str | None = None,
    max_body_bytes: int = BODY_BYTES,
    announce: Callable[[str], None] = print,
) -> int:
    """Serve until SIGINT or SIGTERM and return the exit code. `announce` gets what there is to say, once it is ready.

    Call it in the main thread. Raises StartError. A second signal ends the process at once.
    """
    ended = threading.Event()
    stack = Stack(
        data,
        host=host,
        otlp_http_port=otlp_http_port,
        otlp_grpc_port=otlp_grpc_port,
        http_port=http_port,
        token=token,
        max_body_bytes=max_body_bytes,
    )
    with _on_signals(ended.set), stack:
        announce(greeting(stack))
        while not ended.wait(1.0):
            if not stack.running:
                return 1
    return 0


def greeting(stack: Stack) -> str:
    """Say where things are."""
    lines = [
        "otel-costs local is ready.",
        f"  OTLP over HTTP   {stack.otlp_http_url}   OTEL_EXPORTER_OTLP_ENDPOINT, with http/protobuf or http/json",
        f"  OTLP over gRPC   {stack.otlp_grpc_url}   OTEL_EXPORTER_OTLP_ENDPOINT, with grpc",
        f"  ClickHouse HTTP  {stack.http_url}   OTEL_COSTS_DSN, curl, Grafana; {stack.http_url}/sessions",
        f"  Report page      {stack.http_url}/",
        f"  Data             {stack.data}",
    ]
    if stack.token is not None:
        lines.append("  Every request must bring the token: as Authorization: Bearer, or as ClickHouse's password.")
    return "\n".join(lines)


@contextmanager
def _on_signals(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` on the first SIGINT or SIGTERM; the second does what it did before."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(_number: int, _frame: FrameType | None) -> None:
        restore()
        act()

    for number in numbers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()


@contextmanager
def _engine(data: Path) -> Iterator[Engine]:
    """Open the folder and bring its schema up to date."""
    try:
        with Engine(data) as engine:
            engine.shut_files_out()
            _apply_schema(data)
            yield engine
    except FolderInUseError as error:
        raise StartError(f"{error.message} with --data") from None
    except OSError as error:
        raise StartError(f"the data folder {data} cannot be used: {error.strerror}") from None
    except EngineError as error:
        raise StartError(f"the data folder {data} cannot be opened: {error.message}") from None


def _apply_schema(data: Path) -> None:
    client = ChdbClient(chdb_path=str(data))
    try:
        schema.apply(client)
    finally:
        client.close()


def _listen(host: str, port: int, name: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        why = "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        what_to_do = f"stop that, or choose another port with {_OPTIONS[name]}"
        raise StartError(f"port {port} on {host}, for {name}, {why}: {what_to_do}") from None
    return made


def _server(application: ASGIApp) -> uvicorn.Server:
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,  # clients keep connections for as long as a ClickHouse server does, and longer
        timeout_graceful_shutdown=int(STOP_S / 2),
    )
    return uvicorn.Server(config)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
