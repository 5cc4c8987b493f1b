"""`OTEL_COSTS_SPOOL=folder`: ledger records lie on disk until the collector has acknowledged them.

Without it they wait in the SDK's queue, which forgets what is killed and drops the oldest of a long outage. With it,
the SDK's processors do not see ledger records: they go to a file, and from there to the collector.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_costs.runtime import acknowledged, telemetry
from otel_costs.runtime.patching import Patches
from otel_costs.semconv import CALL_EVENT, ENV_SPOOL, PROCESS_EVENT

if TYPE_CHECKING:
    from otel_costs.spool.sender import Spool

_spool: "Spool | None" = None

_SDK = "opentelemetry.sdk._logs._internal"
_PROCESSORS = ("SynchronousMultiLogRecordProcessor", "ConcurrentMultiLogRecordProcessor")

_SPOOLED = (CALL_EVENT, PROCESS_EVENT)
"""Calls, and up to where those of a process go that is gone: an outage that calls survive must not lose that."""


def install(patches: Patches) -> None:
    """Keep ledger records in the folder that the environment names; without one, do nothing."""
    global _spool
    folder = os.environ.get(ENV_SPOOL, "").strip()
    if not folder:
        return
    if sys.platform == "win32":
        telemetry.log.warning("%s needs file locks that Windows does not have: it is not used", ENV_SPOOL)
        return
    if _spool is None:
        # Only where it is wanted: it imports protobuf, and file locks, which Windows does not have.
        from otel_costs.spool.sender import Spool  # noqa: PLC0415

        _spool = Spool(Path(folder).absolute())
        _spool.open()  # a folder that cannot be used is said now; and what others left is sent
    # The one place that all records of a provider pass, after the SDK has added the resource and before any queue.
    for processor in _PROCESSORS:
        patches.wrap(_SDK, f"{processor}.on_emit", _on_emit)
        patches.wrap(_SDK, f"{processor}.force_flush", _on_flush)
        patches.wrap(_SDK, f"{processor}.shutdown", _on_shutdown)


def remove() -> None:
    """Send what can be sent now, and leave the rest to the next process."""
    global _spool
    if _spool is not None:
        _spool.close()
        _spool = None


def _on_emit(wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if _spool is not None and not kwargs and len(args) == 1 and _kept(_spool, args[0]):
        return None
    return wrapped(*args, **kwargs)


@telemetry.never_raises("spool a ledger record")
def _kept(spool: "Spool", record: Any) -> bool:
    """Whether it is a ledger record, and on disk now. If not, it goes the SDK's way."""
    event = getattr(record.log_record, "event_name", None)
    if event not in _SPOOLED or not spool.keep(_encoded(record)):
        return False
    if event == CALL_EVENT:
        acknowledged.keep()
    return True


def _encoded(record: Any) -> bytes:
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs  # noqa: PLC0415  # imports protobuf

    return encode_logs([record]).SerializeToString()


def _on_flush(wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    timeout_ms = args[0] if args else kwargs.get("timeout_millis", 30_000)
    sent = _spool is None or _spool.flush(timeout_ms / 1000)
    return wrapped(*args, **kwargs) and sent


def _on_shutdown(wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if _spool is not None:
        _spool.flush(3.0)
    return wrapped(*args, **kwargs)


def _renew() -> None:
    # What lies in the parent's files is the parent's to send; its thread was not copied.
    global _spool
    if _spool is not None:
        _spool = _spool.for_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
