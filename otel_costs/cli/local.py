"""The command `local`: a receiver and a store on this machine."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from otel_costs.alerts.process import Process
from otel_costs.cli import alerts, browse, options
from otel_costs.cli.failure import Failure
from otel_costs.semconv import ENV_TOKEN


def default_data() -> Path:
    """Return where `local` keeps its data: a folder of the user's, the same wherever it is started."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "otel-costs"


class Ended(Failure):
    """The store ended by itself."""

    exit_code = 1


_PORT: Final = click.IntRange(0, 65535)


@click.command("local", short_help="Run a receiver and a store on this machine.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_data,
    show_default="~/.local/share/otel-costs",
    help="The folder of the data; it is created if it does not exist.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; other than loopback needs --token.",
)
@click.option(
    "--otlp-http-port", type=_PORT, default=4318, show_default=True, help="OTLP over HTTP; 0 is any free port."
)
@click.option(
    "--otlp-grpc-port", type=_PORT, default=4317, show_default=True, help="OTLP over gRPC; 0 is any free port."
)
@click.option(
    "--http-port", type=_PORT, default=8123, show_default=True, help="ClickHouse's HTTP interface; 0 is any free port."
)
@click.option("--token", envvar=ENV_TOKEN, show_envvar=True, help="The bearer token that every request must have.")
@options.jaeger_url_option
@alerts.file_option
@options.allocation_file_option
@click.option("--open", "opened", is_flag=True, help="Open its pages in a browser.")
def local(
    data: Path,
    host: str,
    otlp_http_port: int,
    otlp_grpc_port: int,
    http_port: int,
    token: str | None,
    jaeger_url: str | None,
    alerts_path: Path | None,
    allocation: str | None,
    opened: bool,
) -> None:
    """Run everything on this machine: an OTLP receiver, ClickHouse embedded, and its HTTP interface.

    It runs until Ctrl-C; what was acknowledged is stored, and the data survives.
    """
    from otel_costs.local import EndedError, StartError, run  # noqa: PLC0415  # an extra of ours

    # Before the process is confined, in which no browser could be started.
    browser = browse.Opener() if opened else None
    try:
        with alerts.beside(alerts_path) as sender:
            run(
                data,
                host=host,
                otlp_http_port=otlp_http_port,
                otlp_grpc_port=otlp_grpc_port,
                http_port=http_port,
                token=token,
                jaeger_url=jaeger_url,
                allocation=allocation,
                announce=click.echo,
                ready=lambda addresses: _ready(addresses.http_url, token, browser, sender),
            )
    except StartError as error:
        raise Failure(str(error)) from error
    except EndedError as error:
        raise Ended(str(error)) from error


def _ready(url: str, token: str | None, browser: browse.Opener | None, sender: Process | None) -> None:
    """Pass the address on to what waits for it."""
    if browser is not None:
        browser.open(f"{url}/")
    if sender is not None:
        scheme, _, place = url.partition("://")
        dsn = f"{scheme}://default:{quote(token, safe='')}@{place}" if token else url
        sender.begin(dsn, dsn)
