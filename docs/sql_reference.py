"""The page of all reports and their columns, made of the comments in `queries/` and the types that ClickHouse tells."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_costs.store import files
from otel_costs.store.rows import rows
from otel_costs.store.schema import Retention
from tests.queries.engine import engine

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_INTRODUCTION: Final = """\
# Reports in SQL

<!-- Made by `make docs` from the comments in queries/. -->

Every report is a view of the store. Ask it through ClickHouse's HTTP interface, which `otel-costs local` has too, with
`clickhouse-client`, or in Grafana:

```sh
curl localhost:8123 --data-binary "select day, cost_usd from daily_costs order by day format PrettyCompact"
```

A report with parameters is called like a function, by their names; those whose type is Nullable may be left out:

```sh
curl localhost:8123 --data-binary "select user_id, cost_usd from top_users(since = '2026-11-01') format PrettyCompact"
```

The user `reader` sees every report but those with words of conversations in them; `auditor` sees all. A report of your
own is a file: [adding a report](adding-a-report.md).
"""

_MEASURES: Final = """\
## Measures

Reports of costs have these columns, with the same meaning; they stand once, in `queries/measures.sql`.
"""

_VALUES: Final = {
    "Nullable": "null",
    "String": "''",
    "DateTime64": "'2026-01-01 00:00:00'",
    "UInt64": "1",
    "Array": "[]",
}
"""A value for a parameter of each type, to ask what a report has for columns."""

Column = tuple[str, str, str]
"""Name, type, and what is said of it."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a file of `queries/` says of the table or view that it creates."""

    paragraphs: tuple[str, ...]
    """Of its rows; then, behind a label, of its parameters, units and source."""

    columns: Mapping[str, str]
    """Of columns, by name: not of all."""

    parameters: Mapping[str, str]
    """The types of its parameters, by name."""

    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """What is said in `queries/`, and the store that tells the types."""

    client: "Client"
    sources: Mapping[str, Source]
    measures: tuple[str, ...]
    reports: tuple[str, ...]

    @classmethod
    def of(cls, client: "Client") -> "Reference":
        """Read `queries/`; `client` is a store with the schema of it."""
        folder = files.folder()
        listed = _text(folder / "measures.sql")
        measures = tuple(re.findall(r"\bas (\w+)", listed))
        made = {one.name: one for one in files.statements(asdict(Retention()), "here") if one.kind != "handler"}
        paths = [path for part in ("tables", "pipeline", "reports") for path in sorted((folder / part).glob("*.sql"))]
        sources = {}
        for path in paths:
            statement, text = made[re.sub(r"^\d\d_", "", path.stem)], _text(path)
            columns = _of_table(text) if statement.kind == "table" else _of_view(text)
            shared = _of_view(listed) if "$measures" in text else ()
            paragraphs, of_stars = _header(text)
            sources[statement.name] = Source(
                paragraphs,
                dict((*shared, *of_stars, *columns)),
                dict(re.findall(r"\{(\w+):([^}]+)\}", text)),
                statement.reads,
            )
        return cls(client, sources, measures, tuple(path.stem for path in paths if path.parent.name == "reports"))

    def page(self) -> str:
        """Return the page. Raises ValueError for a report's column that nothing is said of."""
        overview = [f"| [{name}](#{name}) | {self._rows_of(name)} |" for name in self.reports]
        measures = [column for column in self.columns("daily_costs") if column[0] in self.measures]
        return "\n".join(
            [
                _INTRODUCTION,
                "| report | rows |\n|---|---|",
                *overview,
                "",
                _MEASURES,
                *_table(measures),
                *(line for name in self.reports for line in self.section(name)),
                "",
            ]
        )

    def section(self, report: str) -> Iterator[str]:
        """Yield what the page has of one report."""
        source, columns = self.sources[report], list(self.columns(report))
        yield f"\n## {report}\n\n" + "\n\n".join(map(_labelled, source.paragraphs))
        if source.parameters:
            yield f"\n`{report}({', '.join(f'{name} {kind}' for name, kind in source.parameters.items())})`"
        yield f"\nRead by `{_reader(report)}`; made by `queries/reports/{report}.sql`.\n"
        if set(self.measures) <= {name for name, *_ in columns}:
            yield from _table(column for column in columns if column[0] not in self.measures)
            yield "| ... | | the [measures](#measures) |"
        else:
            yield from _table(columns)

    def columns(self, report: str) -> Iterator[Column]:
        """Yield a report's columns. Raises ValueError for one without a comment."""
        given = ", ".join(f"{name} = {_value(kind)}" for name, kind in self.sources[report].parameters.items())
        described = rows(self.client, f"describe (select * from {report}{f'({given})' if given else ''})")  # noqa: S608
        for column in described:
            if (comment := self._comment_of(report, column["name"])) is None:
                raise ValueError(
                    f"nothing is said of {column['name']} in queries/reports/{report}.sql:"
                    " write `-- ...` behind the column"
                )
            yield column["name"], re.sub(r"\s*\n\s*", " ", column["type"]).replace("( ", "("), comment

    def _comment_of(self, name: str, column: str) -> str | None:
        """Return the comment of a column: of the file itself, or of those that it reads, in their order."""
        if (source := self.sources.get(name)) is None:
            return None
        found = (self._comment_of(read, column) for read in source.reads)
        return source.columns.get(column) or next(filter(None, found), None)

    def _rows_of(self, report: str) -> str:
        return re.split(r"(?<=\.)\s", self.sources[report].paragraphs[0])[0].removesuffix(".")


def page() -> str:
    """Return the page of the reports that there are."""
    return Reference.of(engine()).page()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _header(text: str) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """Return the paragraphs at the beginning of a file, and those of them that are about a column."""
    lines = [line.removeprefix("--").strip() for line in text.partition("\ncreate ")[0].splitlines()]
    paragraphs = re.split(r"\n(?=(?:Parameters|Units|Source|Column [a-z_]+): )", "\n".join(lines))
    joined = [paragraph.replace("\n", " ") for paragraph in paragraphs]
    columns = [(found[1], found[2]) for one in joined if (found := re.match(r"Column ([a-z_]+): (.*)", one))]
    return tuple(one for one in joined if not one.startswith("Column ")), columns


def _of_view(text: str) -> list[tuple[str, str]]:
    """Return what stands behind the columns of a select."""
    return re.findall(r"^[^\n]*?\b(\w+),? -- ([^\n]+)$", text, re.MULTILINE)


def _of_table(text: str) -> Iterator[tuple[str, str]]:
    """Yield what stands behind the columns of a table, or is their comment in the store."""
    for name, definition in re.findall(r"^    (\w+) (.*?)(?=^    \w|^\))", text, re.MULTILINE | re.DOTALL):
        behind = re.search(r"\S -- ([^\n]+)$", definition, re.MULTILINE)
        if found := behind or re.search(r"\bcomment '([^']*)'", definition):
            yield name, found[1]


def _value(kind: str) -> str:
    return next(value for name, value in _VALUES.items() if kind.startswith(name))


def _labelled(paragraph: str) -> str:
    label, colon, rest = paragraph.partition(": ")
    return f"*{label}:* {rest}" if colon and label in ("Parameters", "Units", "Source") else paragraph


def _reader(report: str) -> str:
    access = "".join(map(_text, (files.folder() / "access").glob("*.sql")))
    return "auditor" if f"grant select on {report} to otel_costs_content;" in access else "reader"


def _table(columns: Iterable[Column]) -> Iterator[str]:
    yield "| column | type | what it is |\n|---|---|---|"
    for name, kind, comment in columns:
        yield f"| {name} | `{kind}` | {comment} |"
