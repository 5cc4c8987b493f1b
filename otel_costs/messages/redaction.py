"""Redaction: the function that every content passes before it is recorded, however the program was started."""

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

from otel_costs.messages.drafts import Draft
from otel_costs.runtime import background, signal_handlers, telemetry
from otel_costs.semconv import ENV_REDACT

Redactor = Callable[[str, Draft], str | None]

F = TypeVar("F", bound=Callable[..., str | None])

PII: Final = "pii"
"""The value of OTEL_COSTS_REDACT that names the redactor which comes with otel_costs."""

_function: Callable[..., str | None] | None = None
_redactor: Redactor | None = None
_named: Redactor | None = None


def redact(function: F) -> F:
    """Pass every content through `function` before it is recorded, on spans and in message records.

    This is also a decorator. `function(text, message)` returns the text that may be recorded, or None to drop it; a
    function of the text alone will do. `message.role`, `.type` and `.function_name` say what the text is: a message's
    whole content, a function call's whole arguments, or the definitions of tools; never ids, tags or money. Where it
    raises, or returns anything else, the content is dropped and the call is recorded without it. It runs in a thread of
    otel_costs.

    It replaces the function that was set before, and the one that OTEL_COSTS_REDACT names. Returns `function`.
    Raises TypeError if it cannot be called or is asynchronous; until another one is set, all content is dropped then.
    """
    use(function)
    return function


def use(function: Callable[..., str | None] | None) -> None:
    """Set the redactor; None leaves the one that OTEL_COSTS_REDACT names. Raises TypeError as `redact` does."""
    global _function, _redactor
    _function, _redactor = function, None if function is None else _dropped
    if function is not None:
        _redactor = _of_two(function)


def remove(function: Callable[..., str | None] | None) -> None:
    """Remove the redactor if `function` is still the one that is set."""
    if function is not None and _function is function:
        use(None)


def is_set() -> bool:
    """Return whether there is a redactor; then nothing may be derived from the original text, not even a hash."""
    return _redactor is not None or bool(_name())


def redacted(text: str, draft: Draft) -> str | None:
    """Return what the redactor leaves of `text`; None when it, or its failure, drops it. Never raises."""
    redactor = _redactor or _of_environment()
    if redactor is None:
        return text
    try:
        left: Any = redactor(text, draft)
        if left is None or isinstance(left, str):
            return left
        if hasattr(left, "close"):
            left.close()  # a coroutine would warn that it was never awaited
        fault = f"returned {type(left).__name__} instead of str"
    except BaseException as error:  # SystemExit too: the record is written without the content
        if signal_handlers.raised(error):
            raise
        fault = f"raised {type(error).__name__}"  # its text may quote the content
    telemetry.warn_once("redact", "The redactor %s: content is dropped, costs are kept.", fault)
    return None


def _of_two(function: Callable[..., str | None]) -> Redactor:
    """Return `function` as one of text and message. Raises TypeError if it cannot be called or is asynchronous."""
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise TypeError(f"a redactor is a function (text, message) -> str | None, not {type(function).__name__}")
    try:
        parameters = inspect.signature(function)
        parameters.bind("", None)
    except ValueError:  # of a function that is written in C
        return function
    except TypeError:
        return lambda text, _: function(text)
    return function


def _dropped(_text: str, _draft: Draft) -> None:
    return None


def _name() -> str:
    return os.environ.get(ENV_REDACT, "").strip()


def _of_environment() -> Redactor | None:
    """Return the redactor that OTEL_COSTS_REDACT names, found when the first content is recorded.

    Not at the start: `opentelemetry-instrument` instruments before the folder of the program is on the path.
    """
    global _named
    if _named is None and (name := _name()):
        try:
            _named = _find(name)
        except _NotYet:
            telemetry.warn_once(
                "redactor", "The redactor of %s is not defined yet: content is dropped until it is.", ENV_REDACT
            )
            return _dropped
        except Exception as error:  # noqa: BLE001
            telemetry.log.error(
                "The redactor %.80r of %s cannot be loaded (%s): content is dropped, costs are kept. "
                "Set it to `pii` or `package.module:function`.",
                name,
                ENV_REDACT,
                type(error).__name__,
            )
            _named = _dropped
    return _named


class _NotYet(Exception):  # noqa: N818
    """The module that has the redactor is still being executed."""


def _find(name: str) -> Redactor:
    if name.lower() == PII:
        from otel_costs.messages import pii  # noqa: PLC0415  # most programs do without

        return pii.redact
    module_name, _, attribute = name.partition(":")
    found: Any = _module(module_name)
    try:
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError:
        if _is_executing(found):
            raise _NotYet from None
        raise
    return _of_two(found)


def _module(name: str) -> ModuleType:
    # A module that another thread imports is taken as it is: to wait for that thread, which may wait for ours, would
    # stop both.
    if (loaded := sys.modules.get(name)) is not None:
        return loaded
    main = sys.modules.get("__main__")
    if main is not None and _is_main(name, main):
        return main  # an import would execute the program a second time
    return importlib.import_module(name)


def _is_main(name: str, main: ModuleType) -> bool:
    if (spec := getattr(main, "__spec__", None)) is not None:
        return spec.name in (name, f"{name}.__main__")  # python -m
    path = getattr(getattr(main, "__loader__", None), "path", None)  # `__file__` is gone once the program has ended
    found = importlib.util.find_spec(name)
    return bool(path and found and found.origin and Path(found.origin).exists() and Path(found.origin).samefile(path))


def _is_executing(module: object) -> bool:
    return module is sys.modules.get("__main__") or getattr(getattr(module, "__spec__", None), "_initializing", False)


background.foreign.append(is_set)


def forget() -> None:
    """Forget the redactor and what the environment named; as after a restart."""
    global _named
    use(None)
    _named = None
