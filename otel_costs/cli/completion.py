"""What a shell completes an argument with: ids of the store. Where there is none, nothing is said and nothing fails."""

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from otel_costs.cli import formatting, output
from otel_costs.store import connect

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_MOST: Final = 200
"""The newest sessions, or the users that cost most, of which those are offered that begin as what was typed."""

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completion(read: "Callable[[Client], Iterable[tuple[str, str]]]") -> Completion:
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            with closing(connect(context.params.get("dsn"))) as client:
                found = dict(read(client))
        except Exception:  # noqa: BLE001  # a shell shows what is said here in the middle of a line
            return []
        # Of others a shell would make several words, or worse.
        typed = [name for name in found if name.startswith(incomplete) and name.isprintable() and " " not in name]
        return [CompletionItem(name, help=found[name]) for name in typed]

    return complete


def _read_sessions(client: "Client") -> Iterable[tuple[str, str]]:
    from otel_costs.store import reports  # noqa: PLC0415

    for row in reports.sessions(client, limit=_MOST)["sessions"]:
        user = str(output.name(row["user_id"])) or "no user"
        yield row["session_id"], f"{user}, {formatting.known(row)}"


def _read_users(client: "Client") -> Iterable[tuple[str, str]]:
    from otel_costs.store import reports  # noqa: PLC0415

    for row in reports.user_costs(client, limit=_MOST):
        if row["user_id"]:
            yield row["user_id"], formatting.known(row)


sessions: Final = _completion(_read_sessions)
users: Final = _completion(_read_users)
