"""What nobody has any more, collected for certain."""

import gc
import threading
from collections.abc import Mapping
from typing import Any


def collect() -> None:
    """Collect all garbage; return when that is done, and its finalizers have run.

    `gc.collect` does nothing while another thread collects, as any may that makes objects.
    """
    here, done = threading.get_ident(), threading.Event()

    def note(phase: str, found: Mapping[str, Any]) -> None:
        if phase == "stop" and found["generation"] == 2 and threading.get_ident() == here:
            done.set()

    gc.callbacks.append(note)
    try:
        while not done.is_set():
            gc.collect()
    finally:
        gc.callbacks.remove(note)
