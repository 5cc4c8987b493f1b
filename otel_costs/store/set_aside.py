"""Tables that the engine cannot load: moved out of its way, so that all others are served, and named.

One that fails keeps the engine from starting. It says which on standard error alone, so that is read.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote

FOLDER: Final = "set_aside"
"""Where they lie, in the data folder: a folder for each, with its definition and its data."""

_NAMED: Final = re.compile(r"(?:metadata file |in file )(/.+?\.sql)\b")
_WHY: Final = re.compile(
    r"DB::Exception: ((?:(?!DB::Exception: ).)*?)(?::? Cannot (?:attach|parse)|\. \([A-Z_]+\)|$)", re.S
)
_UUID: Final = re.compile(r"UUID '([0-9a-f]{3})([0-9a-f-]{33})'")


@dataclass(frozen=True, slots=True)
class SetAside:
    """A table, by its full name, why the engine cannot load it, and the folder in which it lies now."""

    name: str
    why: str
    path: Path

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        return f"The table {self.name} cannot be loaded{why}: it is set aside in {self.path}; all others are there."


@contextmanager
def standard_error() -> Iterator[IO[str]]:
    """Keep what is written to standard error meanwhile, by C++ too, and give the file that has it."""
    with tempfile.TemporaryFile("w+", errors="replace") as kept:
        own = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield kept
        finally:
            os.dup2(own, 2)
            os.close(own)


def move(folder: Path, output: str) -> SetAside | None:
    """Move the table that the engine's `output` about a data folder names, and return it; None when it names none."""
    for named in _NAMED.findall(output):
        definition = Path(named)
        if definition.is_file() and definition.is_relative_to(folder):
            return _move(folder, definition, output)
    return None


def _move(folder: Path, definition: Path, output: str) -> SetAside:
    name = f"{_database(folder, definition.parent)}.{unquote(definition.stem)}"
    text = definition.read_text(errors="replace")
    target = _unused(folder / FOLDER / name.replace("/", "_"))
    target.mkdir(mode=0o700, parents=True)
    if found := _UUID.search(text):
        data = folder / "store" / found[1] / (found[1] + found[2])
        if data.is_dir():
            data.rename(target / "data")
    definition.rename(target / "definition.sql")
    why = _WHY.findall(output)
    return SetAside(name, " ".join(why[-1].split())[:200] if why else "", target)


def _database(folder: Path, metadata: Path) -> str:
    """Return the database whose definitions lie in `metadata`: links in the folder of all databases lead there."""
    if metadata == folder / "metadata":
        return "database"
    for link in (folder / "metadata").iterdir():
        if link.is_dir() and link.resolve() == metadata.resolve():
            return unquote(link.name)
    return unquote(metadata.name)


def _unused(path: Path) -> Path:
    """Return `path`, or, when something lies there from an earlier time, the next one that is free."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
