"""The files of queries/: where they are, what is filled in, and in which order they run."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from otel_costs.store import files
from otel_costs.store.reports import MEASURES
from otel_costs.store.schema import Retention
from tests.queries.engine import beside

DAYS = asdict(Retention())
PARTS = ("tables", "pipeline", "reports", "handlers")
SQL = sorted(path for part in PARTS for path in (files.folder() / part).glob("*.sql"))


def test_the_files_of_the_checkout_are_found() -> None:
    """Every part has some."""
    assert {path.parent.name for path in SQL} == set(PARTS)


def test_the_files_of_an_installed_package_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel brings its own copy, whatever lies beside it."""
    installed = tmp_path / "otel_costs" / "_files" / "queries"
    shutil.copytree(files.folder(), installed)
    monkeypatch.setattr(files, "_INSTALLED", installed)
    assert files.folder() == installed
    assert len(files.statements(DAYS, "here")) == len(SQL)


def test_a_package_without_its_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names where they should be."""
    monkeypatch.setattr(files, "_INSTALLED", tmp_path / "one")
    monkeypatch.setattr(files, "_CHECKOUT", tmp_path / "other")
    with pytest.raises(FileNotFoundError, match="install otel-costs again"):
        files.folder()


def test_what_is_read_is_made_first() -> None:
    """Tables before views, and every view behind those it reads."""
    found = files.statements(DAYS, "here")
    assert len(found) == len(SQL)
    place = {statement.name: number for number, statement in enumerate(found) if statement.kind != "handler"}
    for statement in found[: len(place)]:
        read = set(re.findall(r"(?:from|join) (\w+)", statement.body)) & place.keys() - {statement.name}
        assert all(place[name] < place[statement.name] for name in read), statement.name


def test_a_setting_that_is_not_given_is_an_error() -> None:
    """A store never gets what a file has for those who read it in place of what was asked."""
    with pytest.raises(KeyError, match="ledger_days"):
        files.statements({name: days for name, days in DAYS.items() if name != "ledger_days"}, "here")


def test_settings_are_filled_in() -> None:
    """Everywhere, and the files have those that hold where nothing is asked."""
    usual = [statement.sql for statement in files.statements(DAYS, "here")]
    assert not [sql for sql in usual if re.search(r"/\* (?!shard)|\$\w", sql)]
    asked = files.statements({"raw_days": 7030, "content_days": 7030, "ledger_days": 7400}, "here")
    assert sum("7030" in statement.sql or "7400" in statement.sql for statement in asked) == 20
    assert [statement.sql.replace("7030", "30").replace("7400", "400") for statement in asked] == usual
    for path in SQL:
        for name, days in re.findall(r"/\* (\w+) \*/ (\d+)", path.read_text()):
            assert DAYS[name] == int(days), path.name


@pytest.mark.long
def test_statements_are_always_in_the_same_order() -> None:
    """Whatever the hashes of names are in a process: what is made first does not change from one to the next."""
    program = (
        "from otel_costs.store import files;"
        f"print(*(statement.name for statement in files.statements({DAYS!r}, 'here')))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in map(str, range(6))
    }
    assert len(found) == 1


def test_measures_are_listed_once() -> None:
    """Rows that have them are added up by the same list."""
    [report] = [found for found in files.statements(DAYS, "here") if found.name == "costs_report"]
    measures = re.findall(r"\bas (\w+)", files.uncommented((files.folder() / "measures.sql").read_text()))
    assert len(measures) == 19
    for name in measures:
        assert len(re.findall(rf" as {name}\b", report.body)) == 2
        assert f"sum(r.{name}) as {name}" in report.body


def test_a_file_runs_as_it_is() -> None:
    """In any client, without a tool of ours: but for those that name the measures in place of listing them."""
    texts = {re.sub(r"^\d\d_", "", path.stem): path.read_text() for path in SQL if path.parent.name != "handlers"}
    client = beside("files_test")
    for statement in files.statements(DAYS, "here"):
        if statement.kind != "handler":
            text = texts[statement.name]
            client.command(statement.sql if "$measure" in text else text)
    client.command("drop database files_test sync")
    client.close()


LAYOUTS = (
    ("-- a\ncreate view x as\nselect 1", "create view x as\nselect 1", True),
    (
        "create view x as\nselect f(1, 2),\n    3",
        "create view x as\nselect\n    f(\n        1,\n        2\n    ),\n    3",
        True,
    ),
    ("create view x as\nselect 1", "create view x as\nselect 2", False),
    ("create view x as\nselect '-- a'", "create view x as\nselect '-- b'", False),
    ("create view x as\nselect 'a, b'", "create view x as\nselect 'a,b'", False),
    ("create view x as\nselect 'a\\'  b'", "create view x as\nselect 'a\\' b'", False),
)


@pytest.mark.parametrize(("one", "other", "same"), LAYOUTS)
def test_how_it_is_written_changes_no_checksum(one: str, other: str, same: bool) -> None:
    """Only what the store sees counts: neither comments nor white space, but that of a text."""
    first, second = (files.Statement("x", "view", sql) for sql in (one, other))
    assert (first.checksum == second.checksum) is same


def test_attribute_names_stand_only_where_otel_logs_is_read() -> None:
    """Reports know columns; what an attribute is called is known in one file for calls, for messages and for spans."""
    for statement in files.statements(DAYS, "here"):
        if re.search(r"gen_ai\.|otel_costs\.(?!message|session)\w+\.|session\.id|user\.id", statement.body):
            assert re.search("from otel_(logs|traces)", statement.body), statement.name


def test_every_measure_is_a_line_of_its_own() -> None:
    """Some of them are selected as all are: expression by expression, under the same names."""
    lines = [line.strip(" ,") for line in files.shared()["measures"].splitlines()]
    assert list(files.measures().values()) == lines
    assert set(files.measures()) == set(MEASURES)


def test_how_long_things_are_kept_is_in_the_statements() -> None:
    """Content goes before the frame of a message, which is part of the ledger; raw records go first."""
    days = asdict(Retention(raw_days=7, content_days=14, ledger_days=800))
    sql = {statement.name: statement.sql for statement in files.statements(days, "`d`")}
    kept = {name: set(re.findall(r"interval (?:/\*.*?\*/ )?(\d+) day", sql[name])) for name in sql}
    assert kept["messages"] == {"14", "800"}
    assert kept["calls"] == {"800"}
    assert kept["otel_logs"] == {"7"}
