"""The command line as a whole."""

import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from otel_costs.cli.app import COMMANDS, app

from .support import MAIN, run


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(app)
    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {part}", found) for part, found in command.commands.items())


@pytest.mark.parametrize(("name", "command"), [("", app), *commands()])
def test_every_command_and_option_has_help(name: str, command: click.Command) -> None:
    """Nobody has to read the code to learn what a command or an option does."""
    assert command.help
    assert not name or (command.short_help and len(command.short_help) <= 60)
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.name} has no help"


def test_help_lists_every_command() -> None:
    """`otel-costs --help` shows all there is."""
    said = run("--help")
    assert said.exit_code == 0
    for name in COMMANDS:
        assert f"  {name} " in said.stdout


def test_version() -> None:
    """`--version` says name and version, on standard output."""
    said = run("--version")
    assert (said.exit_code, said.stdout.split()[0]) == (0, "otel-costs")


def test_a_wrong_command_is_told_with_the_nearest() -> None:
    """A slip of the finger costs no look into the help."""
    said = run("sesions")
    assert said.exit_code == 2
    assert "no command 'sesions'; did you mean sessions" in said.stderr
    assert said.stdout == ""


def test_a_wrong_option_is_a_wrong_call() -> None:
    """Exit code 2, and nothing on standard output."""
    said = run("sessions", "--frm", "2026-11-22")
    assert (said.exit_code, said.stdout) == (2, "")


@pytest.mark.parametrize("name", ["sessions", "report", "export", "schema"])
def test_an_unreachable_store_names_address_and_command(name: str) -> None:
    """Who has no store learns where it was looked for, and what starts one."""
    said = run(name, "--dsn", "http://127.0.0.1:9")
    assert (said.exit_code, said.stdout) == (2, "")
    assert "http://127.0.0.1:9" in said.stderr
    assert "otel-costs local" in said.stderr


def test_start_up_imports_nothing_that_it_does_not_need() -> None:
    """Help, version and prices start without the store's driver, the embedded engine, servers and OpenAI."""
    heavy = ("clickhouse_connect", "chdb", "pandas", "numpy", "starlette", "uvicorn", "grpc", "openai")
    program = (
        "import sys; from otel_costs.cli.app import app, COMMANDS; import click\n"
        "for name in COMMANDS: app.get_command(click.Context(app), name)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_extra_says_what_to_install() -> None:
    """Without the extra `cli` the command names it, in place of a traceback."""
    program = "import sys; sys.modules['click'] = None; from otel_costs.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "Error: click is not installed: pip install 'otel-costs[cli]'\n"


@pytest.mark.long
def test_a_missing_extra_of_one_command() -> None:
    """Without the extra `local` the commands that need it name it, and the others work."""
    program = (
        "import sys; sys.modules['uvicorn'] = None; from otel_costs.cli import main\n"
        "sys.argv = ['otel-costs', 'local', '--data', '/nowhere']; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "Error: uvicorn is not installed: pip install 'otel-costs[local]'\n"


@pytest.mark.long
def test_a_proxy_is_not_asked_for_what_is_on_this_machine(store: str) -> None:
    """A store on loopback is read where a proxy is set for the world outside."""
    dead = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    environ = {**os.environ, **dead, "no_proxy": "acme.example", "OTEL_COSTS_DSN": store}
    done = subprocess.run(
        [*MAIN, "sessions", "--format", "json"], capture_output=True, text=True, env=environ, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
