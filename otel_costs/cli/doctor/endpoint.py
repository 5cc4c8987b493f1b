"""Where records go: the exporter for logs, its address, and whether that speaks the protocol that is configured.

The address is asked with an empty request of OTLP, which stores nothing. Where it does not take that, what else may be
meant is tried: the other protocol, the usual port, no TLS, the path of logs. What works is the variable to change.
"""

import socket
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from otel_costs.cli.doctor.finding import Finding, note, ok, problem
from otel_costs.spool import delivery

EXPORTER: Final = "OTEL_LOGS_EXPORTER"
PORTS: Final[Mapping[str, int]] = {"grpc": 4317, "http/protobuf": 4318}
PATIENCE_S: Final = 3

_CHECK: Final = "exporter"
_OTLP: Final = {"otlp": "", "otlp_proto_grpc": "grpc", "otlp_proto_http": "http/protobuf"}
_REFUSED: Final = ("HTTP 401", "HTTP 403", "gRPC UNAUTHENTICATED", "gRPC PERMISSION_DENIED")
_NO_LOGS: Final = ("HTTP 404", "HTTP 405", "gRPC UNIMPLEMENTED")


class Target(NamedTuple):
    """An address as people read it, without a user, a password or a path that may be one, and where it is."""

    printable: str
    host: str
    port: int


def findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield whether records are exported, to where, and whether that takes them."""
    names = [name.strip() for name in (environ.get(EXPORTER) or "otlp").split(",") if name.strip()]
    if names == ["none"]:
        yield problem(_CHECK, f"{EXPORTER}=none: calls are not recorded.", f"Unset {EXPORTER}, or set it to otlp.")
        return
    known = {one.name for one in entry_points(group="opentelemetry_logs_exporter")}
    if unknown := [name for name in names if name not in known]:
        yield problem(
            _CHECK,
            f"{EXPORTER} names {', '.join(unknown)}, which is not installed; the program does not start with it.",
            f"Set {EXPORTER}=otlp (there are {', '.join(sorted(known))}).",
        )
    otlp = [name for name in names if name in _OTLP]
    if not otlp:
        yield note(
            _CHECK,
            f"{EXPORTER}={','.join(names)}: records do not go to an OTLP endpoint.",
            f"Set {EXPORTER}=otlp to have them in a store.",
        )
    for name in otlp:
        yield from _otlp(dict(environ), _OTLP[name])


def _otlp(environ: dict[str, str], protocol: str) -> Iterator[Finding]:
    if protocol:  # an exporter of one protocol asks no variable
        environ["OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"] = protocol
    environ["OTEL_EXPORTER_OTLP_LOGS_TIMEOUT"] = str(PATIENCE_S)
    variables = delivery.Variables(environ)
    if variables.protocol not in PORTS:
        yield problem(
            _CHECK,
            f"{_variable(environ, 'PROTOCOL')}={variables.protocol[:32]} is no protocol of Python's exporter.",
            f"Set {_variable(environ, 'PROTOCOL')} to grpc or http/protobuf.",
        )
        return
    target = _target(variables)
    if target is None:
        yield problem(
            _CHECK,
            f"The address in {_variable(environ, 'ENDPOINT')} cannot be read.",
            f"Set it to http://HOST:{PORTS[variables.protocol]}.",
        )
        return
    why = _why_not(environ)
    if why is None:
        yield ok(_CHECK, f"{target.printable} takes log records over {variables.protocol}.")
    else:
        yield _failed(environ, variables.protocol, target, why)


def _failed(environ: dict[str, str], protocol: str, target: Target, why: str) -> Finding:
    not_taken = f"{target.printable} does not take log records over {protocol} ({why})."
    if why in _REFUSED:
        return problem(
            _CHECK,
            f"{target.printable} refuses the credentials ({why}).",
            f"Set {_variable(environ, 'HEADERS')} to what it asks for: Authorization=Bearer%20TOKEN.",
        )
    unreached = _unreached(target)
    for change in _alternatives(environ, protocol, target):
        if _why_not({**environ, **change}) is None:
            settings = " and ".join(f"{name}={value}" for name, value in change.items())
            return problem(_CHECK, not_taken, f"Set {settings}.")
    if why in _NO_LOGS:
        return problem(
            _CHECK,
            f"What answers at {target.printable} takes no log records ({why}).",
            "Send logs to `otel-costs local`, or to a collector with a pipeline for them; Jaeger takes traces alone.",
        )
    return problem(
        _CHECK,
        unreached or not_taken,
        f"Start the collector or `otel-costs local`, or set {_variable(environ, 'ENDPOINT')} to where it is.",
    )


def _alternatives(environ: Mapping[str, str], protocol: str, target: Target) -> Iterator[dict[str, str]]:
    """Yield what else may be meant, as variables to set, the least change first."""
    endpoint_name, protocol_name = _variable(environ, "ENDPOINT"), _variable(environ, "PROTOCOL")
    (other,) = PORTS.keys() - {protocol}
    host = f"[{target.host}]" if ":" in target.host else target.host
    of_logs = endpoint_name.endswith("LOGS_ENDPOINT")

    def address(port: int, spoken: str) -> str:
        return f"http://{host}:{port}" + ("/v1/logs" if of_logs and spoken == "http/protobuf" else "")

    given = environ.get(endpoint_name, "")
    same = address(target.port, protocol)
    if given and given.rstrip("/") != same:  # no TLS, or the path of logs
        yield {endpoint_name: same}
    spoken = {protocol_name: other}
    if environ.get(EXPORTER) in ("otlp_proto_grpc", "otlp_proto_http"):
        spoken[EXPORTER] = "otlp"  # those have one protocol, whatever a variable says
    yield {**spoken, **({endpoint_name: address(target.port, other)} if given else {})}
    if target.port != PORTS[protocol]:
        yield {endpoint_name: address(PORTS[protocol], protocol)}
    if target.port != PORTS[other]:
        yield {**spoken, endpoint_name: address(PORTS[other], other)}


def _variable(environ: Mapping[str, str], name: str) -> str:
    """Return the variable that is in force: that for logs where it is set, else that for all signals."""
    of_logs = f"OTEL_EXPORTER_OTLP_LOGS_{name}"
    return of_logs if environ.get(of_logs) else f"OTEL_EXPORTER_OTLP_{name}"


def _target(variables: delivery.Variables) -> Target | None:
    endpoint = variables.endpoint
    try:
        url = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
        port = url.port or {"https": 443, "http": 80}.get(url.scheme, PORTS[variables.protocol])
    except ValueError:
        return None
    return Target(_printable(url), url.hostname, port) if url.hostname else None


def _printable(url: SplitResult) -> str:
    where = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{where}" if url.scheme else where


def _why_not(environ: Mapping[str, str]) -> str | None:
    """Return why an empty request is not taken; None if it is."""
    try:
        delivery.connect(environ)(b"")
    except (delivery.UnavailableError, delivery.RefusedError) as error:
        return str(error)
    except (OSError, ValueError) as error:
        return type(error).__name__
    return None


def _unreached(target: Target) -> str | None:
    """Return why no connection comes about; None if one does, and what is there speaks something else."""
    try:
        socket.create_connection((target.host, target.port), PATIENCE_S).close()
    except socket.gaierror:
        return f"The host of {target.printable} cannot be found."
    except ConnectionRefusedError:
        return f"Nobody listens at {target.printable}."
    except OSError as error:
        return f"{target.printable} cannot be reached ({type(error).__name__})."
    return None
