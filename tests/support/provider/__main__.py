"""Run the stand-in alone, until SIGINT or SIGTERM. The first line on stdout is its `base_url`."""

import argparse
import runpy
import signal
import sys
from pathlib import Path

STOPPING = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Serve until a signal comes."""
    from .provider import Provider

    parser = argparse.ArgumentParser(description="A stand-in for OpenAI on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    # Blocked before the threads of the server start: two signals at once must not lose each other.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    with Provider(port=parser.parse_args().port) as provider:
        sys.stdout.write(provider.base_url + "\n")
        sys.stdout.flush()
        signal.sigwait(STOPPING)


if __package__:
    main()
else:
    # Run by its path: start again as a package, with this folder no place to import from.
    folder = Path(__file__).resolve().parent
    sys.path[0] = str(folder.parent)
    runpy.run_module(folder.name, run_name="__main__")
