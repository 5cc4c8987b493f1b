"""OTLP over gRPC: the Export methods of the trace, logs and metrics services."""

import logging
from datetime import timedelta
from typing import Any, Final

import grpc
import grpc.aio
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]

from otel_costs.local import otlp
from otel_costs.local.admission import Policy
from otel_costs.local.intake import UnavailableError
from otel_costs.local.options import REQUESTS
from otel_costs.local.otlp_http import REFUSED, RETRY_AFTER_S
from otel_costs.local.receiver import Receiver

_logger: Final = logging.getLogger("otel_costs")

_SERVICES: Final = {
    otlp.Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    otlp.Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    otlp.Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}


def server(receiver: Receiver, policy: Policy, limit: int) -> grpc.aio.Server:
    """Make the server, without ports. `limit`: bytes of a message, after decompression."""
    options = [
        ("grpc.max_receive_message_length", limit),
        ("grpc.so_reuseport", 0),  # else two servers share a port, and each gets half of the records
    ]
    made = grpc.aio.server(options=options, maximum_concurrent_rpcs=REQUESTS)
    made.add_generic_rpc_handlers(
        tuple(
            grpc.method_handlers_generic_handler(
                service, {"Export": grpc.unary_unary_rpc_method_handler(_Export(receiver, policy, signal).answer)}
            )
            for signal, service in _SERVICES.items()
        )
    )
    return made


class _Export:
    def __init__(self, receiver: Receiver, policy: Policy, signal: otlp.Signal) -> None:
        self._receiver = receiver
        self._policy = policy
        self._signal = signal

    async def answer(self, body: bytes, context: "grpc.aio.ServicerContext[Any, Any]") -> bytes:
        await self._admit(context)
        try:
            refused = await self._receiver.receive(self._signal, body)
        except otlp.MalformedError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except UnavailableError as error:
            retry = RetryInfo()
            retry.retry_delay.FromTimedelta(timedelta(seconds=RETRY_AFTER_S))
            # The name under which OpenTelemetry's Python exporter looks for the delay.
            metadata = (("google.rpc.retryinfo-bin", retry.SerializeToString()),)
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error), metadata)
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
