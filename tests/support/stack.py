"""One `otel-costs local` for all tests of a worker: to start one takes seconds, to empty it a moment."""

from collections.abc import Iterator

import pytest

from otel_costs.local import Stack
from tests.local.support import ask, send

_TABLES = (
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    " AND name != 'schema_versions'"
)
_REFRESHED = "SELECT view FROM system.view_refreshes WHERE database = currentDatabase()"


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
    commands = [f"SYSTEM {what} VIEW {view}" for view in views for what in ("STOP", "CANCEL")]
    commands += [f"TRUNCATE TABLE {row['name']} SYNC" for row in ask(stack.http_url, _TABLES)]
    commands += [f"SYSTEM START VIEW {view}" for view in views]
    for command in commands:
        answer = send(stack.http_url, command.encode())
        assert answer.status == 200, answer.text
