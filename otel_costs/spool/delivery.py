"""One OTLP request, to where the SDK's exporter would send it, and whether it was taken: as HTTP or gRPC.

Not the SDK's exporter: it does not report that records were rejected, and takes several errors for a success.
"""

import gzip
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http.client import HTTPException
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.util.re import parse_env_headers

from otel_costs import semconv as names
from otel_costs.runtime.fork_gate import ForkGate
from otel_costs.runtime.no_redirects import NoRedirects

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


def connect(environ: Mapping[str, str] = os.environ) -> Send:
    """Return what sends a request to where the variables of `environ` say. It raises UnavailableError or RefusedError.

    An address that is none, or a certificate that cannot be read, may raise UnavailableError or OSError here already.
    """
    variables, gate = Variables(environ), ForkGate()
    with gate:  # imports and certificates: what they hold would stay with a child, too
        send = _over_grpc(variables) if variables.protocol == "grpc" else _over_http(variables)

    def send_gated(body: bytes) -> None:
        with gate:
            send(body)

    return send_gated


class Variables:
    """What the variables of the exporter for logs say, each by its own or by that for all signals."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ

    def get(self, name: str) -> str:
        """Return what OTEL_EXPORTER_OTLP_LOGS_name says, or OTEL_EXPORTER_OTLP_name; empty if none does."""
        environ = self._environ
        return environ.get(f"OTEL_EXPORTER_OTLP_LOGS_{name}") or environ.get(f"OTEL_EXPORTER_OTLP_{name}") or ""

    @property
    def protocol(self) -> str:
        """Return `grpc`, the SDK's default, or another protocol, which is spoken over HTTP."""
        return self.get("PROTOCOL") or "grpc"

    @property
    def endpoint(self) -> str:
        """Return the address as the exporter takes it: over HTTP with the path of logs."""
        if self.protocol == "grpc":
            return self.get("ENDPOINT") or "http://localhost:4317"
        environ = self._environ
        return environ.get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT") or (
            (environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318").rstrip("/") + "/v1/logs"
        )

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that go with each request."""
        return dict(parse_env_headers(self.get("HEADERS"), liberal=True))

    @property
    def timeout_s(self) -> float:
        """Return how long a request may take, in seconds."""
        try:
            return float(self.get("TIMEOUT"))
        except ValueError:
            return _TIMEOUT_S

    @property
    def packed(self) -> bool:
        """Whether requests are compressed."""
        return self.get("COMPRESSION") == "gzip"


def _over_http(variables: Variables) -> Send:
    endpoint, packed, timeout_s = variables.endpoint, variables.packed, variables.timeout_s
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise UnavailableError("the endpoint is no http:// or https:// address")  # there may be a password in it
    headers = {**variables.headers, "Content-Type": "application/x-protobuf"}
    if packed:
        headers["Content-Encoding"] = "gzip"
    opener = urllib.request.build_opener(NoRedirects, urllib.request.HTTPSHandler(context=_tls(variables)))

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


def _tls(variables: Variables) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=variables.get("CERTIFICATE") or None)
    if certificate := variables.get("CLIENT_CERTIFICATE"):
        context.load_cert_chain(certificate, variables.get("CLIENT_KEY") or None)
    return context


def _over_grpc(variables: Variables) -> Send:
    import grpc  # noqa: PLC0415  # half a second, in our own thread

    channel = _channel(grpc, variables)
    export = channel.unary_unary(_METHOD)
    metadata = tuple(variables.headers.items())
    compression = grpc.Compression.Gzip if variables.packed else None
    timeout_s = variables.timeout_s

    def send(body: bytes) -> None:
        try:
            _check(export(body, timeout=timeout_s, metadata=metadata, compression=compression))
        except grpc.RpcError as error:
            code = cast("grpc.Call", error).code().name
            raise (RefusedError if code in _REFUSED_CODES else UnavailableError)(f"gRPC {code}") from None

    return send


def _channel(grpc: Any, variables: Variables) -> Any:
    endpoint = variables.endpoint
    url = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    if url.scheme != "https" and (url.scheme == "http" or variables.get("INSECURE").lower() == "true"):
        return grpc.insecure_channel(url.netloc)
    return grpc.secure_channel(
        url.netloc,
        grpc.ssl_channel_credentials(
            *(_content(variables.get(name)) for name in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"))
        ),
    )


def _content(path: str) -> bytes | None:
    if not path:
        return None
    with open(path, "rb") as file:
        return file.read()


def _check(answer: bytes) -> None:
    """Raise unless the answer says that all was taken. What is no answer of OTLP's comes from another server."""
    try:
        rejected = ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records
    except DecodeError:
        raise UnavailableError("the answer is not OTLP") from None
    if rejected:
        raise RefusedError(f"{rejected} records rejected")
