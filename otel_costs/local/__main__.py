"""The process behind `Stack`: options come as JSON on standard input, addresses go to standard output.

It stops when its input ends, as it does when the process dies that started it.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import Any

from otel_costs.local.options import Addresses, EndedError, Options, StartError
from otel_costs.local.server import serve


def main() -> int:
    """Serve; return the exit code."""
    options = json.loads(sys.stdin.readline())
    try:
        asyncio.run(_serve(Options(**{**options, "data": Path(options["data"])})))
    except StartError as error:
        _print_json({"error": str(error)})
        return 2
    except EndedError as error:
        print(f"otel-costs local: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return 1
    return 0


async def _serve(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_end() -> None:
        # Not by `sys.stdin`: the interpreter cannot end while a thread reads there.
        with suppress(OSError):
            while os.read(0, 2**16):
                pass
        with suppress(RuntimeError):  # it has ended already
            loop.call_soon_threadsafe(stop.set)

    Thread(target=wait_for_end, name="otel-costs-parent", daemon=True).start()
    await serve(options, _ready, stop)


def _ready(addresses: Addresses) -> None:
    _print_json(asdict(addresses))


def _print_json(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
