"""Providers that other packages bring, by entry points of the group `otel_costs_provider`.

Each is loaded once and for itself: one that cannot be loaded is one warning, and the others are there.
"""

import importlib
import importlib.metadata
import logging
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint
from typing import Any, Final

from otel_costs import semconv

GROUP: Final = "otel_costs_provider"

_log: Final = logging.getLogger(semconv.SCOPE)


@cache
def loaded() -> tuple[tuple[str, Any], ...]:
    """Return the objects that the entry points name, unchecked, each with a label for the log. Never raises."""
    found = []
    try:
        for entry in _entry_points():
            try:
                found.append((_label(entry), entry.load()))
            except (Exception, SystemExit) as error:  # noqa: BLE001
                _log.warning("%s cannot be loaded: %s: %s", _label(entry), type(error).__name__, error)
    except Exception as error:  # noqa: BLE001
        _log.warning("otel_costs could not read the entry points of packages: %s", error)
    return tuple(found)


def _label(entry: EntryPoint) -> str:
    package = f" of {entry.dist.name}" if entry.dist is not None else ""
    return f"The provider {entry.name!r}{package}"


def _entry_points() -> Iterable[EntryPoint]:
    try:  # OpenTelemetry has read them all when it was imported
        found = importlib.import_module("opentelemetry.util._importlib_metadata")
    except ImportError:
        found = importlib.metadata
    return sorted(found.entry_points(group=GROUP), key=lambda entry: entry.name)
