"""Nothing that finished is lost when the process stops, and the process stops within `DEADLINE_S`.

The SDK flushes at a normal exit only, and as long as its exporters like. SIGTERM, SIGHUP and the end of a
multiprocessing child lose what is queued. All of them come here, and have three seconds together.
"""

import atexit
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any, Final

from otel_costs.runtime import acknowledged, background, fork_connections, ledger, telemetry, unfinished
from otel_costs.runtime.patching import Patches
from otel_costs.runtime.spare_threads import SpareThreads
from otel_costs.semconv import ENV_SPOOL

DEADLINE_S: Final = 3.0
SIGNALS: Final = tuple(found for name in ("SIGTERM", "SIGHUP") if (found := getattr(signal, name, None)) is not None)

# Of the deadline, for saying what is lost.
_WARNING_S: Final = 0.2

# Of the deadline, for calls that are still being written: the rest is for what is written already.
_WRITING_S: Final = DEADLINE_S / 2

_spare_threads: SpareThreads | None = None
_adopted: dict[int, Any] = {}
has_adopted_once = False
"""Whether providers were looked for at the first call."""
_until: float | None = None
"""When this process must be gone, by `time.monotonic`; None while it is not ending."""
_flushed = False


def install(patches: Patches) -> None:
    """Flush at the end of this process from now on; called again, only new providers are looked for."""
    global _spare_threads
    adopt()
    if _spare_threads is None:
        _spare_threads = SpareThreads()
        atexit.register(_at_exit)
        _handle_signals()
    acknowledged.install(patches)
    patches.wrap("signal", "signal", _set_signal)
    patches.on_import("multiprocessing.process", _watch_children)


def remove() -> None:
    """Give the end of the process back to the SDK."""
    global _spare_threads, has_adopted_once, _until, _flushed
    if _spare_threads is None:
        return
    _spare_threads.dismiss()
    _spare_threads, has_adopted_once, _until, _flushed = None, False, None, False
    atexit.unregister(_at_exit)
    for provider in _adopted.values():
        if _shuts_down_at_exit(provider):
            atexit.register(provider.shutdown)
    _adopted.clear()
    acknowledged.forget()
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is _on_signal:
                _default(number)


def adopt() -> None:
    """Unregister the SDK's own exit handlers of the providers in force: those know no deadline."""
    provider: Any
    for provider in telemetry.current().global_or_given():
        if id(provider) not in _adopted and _shuts_down_at_exit(provider):
            _adopted[id(provider)] = provider
            atexit.unregister(provider.shutdown)


def adopt_once() -> None:
    """Adopt providers at the first call, too: an application that instruments first may have set its own since."""
    global has_adopted_once
    if not has_adopted_once:
        has_adopted_once = True
        adopt()
        ledger.check()


def flush(*, final: bool = False) -> bool:
    """End what is open and export what is queued, for a process that ends; return whether it was done in time.

    All flushes of a process share one deadline. `final` shuts down the providers that the SDK would shut down.
    """
    global _until
    if _spare_threads is None:
        return True
    if _until is None:
        _until = time.monotonic() + DEADLINE_S - _WARNING_S
    _end_open(_spare_threads, _until)
    background.drain(min(_WRITING_S, max(0.0, _until - time.monotonic())))
    # In threads, side by side: `force_flush` ignores its timeout, and one collector may hang while another takes all.
    return _spare_threads.run(_flushes(final), _until)


def _end_open(spare_threads: SpareThreads, until: float) -> bool:
    """End what is open, and return whether all of it has ended.

    In a thread of its own: whatever that waits for, what is written already does not wait with it.
    """
    now = time.monotonic()
    return spare_threads.run([partial(unfinished.end_all, until - now)], min(until, now + unfinished.WAIT_S))


def _flushes(final: bool) -> Iterator[Callable[[], Any]]:
    for provider in _providers():
        adopted = id(provider) in _adopted
        if adopted and not _shuts_down_at_exit(provider):
            continue  # the application has shut it down
        flushing = getattr(provider, "shutdown" if final and adopted else "force_flush", None)
        if callable(flushing):
            yield getattr(flushing, "__wrapped__", flushing)  # without our patch, which waits for the jobs


def _providers() -> list[Any]:
    found = (*telemetry.current().global_or_given(), *_adopted.values())
    return list({id(each): each for each in found}.values())


def _shuts_down_at_exit(provider: Any) -> bool:
    """Whether the SDK shuts the provider down at exit, and has not done so yet."""
    return any(getattr(provider, name, None) is not None for name in ("_atexit_handler", "_at_exit_handler"))


def _flush_and_warn(*, final: bool = False) -> None:
    """Flush, and warn once of how much of the ledger is lost: no collector took it in time, or one refused it."""
    in_time = flush(final=final)
    if unwritten := background.waiting():
        telemetry.warn_once(
            "unwritten",
            "What is done after a call did not come back in time at the end of the process, a redactor or an exporter, "
            "say: up to %d calls are not recorded.",
            unwritten,
        )
    calls, written = acknowledged.lost()
    if calls:
        telemetry.warn_once(
            "lost",
            "The collector %s: the ledger records of %d of %d calls of this process are lost. %s keeps them on disk.",
            "refused records or dropped some" if in_time else f"did not take all within {DEADLINE_S:.0f} s at the end",
            calls,
            written,
            ENV_SPOOL,
        )
    elif not in_time:
        telemetry.warn_once(
            "lost",
            "The collector did not take all telemetry within %.0f s at the end of the process. %s. Is it running?",
            DEADLINE_S,
            "Queued spans and metrics are lost; the ledger is in the spool or was sent"
            if acknowledged.kept()
            else "What was queued is lost",
        )


def _at_exit() -> None:
    _flush_and_warn(final=True)


def _handle_signals() -> None:
    """Flush on signals that have no handler. A server that installs its own later restores ours and raises again."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _on_signal)


def _set_signal(wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Flush at a signal that is given back to its default, too: gunicorn's workers for uvicorn do so after the fork."""
    if (
        _spare_threads is not None
        and not kwargs
        and len(args) == 2
        and args[0] in SIGNALS
        and args[1] == signal.SIG_DFL
    ):
        return wrapped(args[0], _on_signal)
    return wrapped(*args, **kwargs)


def _default(number: int) -> None:
    """Give a signal back to its default, past our patch."""
    getattr(signal.signal, "__wrapped__", signal.signal)(number, signal.SIG_DFL)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    global _until
    if _until is not None and not _flushed:
        return  # it ends already: a second signal would cut short what the first one waits for
    if _spare_threads is not None and not _flushed:
        _until = time.monotonic() + DEADLINE_S - _WARNING_S
        # Not here: this thread was interrupted anywhere, and may hold a lock that the flush needs.
        if background.is_working() or not _end_open(_spare_threads, _until):
            # It is in the middle of a call's record, or of a socket's message: it must go on for that to be written.
            _spare_threads.run([partial(_flush_and_repeat, number)], 0)
            return
        _spare_threads.run([_flush_and_warn], _until + _WARNING_S)
    _default(number)
    os.kill(os.getpid(), number)


def _flush_and_repeat(number: int) -> None:
    global _flushed
    _flush_and_warn()
    _flushed = True
    os.kill(os.getpid(), number)


def _watch_children(patches: Patches) -> None:
    patches.wrap("multiprocessing.process", "BaseProcess._bootstrap", _bootstrap)


def _bootstrap(wrapped: Any, _process: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run all of a multiprocessing child, its finalizers and threads included; after this it ends by os._exit."""
    try:
        return wrapped(*args, **kwargs)
    finally:
        _flush_and_warn()


def _after_fork() -> None:
    global _spare_threads, _until, _flushed
    _until, _flushed = None, False
    if _spare_threads is not None:
        fork_connections.renew(_providers())
        _spare_threads = SpareThreads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
