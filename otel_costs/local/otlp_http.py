"""OTLP over HTTP: /v1/traces, /v1/logs, /v1/metrics.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from typing import Final

from google.protobuf.message import Message
from grpc import StatusCode
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from otel_costs.local import body, compression, otlp
from otel_costs.local.auth import Authentication
from otel_costs.local.ingest import UnavailableError
from otel_costs.local.receiver import Receiver
from otel_costs.web.access import Policy

RETRY_AFTER_S: Final = 5
REFUSED: Final = "the store refused them for what they hold"


def application(receiver: Receiver, policy: Policy, limit: int, memory: body.BodyMemory) -> Starlette:
    """Make the application. `limit`: bytes of a body, also after decompression; `memory`: for all of them."""
    routes = [
        Route(f"/v1/{signal.value}", _Export(receiver, signal, limit, memory).answer, methods=["POST"])
        for signal in otlp.Signal
    ]
    return Starlette(routes=routes, middleware=[Middleware(Authentication, policy=policy)])


class _Export:
    def __init__(self, receiver: Receiver, signal: otlp.Signal, limit: int, memory: body.BodyMemory) -> None:
        self._memory = memory
        self._receiver = receiver
        self._signal = signal
        self._limit = limit

    async def answer(self, request: Request) -> Response:
        content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if content_type not in (otlp.PROTOBUF, otlp.JSON):
            return Response(f"Content-Type must be {otlp.PROTOBUF} or {otlp.JSON}\n", 415, media_type="text/plain")
        try:
            async with self._memory.share() as share:
                content = await body.read(request, self._limit, share)
                refused = await self._receiver.receive(self._signal, content, content_type)
        except ClientDisconnect:
            return Response(status_code=400)
        except compression.TooLargeError as error:
            return _failed(413, StatusCode.RESOURCE_EXHAUSTED, str(error), content_type)
        except (otlp.MalformedError, compression.UnreadableError) as error:
            return _failed(400, StatusCode.INVALID_ARGUMENT, str(error), content_type)
        except (UnavailableError, body.SlowError, body.NoMemoryError) as error:
            response = _failed(503, StatusCode.UNAVAILABLE, str(error), content_type)
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
            if not isinstance(error, UnavailableError):
                response.headers["Connection"] = "close"
            return response
        return _response(200, otlp.response(self._signal, refused, REFUSED), content_type)


def _failed(status: int, code: StatusCode, message: str, content_type: str) -> Response:
    return _response(status, otlp.failure(code.value[0], message), content_type)


def _response(status: int, message: Message, content_type: str) -> Response:
    return Response(otlp.encode(message, content_type), status, media_type=content_type)
