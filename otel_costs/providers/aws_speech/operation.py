"""An operation of AWS that is billed, or that polls one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from otel_costs import hosts
from otel_costs.calls.call import Call
from otel_costs.calls.reading import Reading
from otel_costs.hosts import Host


@dataclass(frozen=True, slots=True)
class AwsService:
    """Where an operation goes: the host, and the region of the client."""

    host: Host
    region: str

    @classmethod
    def of(cls, client: Any) -> "AwsService":
        """Return where a client of botocore sends its operations."""
        meta = client.meta
        return cls(hosts.at(*hosts.address_of(str(meta.endpoint_url))), str(meta.region_name))

    def call(self, operation: str, model: str | None) -> Call:
        """Start a call. An unknown host, such as an emulator's, has none of AWS's prices."""
        host = self.host
        return Call(operation, host.provider, model, attributes=host.attributes, endpoint=host.address)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation, and what is read of it: of one that is billed, or of one that polls jobs."""

    operation: str
    """`text_to_speech` or `speech_to_text`."""
    read: Callable[[AwsService, Mapping[str, Any], Mapping[str, Any]], Reading] | None = None
    """What the parameters and the parsed answer say of the call; with an empty answer what the parameters say."""
    model: Callable[[Mapping[str, Any]], str | None] = lambda _: None
    """The model that the parameters ask for; of a look, each job tells."""
    polled: Callable[[AwsService, Mapping[str, Any]], Iterable[Reading]] | None = None
    """What the parsed answer says of the jobs that it shows."""


def epoch_s(moment: object) -> int | None:
    """Return a moment of botocore's in seconds since 1970."""
    return int(moment.timestamp()) if isinstance(moment, datetime) else None


def text(value: object) -> str | None:
    """Return a text that is not empty."""
    return value if isinstance(value, str) and value else None
