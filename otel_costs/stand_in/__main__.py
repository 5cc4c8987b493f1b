"""Run the stand-in alone, until SIGINT or SIGTERM. The first line on stdout is its `base_url`."""

import argparse
import signal
import sys

from otel_costs.stand_in.provider import Provider

STOPPING = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description="A stand-in for OpenAI on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    # Blocked before the threads of the server start: two signals at once must not lose each other.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    with Provider(port=parser.parse_args().port) as provider:
        sys.stdout.write(provider.base_url + "\n")
        sys.stdout.flush()
        signal.sigwait(STOPPING)


if __name__ == "__main__":
    main()
