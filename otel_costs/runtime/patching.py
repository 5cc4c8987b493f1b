"""Patches of other people's modules: installed when a module is imported, taken back without a trace."""

import importlib
import sys
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any, Final, cast

import wrapt

from otel_costs.runtime import telemetry

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]

MOST_LAYERS: Final = 64
"""Wrappers around one function that are looked through: a chain that goes in a circle ends, too."""


class Patches:
    """The patches of one instrumentor. While `active` is False every wrapper passes through.

    Wrappers that others put on top of ours stay: then ours stays beneath, passing through, instead of being torn out.
    A wrapper that another instrumentation has put on a subclass before us calls the original and passes ours by; it is
    wrapped where it stands.
    """

    def __init__(self) -> None:
        self._switch: list[None] = []
        # Asked for each call: a built-in function, and no frame of ours.
        self._enabled = cast("Callable[[], bool]", self._switch.__len__)
        self._wrapped: list[tuple[Callable[[], Any], str, Any]] = []
        self._hooked: set[tuple[str, str]] = set()

    @property
    def active(self) -> bool:
        return bool(self._switch)

    @active.setter
    def active(self, on: bool) -> None:
        self._switch[:] = [None] if on else []

    def on_import(self, module: str, install: Callable[["Patches"], None], watcher: str = "") -> None:
        """Call `install` now if `module` is imported, else when it is.

        wrapt cannot take an import hook back, so one is registered once per module and `watcher` of it, and asks
        whether we are active.
        """
        if module in sys.modules:
            self._install(module, install)
        elif (module, watcher) not in self._hooked:
            self._hooked.add((module, watcher))
            wrapt.register_post_import_hook(lambda _: self._install(module, install), module)

    def _install(self, module: str, install: Callable[["Patches"], None]) -> None:
        try:
            if self.active:
                install(self)
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once(f"patch:{module}", f"otel_costs could not patch {module}", error=error)

    def wrap(self, module: str, path: str, wrapper: Wrapper, *, may_be_missing: bool = False) -> bool:
        """Wrap `module`'s `Class.method` or function; return whether it is there.

        The first missing of a module is warned of, unless it `may_be_missing`.
        """
        parent: Any = importlib.import_module(module)
        *owners, name = path.split(".")
        for owner in owners:
            parent = getattr(parent, owner, None)
        # Not getattr: a method that is inherited must not be wrapped on the subclass.
        if parent is None or name not in vars(parent):
            if may_be_missing:
                return False
            telemetry.warn_once(
                f"patch:{module}",
                "%s.%s is not there in this version of %s: calls through it may not be recorded",
                module,
                path,
                module.partition(".")[0],
            )
            return False
        self._wrap(parent, name, wrapper)
        original = _innermost(vars(parent)[name])
        for subclass in _subclasses(parent):
            if name in vars(subclass) and _innermost(vars(subclass)[name]) is original:
                self._wrap(subclass, name, wrapper)
        return True

    def wrap_found(self, instance: Any, name: str, wrapper: Wrapper) -> None:
        """Wrap the method that `instance` has by this name, wherever it is from, unless ours is in it.

        For a call that is known to have passed ours by. An instance's own function is given the instance as well.
        """
        for owner in (instance, *type(instance).__mro__):
            if name in getattr(owner, "__dict__", ()):
                self._wrap(owner, name, wrapper if isinstance(owner, type) else _given(weakref.ref(instance), wrapper))
                return

    def remove(self) -> None:
        """Pass every call through, and put the originals back where ours is the outermost wrapper."""
        self.active = False
        kept = []
        # The newest first: what was wrapped on a subclass may have the wrapper of its base in it.
        for found, name, ours in reversed(self._wrapped):
            owner = found()
            if owner is None:
                continue
            if vars(owner).get(name) is ours:
                setattr(owner, name, ours.__wrapped__)
            else:
                kept.append((found, name, ours))
            for subclass in _subclasses(owner):
                # Others put back what they found, and they found ours by way of the base.
                if getattr(vars(subclass).get(name), "_self_parent", None) is ours:
                    delattr(subclass, name)
        self._wrapped = kept[::-1]

    def _wrap(self, owner: Any, name: str, wrapper: Wrapper) -> None:
        current = vars(owner)[name]
        if self._is_within(current, wrapper):
            return
        if (known := self._known(owner, name, wrapper)) is not None:
            if _innermost(current) is not _innermost(known[2]):
                return  # a function was put over ours that does not say what it calls
            self._wrapped.remove(known)
        ours = wrapt.FunctionWrapper(current, wrapper, enabled=self._enabled)
        setattr(owner, name, ours)
        self._wrapped.append((_reference(owner), name, ours))

    def _is_within(self, function: Any, wrapper: Wrapper) -> bool:
        """Whether one of the layers of `function` is ours, with this wrapper."""
        return any(self._is_ours(layer, wrapper) for layer in _layers(function))

    def _is_ours(self, layer: Any, wrapper: Wrapper) -> bool:
        ours = getattr(layer, "_self_enabled", None) is self._enabled
        return ours and _unbound(layer._self_wrapper) is _unbound(wrapper)

    def _known(self, owner: Any, name: str, wrapper: Wrapper) -> "tuple[Callable[[], Any], str, Any] | None":
        """Return what is known of a wrapper that was put there once, whatever has become of it."""
        for known in self._wrapped:
            if known[0]() is owner and known[1] == name and self._is_ours(known[2], wrapper):
                return known
        return None


def _given(instance: Callable[[], Any], wrapper: Wrapper) -> Wrapper:
    """Return the wrapper for an instance's own function, which is not told the instance by wrapt."""
    return partial(_with_instance, wrapper, instance)


def _with_instance(
    wrapper: Wrapper, instance: Callable[[], Any], wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    return wrapper(wrapped, instance(), args, kwargs)


def _unbound(wrapper: Any) -> Any:
    """Return what a wrapper does, whatever it was given: what is made anew each time is the same wrapper."""
    if isinstance(wrapper, partial):
        return _unbound(wrapper.args[0]) if wrapper.func is _with_instance else _unbound(wrapper.func)
    return getattr(wrapper, "__code__", wrapper)  # two closures of one function are one wrapper


def _reference(owner: Any) -> Callable[[], Any]:
    """Return what gives the owner back: classes and modules stay, an instance is not kept alive."""
    return (lambda: owner) if isinstance(owner, type | ModuleType) else weakref.ref(owner)


def _subclasses(owner: Any) -> Iterator[type]:
    """Yield every class below `owner`; nothing for a module or an instance."""
    found: list[type] = type.__subclasses__(owner) if isinstance(owner, type) else []
    for subclass in found:
        yield subclass
        yield from _subclasses(subclass)


def _layers(function: Any) -> Iterator[Any]:
    """Yield the function and what it wraps, from the outside in, as far as wrappers tell."""
    for _ in range(MOST_LAYERS):
        if function is None:
            return
        yield function
        found = getattr(function, "__wrapped__", None)
        function = getattr(function, "__func__", None) if found is None else found


def _innermost(function: Any) -> Any:
    *_, innermost = _layers(function)
    return innermost
