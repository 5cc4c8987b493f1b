"""No statement leaves the database, and none that stays in it is refused."""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from otel_costs.local import Stack
from tests.grafana.macros import expanded
from tests.grafana.test_dashboards import EVERYTHING, ONE, statements

from . import corpus
from .corpus import Outside
from .support import Served, send

ESCAPES = corpus.read("escapes.txt")
ORDINARY = corpus.read("ordinary.txt")

# How one of the two is switched off, to see what the other one holds.
_NO_CHECK = "from otel_costs.local.guard import Guard; Guard.check = Guard.check_settings = lambda *a: ()"
_NO_CONFINEMENT = "from otel_costs.local import confinement; confinement.confine = lambda **_: 'not confined'"

_LEFT = """
    select 'table', database, name from system.tables where not is_temporary and database not in ('system')
    union all select 'database', '', name from system.databases
    union all select 'dictionary', database, name from system.dictionaries
    union all select 'function', '', name from system.functions where origin != 'System'
    union all select 'handler', '', name from system.handlers
    union all select 'collection', '', name from system.named_collections
    union all select 'process', '', query from system.processes
        where query like '%escape_%' and query not like '%named_collections%'
    union all select 'column', table, name from system.columns where database = 'default'
    union all select 'view', name, as_select from system.tables where database = 'default'
    format TSV
"""


def _there(stack: Stack) -> set[str]:
    return set(send(stack.http_url, _LEFT.encode()).text.splitlines())


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """Prepare what no statement may reach."""
    with corpus.outside(tmp_path_factory.mktemp("outside")) as made:
        yield made


@pytest.mark.parametrize("cause", ESCAPES)
def test_no_statement_leaves_the_database(stack: Stack, outside: Outside, cause: str) -> None:
    """It is refused, reaches nothing and leaves nothing behind."""
    before = _there(stack)
    for line in ESCAPES[cause]:
        answer = corpus.attempt(line, outside.places).send(stack.http_url)
        assert outside.reached(answer) == [], line
        assert answer.status in (400, 403, 404), (line, answer.text)
    assert _there(stack) == before


def test_the_corpus_is_large() -> None:
    """What is counted above is not nothing."""
    assert sum(map(len, ESCAPES.values())) >= 400
    assert sum(map(len, ORDINARY.values())) >= 300


@pytest.mark.long
def test_the_check_of_statements_holds_alone(
    serve: Callable[..., Served], outside: Outside, request: pytest.FixtureRequest
) -> None:
    """Where the operating system confines nothing, nothing is reached either; a long run tries all, others a third."""
    served = serve(prelude=_NO_CONFINEMENT)
    served.wait_until_ready()
    for lines in ESCAPES.values():
        for line in lines[:: 1 if request.config.getoption("long") else 3]:
            answer = corpus.attempt(line, outside.places).send(served.http_url)
            assert outside.reached(answer) == [], line
            assert answer.status in (400, 403, 404), (line, answer.text)


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Landlock and seccomp are Linux's")
def test_the_operating_system_holds_alone(serve: Callable[..., Served], outside: Outside) -> None:
    """What the check of statements lets pass by mistake reaches nothing."""
    served = serve(prelude=_NO_CHECK)
    served.wait_until_ready()
    passed = 0
    for lines in list(ESCAPES.values())[:2]:
        for line in lines:
            answer = corpus.attempt(line, outside.places).send(served.http_url)
            assert outside.reached(answer) == [], line
            passed += b"Permission denied" in answer.body
    assert passed > 50


@pytest.fixture(scope="module")
def ordinary(stack: Stack) -> Iterator[Stack]:
    """Make the table of the ordinary statements."""
    columns = "n Int64, s String, t DateTime64(3), m Map(String, String), a Array(Int32), d Decimal(18, 6)"
    assert (
        send(stack.http_url, f"CREATE TABLE ordinary ({columns}) ENGINE = MergeTree ORDER BY n".encode()).status == 200
    )
    yield stack
    send(stack.http_url, b"DROP TABLE ordinary")


@pytest.mark.some(1)
@pytest.mark.parametrize("kind", ORDINARY)
def test_no_ordinary_statement_is_refused(ordinary: Stack, kind: str) -> None:
    """What people and programs ask a ClickHouse is answered."""
    for line in ORDINARY[kind]:
        answer = corpus.attempt(line, {}).send(ordinary.http_url)
        assert answer.status == 200, (line, answer.text)


@pytest.mark.long
@pytest.mark.parametrize("chosen", [EVERYTHING, ONE], ids=["everything", "one"])
def test_grafana_is_answered(stack: Stack, chosen: dict[str, list[str]]) -> None:
    """Every panel, variable and alert, as Grafana sends it."""
    until = datetime.now(UTC)
    for name, sql in statements():
        answer = send(stack.http_url, expanded(sql, until - timedelta(days=1), until, chosen).encode())
        assert answer.status == 200, (name, answer.text)
