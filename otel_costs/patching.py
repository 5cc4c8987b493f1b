"""Patches of other people's modules: installed when a module is imported, taken back without a trace."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

import wrapt

from otel_costs import telemetry

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]


class Patches:
    """The patches of one instrumentor. While `active` is False every wrapper passes through.

    Wrappers that others put on top of ours stay: then ours stays beneath, passing through, instead of being torn out.
    """

    def __init__(self) -> None:
        self.active = False
        self._wrapped: list[tuple[Any, str, Any]] = []
        self._hooked: set[tuple[str, str]] = set()

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
            telemetry.complain_once(f"patch:{module}", f"otel_costs could not patch {module}", error=error)

    def wrap(self, module: str, path: str, wrapper: Wrapper) -> bool:
        """Wrap `module`'s `Class.method` or function; return whether it is there. The first missing is warned of."""
        parent: Any = importlib.import_module(module)
        *owners, name = path.split(".")
        for owner in owners:
            parent = getattr(parent, owner, None)
        # Not getattr: a method that is inherited must not be wrapped on the subclass.
        if parent is None or name not in vars(parent):
            telemetry.complain_once(
                f"patch:{module}",
                "%s.%s is not there in this version of %s: calls through it are not recorded",
                module,
                path,
                module.partition(".")[0],
            )
            return False
        if any(owner is parent and found == name for owner, found, _ in self._wrapped):
            return True
        original = vars(parent)[name]
        ours = wrapt.FunctionWrapper(original, wrapper, enabled=lambda: self.active)
        setattr(parent, name, ours)
        self._wrapped.append((parent, name, ours))
        return True

    def remove(self) -> None:
        """Pass every call through, and put the originals back where ours is the outermost wrapper."""
        self.active = False
        kept = []
        for parent, name, ours in self._wrapped:
            if vars(parent).get(name) is ours:
                setattr(parent, name, ours.__wrapped__)
            else:
                kept.append((parent, name, ours))
        self._wrapped = kept
