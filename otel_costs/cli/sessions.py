"""Commands about conversations: list the sessions, show one, find what was said."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from otel_costs.cli import completion, formatting, options, output, time_zone
from otel_costs.cli.emptiness import no_sessions, outside
from otel_costs.cli.failure import Failure, nearest
from otel_costs.cli.others import spans_of_others
from otel_costs.cli.selecting import selection_options
from otel_costs.store import session_list
from otel_costs.store.selection import Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Row = Mapping[str, Any]

SESSION_COLUMNS: Final = (
    "session_id", "user_id", "kind", "scenario", "tags", "start_time", "end_time", "duration_seconds", "message_count",
    "call_count", "cost_usd", "unpriced_calls", "error_count",
)  # fmt: skip
_SHOWN: Final = 50
SEARCH_COLUMNS: Final = ("timestamp", "session_id", "user_id", "scenario", "role", "type", "content", "message_id")
SEALED: Final = (
    "messages whose content is sealed (OTEL_COSTS_CONTENT_KEY) were not searched: `otel-costs session ID` shows them "
    "to who has the key"
)
TIMELINE_COLUMNS: Final = (
    "time", "kind", "role", "type", "content", "function_name", "arguments", "step", "operation", "provider", "model",
    "input_tokens", "output_tokens", "cost_usd", "cost_status", "cost_lines", "duration_s", "error_type", "call_id",
)  # fmt: skip


@click.command("sessions", short_help="List the sessions with what they cost.")
@selection_options()
@click.option(
    "--sort",
    type=click.Choice(session_list.SORTS),
    default=session_list.NEWEST,
    show_default=True,
    help="What comes first.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), help="How many sessions at most.  [default: 50; all of them in CSV]"
)
@click.option("--cursor", metavar="CURSOR", help="The next page: the `cursor` in the JSON of the page before.")
@options.format_option
@options.dsn_option
def sessions(
    selection: Selection, sort: str, limit: int | None, cursor: str | None, form: str, dsn: str | None
) -> None:
    """List sessions with what they cost, the newest first.

    A session is listed where it began in the period; --step, --service, --provider, --model, --operation, --errors and
    --unpriced choose those that have such a call.
    """
    with options.opened(dsn) as client:
        # A file is of all sessions: it does not show that it ends with a page of the list.
        is_whole = form == options.CSV and limit is None and cursor is None
        try:
            if is_whole:
                listed = session_list.every(client, selection, sort=sort)
                found: Row = {"sessions": list(listed)}
            else:
                found = session_list.sessions(client, selection, sort=sort, limit=limit or _SHOWN, cursor=cursor)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        note = _what_is_missing(client, found, sort) if form == options.TABLE and cursor is None else ""
        others = None
        if form == options.TABLE and selection.filters <= {"user"}:  # they know no more
            others = spans_of_others(client, user=selection.user, since=selection.since, until=selection.until)
    if form == options.JSON:
        output.write_json(found)
    elif form == options.CSV:
        output.write_csv(found["sessions"], SESSION_COLUMNS)
    else:
        output.show(session_table(found["sessions"]))
        for message in filter(None, (note, others)):
            output.note(message)


def _what_is_missing(client: "Client", found: Row, sort: str) -> str:
    """Return the note below a list: why it is empty, how many more there are, or what is in no session."""
    listed, total = len(found["sessions"]), found["total"]
    if not total:
        return no_sessions(client)
    if "cursor" not in found:
        return outside(client)
    first = sort if sort in (session_list.NEWEST, "oldest") else f"first by {sort}"
    return f"the {first} {listed:,} of {total:,} sessions; --limit {total} shows all"


@click.command("session", short_help="Show a conversation and its cost, line by line.")
@click.argument("session_id", metavar="ID", shell_complete=completion.sessions)
@click.option("--full", is_flag=True, help="Show long messages whole.")
@options.tz_option
@options.format_option
@options.dsn_option
def session(session_id: str, full: bool, form: str, dsn: str | None) -> None:
    """Show the conversation of session ID, its calls, and their cost line by line."""
    from otel_costs.cli import browse  # noqa: PLC0415
    from otel_costs.cli.conversation import conversation  # noqa: PLC0415
    from otel_costs.store import reports, session_shape  # noqa: PLC0415

    with options.opened(dsn) as client:
        found = reports.session(client, session_id)
        if found is None:
            raise Failure(_no_session(client, session_id))
        calls = [] if form == options.JSON else reports.session_calls(client, session_id)
        call_ids = reports.message_calls(client, session_id) if form == options.TABLE else []
    if form == options.JSON:
        output.write_json(session_shape.shaped(found))
    elif form == options.CSV:
        output.write_csv(_timeline(found["messages"], calls), TIMELINE_COLUMNS)
    else:
        output.show(conversation(found, calls, call_ids, full=full))
        if page := browse.page_of(session_id, dsn):
            output.show(output.name(page, "dim"))


def _no_session(client: "Client", session_id: str) -> str:
    from otel_costs.store import reports  # noqa: PLC0415

    newest = [row["session_id"] for row in reports.sessions(client, limit=1000)["sessions"]]
    listed = "`otel-costs sessions` lists them; the newest are"
    hint = nearest(session_id, newest, listed) if newest else no_sessions(client)
    return f"no session {session_id!r}; {hint}"


def _timeline(messages: Sequence[Row], calls: Sequence[Row]) -> Iterable[Row]:
    """Return messages and calls as rows of one table, in time."""
    written = [{**row, **row["metadata"], "time": row["timestamp"], "kind": "message"} for row in messages]
    spent = [{**row, "time": row["end_time"], "kind": "call"} for row in calls]
    return sorted([*written, *spent], key=lambda row: row["time"])


@click.command("search", short_help="Find messages by their words.")
@click.argument("words", metavar="WORD...", nargs=-1, required=True)
@click.option("--anywhere", is_flag=True, help="Find the text inside of words too; reads every message.")
@options.user_option
@click.option("--session", metavar="ID", shell_complete=completion.sessions, help="Only in this session.")
@click.option("--role", metavar="ROLE", help="Only what this role said: user, assistant, function, system.")
@click.option("--scenario", metavar="NAME", help="Only in this scenario.")
@options.period_options
@options.limit_option(20, "messages")
@options.format_option
@options.dsn_option
def search(words: tuple[str, ...], limit: int, form: str, dsn: str | None, **narrowed: Any) -> None:
    """Find the messages that contain every WORD, the newest first.

    Words are whole ones, in any case; those of scripts without spaces between words, such as Chinese, Japanese and
    Thai, are found inside of others.
    """
    from otel_costs.store import reports  # noqa: PLC0415

    anywhere = narrowed["anywhere"]
    with options.opened(dsn) as client:
        found = reports.search(client, " ".join(words), limit=limit, **narrowed)
        sealed = reports.has_sealed(client, **{name: value for name, value in narrowed.items() if name != "anywhere"})
    if form == options.JSON:
        output.write_json({"messages": found, **({"sealed_not_searched": True} if sealed else {})})
    elif form == options.CSV:
        output.write_csv(found, SEARCH_COLUMNS)
    elif found:
        output.show(_message_table(found, [" ".join(words)] if anywhere else words))
    else:
        output.note("nothing found. Messages have content where OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is "
                    "EVENT_ONLY; --anywhere finds parts of words")  # fmt: skip
    if sealed and form == options.TABLE:
        output.note(SEALED)


def session_table(rows: Sequence[Row]) -> Table:
    """Return sessions as a table, a row each; scenario and unpriced calls have a column where there are any."""
    scenario, unpriced = any(row["scenario"] for row in rows), any(row["unpriced_calls"] for row in rows)
    table = output.table()
    table.add_column("session", no_wrap=True)
    for name in ("user", *(["scenario"] if scenario else [])):
        table.add_column(name, no_wrap=True)
    table.add_column(f"began ({time_zone.name()})", justify="right", no_wrap=True)
    for name in ("took", "msgs", "calls", *(["unpriced"] if unpriced else []), "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        cells: list[RenderableType] = [output.name(row["session_id"], "bold"), output.name(row["user_id"])]
        cells += [output.name(row["scenario"])] if scenario else []
        cells += [formatting.day(row["start_time"]), formatting.duration(row["duration_seconds"])]
        cells += [f"{row['message_count']:,}", f"{row['call_count']:,}"]
        cells += [f"{row['unpriced_calls']:,}"] if unpriced else []
        table.add_row(*cells, Text(formatting.known(row), "bold"))
    return table


def _message_table(rows: Sequence[Row], words: Sequence[str]) -> Table:
    table = output.table()
    table.add_column(f"time ({time_zone.name()})", justify="right", no_wrap=True)
    table.add_column("session", no_wrap=True)
    table.add_column("role", no_wrap=True)
    table.add_column("message", overflow="fold", ratio=1)
    for row in rows:
        excerpt = output.text(_around(row["content"], words[0]))
        for word in words:
            excerpt.highlight_words([word], "bold reverse", case_sensitive=False)
        day, session = formatting.day(row["timestamp"]), output.name(row["session_id"])
        table.add_row(day, session, output.text(row["role"]), excerpt)
    return table


def _around(content: str, word: str, width: int = 200) -> str:
    """Cut `content`, in one line, to what is around the first `word`."""
    content = " ".join(content.split())
    place = max(content.lower().find(word.lower()) - width // 2, 0)
    cut = content[place : place + width]
    return ("… " if place else "") + cut + (" …" if place + width < len(content) else "")
