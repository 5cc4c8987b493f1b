"""What a signal handler of the application raises: it may come in the middle of our code, and is not ours to keep."""

import signal
import threading
from functools import partial
from types import CodeType, TracebackType


def raised(error: BaseException) -> bool:
    """Return whether a signal handler that is set now has raised `error`, by the frames that it came through.

    A KeyboardInterrupt is: Python's own handler has no frame.
    """
    if threading.current_thread() is not threading.main_thread():
        return False  # signals are handled in the main one
    if isinstance(error, KeyboardInterrupt):
        return True
    codes = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    found: TracebackType | None = error.__traceback__
    while found is not None:
        if found.tb_frame.f_code in codes:
            return True
        found = found.tb_next
    return False


def _code(handler: object) -> CodeType | None:
    """Return the code of a handler: a function, a method, a partial of one, or an object that can be called."""
    while isinstance(handler, partial):
        handler = handler.func
    if not hasattr(handler, "__code__"):
        handler = vars(type(handler)).get("__call__")
    code = getattr(handler, "__code__", None)
    return code if isinstance(code, CodeType) else None
