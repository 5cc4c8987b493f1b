"""The files of `queries/`: found in a checkout and in an installed package, read in the order they must run in.

A file is the SQL that it creates something with, and runs as it is. Two things are filled in when it is read: a number
behind a name, `/* raw_days */ 30`, which a store may have otherwise, and `$measures`, the columns that reports share.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from graphlib import TopologicalSorter
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

Kind = Literal["table", "materialized view", "view", "handler"]

_CHECKOUT: Final = Path(__file__).resolve().parents[2] / "queries"
_INSTALLED: Final = Path(__file__).resolve().parents[1] / "_files" / "queries"
_COMMENT: Final = re.compile(r"('(?:[^'\\]|\\.)*')|--[^\n]*", re.S)
_TARGET: Final = re.compile(r"^create materialized view .*? to (\w+) as$", re.M | re.S)
_REFRESHED: Final = re.compile(r"\srefresh every\s")
READ: Final = re.compile(r"\b(from|join)\s+(\w+)")
"""What a statement selects from, behind the word that says so."""

_WHITE_SPACE: Final = re.compile(r"('(?:[^'\\]|\\.)*')|\s*([(),])\s*|\s+", re.S)
_AS: Final = re.compile(r"\bas\s*\n")
_SETTING: Final = re.compile(r"/\* (\w+) \*/ \d+")
_PLACEHOLDER: Final = re.compile(r"\$([a-z]\w*)")
_MEASURE: Final = re.compile(r"^(.+ as (\w+)),?\s*$", re.M)
CREATED: Final = re.compile(
    r"^create (?:or replace )?(table|materialized view|view|handler) (?:if not exists )?(\w+)", re.M
)
"""The beginning of a statement: the kind and the name of what it creates."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one file creates, and the statement that does."""

    name: str
    kind: Kind
    sql: str

    @property
    def checksum(self) -> str:
        """Of the statement without its comments and its layout: neither changes anything in the store."""
        return sha256(_WHITE_SPACE.sub(lambda found: found[1] or found[2] or " ", self.body).encode()).hexdigest()[:16]

    @property
    def body(self) -> str:
        """The statement without its comments."""
        return uncommented(self.sql).strip()

    @property
    def fills(self) -> str | None:
        """The table that a materialized view fills, as rows come or when it is refreshed; None for all else."""
        found = _TARGET.search(self.body)
        return found[1] if found else None

    @property
    def target(self) -> str | None:
        """The table that a materialized view fills as rows come; None for one that is refreshed, and for all else."""
        return None if self.is_refreshed else self.fills

    @property
    def is_refreshed(self) -> bool:
        """Whether it is a materialized view that the store runs by itself from time to time."""
        found = _TARGET.search(self.body)
        return found is not None and _REFRESHED.search(found[0]) is not None

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


def statements(settings: Mapping[str, int], database: str) -> list[Statement]:
    """Return every statement of `queries/` but those about access: tables first, then views and handlers.

    `settings` are the days that a store keeps things, by the names that the files have for them; `database`, quoted, is
    where a handler finds the views that it reads: it is asked in none. Raises KeyError for a setting that is not given,
    ValueError for a file that creates nothing.
    """
    filled = shared()
    tables, pipeline, reports, handlers = (
        [_statement(path, settings, filled) for path in sorted((folder() / part).glob("*.sql"))]
        for part in ("tables", "pipeline", "reports", "handlers")
    )
    views = _by_dependency([*pipeline, *reports])
    known = {statement.name for statement in (*tables, *views)}
    return [*tables, *views, *(_in_database(handler, database, known) for handler in handlers)]


def fill(sql: str, placeholders: Mapping[str, str]) -> str:
    """Return `sql` with its `$placeholders` filled. Raises KeyError for one that is not given."""
    return _PLACEHOLDER.sub(lambda found: placeholders[found[1]], sql)


def uncommented(sql: str) -> str:
    """Return `sql` without its comments. What looks like one in a text is none."""
    return _COMMENT.sub(lambda found: found[1] or "", sql)


@cache
def measure_names() -> tuple[str, ...]:
    """Return the names of the measures that all reports of costs have, in their order."""
    return tuple(measures())


@cache
def measures() -> Mapping[str, str]:
    """Return the expression of each measure of calls `c`, by its name."""
    return {name: expression for expression, name in _MEASURE.findall(_measures())}


@cache
def shared() -> Mapping[str, str]:
    """Return the measures of calls `c`, those of rows `r` added up, those of groups `g` as arrays, and their names."""
    names = measure_names()
    return {
        "measures": _measures(),
        "measures_added": ",\n".join(f"sum(r.{name}) as {name}" for name in names),
        "measures_as_arrays": ",\n".join(f"groupArrayIf(g.{name}, g.call_count > 0) as {name}" for name in names),
        "measure_names": ",\n".join(names),
    }


def _measures() -> str:
    return uncommented((folder() / "measures.sql").read_text(encoding="utf-8")).strip()


def _statement(path: Path, settings: Mapping[str, int], shared: Mapping[str, str]) -> Statement:
    sql = fill(_SETTING.sub(lambda found: str(settings[found[1]]), path.read_text(encoding="utf-8")), shared)
    created = CREATED.search(uncommented(sql))
    if created is None:
        raise ValueError(f"{path} creates neither table nor view nor handler")
    kind: Kind = created[1]  # type: ignore[assignment]
    return Statement(created[2], kind, sql)


def _in_database(handler: Statement, database: str, known: Collection[str]) -> Statement:
    sql = READ.sub(lambda read: f"{read[1]} {database}.{read[2]}" if read[2] in known else read[0], handler.sql)
    return replace(handler, sql=sql)


def _by_dependency(views: Iterable[Statement]) -> list[Statement]:
    """Put every view behind the views that it reads, always in the same order."""
    named = {view.name: view for view in views}
    reads = {
        view.name: sorted((set(re.findall(r"\w+", view.body)) & named.keys()) - {view.name}) for view in named.values()
    }
    return [named[name] for name in TopologicalSorter(reads).static_order()]
