"""The command `otel-costs`: 0 when all is well, 1 for a finding, 2 for a wrong call or no connection."""

import os
import sys


def main() -> None:
    """Run the command line; the entry point of the package."""
    try:
        from otel_costs.cli.app import app  # noqa: PLC0415  # an extra of ours
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        sys.stderr.write(f"Error: {error.name} is not installed: pip install 'otel-costs[cli]'\n")
        sys.exit(2)
    _reach_loopback_directly()
    app(prog_name="otel-costs")


def _reach_loopback_directly() -> None:
    """Keep a proxy for the world outside from what is on this machine: the store, and what the demo starts."""
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    direct = ",".join(filter(None, [listed, "localhost", "127.0.0.1", "::1"]))
    os.environ.update(no_proxy=direct, NO_PROXY=direct)
