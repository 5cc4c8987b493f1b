"""The files of queries/: where they are, in which order they run, and how they are written."""

import re
import shutil
from pathlib import Path

import pytest

from otel_costs.store import files

PLACEHOLDERS = {
    "database": "here",
    "on_cluster": "",
    "local": "",
    "replicated": "",
    "everywhere": "",
    "raw_days": "30",
    "content_days": "30",
    "ledger_days": "400",
}
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
    assert len(files.statements(PLACEHOLDERS)) == len(SQL)


def test_a_package_without_its_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names where they should be."""
    monkeypatch.setattr(files, "_INSTALLED", tmp_path / "one")
    monkeypatch.setattr(files, "_CHECKOUT", tmp_path / "other")
    with pytest.raises(FileNotFoundError, match="install otel-costs again"):
        files.folder()


def test_what_is_read_is_made_first() -> None:
    """Tables before views, and every view behind those it reads."""
    found = files.statements(PLACEHOLDERS)
    assert len(found) == len(SQL)
    place = {statement.name: number for number, statement in enumerate(found) if statement.kind != "handler"}
    for statement in found[: len(place)]:
        read = set(re.findall(r"(?:from|join) (\w+)", statement.body)) & place.keys() - {statement.name}
        assert all(place[name] < place[statement.name] for name in read), statement.name


def test_a_placeholder_that_is_not_filled_is_an_error() -> None:
    """A statement never runs with a hole in it."""
    with pytest.raises(KeyError, match="ledger_days"):
        files.statements({name: value for name, value in PLACEHOLDERS.items() if name != "ledger_days"})


def test_a_comment_changes_no_checksum() -> None:
    """Only what the store sees counts."""
    one, other = (
        files.Statement("x", "view", sql) for sql in ("-- a\ncreate view x as\nselect 1", "create view x as\nselect 1")
    )
    assert one.checksum == other.checksum
    assert one.checksum != files.Statement("x", "view", "create view x as\nselect 2").checksum


@pytest.mark.parametrize("path", SQL, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_how_a_file_is_written(path: Path) -> None:
    """It says what a row is and where it comes from, names what it creates, is short, and its keywords are small."""
    text = path.read_text()
    assert len(text.splitlines()) < 80
    header = " ".join(line.removeprefix("-- ") for line in text.splitlines() if line.startswith("-- "))
    body = re.sub(r"--[^\n]*|'[^']*'", "", text)
    name = re.sub(r"^\d\d_", "", path.stem)
    if name.endswith("_mv") or name == "call_records":
        assert header.startswith(("Fills ", "Marks ", "Keeps "))
    elif path.parent.name == "handlers":
        assert header.startswith("GET /")
    else:
        assert header.startswith("One row"), "the header states the grain"
        assert "Units:" in header
        assert "Source:" in header
    assert not re.findall(r"\b(SELECT|FROM|WHERE|GROUP|ORDER|CREATE|TABLE|VIEW|ENGINE|WITH|JOIN|AND|AS)\b", body)
    assert re.search(rf"create (or replace )?(table|materialized view|view|handler) (if not exists )?{name}\b", body)


def test_attribute_names_stand_only_where_otel_logs_is_read() -> None:
    """Reports know columns; what an attribute is called is known in one file for calls, for messages and for spans."""
    for statement in files.statements(PLACEHOLDERS):
        if re.search(r"gen_ai\.|otel_costs\.(?!message|session)\w+\.|session\.id|user\.id", statement.body):
            assert re.search("from otel_(logs|traces)", statement.body), statement.name
