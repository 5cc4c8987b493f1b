"""docs/adding-a-report.md, followed word for word."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from docs.sql_reference import Reference
from otel_costs.store import files, schema, users
from tests.queries.engine import beside, engine
from tests.queries.ledger import Store, call
from tests.store.sql_style import complaints

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-report.md").read_text(encoding="utf-8")
VIEW, GRANT = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
(TEST,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(QUESTION,) = re.findall(r'--data-binary "(.*)"', PAGE)
(FILE,) = re.findall(r"`queries/(reports/\w+\.sql)`", PAGE)


@pytest.fixture
def queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of queries/, which the package reads from now on."""
    folder = tmp_path / "queries"
    shutil.copytree(files.folder(), folder)
    monkeypatch.setattr(files, "_INSTALLED", folder)
    return folder


@pytest.fixture(scope="module")
def database() -> Iterator["Client"]:
    """Make the schema once; handlers, which are the server's, are given back."""
    client = beside("adding_a_report")
    schema.apply(client)
    yield client
    client.command("drop database adding_a_report sync")
    client.close()
    schema.apply(engine())


@pytest.fixture
def client(database: "Client") -> Iterator["Client"]:
    """Return a store from before the report, without calls."""
    yield database
    database.command("drop view if exists service_costs")
    database.command("truncate table calls")


def test_the_page(client: "Client", queries: Path) -> None:
    """Its file is well written, its view is made and answers, its test passes, and the reference has it."""
    (queries / FILE).write_text(VIEW)
    assert complaints(VIEW) == []
    assert schema.apply(client) == [schema.Change("created", "view", "service_costs")]

    store = Store(client)
    assert store.ask(QUESTION) == []
    names: dict[str, Any] = {}
    exec(TEST, names)
    names["test_what_a_service_spent"](store)
    assert [row["service"] for row in store.ask(QUESTION)] == ["desk", "shop"]

    section = "\n".join(Reference.of(client).section("service_costs"))
    assert "| day | `Date32` | day (UTC) on which the calls ended |" in section
    assert "| service | `LowCardinality(String)` | service.name of the program that made the call |" in section
    assert section.endswith("the [measures](#measures) |")


def test_the_right_to_read_it(queries: Path) -> None:
    """The line of the page is a grant of this database, to readers."""
    with (queries / "access" / "2_reader.sql").open("a") as file:
        file.write(GRANT)
    credentials = dict.fromkeys([*users.USERS, *(f"{user}_sha256" for user in users.USERS)], "x")
    assert "grant select on `d`.service_costs to otel_costs_reader" in users.statements(credentials, "`d`", "")


def test_a_column_that_nothing_is_said_of(client: "Client", queries: Path) -> None:
    """It is named, with the file that should say it."""
    (queries / FILE).write_text(VIEW.replace(" -- day (UTC) on which the calls ended", ""))
    schema.apply(client)
    with pytest.raises(ValueError, match=r"nothing is said of day in queries/reports/service_costs\.sql"):
        list(Reference.of(client).columns("service_costs"))


def test_a_call_counts_once(client: "Client", queries: Path) -> None:
    """A record that is delivered twice changes nothing in it."""
    (queries / FILE).write_text(VIEW)
    schema.apply(client)
    store, record = Store(client), call(cost="0.5")
    store.insert(record, record)
    store.insert(record)
    assert store.one(QUESTION)["call_count"] == 1
