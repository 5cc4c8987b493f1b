"""The command `open`: the page of the store in a browser."""

import os
import subprocess
import sys
import webbrowser
from contextlib import suppress
from urllib.parse import urlsplit

import click

from otel_costs.cli import completion, options, output
from otel_costs.cli.failure import Failure
from otel_costs.semconv import ENV_DSN
from otel_costs.store import DEFAULT_DSN
from otel_costs.store.address import AddressError, read
from otel_costs.web import page_paths


@click.command("open", short_help="Open the page of a session, or of all, in a browser.")
@click.argument("session_id", metavar="[SESSION]", required=False, shell_complete=completion.sessions)
@click.option(
    "--url", metavar="URL", help="Where the pages are: of `otel-costs web`, or of a program that mounts them."
)
@click.option("--print", "printed", is_flag=True, help="Print the address, and open nothing.")
@options.dsn_option
def open_(session_id: str | None, url: str | None, printed: bool, dsn: str | None) -> None:
    """Open the page of SESSION in a browser, or the first page: of `otel-costs local`, or of --url."""
    address = _base(url, dsn) + (page_paths.of_session(session_id) if session_id else "/")
    if not printed and not webbrowser.open(address):
        output.note("no browser was found here; open this address:")
        printed = True
    if printed:
        output.show(output.name(address))


class Opener:
    """A process that opens one address in a browser, for a process that cannot start one itself when it knows it."""

    def __init__(self) -> None:
        program = "import sys, webbrowser; address = sys.stdin.readline().strip(); address and webbrowser.open(address)"
        command = [sys.executable, "-c", program]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)  # noqa: S603  # this interpreter

    def open(self, address: str) -> None:
        """Open the address; nothing happens where there is no browser."""
        assert self._process.stdin is not None  # noqa: S101
        with suppress(OSError), self._process.stdin as pipe:
            pipe.write(f"{address}\n")


def page_of(session_id: str, dsn: str | None) -> str | None:
    """Return the address of a session's page; None where the store has no address that a browser could open."""
    try:
        return _base(None, dsn) + page_paths.of_session(session_id)
    except Failure:
        return None


def _base(url: str | None, dsn: str | None) -> str:
    """Return where the pages are, without a user or a password."""
    if url is not None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise click.UsageError("--url begins with http:// or https://")
        return url.rstrip("/")
    try:
        address = read(dsn or os.environ.get(ENV_DSN) or DEFAULT_DSN)
    except AddressError as error:
        raise Failure(str(error)) from None
    if address.embedded:
        raise Failure(f"{address.printable} has no pages by itself: start `otel-costs local`, or give --url")
    parts = urlsplit(address.dsn)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
