"""A table that cannot be loaded: set aside and named, while all others are served."""

from collections.abc import Callable
from pathlib import Path

import pytest

from otel_costs.local import Stack

from .support import ask, send

_BROKEN: dict[str, Callable[[str], str]] = {
    "garbage": lambda text: "no SQL at all",
    "empty": lambda text: "",
    "engine": lambda text: text.replace("MergeTree", "NoSuchEngine"),
    "type": lambda text: text.replace("Int32", "NoSuchType"),
    "column": lambda text: text.replace("ORDER BY a", "ORDER BY b"),
}


def _definition(data: Path, table: str) -> Path:
    [found] = (data / "store").glob(f"*/*/{table}.sql")
    return found


@pytest.mark.long
def test_tables_that_cannot_be_loaded(tmp_path: Path) -> None:
    """Each is named with the reason and the place where it lies with its rows; the next start has nothing to say."""
    data = tmp_path / "a folder"
    with Stack(data) as stack:
        assert stack.notices == ()
        for name in (*_BROKEN, "good"):
            sql = f"CREATE TABLE {name} (a Int32) ENGINE = MergeTree ORDER BY a"
            assert send(stack.http_url, sql.encode()).status == 200
            assert send(stack.http_url, f"INSERT INTO {name} VALUES (1)".encode()).status == 200
    for name, broken in _BROKEN.items():
        definition = _definition(data, name)
        definition.write_text(broken(definition.read_text()))
    with Stack(data) as stack:
        assert len(stack.notices) == len(_BROKEN)
        for name in _BROKEN:
            [notice] = [notice for notice in stack.notices if f"default.{name} " in notice]
            assert str(data / "set_aside" / f"default.{name}") in notice
        assert any("NoSuchEngine" in notice for notice in stack.notices)
        assert ask(stack.http_url, "SELECT a FROM good") == [{"a": 1}]
        assert ask(stack.http_url, "SELECT count() AS n FROM calls") == [{"n": 0}]
    assert (data / "set_aside" / "default.engine" / "data" / "format_version.txt").is_file()
    with Stack(data) as stack:
        assert stack.notices == ()
        assert send(stack.http_url, b"CREATE TABLE empty (a Int32) ENGINE = MergeTree ORDER BY a").status == 200
    _definition(data, "empty").write_text("")
    with Stack(data) as stack:
        [notice] = stack.notices
    # What was set aside before is not overwritten.
    assert {path.name for path in (data / "set_aside").iterdir()} == {
        f"default.{name}" for name in (*_BROKEN, "empty-2")
    }
    assert "default.empty-2" in notice
