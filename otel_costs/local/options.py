"""What to serve, where, and where it came to be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_costs.values.loopback import is_loopback

STOP_S: Final = 10.0
"""Seconds that a stop takes at most."""

BODY_BYTES: Final = 20 * 2**20
"""The limit of the collector's OTLP receiver."""


class StartError(Exception):
    """It cannot start; the message says why and what to do."""


class EndedError(Exception):
    """It ended without a request to; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to serve and where. Port 0: any free one. `max_body_bytes`: of an OTLP request, also after decompression.

    `jaeger_url`: where pages link to traces; None is that of OTEL_COSTS_JAEGER_URL. `allocation`: the file of rules
    that say whose spend is; None is that of OTEL_COSTS_ALLOCATION.
    """

    data: Path
    host: str = "127.0.0.1"
    otlp_http_port: int = 4318
    otlp_grpc_port: int = 4317
    http_port: int = 8123
    token: str | None = None
    max_body_bytes: int = BODY_BYTES
    jaeger_url: str | None = None
    allocation: str | None = None

    def __post_init__(self) -> None:
        if not self.token and not self.is_loopback:
            raise StartError(f"{self.host} can be reached from other machines: give a --token, or --host 127.0.0.1")

    @property
    def is_loopback(self) -> bool:
        """Return whether only this machine can reach `host`."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where it serves, and what its user should know: sentences, each a line at the start."""

    otlp_http_url: str
    otlp_grpc_url: str
    http_url: str
    notices: tuple[str, ...] = ()
