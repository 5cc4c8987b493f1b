"""ClickHouse's engine inside this process (chDB), on one data folder.

Every statement runs on a connection of its own: one costs 0.2 ms, connections work beside each other, and settings,
the current database and temporary tables end with it. The engine itself allows one process per folder and one folder
per process.
"""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Final, Protocol, Self
from urllib.parse import urlencode

from otel_costs.store import set_aside
from otel_costs.store.gate import Gate

if TYPE_CHECKING:
    from chdb.state.sqlitelike import Connection as ChdbConnection

STD_EXCEPTION: Final = 1001
"""ClickHouse's code for an error without one of its own."""

CANNOT_OPEN_FILE: Final = 76

_ERROR = re.compile(r"Code: (\d+)\. DB::(?:Net)?Exception: ")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOCK_FILE = "otel_costs.lock"

NOT_COMPILED: Final = {
    "compile_expressions": "0",
    "compile_aggregate_expressions": "0",
    "compile_sort_description": "0",
}
"""Settings for our statements: to compile the expressions of one takes 0.1 to 0.3 s when it is run for the third time,
and saves nothing that can be measured, with ten million calls."""


class _ChdbResult(Protocol):
    def bytes(self) -> bytes: ...
    def rows_written(self) -> int: ...


class EngineError(Exception):
    """A statement failed. `code` is ClickHouse's error code, `message` its text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Read the code out of the text that chDB raises."""
        text = str(error)
        found = _ERROR.search(text)
        if found is None:
            return cls(STD_EXCEPTION, text)
        return cls(int(found[1]), text[found.start() :].strip())


class FolderInUseError(EngineError):
    """Another process, or another `Engine` of this one, has the data folder."""

    def __init__(self, path: Path, holder: str) -> None:
        by = f"process {holder}" if holder else "another process"
        super().__init__(
            CANNOT_OPEN_FILE,
            f"the data folder {path} is in use by {by}: stop it, or choose another folder",
        )
        self.path = path


class Connection:
    """One connection to an open `Engine`: settings, database and temporary tables of its own.

    Not for two threads at the same time: the engine lets the second wait.
    """

    def __init__(self, chdb_connection: "ChdbConnection", gate: Gate) -> None:
        self._chdb = chdb_connection
        self._gate = gate

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def set(self, settings: Mapping[str, str]) -> None:
        """Apply settings to what this connection runs from now on. Raises EngineError for an unknown one."""
        if settings:
            self.execute(set_statement(settings))

    def execute(
        self, sql: str, *, output_format: str = "TabSeparated", parameters: Mapping[str, str] | None = None
    ) -> bytes:
        """Run one statement and return what it printed, in `output_format` unless the statement says FORMAT itself.

        `parameters` fill `{name:Type}`; their values are in ClickHouse's escaped form (`escape`), as in its HTTP
        interface. Raises EngineError.
        """
        return bytes(self._run(sql, output_format, parameters or {}).bytes())

    def insert(
        self, statement: str, chunks: Iterable[bytes], *, input_format: str = "JSONEachRow", settings: str = ""
    ) -> int:
        """Run `INSERT INTO ...` (no FORMAT, no data) over `chunks` and return the rows written. Raises EngineError.

        `settings` is the statement's SETTINGS clause, if it has one.

        Returns once the rows are in the table and in the tables of its views. Nothing is written when a row of the
        first block cannot be read.
        """
        # Not chDB's send_insert (4.4.0): on a full disk it stores nothing and reports all rows written.
        with _file(chunks) as path, self._gate.passed():
            return self._run(
                f"{statement} FROM INFILE {quote(path)} {settings} FORMAT {input_format}", "Null", {}
            ).rows_written()

    def insert_selected(
        self, sql: str, *, output_format: str = "TabSeparated", parameters: Mapping[str, str] | None = None
    ) -> bytes:
        """Run an INSERT of what a SELECT finds, as one of the inserts that may be held. As `execute` else."""
        with self._gate.passed():
            return self.execute(sql, output_format=output_format, parameters=parameters)

    def close(self) -> None:
        """Close this connection; the engine stays."""
        self._chdb.close()

    def _run(self, sql: str, output_format: str, parameters: Mapping[str, str]) -> "_ChdbResult":
        try:
            result: _ChdbResult = self._chdb.query(sql, output_format, params=dict(parameters))
        except UnicodeDecodeError as error:
            # chDB 4.4.0 decodes the text of an error strictly; it may quote any bytes, or cut a character in two.
            raise EngineError.of(RuntimeError(error.object.decode(errors="replace"))) from None
        except RuntimeError as error:
            raise EngineError.of(error) from None
        return result


class Engine:
    """The engine over `path`, which is made (for this user alone) when it is not there. Closing it twice is fine.

    `memory_bytes` is all the memory that it takes; by default nine tenths of the machine's. Raises FolderInUseError
    when another process has the folder, EngineError when it cannot be opened. A table that the engine cannot load is
    set aside, and stands in `set_aside`.
    """

    def __init__(self, path: str | os.PathLike[str], *, memory_bytes: int | None = None) -> None:
        self._memory_bytes = memory_bytes
        self._gate = Gate()
        self.set_aside: list[set_aside.SetAside] = []
        self.path = Path(path).absolute()
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(self.path)
        try:
            # Keeps the engine up between statements; it ends with its last connection.
            self._anchor: Connection | None = self._open_what_loads()
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self, settings: Mapping[str, str] | None = None) -> Connection:
        """Open a connection of its own, with `settings` applied. Close it after use."""
        if self._anchor is None:
            raise EngineError(STD_EXCEPTION, f"the engine over {self.path} is closed")
        connection = self._open()
        try:
            connection.set(settings or {})
        except BaseException:
            connection.close()
            raise
        return connection

    def execute(
        self,
        sql: str,
        *,
        output_format: str = "TabSeparated",
        parameters: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run one statement on a connection of its own; see `Connection.execute`."""
        with self.connect(settings) as connection:
            return connection.execute(sql, output_format=output_format, parameters=parameters)

    def insert(
        self,
        statement: str,
        chunks: Iterable[bytes],
        *,
        input_format: str = "JSONEachRow",
        settings: Mapping[str, str] | None = None,
    ) -> int:
        """Insert `chunks` on a connection of its own; see `Connection.insert`."""
        with self.connect(settings) as connection:
            return connection.insert(statement, chunks, input_format=input_format)

    def shut_files_out(self) -> None:
        """Leave the default database its tables alone: chDB lays it over the file system, so that any file is a table.

        Lasts until the engine closes. Call it before anything else uses the engine.
        """
        kept = (self.path / "metadata" / "default.sql").exists()
        with self.connect() as connection:
            connection.execute("DETACH DATABASE default")
            connection.execute("ATTACH DATABASE default" if kept else "CREATE DATABASE default ENGINE = Atomic")

    def pause_inserts(self, timeout_s: float) -> AbstractContextManager[None]:
        """Let inserts that run come to their end, and others wait; statements that are run meanwhile do not.

        Raises TimeoutError on entering, when one that runs has not ended after `timeout_s` seconds.
        """
        return self._gate.closed(timeout_s)

    def close(self) -> None:
        """Close the engine and give the folder back."""
        if self._anchor is not None:
            self._anchor.close()
            self._anchor = None
            self._lock.close()

    def _open_what_loads(self) -> Connection:
        """Open the folder; set a table aside that keeps it from opening, and try again. Raises as `_open` does."""
        while True:
            with set_aside.standard_error() as kept:
                try:
                    return self._open()
                except EngineError as error:
                    failed = error
                kept.seek(0)
                output = kept.read()
            moved = set_aside.move(self.path, output)
            if moved is None and (isinstance(failed, FolderInUseError) or not output.strip()):
                raise failed
            if moved is None:
                raise EngineError(failed.code, f"{failed.message} {output.strip()}")
            self.set_aside.append(moved)

    def _open(self) -> Connection:
        # Imported here: it takes 0.5 s, and only needed to open an engine.
        from chdb.state.sqlitelike import Connection as ChdbConnection  # noqa: PLC0415

        try:
            limit = {"max_server_memory_usage": self._memory_bytes} if self._memory_bytes else {}
            return Connection(ChdbConnection(f"{self.path}?{urlencode({**NOT_COMPILED, **limit})}"), self._gate)
        except RuntimeError as error:
            # A process that opened the folder with chDB alone holds the engine's lock and not ours.
            if "initializing EmbeddedServer" in str(error) and (holder := _holder(self.path / "status")):
                raise FolderInUseError(self.path, holder) from None
            raise EngineError.of(error) from None


def quote(text: str) -> str:
    """Write `text` as a string literal of ClickHouse's SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def set_statement(settings: Mapping[str, str]) -> str:
    """Return the statement that applies settings, of which there is one at least. Raises EngineError for no name."""
    return "SET " + ", ".join(f"{_setting(name)} = {quote(value)}" for name, value in settings.items())


def quote_name(name: str) -> str:
    """Write `name` as a name in ClickHouse's SQL, of a database, say."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def escape(text: str) -> str:
    """Write `text` as the value of a query parameter, in which tabs, newlines, NULs and backslashes are escaped."""
    return text.translate(_ESCAPES)


def _setting(name: str) -> str:
    if not _SETTING_NAME.fullmatch(name):
        raise EngineError(115, f"{name!r} is no name of a setting")
    return name


@contextmanager
def _file(chunks: Iterable[bytes]) -> Iterator[str]:
    """Put `chunks` into a file that the engine can read, in memory where there are such files, and give its path."""
    with ExitStack() as opened:
        if hasattr(os, "memfd_create"):
            file: IO[bytes] = opened.enter_context(os.fdopen(os.memfd_create("otel_costs"), "wb"))
            path = f"/proc/self/fd/{file.fileno()}"
        else:
            file = opened.enter_context(tempfile.NamedTemporaryFile())
            path = file.name
        file.writelines(chunks)
        file.flush()
        yield path


class _Lock:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        os.close(self._descriptor)


def _lock(path: Path) -> _Lock:
    """Lock the folder before the engine does: its own refusal names no process and prints to standard error."""
    descriptor = os.open(path / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"PID: {os.getpid()}\n".encode())
    except BlockingIOError:
        os.close(descriptor)
        raise FolderInUseError(path, _holder(path / _LOCK_FILE)) from None
    except BaseException:
        os.close(descriptor)
        raise
    return _Lock(descriptor)


def _holder(file: Path) -> str:
    """Return the process id that a lock file names, or "" when it names none."""
    with suppress(OSError):
        found = re.search(r"PID: (\d+)", file.read_text())
        return found[1] if found else ""
    return ""
