"""A vendor: its name and hosts, what of its API is billed, and how that is read. It describes, and patches nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from otel_costs.providers.kit.request import Endpoint
from otel_costs.providers.kit.sdk_method import Method
from otel_costs.transports.websocket.matching import Handshake, Observer


def stainless(module: str) -> tuple[str, str]:
    """Return the methods in which a package that Stainless generates tries again; `module` is its `_base_client`."""
    return f"{module}:SyncAPIClient.request", f"{module}:AsyncAPIClient.request"


def fern(module: str) -> tuple[str, str]:
    """Return the methods in which a package that Fern generates tries again; `module` is its `core.http_client`."""
    return f"{module}:HttpClient.request", f"{module}:AsyncHttpClient.request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A provider of a package of its own, over whichever of the three ways it is reached.

    Over HTTP (`httpx` or `httpx2`): `endpoints`, and `clients`, the methods of its package in which that tries again.
    Over anything else that its package has a method for (gRPC, a native library): `methods`.
    On WebSockets: `match`, which is asked about every socket to its hosts.
    """

    name: str
    """`gen_ai.provider.name`, and what its prices are listed under."""
    hosts: Sequence[str] = ()
    """Its hosts, or the ends of their names: `acme.com` is `api.eu.acme.com`, too."""
    agent: str = ""
    """How its package names itself in `user-agent`, in lower case: it is recognized by that at unknown hosts."""
    endpoints: Sequence[Endpoint] = ()
    clients: Sequence[str] = ()
    """`module:Class.method`. They are wrapped when the module is imported; what they repeat is one call."""
    methods: Sequence[Method] = ()
    match: Callable[[Handshake], Observer | None] | None = None
    prices: Path | None = None
    """Its price file; it counts below the user's and above genai-prices. None: it has none."""

    def endpoint(self, method: str, path: str) -> Endpoint | None:
        """Return the endpoint that is asked; None if what is asked is not billed."""
        path = "/" + path.lstrip("/")
        return next((one for one in self.endpoints if one.method == method and one.pattern.search(path)), None)
