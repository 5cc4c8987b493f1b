"""What other instrumentations saw, named below a report: in tables, for people, and in the store's own state."""

import json
import urllib.request

import pytest

from .support import DAY, Ledger, at, fill, run

pytestmark = pytest.mark.long

ONE = (
    "1 span of another instrumentation has token usage but belongs to no recorded call; it is not in these sums "
    "(the view spans_of_others lists them)\n"
)
OTHERS = (
    "spans of other instrumentations have token usage but belong to no recorded call; they are not in these sums "
    "(the view spans_of_others lists them)"
)


def insert(url: str, number: int, **attributes: str) -> None:
    """Store a span of another instrumentation."""
    span = {
        "Timestamp": f"{at('10:30:00'):%Y-%m-%d %H:%M:%S}",
        "TraceId": f"{number:032x}",
        "SpanId": f"{number:016x}",
        "ScopeName": "acme",
        "SpanAttributes": {"llm.token_count.prompt": "10", **{k.replace("__", "."): v for k, v in attributes.items()}},
    }
    statement = b"insert into otel_traces format JSONEachRow\n"
    urllib.request.urlopen(url, statement + json.dumps(span).encode(), timeout=30).close()


def counted(url: str) -> object:
    """Return what the state of the store says."""
    with urllib.request.urlopen(f"{url}/state", timeout=30) as answer:
        return json.load(answer)["spans_of_others"]


@pytest.fixture(scope="module")
def spans(store: str) -> str:
    """Return a store with sessions of ours and, after a look at it, spans of others."""
    fill(Ledger(store))
    assert counted(store) == 0
    assert all(run(command, url=store).stderr == "" for command in ("sessions", "report"))
    insert(store, 1)
    assert run("report", url=store).stderr == ONE
    insert(store, 2, user__id="ada")
    return store


@pytest.mark.parametrize("command", ["sessions", "report"])
def test_below_the_table(command: str, spans: str) -> None:
    """How many there are, on standard error, in the range and of the user that is asked for."""
    assert run(command, url=spans).stderr == f"2 {OTHERS}\n"
    assert run(command, "--user", "ada", url=spans).stderr == ONE
    assert OTHERS not in run(command, "--from", f"{DAY.date()}T11:00:00", url=spans).stderr
    assert run(command, "--to", f"{DAY.date()}", url=spans).stderr == f"2 {OTHERS}\n"


@pytest.mark.parametrize("command", ["sessions", "report"])
@pytest.mark.parametrize("form", ["json", "csv"])
def test_not_in_what_programs_read(command: str, form: str, spans: str) -> None:
    """JSON and CSV are as they were."""
    said = run(command, "--format", form, url=spans)
    assert said.stderr == ""
    assert "other instrumentations" not in said.stdout


def test_in_the_state(spans: str) -> None:
    """`otel-costs local` counts them."""
    assert counted(spans) == 2
