"""The engine inside a process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.store.embedded import Engine, EngineError, FolderInUseError, escape, quote


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as opened:
        opened.shut_files_out()
        opened.execute("CREATE TABLE t (n Int64, s String) ENGINE = MergeTree ORDER BY n")
        yield opened


def count(engine: Engine, where: str) -> int:
    return int(engine.execute(f"SELECT count() FROM t WHERE {where}"))


def test_rows_are_there_when_insert_returns(engine: Engine) -> None:
    """Insert says how many rows it wrote, and they can be read."""
    assert engine.insert("INSERT INTO t", [b'{"n":1,"s":"a"}\n', b'{"n":1,"s":"b"}']) == 2
    assert count(engine, "n = 1") == 2


def test_an_insert_with_a_bad_row_writes_none(engine: Engine) -> None:
    """One bad row raises, with the engine's code, and the rows before it are not there."""
    with pytest.raises(EngineError) as failed:
        engine.insert("INSERT INTO t", [b'{"n":2}\n{"n":"x"}'])
    assert failed.value.code == 27
    assert count(engine, "n = 2") == 0


def test_a_view_that_throws_is_told(engine: Engine) -> None:
    """An insert whose row does not come through a view raises: nothing is acknowledged that the views do not have."""
    engine.execute("CREATE TABLE target (n Int64) ENGINE = MergeTree ORDER BY n")
    engine.execute("CREATE TABLE source (n Int64) ENGINE = MergeTree ORDER BY n")
    engine.execute("CREATE MATERIALIZED VIEW v TO target AS SELECT toInt64(throwIf(n = 3)) AS n FROM source")
    with pytest.raises(EngineError) as failed:
        engine.insert("INSERT INTO source", [b'{"n":3}'])
    assert failed.value.code == 395


def test_settings_end_with_the_connection(engine: Engine) -> None:
    """What one statement sets is nothing to the next, and an unknown setting is an error."""
    asked = "SELECT getSetting('max_threads')"
    assert engine.execute(asked, settings={"max_threads": "3"}) == b"3\n"
    with engine.connect({"max_threads": "4"}) as connection:
        assert connection.execute(asked) == b"4\n"
        assert engine.execute(asked) not in (b"3\n", b"4\n")
    for name in ("no_such_setting", "a = 1, b"):
        with pytest.raises(EngineError) as failed:
            engine.execute(asked, settings={name: "1"})
        assert failed.value.code == 115


def test_no_expression_is_compiled(engine: Engine) -> None:
    """Unless a statement asks for it: to compile one takes longer than it saves."""
    asked = "SELECT countIf(value != '0'), count() FROM system.settings WHERE match(name, '^compile_(exp|agg|sort)')"
    assert engine.execute(asked) == b"0\t3\n"
    assert engine.execute(asked, settings={"compile_expressions": "1"}) == b"1\t3\n"


def test_files_are_no_tables(engine: Engine, tmp_path: Path) -> None:
    """Once files are shut out, a path is an unknown table, quoted or as a parameter."""
    file = tmp_path / "x.csv"
    file.write_text("secret\n")
    for sql in (f"SELECT * FROM `{file}`", f"SELECT * FROM '{file}'", "SELECT * FROM {x:Identifier}"):
        with pytest.raises(EngineError) as failed:
            engine.execute(sql, parameters={"x": str(file)})
        assert failed.value.code == 60


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_text_round_trips(engine: Engine, text: str) -> None:
    """Any text comes back as it was, as a parameter and as a literal."""
    sql = f"SELECT {{x:String}} AS a, {quote(text)} AS b FORMAT JSONEachRow"
    assert json.loads(engine.execute(sql, parameters={"x": escape(text)})) == {"a": text, "b": text}


def test_one_engine_per_folder(engine: Engine) -> None:
    """A second one on the folder is told who has it, in this process and in another."""
    with pytest.raises(FolderInUseError, match="in use by process"):
        Engine(engine.path)
    program = "import sys; from otel_costs.store.embedded import Engine; Engine(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", program, str(engine.path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "in use by process" in done.stderr


def test_a_closed_engine_says_so(tmp_path: Path) -> None:
    """A statement after close is an error, and a second close is none."""
    program = (
        "import sys; from otel_costs.store.embedded import Engine, EngineError\n"
        "engine = Engine(sys.argv[1]); engine.close(); engine.close()\n"
        "try: engine.execute('SELECT 1')\n"
        "except EngineError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout == f"the engine over {tmp_path} is closed\n"
