"""OTLP over gRPC: the Export methods of the trace, logs and metrics services."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final, NoReturn

import grpc
import grpc.aio
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]

from otel_costs.local import otlp
from otel_costs.local.ingest import UnavailableError
from otel_costs.local.otlp_http import REFUSED, RETRY_AFTER_S
from otel_costs.local.receiver import Receiver
from otel_costs.web.access import Policy

_logger: Final = logging.getLogger("otel_costs")

MESSAGE_S: Final = 60.0
"""Seconds in which a message must come whole."""

MESSAGES: Final = 128
"""Messages that are half sent at the same time; another one is the end of the oldest."""

_STREAMS: Final = 256  # calls of one connection under way

_SERVICES: Final = {
    otlp.Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    otlp.Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    otlp.Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}


def server(receiver: Receiver, policy: Policy, limit: int) -> grpc.aio.Server:
    """Make the server, without ports. `limit`: bytes of a message, after decompression."""
    options = [
        ("grpc.max_receive_message_length", limit),
        ("grpc.max_concurrent_streams", _STREAMS),
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.max_connection_idle_ms", 600_000),
        ("grpc.so_reuseport", 0),  # else two servers share a port, and each gets half of the records
    ]
    # No limit of gRPC's own for calls under way: it counts those that are half sent.
    made = grpc.aio.server(options=options)
    arriving = _Arriving()
    made.add_generic_rpc_handlers(
        tuple(
            grpc.method_handlers_generic_handler(
                service,
                # A stream of one message: only so can a server wait for it with a limit.
                {"Export": grpc.stream_unary_rpc_method_handler(_Export(receiver, policy, signal, arriving).answer)},
            )
            for signal, service in _SERVICES.items()
        )
    )
    return made


class _Arriving:
    """The messages that are not whole yet: a number of them, and each for a time."""

    def __init__(self) -> None:
        self._timers: dict[asyncio.Timeout, None] = {}  # the oldest first

    async def whole(self, messages: AsyncIterator[bytes]) -> bytes:
        """Return the first of `messages`; b"" if there is none.

        Raises TimeoutError when it does not come in time, or when too many younger ones come.
        """
        async with asyncio.timeout(MESSAGE_S) as timer:
            if len(self._timers) >= MESSAGES and not (oldest := next(iter(self._timers))).expired():
                oldest.reschedule(asyncio.get_running_loop().time())
                del self._timers[oldest]
            self._timers[timer] = None
            try:
                return await anext(messages, b"")
            finally:
                self._timers.pop(timer, None)


class _Export:
    def __init__(self, receiver: Receiver, policy: Policy, signal: otlp.Signal, arriving: _Arriving) -> None:
        self._arriving = arriving
        self._receiver = receiver
        self._policy = policy
        self._signal = signal

    async def answer(self, messages: AsyncIterator[bytes], context: "grpc.aio.ServicerContext[Any, Any]") -> bytes:
        await self._admit(context)
        try:
            body = await self._arriving.whole(messages)
        except TimeoutError:
            await _abort_for_now(context, "the message came too slowly")
        try:
            refused = await self._receiver.receive(self._signal, body)
        except otlp.MalformedError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except UnavailableError as error:
            await _abort_for_now(context, str(error))
        except Exception as error:  # noqa: BLE001 - gRPC would log and send its text, which may hold a record
            _logger.error("a request failed: %s", type(error).__name__)
            await context.abort(grpc.StatusCode.INTERNAL, "the request failed for a reason of the server's own")
        return otlp.encode(otlp.response(self._signal, refused, REFUSED), otlp.PROTOBUF)

    async def _admit(self, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        if self._policy.token is None:
            return
        sent = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        scheme, _, offer = sent.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._policy.is_token(offer.strip()):
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "this server wants its token, as Authorization: Bearer"
            )


async def _abort_for_now(context: "grpc.aio.ServicerContext[Any, Any]", why: str) -> NoReturn:
    """End the call so that its client comes again."""
    retry = RetryInfo()
    retry.retry_delay.FromTimedelta(timedelta(seconds=RETRY_AFTER_S))
    # The name under which OpenTelemetry's Python exporter looks for the delay.
    metadata = (("google.rpc.retryinfo-bin", retry.SerializeToString()),)
    await context.abort(grpc.StatusCode.UNAVAILABLE, why, metadata)
