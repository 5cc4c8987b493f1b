"""One `otel-costs local` for all tests of a worker: to start one takes seconds, to empty it a moment."""

from collections.abc import Iterable, Iterator

import pytest

from otel_costs.local import Stack
from tests.collector.support import wait_until
from tests.local.support import ask, send

_TABLES = (
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    " AND name != 'schema_versions'"
)
_REFRESHED = "SELECT view FROM system.view_refreshes WHERE database = currentDatabase()"
_COUNTING = "SELECT view FROM system.view_refreshes WHERE database = currentDatabase() AND status = 'Running'"


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a stack with whatever other tests left in it: for tests that use ids of their own, and leave no views."""
    with Stack(tmp_path_factory.mktemp("shared")) as running:
        yield running


@pytest.fixture(scope="module")
def emptied_stack(shared_stack: Stack) -> Stack:
    """Return the shared stack without any rows, at the start of a module."""
    empty(shared_stack)
    return shared_stack


def empty(stack: Stack) -> None:
    """Remove all rows, and what is being counted of them."""
    views = [row["view"] for row in ask(stack.http_url, _REFRESHED)]
    _do(stack, [f"SYSTEM {what} VIEW {view}" for view in views for what in ("STOP", "CANCEL")])
    # A count that is cancelled may still put in what it has.
    wait_until(lambda: not ask(stack.http_url, _COUNTING), "what is being counted has ended")
    _do(stack, [f"TRUNCATE TABLE {row['name']} SYNC" for row in ask(stack.http_url, _TABLES)])
    _do(stack, [f"SYSTEM START VIEW {view}" for view in views])


def _do(stack: Stack, commands: Iterable[str]) -> None:
    for command in commands:
        answer = send(stack.http_url, command.encode())
        assert answer.status == 200, answer.text
