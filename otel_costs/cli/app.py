"""The group of all commands: each is imported when it is called, and what fails is one line and exit code 2."""

import errno
from importlib import import_module
from typing import Any, Final

import click
from click.exceptions import NoArgsIsHelpError

from otel_costs.alerts.rules import RulesError
from otel_costs.chargeback.rules_file import AllocationError
from otel_costs.cli.failure import Failure, fault, nearest, wrong_call
from otel_costs.pricing import PriceFileError
from otel_costs.scenarios.errors import ScenarioError
from otel_costs.store import StoreError

# Command -> module that has it, and its name there if that is another one, in the order of the help.
COMMANDS: Final = {
    "demo": "demo",
    "local": "local",
    "web": "web",
    "schema": "schema",
    "sessions": "sessions",
    "session": "sessions",
    "report": "report",
    "usage": "usage",
    "advise": "advise",
    "search": "sessions",
    "compare": "compare",
    "watch": "watch",
    "open": "browse:open_",
    "export": "export",
    "price": "price",
    "prices": "prices",
    "contracts": "contracts",
    "budget": "budget",
    "alerts": "alerts",
    "allocation": "allocation",
    "statement": "statement",
    "reprice": "reprice",
    "reconcile": "reconcile",
    "erase": "erase",
    "backup": "backup",
    "restore": "restore",
    "move": "move",
    "spool": "spool",
    "scenario": "scenario",
    "doctor": "doctor.command",
}

# The first import of the embedded stack that fails says which extra is missing.
_EXTRAS: Final = {
    "clickhouse_connect": "cli",
    "apprise": "alerts",
    "pyarrow": "parquet",
    "chdb": "local",
    "clickhouse_cityhash": "local",
    "lz4": "local",
    "fastapi": "web",
    "starlette": "local",
    "uvicorn": "local",
    "grpc": "local",
    "openai": "instruments",
}


class App(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command; None if there is no such one."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(import_module(f"otel_costs.cli.{module}"), attribute or name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a wrong name is told with the nearest ones."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if args[0].startswith("-"):
                raise
            raise click.UsageError(f"no command {args[0]!r}; {nearest(args[0], COMMANDS, 'there are')}", ctx) from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options before the command; a wrong one is an error in one line."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _failure(error) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever goes wrong becomes its error, in one line."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, EOFError, KeyboardInterrupt):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # the reader of the output has enough
            raise _failure(error) from error


def _failure(error: Exception) -> click.ClickException:
    """Return the failure of a command for an error."""
    if isinstance(error, NoArgsIsHelpError):
        return error
    if isinstance(error, click.UsageError):
        return wrong_call(error)
    if isinstance(error, click.ClickException):
        return error if isinstance(error, Failure) else Failure(error.format_message())
    if isinstance(error, StoreError | PriceFileError | ScenarioError | RulesError | AllocationError):
        return Failure(str(error))
    if isinstance(error, ImportError) and (extra := _EXTRAS.get((error.name or "").partition(".")[0])):
        return Failure(f"{error.name} is not installed: pip install 'otel-costs[{extra}]'")
    return fault(error)


@click.command(
    cls=App,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="otel-costs", prog_name="otel-costs", message="%(prog)s %(version)s")
@click.pass_context
def app(context: click.Context) -> None:
    """Report what AI conversations cost, exactly, and show their messages.

    Alone it tells what today, this week and this month cost, the dearest sessions, and what needs a look.

    Start a program under opentelemetry-instrument and it is recorded; these commands read the store that it was sent
    to. `otel-costs demo` shows all of it in a minute.
    """
    if context.invoked_subcommand is None:
        from otel_costs.cli.overview import overview  # noqa: PLC0415

        overview()
