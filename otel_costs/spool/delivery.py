"""One OTLP request, to where the SDK's exporter would send it, and whether it was taken: as HTTP or gRPC.

Not the SDK's exporter: it tells nobody that records were rejected, and takes several errors for a success.
"""

import gzip
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.client import HTTPException
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.util.re import parse_env_headers

from otel_costs import attributes as names

_METHOD: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_REFUSED_STATUSES: Final = (400, 413, 422)
_REFUSED_CODES: Final = ("INVALID_ARGUMENT", "OUT_OF_RANGE")
_TIMEOUT_S: Final = 10.0


class UnavailableError(Exception):
    """It was not taken, and may be at another time."""


class RefusedError(Exception):
    """It was not taken for what is in it; parts of it may be."""


Send = Callable[[bytes], None]


class Refused(NamedTuple):
    """A request of one record that a collector does not take."""

    entry: bytes
    reason: str


def send_each(send: Send, entries: Sequence[bytes]) -> list[Refused]:
    """Send entries as one request; where something in it is refused, find it by halves, and return it.

    Raises UnavailableError if it was not taken, and may be at another time.
    """
    try:
        send(b"".join(entries))
    except RefusedError as error:
        if len(entries) == 1:
            return [Refused(entries[0], str(error))]
        middle = len(entries) // 2
        return [*send_each(send, entries[:middle]), *send_each(send, entries[middle:])]
    return []


def call_ids(entries: Iterable[bytes]) -> Iterator[str]:
    """Yield the ids of the calls whose records `entries` are."""
    for entry in entries:
        for resource in ExportLogsServiceRequest.FromString(entry).resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    yield from (one.value.string_value for one in record.attributes if one.key == names.CALL_ID)


def connect() -> Send:
    """Return what sends a request. It raises UnavailableError or RefusedError."""
    protocol = _variable("PROTOCOL") or "grpc"  # the SDK's default
    return _over_grpc() if protocol == "grpc" else _over_http()


def _variable(name: str) -> str:
    """Return a variable of the exporter: that for logs, or that for all signals."""
    return os.environ.get(f"OTEL_EXPORTER_OTLP_LOGS_{name}") or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}") or ""


def _headers() -> dict[str, str]:
    return dict(parse_env_headers(_variable("HEADERS"), liberal=True))


def _timeout_s() -> float:
    try:
        return float(_variable("TIMEOUT"))
    except ValueError:
        return _TIMEOUT_S


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    # urllib would follow with a GET, whose answer says nothing of what was sent.
    def redirect_request(self, *_: Any) -> None:
        return None


def _over_http() -> Send:
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT") or (
        (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318").rstrip("/") + "/v1/logs"
    )
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise UnavailableError(f"{endpoint} is no address")
    headers = {**_headers(), "Content-Type": "application/x-protobuf"}
    packed = _variable("COMPRESSION") == "gzip"
    if packed:
        headers["Content-Encoding"] = "gzip"
    opener = urllib.request.build_opener(_NoRedirects, urllib.request.HTTPSHandler(context=_tls()))
    timeout_s = _timeout_s()

    def send(body: bytes) -> None:
        request = urllib.request.Request(endpoint, gzip.compress(body) if packed else body, headers)  # noqa: S310
        try:
            with opener.open(request, timeout=timeout_s) as answer:
                _check(answer.read())
        except urllib.error.HTTPError as error:
            error.close()
            kind = RefusedError if error.code in _REFUSED_STATUSES else UnavailableError
            raise kind(f"HTTP {error.code}") from None
        except (OSError, HTTPException) as error:
            raise UnavailableError(type(error).__name__) from None

    return send


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=_variable("CERTIFICATE") or None)
    if certificate := _variable("CLIENT_CERTIFICATE"):
        context.load_cert_chain(certificate, _variable("CLIENT_KEY") or None)
    return context


def _over_grpc() -> Send:
    import grpc  # noqa: PLC0415  # half a second, in our own thread

    channel = _channel(grpc)
    export = channel.unary_unary(_METHOD)
    metadata = tuple(_headers().items())
    compression = grpc.Compression.Gzip if _variable("COMPRESSION") == "gzip" else None
    timeout_s = _timeout_s()

    def send(body: bytes) -> None:
        try:
            _check(export(body, timeout=timeout_s, metadata=metadata, compression=compression))
        except grpc.RpcError as error:
            code = cast("grpc.Call", error).code().name
            raise (RefusedError if code in _REFUSED_CODES else UnavailableError)(f"gRPC {code}") from None

    return send


def _channel(grpc: Any) -> Any:
    endpoint = _variable("ENDPOINT") or "http://localhost:4317"
    url = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    if url.scheme != "https" and (url.scheme == "http" or _variable("INSECURE").lower() == "true"):
        return grpc.insecure_channel(url.netloc)
    return grpc.secure_channel(
        url.netloc,
        grpc.ssl_channel_credentials(
            *(_content(_variable(name)) for name in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"))
        ),
    )


def _content(path: str) -> bytes | None:
    if not path:
        return None
    with open(path, "rb") as file:
        return file.read()


def _check(answer: bytes) -> None:
    """Raise unless the answer says that all was taken. What is no answer of OTLP's comes from somebody else."""
    try:
        rejected = ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records
    except DecodeError:
        raise UnavailableError("the answer is not OTLP") from None
    if rejected:
        raise RefusedError(f"{rejected} records rejected")
