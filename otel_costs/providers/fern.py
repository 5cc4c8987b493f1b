"""SDKs that Fern generates: patched where they try again."""

from typing import Any

from otel_costs.patching import Patches
from otel_costs.providers import vendor_http
from otel_costs.providers.vendor_call import Vendor


def install(patches: Patches, vendor: Vendor, module: str) -> None:
    """Record what is asked of `vendor`; `module` is the one of its SDK that has the clients."""
    vendor_http.install(patches, vendor, module, "HttpClient.request", "AsyncHttpClient.request", route=_route)


def _route(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str]:
    return kwargs["method"], args[0] if args else kwargs["path"]
