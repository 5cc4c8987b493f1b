"""A process that sends alerts beside another one, which passes it the address of the store, and with which it ends.

`otel-costs local` confines itself to its folder and ports: from there no receiver could be reached.
"""

import json
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Final

_STOP_S: Final = 15.0


class Process:
    """The process, started when it is made. The store's address goes through a pipe: it may have a password in it."""

    def __init__(self, rules: str) -> None:
        self._rules = rules
        command = [sys.executable, "-m", "otel_costs.alerts.process"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)  # noqa: S603  # this interpreter

    def begin(self, reader_dsn: str | None, writer_dsn: str | None) -> None:
        """Let it watch a store."""
        assert self._process.stdin is not None  # noqa: S101
        with suppress(OSError):
            configuration = {"rules": self._rules, "reader_dsn": reader_dsn, "writer_dsn": writer_dsn}
            self._process.stdin.write(json.dumps(configuration) + "\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """End it; what it is sending is sent first, if that takes no longer than some seconds."""
        with suppress(OSError, ValueError):
            self._process.communicate(timeout=_STOP_S)
            return
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Read what to watch from standard input, and watch it until that ends."""
    import signal  # noqa: PLC0415

    from otel_costs.alerts import rules  # noqa: PLC0415
    from otel_costs.alerts.delivery import Receivers  # noqa: PLC0415
    from otel_costs.alerts.runner import EVERY_S, Runner  # noqa: PLC0415
    from otel_costs.store import StoreError, connect  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to both; the other one tells this one
    line = sys.stdin.readline()
    if not line:
        return
    configuration = json.loads(line)
    stop = threading.Event()
    threading.Thread(target=_stop_at_end, args=(stop,), daemon=True).start()
    try:
        read = rules.read(configuration["rules"])
        reader, writer = connect(configuration["reader_dsn"]), connect(configuration["writer_dsn"])
        Runner(reader, writer, read, Receivers(read.receivers)).run(EVERY_S, stop)
    except (rules.RulesError, StoreError) as error:
        sys.stderr.write(f"no alerts are sent: {error}\n")


def _stop_at_end(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    main()
