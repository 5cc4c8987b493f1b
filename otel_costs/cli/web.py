"""The command `web`: the API beside a ClickHouse."""

from pathlib import Path

import click

from otel_costs.chargeback.rules import Allocation
from otel_costs.cli import alerts, options
from otel_costs.cli.failure import Failure
from otel_costs.semconv import ENV_WEB_CONVERSATIONS_TOKEN, ENV_WEB_TOKEN, ENV_WEB_WRITING_TOKEN, ENV_WRITER_DSN
from otel_costs.values.loopback import is_loopback


@click.command("web", short_help="Serve the API beside a ClickHouse.")
@options.dsn_option
@click.option(
    "--writer-dsn",
    metavar="URL",
    envvar=ENV_WRITER_DSN,
    show_envvar=True,
    help="The store with a user who may write; without it the API only reads.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; other than loopback needs a token.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8124, show_default=True, help="0 is any free port.")
@click.option(
    "--token", envvar=ENV_WEB_TOKEN, show_envvar=True, help="The bearer token of who may read what calls cost."
)
@click.option(
    "--conversations-token",
    envvar=ENV_WEB_CONVERSATIONS_TOKEN,
    show_envvar=True,
    help="The token of who may read conversations too.",
)
@click.option(
    "--writing-token",
    envvar=ENV_WEB_WRITING_TOKEN,
    show_envvar=True,
    help="The token of who may record calls and set budgets too.",
)
@click.option(
    "--roles-header",
    metavar="NAME",
    help="A header in which a proxy, which brings --token, says what a request may do: costs, conversations, writing.",
)
@click.option(
    "--user-header",
    metavar="NAME",
    help="With --roles-header: a header in which the proxy says whose request it is, for the log of who read what.",
)
@options.jaeger_url_option
@alerts.file_option
@options.allocation_option
def web(
    dsn: str | None,
    writer_dsn: str | None,
    host: str,
    port: int,
    token: str | None,
    conversations_token: str | None,
    writing_token: str | None,
    roles_header: str | None,
    user_header: str | None,
    jaeger_url: str | None,
    alerts_path: Path | None,
    allocation: Allocation | None,
) -> None:
    """Serve the API under /api/v1/ over the store at --dsn, until Ctrl-C.

    Without a token everybody who reaches the port on this machine may read everything, and write where there is a
    --writer-dsn. Standard error has a line of JSON for each reading of a conversation: who, when, and which session.
    """
    from otel_costs.web.page_settings import PageSettings  # noqa: PLC0415  # an extra of ours
    from otel_costs.web.roles import CONVERSATIONS, COSTS, ROLES, WRITING, Roles  # noqa: PLC0415  # an extra of ours
    from otel_costs.web.server import StartError, run  # noqa: PLC0415

    try:
        settings = PageSettings.of(jaeger_url)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    loopback = is_loopback(host)
    given = ((token, ()), (conversations_token, (CONVERSATIONS,)), (writing_token, (WRITING,)))
    tokens: dict[str, frozenset[str]] = {}
    for one, roles in given:
        if one:
            tokens[one] = tokens.get(one, frozenset({COSTS})).union(roles)
    if not tokens and not loopback:
        raise click.UsageError(f"{host} can be reached from other machines: give a --token, or --host 127.0.0.1")
    if user_header is not None and roles_header is None:
        raise click.UsageError("--user-header goes with --roles-header: only a proxy can be believed to say who asks")
    if roles_header is not None:
        if not token or conversations_token or writing_token:
            raise click.UsageError(
                "--roles-header goes with --token alone, which the proxy brings: nobody else may pass"
            )
        tokens = {token: frozenset(ROLES)}
    try:
        with alerts.beside(alerts_path) as sender:
            if sender is not None:
                sender.begin(dsn, writer_dsn or dsn)
            run(
                dsn=dsn,
                writer_dsn=writer_dsn,
                host=host,
                port=port,
                roles=Roles(tokens, roles_header, loopback, user_header),
                settings=settings,
                allocation=allocation,
                announce=click.echo,
            )
    except StartError as error:
        raise Failure(str(error)) from error
