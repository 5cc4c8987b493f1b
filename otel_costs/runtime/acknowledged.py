"""How many of this process's calls a collector has acknowledged, so that an end can say how many are lost.

Counted at the exporters of the SDK that speak OTLP, batch by batch. Where none of them is used nothing is known, and
nothing is said. What the spool keeps is not lost.
"""

import os
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.runtime import decision_log, telemetry
from otel_costs.runtime.patching import Patches

_EXPORTERS: Final = (
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.grpc._log_exporter",
)

_taken: dict[int, int] = {}
"""Calls that were acknowledged, by exporter. Each exporter is used by one thread at a time."""
_kept = 0
_before = 0
"""Number of the last call before the count began."""


def install(patches: Patches) -> None:
    """Count what the exporters send."""
    for module in _EXPORTERS:
        patches.on_import(module, partial(_watch, module), __name__)


def keep() -> None:
    """Count a call whose record lies on disk."""
    global _kept
    _kept += 1


def kept() -> int:
    """Return how many calls of this process have a record on disk."""
    return _kept


def lost() -> tuple[int, int]:
    """Return how many calls of this process no exporter has sent, and how many there were.

    (0, 0) where no exporter is known. With several exporters, what the best of them has not sent.
    """
    if not _taken:
        return 0, 0
    written = telemetry.process.last_seq - _before
    return max(0, written - _kept - max(_taken.values())), written


def forget() -> None:
    """Count from zero, the calls to come; as after a restart."""
    global _kept, _before
    _taken.clear()
    _kept, _before = 0, telemetry.process.last_seq


def _watch(module: str, patches: Patches) -> None:
    patches.wrap(module, "OTLPLogExporter.export", _export)


def _export(wrapped: Any, exporter: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    _taken.setdefault(id(exporter), 0)
    result = wrapped(*args, **kwargs)
    if getattr(result, "name", None) == "SUCCESS":
        sent = _calls(args[0] if args else kwargs.get("batch", ())) or 0
        _taken[id(exporter)] = _taken.get(id(exporter), 0) + sent  # it may have been forgotten meanwhile
    return result


@telemetry.never_raises("count what was sent")
def _calls(batch: Iterable[Any]) -> int:
    """Return how many records of a batch, which was sent, are of calls of this process."""
    process_id = telemetry.process.id
    own = [
        data.log_record.attributes.get(names.CALL_ID)
        for data in batch
        if data.log_record.event_name == names.CALL_EVENT
        and data.log_record.attributes.get(names.PROCESS_ID) == process_id
    ]
    decision_log.sent(own, "the OTLP endpoint")
    return len(own)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
