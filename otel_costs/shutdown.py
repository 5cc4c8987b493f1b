"""Nothing that finished is lost when the process stops, and the process stops within `DEADLINE_S`.

The SDK flushes at a normal exit only, and as long as its exporters like. SIGTERM, SIGHUP and the end of a
multiprocessing child lose what is queued. All of them come here, and have three seconds together.
"""

import atexit
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import wrapt

from otel_costs import outbox, telemetry

DEADLINE_S: Final = 3.0
SIGNALS: Final = tuple(found for name in ("SIGTERM", "SIGHUP") if (found := getattr(signal, name, None)) is not None)

_installed = False
_looked_again = False
_adopted: set[int] = set()


def install() -> None:
    """Take over the end of this process; a second time does nothing."""
    global _installed
    adopt()
    if _installed:
        return
    _installed = True
    atexit.register(_at_exit)
    wrapt.register_post_import_hook(_flush_children, "multiprocessing.util")
    _handle_signals()


def adopt() -> None:
    """Take the providers in force from the SDK's own exit handlers, which know no deadline."""
    for provider in telemetry.current().global_or_given():
        if id(provider) not in _adopted and callable(shutdown := getattr(provider, "shutdown", None)):
            _adopted.add(id(provider))
            atexit.unregister(shutdown)


def adopt_once() -> None:
    """Look again at the first call: an application that instruments first may have set its providers since."""
    global _looked_again
    if not _looked_again:
        _looked_again = True
        adopt()
        telemetry.warn_without_ledger()


def flush(deadline_s: float = DEADLINE_S, *, final: bool = False) -> bool:
    """Export what is queued; `final` shuts the providers down as well. Return whether it was done in `deadline_s` seconds.

    The providers are flushed side by side, in daemon threads: `force_flush` ignores its timeout.
    """
    end = time.monotonic() + deadline_s
    outbox.drain(deadline_s)
    verb = "shutdown" if final else "force_flush"
    actions = [found for p in telemetry.current().global_or_given() if callable(found := getattr(p, verb, None))]
    threads = [_start(action) for action in actions]
    for thread in threads:
        if thread is not None:
            thread.join(max(0.0, end - time.monotonic()))
    return not any(thread is not None and thread.is_alive() for thread in threads)


def _start(action: Callable[[], Any]) -> threading.Thread | None:
    thread = threading.Thread(target=_quietly, args=(action,), name="otel_costs flush", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # The interpreter is past the point where threads start: better late than lost.
        _quietly(action)
        return None
    return thread


def _quietly(action: Callable[[], Any]) -> None:
    try:
        action()
    except Exception as error:  # noqa: BLE001
        telemetry.complain_once("flush", "otel_costs could not flush", error=error)


def _at_exit() -> None:
    if not flush(final=True):
        telemetry.log.warning(
            "Telemetry was not taken within %.0f s at exit; what was queued is lost. Is the collector up?", DEADLINE_S
        )


def _handle_signals() -> None:
    """Flush on signals that nobody handles. A server that installs its own later restores ours and raises again."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    # In a thread: the interrupted main thread may hold a lock that the flush needs; then the deadline ends the wait.
    worker = threading.Thread(target=flush, args=(DEADLINE_S,), name="otel_costs signal", daemon=True)
    worker.start()
    worker.join(DEADLINE_S)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _flush_children(util: Any) -> None:
    # A multiprocessing child ends by os._exit. Its finalizers are cleared after the fork, and these hooks run after that.
    util.register_after_fork(_installed_marker, lambda _: util.Finalize(None, flush, exitpriority=100))


class _Marker:
    """multiprocessing keeps its hooks by weak reference to an object; this one lives as long as the module."""


_installed_marker: Final = _Marker()
