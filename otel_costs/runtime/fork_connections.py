"""A forked child's exporters open connections of their own: on its parent's, what all of them write would be mixed up.

The SDK renews the threads and the queues of a child, and leaves the pool of `requests` as it was. Exporters over gRPC
see to it themselves.
"""

import copy
from collections.abc import Iterable, Iterator
from typing import Any, Final

from otel_costs.runtime import telemetry

# From a provider of the SDK to its exporters' sessions, in the versions from 1.40 on.
_WAY: Final = (
    "_active_span_processor",
    "_multi_log_record_processor",
    "_span_processors",
    "_log_record_processors",
    "_sdk_config",
    "metric_readers",
    "_metric_readers",
    "_batch_processor",
    "_exporter",
    "span_exporter",
    "_client",
    "_transport",
    "_session",
)

# Kept: to close a pool may wait for ever for a lock that a thread of the parent held.
_parents: Final[list[Any]] = []


@telemetry.never_raises("give a forked process connections of its own")
def renew(providers: Iterable[object]) -> None:
    """Let go of the connections of the providers' exporters, without closing them."""
    for session in _sessions(providers):
        for prefix, adapter in list(session.adapters.items()):
            _parents.append(adapter)
            session.adapters[prefix] = copy.copy(adapter)


def _sessions(providers: Iterable[object]) -> Iterator[Any]:
    pending: list[Any] = list(providers)
    while pending:
        found = pending.pop()
        if isinstance(found, list | tuple):
            pending += found
        elif hasattr(found, "adapters"):
            yield found
        else:
            pending += [value for name in _WAY if (value := getattr(found, name, None)) is not None]
