"""Run the stand-in alone, until SIGINT or SIGTERM. The first line on stdout is its `base_url`."""

import argparse
import signal
import sys
import threading
from pathlib import Path

if not __package__:
    # Run by path: make this folder a package again, and not a place to import from.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    __package__ = "provider"

from .provider import Provider


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description="A stand-in for OpenAI on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Provider(port=parser.parse_args().port) as provider:
        sys.stdout.write(provider.base_url + "\n")
        sys.stdout.flush()
        stopped.wait()


main()
