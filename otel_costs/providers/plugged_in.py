"""Vendors put where their calls are recorded: ours, and those of other packages, where a bug costs that one alone."""

from collections.abc import Mapping
from typing import Any

from otel_costs import hosts
from otel_costs.providers.kit import httpx_patch, sdk_method
from otel_costs.providers.kit.vendor import Vendor
from otel_costs.runtime import plugins, telemetry
from otel_costs.runtime.patching import Patches
from otel_costs.transports import websocket


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
        httpx_patch.install(patches, vendor)
    if vendor.methods:
        sdk_method.install(patches, vendor.name, next(iter(vendor.hosts), ""), vendor.methods)
    if vendor.match is not None:
        websocket.matched_by(vendor.match, (vendor.name,))


def records(module: str, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Return whether a vendor records what a client asks by its method in `module`: at its hosts, of its endpoints."""
    for vendor in (found for _, found in plugins.loaded() if isinstance(found, Vendor)):
        if any(method.partition(":")[0] == module for method in vendor.clients):
            url = getattr(client, "base_url", None)
            provider = hosts.provider_of(*hosts.address_of(str(url))) if url else vendor.name
            if provider in (vendor.name, None) and vendor.endpoint(*httpx_patch.route(args, kwargs)):
                return True
    return False
