"""Threads and executors keep the session of who started them; contextvars alone stop at a thread's edge."""

from functools import partial
from typing import Any

from otel_costs.patching import Patches
from otel_costs.session import Scope, current_scope, enter_scope


def install(patches: Patches) -> None:
    """Carry the scope into `threading.Thread` and `ThreadPoolExecutor` (which `run_in_executor` uses as well).

    `asyncio.to_thread` copies the context by itself. Nothing is done where no session is open.
    """
    patches.on_import("threading", lambda found: _wrap(found, "threading", "Thread.start", _start))
    patches.on_import(
        "concurrent.futures.thread",
        lambda found: _wrap(found, "concurrent.futures.thread", "ThreadPoolExecutor.submit", _submit),
    )


def _wrap(patches: Patches, module: str, path: str, wrapper: Any) -> None:
    patches.wrap(module, path, wrapper)


def _start(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    scope = current_scope()
    if scope is not None:
        # On the instance: a subclass that overrides `run` would hide a patch of `Thread.run`.
        instance.run = partial(_run, scope, instance)
    return wrapped(*args, **kwargs)


def _run(scope: Scope, thread: Any) -> Any:
    vars(thread).pop("run", None)
    enter_scope(scope)
    return thread.run()


def _submit(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    scope = current_scope()
    if scope is None or not args:
        return wrapped(*args, **kwargs)
    return wrapped(partial(_call, scope, args[0]), *args[1:], **kwargs)


def _call(scope: Scope, function: Any, *args: Any, **kwargs: Any) -> Any:
    # A pool's thread goes on to the next task, perhaps another session's: leave it as it was.
    before = enter_scope(scope)
    try:
        return function(*args, **kwargs)
    finally:
        enter_scope(before)
