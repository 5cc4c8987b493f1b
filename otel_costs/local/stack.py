"""The one-process stack, as a command runs it, and as a program starts it beside itself."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from otel_costs.local.options import BODY_BYTES, STOP_S, Addresses, Options, StartError


def run(
    data: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    otlp_http_port: int = 4318,
    otlp_grpc_port: int = 4317,
    http_port: int = 8123,
    token: str | None = None,
    max_body_bytes: int = BODY_BYTES,
    jaeger_url: str | None = None,
    allocation: str | os.PathLike[str] | None = None,
    announce: Callable[[str], None] = print,
    ready: Callable[[Addresses], object] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. When it is ready `announce` gets what there is to say, `ready` the addresses.

    Raises StartError, and EndedError when it cannot go on: what was acknowledged is stored then.

    `token`: what every request must bring; a `host` that is not loopback needs one. `max_body_bytes`: of an OTLP
    request, also after decompression. `jaeger_url`: where pages link to a call's trace; None is that of
    OTEL_COSTS_JAEGER_URL. `allocation`: the file of rules that say whose spend is; None is that of
    OTEL_COSTS_ALLOCATION. It is read once. Call it in the main thread, and once in a process: chDB hangs when it is to
    define an HTTP handler after it was closed and opened again.
    """
    from otel_costs.local.server import serve  # noqa: PLC0415  # takes a second: the engine, and what it brings

    options = Options(
        Path(data).absolute(),
        host,
        otlp_http_port,
        otlp_grpc_port,
        http_port,
        token or None,
        max_body_bytes,
        jaeger_url,
        _path(allocation),
    )

    def begin(addresses: Addresses) -> None:
        announce(greeting(options, addresses))
        if ready is not None:
            ready(addresses)

    async def until_signal() -> None:
        await serve(options, begin, asyncio.Event())

    asyncio.run(until_signal())


def _path(given: str | os.PathLike[str] | None) -> str | None:
    return None if given is None else os.fspath(given)


def greeting(options: Options, addresses: Addresses) -> str:
    """Write where things are."""
    lines = [
        f"otel-costs local is ready: {addresses.http_url}/ shows in a browser what calls cost.",
        f"  OTLP over gRPC   OTEL_EXPORTER_OTLP_ENDPOINT={addresses.otlp_grpc_url}",
        f"  OTLP over HTTP   OTEL_EXPORTER_OTLP_ENDPOINT={addresses.otlp_http_url}, for http/protobuf",
        f"  ClickHouse HTTP  OTEL_COSTS_DSN={addresses.http_url}, for commands, curl and Grafana",
        f"  Data             {options.data}",
    ]
    if options.token:
        lines.insert(1, "  Every request must bring the token: as Authorization: Bearer, or as ClickHouse's password.")
    return "\n".join([*lines, *addresses.notices])


class Stack:
    """The stack over the folder `data`, in a process of its own: ready when entered, gone when left.

    Options are those of `run`. Port 0 is any free one; the addresses are known once it is entered. Entering raises
    StartError. It ends too when the process dies that entered it.
    """

    otlp_http_url: str
    otlp_grpc_url: str
    http_url: str
    notices: tuple[str, ...]
    """What `run` says at the start beside its addresses."""

    def __init__(
        self,
        data: str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        otlp_http_port: int = 0,
        otlp_grpc_port: int = 0,
        http_port: int = 0,
        token: str | None = None,
        max_body_bytes: int = BODY_BYTES,
        jaeger_url: str | None = None,
        allocation: str | os.PathLike[str] | None = None,
    ) -> None:
        self.data = Path(data).absolute()
        self._options = {
            "data": str(self.data),
            "host": host,
            "otlp_http_port": otlp_http_port,
            "otlp_grpc_port": otlp_grpc_port,
            "http_port": http_port,
            "token": token,
            "max_body_bytes": max_body_bytes,
            "jaeger_url": jaeger_url,
            "allocation": _path(allocation),
        }
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """The process that serves. Raises StartError when there is none."""
        if self._process is None:
            raise StartError("the stack is not running: enter it first")
        return self._process.pid

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "otel_costs.local"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        try:
            self._start(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Let it answer what is under way and store what it acknowledged. Takes STOP_S at most; twice is fine."""
        if self._process is None:
            return
        try:
            self._process.communicate(timeout=STOP_S * 1.5)  # closes its standard input, for which it waits
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def _start(self, process: subprocess.Popen[str]) -> None:
        # The options go through a pipe: a command line, with a token in it, can be read by everybody.
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(json.dumps(self._options) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise StartError("the stack ended before it was ready")
        answer = json.loads(line)
        if "error" in answer:
            raise StartError(answer["error"])
        self.otlp_http_url = answer["otlp_http_url"]
        self.otlp_grpc_url = answer["otlp_grpc_url"]
        self.http_url = answer["http_url"]
        self.notices = tuple(answer["notices"])
