"""The output of the logger `otel_costs`, which `OTEL_COSTS_LOG=info` or `debug` switches on.

Without that variable nothing is changed: an application's logging is its own. With it, the logger has that level, and
its lines go to standard error unless the application has a handler that takes them.
"""

import logging
import os
import sys
from typing import Final

from otel_costs.runtime.telemetry import log
from otel_costs.semconv import ENV_LOG

ENV_SDK: Final = "OTEL_LOG_LEVEL"
"""OpenTelemetry's own variable. `debug` is for us, too; its other levels are those of every SDK by default."""

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class _Output(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the type checker alone
    """Writes to the standard error of the moment, what no handler of the application takes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; nothing if another handler writes it."""
        if not _is_taken(record):
            self.stream = sys.stderr
            super().emit(record)


def configure() -> None:
    """Show what the variables ask for; a level that does not exist is one warning. Calling it again is the same."""
    remove()
    asked = os.environ.get(ENV_LOG, "").strip().lower()
    if asked and asked not in LEVELS:
        log.warning("%s=%s is no level: give one of %s", ENV_LOG, asked[:32], ", ".join(LEVELS))
        asked = ""
    if not asked and os.environ.get(ENV_SDK, "").strip().lower() == "debug":
        asked = "debug"
    if asked:
        output = _Output()
        output.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        log.addHandler(output)
        log.setLevel(LEVELS[asked])


def remove() -> None:
    """Leave the logger as it was, if it is as `configure` left it."""
    for handler in [one for one in log.handlers if isinstance(one, _Output)]:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)


def _is_taken(record: logging.LogRecord) -> bool:
    """Whether a handler of the application writes a line: not ours, and none that exports or drops what it gets."""
    handlers = [*log.handlers, *(logging.getLogger().handlers if log.propagate else ())]
    return any(_writes_lines(one) and record.levelno >= one.level for one in handlers)


def _writes_lines(handler: logging.Handler) -> bool:
    is_export = type(handler).__module__.startswith("opentelemetry")
    return not is_export and not isinstance(handler, _Output | logging.NullHandler)
