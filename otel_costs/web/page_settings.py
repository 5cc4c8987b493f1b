"""What pages know of the application beside figures: where traces are seen, the zone, where records are sent."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Self
from urllib.parse import urlsplit

from otel_costs.semconv import ENV_JAEGER_URL
from otel_costs.store.periods import zone

_MOST: Final = 1024
# A URL as it is written: what is left out here is encoded in one, or ends it.
_WRITTEN: Final = re.compile(r"[!$%&'()*+,\-./:;=@\[\]_~0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Otlp:
    """Where OTLP is received: the addresses over HTTP and over gRPC."""

    http: str
    grpc: str


@dataclass(frozen=True, slots=True)
class PageSettings:
    """The settings of an application's pages.

    `jaeger_url` is the address of Jaeger's pages, without a slash at its end, None where there are none; `tz` the zone
    of days where a page's address names none; `otlp` where records are received, by `otel-costs local` alone.
    """

    jaeger_url: str | None = None
    tz: str = "UTC"
    otlp: Otlp | None = None
    is_local: bool = False
    version: str = "0"

    @classmethod
    def of(cls, jaeger_url: str | None = None, otlp: Otlp | None = None) -> Self:
        """Return the settings; None is that of OTEL_COSTS_JAEGER_URL, and the zone that of OTEL_COSTS_TZ.

        Raises ValueError for an address or a zone that is none.
        """
        given = os.environ.get(ENV_JAEGER_URL, "") if jaeger_url is None else jaeger_url
        return cls(
            jaeger_url=checked_url(given) if given.strip() else None,
            tz=zone().key,
            otlp=otlp,
            is_local=otlp is not None,
            version=package_version(),
        )

    @property
    def trace_url(self) -> str | None:
        """The address of a trace, in which `{trace_id}` stands for its id; None where traces are not seen."""
        return self.jaeger_url and f"{self.jaeger_url}/trace/{{trace_id}}"

    def as_json(self) -> Mapping[str, Any]:
        """Return the settings for a page, in JSON's types."""
        return {
            "tz": self.tz,
            "trace_url": self.trace_url,
            "otlp": self.otlp and {"http": self.otlp.http, "grpc": self.otlp.grpc},
            "is_local": self.is_local,
            "version": self.version,
        }


def checked_url(text: str) -> str:
    """Return the address of a Jaeger, without the slash at its end. Raises ValueError for what is none."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or a host that cannot be
        is_address = False
    if not is_address or not _WRITTEN.fullmatch(url) or len(url) > _MOST:
        raise ValueError(
            f"{text[:100]!r} is no address of a Jaeger: give that of its pages, such as http://localhost:16686"
        )
    if "@" in parts.netloc:
        raise ValueError("the address of a Jaeger goes to every reader of a page: give it without user and password")
    return url


def package_version() -> str:
    """Return the version of the package that is installed; 0 where it is not."""
    try:
        return version("otel-costs")
    except PackageNotFoundError:
        return "0"
