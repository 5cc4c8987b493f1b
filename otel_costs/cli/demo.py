"""The command `demo`: all the way from a program that knows nothing of us to a report, on this machine."""

import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from otel_costs.cli import demo_env, output, package_files
from otel_costs.cli.conversation import conversation
from otel_costs.cli.failure import Failure
from otel_costs.cli.options import opened
from otel_costs.cli.report import report_tables
from otel_costs.cli.sessions import session_table
from otel_costs.semconv import ENV_DSN
from otel_costs.store import DEFAULT_DSN, reports
from otel_costs.web import page_paths

if TYPE_CHECKING:
    from otel_costs.local import Stack

PROGRAMS: Final = {"support-assistant": "assistant.py", "voice-note": "voice_note.py", "voice-call": "voice_call.py"}
SPOKEN: Final = "voice-call"
SESSIONS: Final = ("parcel-1001", "parcel-call-12")
USER: Final = "ada"


@click.command("demo", short_help="Run an example application and show its costs.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the data in this folder.  [default: delete it at the end]",
)
@click.option("--keep", is_flag=True, help="Keep the store running at the end, until Ctrl-C.")
@click.option("--open", "opened", is_flag=True, help="Keep the store running, and open its pages in a browser.")
@click.option("--stand-in", is_flag=True, help="Do not call OpenAI, even if OPENAI_API_KEY is set.")
def demo(data: Path | None, keep: bool, opened: bool, stand_in: bool) -> None:
    """Run a support assistant on this machine, and show what it cost and what was said.

    It asks OpenAI if there is an OPENAI_API_KEY (for about ten cents), and a stand-in on this machine if there is none.
    """
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped too
    out = output.console()
    with ExitStack() as running:
        for part in show(running, data, stand_in=stand_in, keep=keep or opened, opened=opened):
            # A command is there to be copied: it is never broken or cut.
            out.print(part, soft_wrap=isinstance(part, Text))
            out.file.flush()  # in a pipe too, it is seen as it happens
        if keep or opened:
            signal.signal(signal.SIGINT, lambda *_: stopped.set())
            stopped.wait()


def show(
    running: ExitStack,
    data: Path | None = None,
    *,
    stand_in: bool = False,
    keep: bool = False,
    opened: bool = False,
) -> Iterator[RenderableType]:
    """Start what is needed, in `running`, and yield what there is to see, as it happens."""
    with output.working("Starting a store"):
        stack = running.enter_context(demo_env.store(data))
        # In a browser people speak as fast as they do; elsewhere nothing waits for them.
        provider = running.enter_context(demo_env.answering(stand_in=stand_in, pace=1 if opened else 0))
    yield _headline("A store on this machine")
    addresses = [url.partition("://")[2] for url in (stack.otlp_grpc_url, stack.otlp_http_url, stack.http_url)]
    yield _aside("OTLP at {} (gRPC) and {} (HTTP), ClickHouse's interface at {}.".format(*addresses))
    yield from programs(stack, provider, watched=opened)
    yield _headline("What it cost, and what was said")
    yield from conversations(stack)
    yield from costs(stack)
    yield from _further(stack, keep=keep)


def programs(stack: "Stack", provider: demo_env.Provider, *, watched: bool = False) -> Iterator[RenderableType]:
    """Run the programs, and yield how they were run and what they said; `watched`: the call first, in a browser."""
    yield _headline("Three programs, under opentelemetry-instrument")
    about = f"Stand-ins for OpenAI and Deepgram answer at {provider.base_url}: there is no OPENAI_API_KEY."
    if provider.base_url is None:
        about = f"{os.environ.get('OPENAI_BASE_URL', 'OpenAI')} answers, and your OPENAI_API_KEY pays: about ten cents."
    elif os.environ.get("OPENAI_API_KEY"):
        about = f"Stand-ins for OpenAI and Deepgram answer at {provider.base_url}."
    yield _aside(about)
    exported = {name: value for name, value in demo_env.settings(stack, provider, "").items() if value}
    yield Text("".join(f"  export {name}={value}\n" for name, value in exported.items()), "dim", end="")
    for service, name in sorted(PROGRAMS.items(), key=lambda one: watched and one[0] != SPOKEN):
        if watched and service == SPOKEN:
            webbrowser.open(stack.http_url + page_paths.of_session(SESSIONS[-1]))
            yield _aside("A browser shows the call that is spoken now, as its turns end; it takes half a minute.")
        program = package_files.path("examples", "examples") / "support_assistant" / name
        yield _command(f"opentelemetry-instrument python {_short(program)}")
        with output.working(f"Running {name}"):
            ran = demo_env.run(program, demo_env.settings(stack, provider, service))
        yield Padding(output.text(ran.output.rstrip(), "dim"), (0, 0, 0, 4), expand=False)
        if ran.returncode:
            yield output.text(f"  it ended with {ran.returncode}: {_last(ran.errors)}", "bold red")


def conversations(stack: "Stack") -> Iterator[RenderableType]:
    """Yield the sessions, and two of them line by line: a written one and a spoken one."""
    yield _command("otel-costs sessions")
    with opened(stack.http_url) as client:
        found = reports.sessions(client)["sessions"]
        if not found:
            raise Failure("nothing reached the store: see above what the programs said")
        yield session_table(found)
        for session_id in SESSIONS:
            if session := reports.session(client, session_id):
                yield _command(f"otel-costs session {session_id}")
                yield Text()
                calls, call_ids = reports.session_calls(client, session_id), reports.message_calls(client, session_id)
                yield conversation(session, calls, call_ids)
                yield Text()


def costs(stack: "Stack") -> Iterator[RenderableType]:
    """Yield what a user cost."""
    yield _command(f"otel-costs report --user {USER}")
    yield Text()
    with opened(stack.http_url) as client:
        yield report_tables(reports.user_report(client, USER))


def _further(stack: "Stack", *, keep: bool) -> Iterator[RenderableType]:
    yield _headline("Look further")
    if not keep:
        yield _command("otel-costs demo --open")
        yield _aside("shows this in a browser, and leaves the store up for these, in another terminal:")
    else:
        yield _aside(f"In a browser: {stack.http_url}{page_paths.of_session(SESSIONS[-1])}, a spoken call")
    if keep and stack.http_url not in (DEFAULT_DSN, DEFAULT_DSN.replace("localhost", "127.0.0.1")):
        yield _command(f"export {ENV_DSN}={stack.http_url}")
    for line in (
        "otel-costs session voice-note-7",
        "otel-costs search refund",
        "otel-costs report --format json",
        f"curl {stack.http_url}/sessions/{SESSIONS[0]}",
        f"curl {stack.http_url} --data 'select model, sum(cost_usd) from billed_calls group by model'",  # noqa: S608  # shown, not run
    ):
        yield _command(line)
    yield _aside(
        "Ctrl-C stops it."
        if keep
        else "Your own program: otel-costs local, then opentelemetry-instrument python app.py"
    )


def _headline(text: str) -> RenderableType:
    return Text.assemble("\n", (text, "bold blue"))


def _command(line: str) -> RenderableType:
    return Text.assemble("  ", ("$ ", "dim"), (line, "bold"))


def _aside(text: str) -> RenderableType:
    return Padding(output.text(text, "dim"), (0, 0, 0, 2), expand=False)


def _short(path: Path) -> str:
    """Return a path as one would type it here."""
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near


def _last(errors: str) -> str:
    lines = [line for line in errors.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
