"""The files of `queries/`: found in a checkout and in an installed package, read in the order they must run in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Final, Literal

Kind = Literal["table", "materialized view", "view", "handler"]

_CHECKOUT: Final = Path(__file__).resolve().parents[2] / "queries"
_INSTALLED: Final = Path(__file__).resolve().parents[1] / "_files" / "queries"
_COMMENT: Final = re.compile(r"--[^\n]*")
_TARGET: Final = re.compile(r"^create materialized view .* to (\w+) as$", re.M)
READ: Final = re.compile(r"\b(from|join)\s+(\w+)")
"""What a statement selects from, behind the word that says so."""

_AS: Final = re.compile(r"\bas\s*\n")
_CREATED: Final = re.compile(
    r"^create (?:or replace )?(table|materialized view|view|handler) (?:if not exists )?(\w+)", re.M
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What one file creates, and the statement that does."""

    name: str
    kind: Kind
    sql: str

    @property
    def checksum(self) -> str:
        """Of the statement without its comments: a changed comment changes nothing in the store."""
        return sha256(self.body.encode()).hexdigest()[:16]

    @property
    def body(self) -> str:
        """The statement without its comments."""
        return _COMMENT.sub("", self.sql).strip()

    @property
    def target(self) -> str | None:
        """The table that a materialized view fills as rows come; None for one that is refreshed, and for all else."""
        found = _TARGET.search(self.body)
        return None if found is None or " refresh every " in found[0] else found[1]

    @property
    def reads(self) -> tuple[str, ...]:
        """The tables and views that a view selects from, each once."""
        return tuple(dict.fromkeys(name for _, name in READ.findall(self.body)))

    @property
    def query(self) -> str:
        """What a materialized view or a handler selects."""
        return _AS.split(self.body, maxsplit=1)[1]


def folder() -> Path:
    """Return the folder `queries/`. Raises FileNotFoundError when the package was built without it."""
    for found in (_INSTALLED, _CHECKOUT):
        if found.is_dir():
            return found
    raise FileNotFoundError(f"no queries in {_INSTALLED} nor {_CHECKOUT}: install otel-costs again")


def statements(placeholders: Mapping[str, str]) -> list[Statement]:
    """Return every statement of `queries/`, placeholders filled: tables first, then views and handlers.

    Lists of columns that several views have, the files beside the folders, are placeholders too.
    Raises KeyError for a placeholder that is not given, ValueError for a file that creates nothing.
    """
    placeholders = {**placeholders, **_columns()}
    tables = _read("tables", placeholders)
    views = [*_read("pipeline", placeholders), *_read("reports", placeholders)]
    handlers = _read("handlers", placeholders)
    return [*tables, *_by_dependency(views), *handlers]


def _columns() -> dict[str, str]:
    found = sorted(folder().glob("*.sql"))
    return {path.stem: _COMMENT.sub("", path.read_text(encoding="utf-8")).strip() for path in found}


def _read(part: str, placeholders: Mapping[str, str]) -> list[Statement]:
    return [_statement(path, placeholders) for path in sorted((folder() / part).glob("*.sql"))]


def _statement(path: Path, placeholders: Mapping[str, str]) -> Statement:
    sql = Template(path.read_text(encoding="utf-8")).substitute(placeholders)
    created = _CREATED.search(_COMMENT.sub("", sql))
    if created is None:
        raise ValueError(f"{path} creates neither table nor view nor handler")
    kind: Kind = created[1]  # type: ignore[assignment]
    return Statement(created[2], kind, sql)


def _by_dependency(views: Iterable[Statement]) -> list[Statement]:
    """Put every view behind the views that it reads."""
    named = {view.name: view for view in views}
    reads = {view.name: (set(re.findall(r"\w+", view.body)) & named.keys()) - {view.name} for view in named.values()}
    return [named[name] for name in TopologicalSorter(reads).static_order()]
