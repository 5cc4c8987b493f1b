"""Threads, executors and pools keep the session that gives them work; contextvars alone stop at a thread's edge.

A thread belongs to the session that started it. The workers of a pool belong to none, and each task to the session
that submitted it: a pool that was first used in one session serves others, too.
"""

import threading
from functools import partial
from typing import Any

from otel_costs.runtime.patching import Patches, Wrapper
from otel_costs.sessions.scope import Scope, current_scope, entered


def install(patches: Patches) -> None:
    """Carry the scope into threads, `concurrent.futures` (`run_in_executor` too) and `multiprocessing.pool`.

    `asyncio.to_thread` copies the context by itself. Nothing is changed for what is started outside any session.
    """
    for module, wrappers in _WRAPPERS.items():
        patches.on_import(module, partial(_wrap, module, wrappers))


def _wrap(module: str, wrappers: dict[str, Wrapper], patches: Patches) -> None:
    for path, wrapper in wrappers.items():
        patches.wrap(module, _defined(path) if module == "threading" else path, wrapper)


def _defined(path: str) -> str:
    """Return the path of a method to the class that defines it: gevent puts a class of its own before `Thread`."""
    name, method = path.split(".")
    classes = getattr(threading, name).__mro__
    return name + ".__base__" * next(n for n, found in enumerate(classes) if method in vars(found)) + f".{method}"


def _start(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    scope = current_scope()
    if scope is None or instance.name.startswith("otel_costs"):  # ours work for all sessions
        return wrapped(*args, **kwargs)
    # On the instance: a subclass that overrides `run` would hide a patch of `Thread.run`.
    own = vars(instance).get("run")
    instance.run = partial(_run, scope, instance, own)
    try:
        return wrapped(*args, **kwargs)
    except RuntimeError:
        _restore_run(instance, own)
        raise


def _run(scope: Scope, thread: Any, own: Any) -> Any:
    _restore_run(thread, own)
    with entered(scope):
        return thread.run()


def _restore_run(thread: Any, own: Any) -> None:
    if own is None:
        vars(thread).pop("run", None)
    else:
        thread.run = own


def _submit(wrapped: Any, _pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    scope = current_scope()
    if scope is None or not args:
        return wrapped(*args, **kwargs)
    # An executor starts its workers here, when it needs more of them.
    with entered(None):
        return wrapped(partial(_call, scope, args[0]), *args[1:], **kwargs)


def _unattributed(wrapped: Any, _pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if current_scope() is None:
        return wrapped(*args, **kwargs)
    with entered(None):
        return wrapped(*args, **kwargs)


def _call(scope: Scope, function: Any, *args: Any, **kwargs: Any) -> Any:
    with entered(scope):
        return function(*args, **kwargs)


_WRAPPERS: dict[str, dict[str, Wrapper]] = {
    "threading": {"Thread.start": _start},
    "concurrent.futures.thread": {"ThreadPoolExecutor.submit": _submit},
    "concurrent.futures.process": {"ProcessPoolExecutor.submit": _submit},
    "multiprocessing.pool": {
        "Pool.__init__": _unattributed,
        "Pool.apply_async": _submit,
        "Pool._map_async": _submit,
        "Pool.imap": _submit,
        "Pool.imap_unordered": _submit,
    },
}
