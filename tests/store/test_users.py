"""Who may do what in the store."""

from hashlib import sha256
from pathlib import Path

import pytest

from otel_costs.store import StoreError, users
from otel_costs.store.files import folder
from tests.queries.engine import engine

PASSWORDS = {users.variable(user): f"correct horse {user}" for user in users.USERS}
CREDENTIALS = users._credentials(PASSWORDS)
STATEMENTS = users.statements(CREDENTIALS, "`d`", "")


def formatted(statement: str) -> str:
    """Return the statement as ClickHouse's own parser read it."""
    return str(engine().command("select formatQuery({statement:String})", parameters={"statement": statement}))


def said() -> list[str]:
    return [" ".join(statement.split()) for statement in STATEMENTS]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_clickhouse_understands_every_statement(statement: str) -> None:
    """By its own parser; the embedded engine has no users, so that more is seen on a server alone."""
    assert formatted(statement)


def test_on_a_cluster_too() -> None:
    """With a cluster every statement says so."""
    for statement in users.statements(CREDENTIALS, "`d`", "on cluster `c`"):
        assert "ON CLUSTER c" in formatted(statement)


def test_the_writer_only_inserts() -> None:
    """It reads nothing but budgets, what alerts have sent and what bills differ in: no table of calls or words."""
    grants = [statement for statement in said() if statement.endswith("to otel_costs_writer") and "grant" in statement]
    assert grants == [
        "grant insert, show columns on `d`.otel_logs to otel_costs_writer",
        "grant insert, show columns on `d`.otel_traces to otel_costs_writer",
        "grant insert, show columns on `d`.budgets to otel_costs_writer",
        "grant insert, show columns on `d`.alerts to otel_costs_writer",
        "grant insert, show columns on `d`.bill_differences to otel_costs_writer",
        "grant select on `d`.budgets to otel_costs_writer",
        "grant select on `d`.alerts to otel_costs_writer",
        "grant select on `d`.bill_differences to otel_costs_writer",
    ]


def test_every_view_has_its_readers() -> None:
    """Each view is granted to one role, no table but `alerts`, and words that were said to the content role alone."""
    granted = {
        statement.split("`d`.")[1].split()[0]: statement.rsplit(" ", 1)[1]
        for statement in said()
        if statement.startswith("grant select") and not statement.endswith("to otel_costs_writer")
    }
    views = {path.stem: _body(path) for part in ("pipeline", "reports") for path in (folder() / part).glob("*.sql")}
    assert granted.pop("alerts") == "otel_costs_reader"  # names and sums, which a page shows
    assert set(granted) == {name for name, body in views.items() if "create or replace view" in body}
    assert {view for view, role in granted.items() if role == "otel_costs_content"} == {
        name for name, body in views.items() if "content" in body or "session_report" in name
    } & set(granted)


def _body(path: Path) -> str:
    return "\n".join(line for line in path.read_text().splitlines() if not line.startswith("--"))


def test_passwords_are_sent_as_their_hash() -> None:
    """And can be changed: who exists gets the new one."""
    hashed = sha256(b"correct horse reader").hexdigest()
    about = [statement for statement in said() if hashed in statement]
    assert [statement.split(" identified")[0] for statement in about] == [
        "create user if not exists reader",
        "alter user reader",
    ]
    assert not any("correct horse" in statement for statement in said())


@pytest.mark.parametrize("password", ["", "short"])
def test_no_password_no_user(password: str) -> None:
    """The variable is named, and the password is not."""
    with pytest.raises(StoreError, match="OTEL_COSTS_READER_PASSWORD must be set, to 12 characters or more"):
        users._credentials({**PASSWORDS, "OTEL_COSTS_READER_PASSWORD": password})


def test_names_are_names() -> None:
    """What goes into a statement without quotes cannot be one of its own."""
    assert users._credentials({**PASSWORDS, "OTEL_COSTS_READER_USER": "grafana"})["reader"] == "grafana"
    with pytest.raises(StoreError, match="OTEL_COSTS_READER_USER is no name"):
        users._credentials({**PASSWORDS, "OTEL_COSTS_READER_USER": "x; drop table calls"})
