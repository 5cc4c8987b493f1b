"""The way of a call through the package: through how many modules and functions somebody has to follow it."""

import gc
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import otel_costs
from otel_costs.runtime import background
from tests.support import garbage

from .conftest import HELLO, Driver

PACKAGE = f"{Path(otel_costs.__file__).parent}/"


class Way:
    """The functions that a call passes, by module, in the order in which they are reached first."""

    def __init__(self) -> None:
        self.functions: dict[str, dict[str, None]] = {}

    def follow(self, action: Callable[[], object]) -> "Way":
        """Do something, and note what it passes: in this thread, with the job that comes after it."""
        gc.disable()
        sys.setprofile(self._note)
        try:
            action()
            background.drain()
        finally:
            sys.setprofile(None)
            gc.enable()
        return self

    @property
    def size(self) -> tuple[int, int]:
        """Modules and functions."""
        return len(self.functions), sum(map(len, self.functions.values()))

    def __str__(self) -> str:
        return "\n".join(f"{module}: {', '.join(found)}" for module, found in self.functions.items())

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        # A comprehension and a lambda are part of the function that they are in.
        # An event loop sets handlers of signals, which are watched once a program has set its own.
        is_own = code.co_filename.startswith(PACKAGE) and code.co_name != "_set_signal"
        if event == "call" and is_own and not code.co_name.startswith("<"):
            self.functions.setdefault(code.co_filename.removeprefix(PACKAGE), {})[code.co_qualname] = None


@pytest.mark.parametrize(("stream", "modules", "functions"), [(False, 20, 84), (True, 25, 120)])
def test_a_call_can_be_followed(driver: Driver, recorded: Any, stream: bool, modules: int, functions: int) -> None:
    """When all is loaded that is loaded once, and the client of a vendor, whose requests over HTTP are watched, too."""
    importlib.import_module("cartesia._base_client")

    def ask() -> None:
        answer = driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=stream))
        if stream:
            driver.read(answer)

    # `JobQueue.open` is among them where the queue's thread has ended since the first call: on a busy machine it has.
    # What other tests left is collected before: its finalizers are no part of the way. It takes long, and comes before
    # the first call: what waits for the next job must still wait for that of the second.
    garbage.collect()
    ask()
    background.drain()
    way = Way().follow(ask)
    assert way.size[0] <= modules, f"{way.size}\n{way}"
    assert way.size[1] <= functions, f"{way.size}\n{way}"
