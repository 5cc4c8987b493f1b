"""Vendors put where their calls are recorded: ours, and those of other packages, where a bug costs that one alone."""

from collections.abc import Mapping
from typing import Any

from otel_costs import plugins, sockets, telemetry
from otel_costs.patching import Patches
from otel_costs.providers import hosts, sdk_method, vendor_http
from otel_costs.providers.vendor import Vendor


def install(patches: Patches) -> None:
    """Record the calls of all vendors that entry points name. Never raises."""
    for name, found in plugins.loaded():
        try:
            if not isinstance(found, Vendor):
                raise TypeError(f"it is no Vendor, but {type(found).__name__}")
            put(patches, found)
        except Exception as error:  # noqa: BLE001
            telemetry.log.warning("%s is not recorded: %s: %s", name, type(error).__name__, error)


def put(patches: Patches, vendor: Vendor) -> None:
    """Record the calls of a vendor, whichever ways it has."""
    hosts.add(vendor.name, vendor.hosts)
    if vendor.endpoints:
        vendor_http.install(patches, vendor)
    if vendor.methods:
        sdk_method.install(patches, vendor.name, next(iter(vendor.hosts), ""), vendor.methods)
    if vendor.claim is not None:
        sockets.claimed_by(vendor.claim, (vendor.name,))


def records(module: str, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Return whether a vendor records what a client asks by its method in `module`: at its hosts, of its endpoints."""
    for vendor in (found for _, found in plugins.loaded() if isinstance(found, Vendor)):
        if any(method.partition(":")[0] == module for method in vendor.clients):
            url = getattr(client, "base_url", None)
            provider = hosts.provider_of(*hosts.address_of(str(url))) if url else vendor.name
            if provider in (vendor.name, None) and vendor.endpoint(*vendor_http.route(args, kwargs)):
                return True
    return False
