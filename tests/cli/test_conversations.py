"""The command `export conversations`, over a real store."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.cli.conversations import file_name

from .support import DAY, Ledger, at, run

STAMP = f"{DAY:%Y%m%d}T103000Z"


def test_a_file_per_session(url: str, tmp_path: Path) -> None:
    """Each is what `session` says as JSON, for its owner alone; how many they are is said."""
    folder = tmp_path / "new" / "folder"
    said = run("export", "conversations", "--to", str(folder), url=url)
    assert (said.exit_code, said.stdout) == (0, "")
    assert {path.name.partition("_")[0] for path in folder.iterdir()} == {"parcel", "voice"}
    file = folder / f"parcel_{STAMP}.json"
    assert file.read_text() == run("session", "parcel", "--format", "json", url=url).stdout
    assert file.stat().st_mode & 0o077 == 0
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert said.stderr == f"{folder}: 2 conversations, {size:,} bytes\n"


def exported(tmp_path: Path, *arguments: str, url: str) -> set[str]:
    """Return the sessions that are written."""
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    assert run("export", "conversations", "--to", str(folder), *arguments, url=url).exit_code == 0
    return {json.loads(path.read_text())["session_id"] for path in folder.iterdir()}


@pytest.mark.long
def test_those_that_are_chosen(url: str, tmp_path: Path) -> None:
    """By the same options as `sessions`."""
    assert exported(tmp_path, "--user", "ada", url=url) == {"parcel"}
    assert exported(tmp_path, "--tag", "team=west", url=url) == {"parcel"}
    assert exported(tmp_path, "--model", "whisper-1", url=url) == {"voice"}
    assert exported(tmp_path, "--from", f"{DAY + timedelta(days=1):%Y-%m-%d}", url=url) == {"voice"}
    assert exported(tmp_path, "--until", f"{DAY:%Y-%m-%d}", url=url) == {"parcel"}
    assert exported(tmp_path, "--user", "nobody", url=url) == set()


@pytest.mark.long
def test_an_export_again_writes_the_same_files(url: str, tmp_path: Path) -> None:
    """And nothing else is left; what was a link there is a file afterwards, and what it led to is as it was."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("before")
    folder = tmp_path / "to"
    folder.mkdir()
    (folder / f"parcel_{STAMP}.json").symlink_to(elsewhere)
    for _ in range(2):
        assert run("export", "conversations", "--to", str(folder), "--user", "ada", url=url).exit_code == 0
        assert [path.name for path in folder.iterdir()] == [f"parcel_{STAMP}.json"]
    assert elsewhere.read_text() == "before"


@pytest.mark.long
def test_more_sessions_than_a_page(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, each once."""
    monkeypatch.setattr("otel_costs.store.session_list._PAGE", 3)
    for number in range(8):
        Ledger(store).call(f"many-{number}", at("12:00:00"), user__id="many", otel_costs__cost__usd="1")
    assert exported(tmp_path, "--user", "many", url=store) == {f"many-{number}" for number in range(8)}


@pytest.mark.long
def test_ids_that_are_no_names_of_files(store: str, tmp_path: Path) -> None:
    """They stay in the folder, and what is in the file is the id as it is."""
    hostile = [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".hidden",
        "a\x1b[2Jb",
        "two\nlines",
        "漢字",
        "CON",
        "Con",
        "x" * 300,
    ]
    for name in hostile:
        Ledger(store).call(name, at("13:00:00"), user__id="evil", otel_costs__cost__usd="1")
    assert exported(tmp_path, "--user", "evil", url=store) == set(hostile)
    assert {path.name for path in tmp_path.iterdir()} == {"0"}


def test_a_folder_that_cannot_be_made(url: str, tmp_path: Path) -> None:
    """The error names it and the reason."""
    (tmp_path / "file").write_text("")
    said = run("export", "conversations", "--to", str(tmp_path / "file" / "folder"), url=url)
    assert said.exit_code == 2
    assert "cannot be made: Not a directory" in said.stderr


@given(st.text(), st.text(), st.integers(0, 3))
def test_no_two_sessions_have_one_file(first: str, second: str, seconds: int) -> None:
    """Whatever their ids are, also where capitals are not told apart, and each is one name that any system takes."""
    began = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
    one, other = file_name(first, began), file_name(second, began + timedelta(seconds=seconds))
    assert (one.lower() == other.lower()) == (first == second and not seconds)
    assert set(one) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-~")
    assert not one.startswith(".")
    assert len(one) <= 130
