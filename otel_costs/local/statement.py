"""SQL as far as the HTTP interface must know it: where an INSERT's data begins, and what a statement reaches for.

Embedded, the engine lets everybody read any file, open any connection and start programs: the functions, engines and
dictionaries that do are refused here. A server would confine them by its configuration, which chDB does not read.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_TOKEN: Final = re.compile(
    rb"""
      (?P<space>   \s+ | --[^\n]* | \#[ !][^\n]* )
    | (?P<comment> /\* )
    | (?P<string>  '(?:[^'\\]++|\\.|'')*+'? | \xe2\x80\x98.*?\xe2\x80\x99 | (?P<heredoc>\$\w*\$).*?(?P=heredoc) )
    | (?P<quoted>  "(?:[^"\\]++|\\.|"")*+"? | `(?:[^`\\]++|\\.|``)*+`? | \xe2\x80\x9c.*?\xe2\x80\x9d )
    | (?P<word>    [A-Za-z_][\w$]* )
    | (?P<mark>    \d[\w.]* | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(rb"/\*|\*/")
_GAP: Final = re.compile(rb"[ \t\f]*\r?\n?")  # between FORMAT and the data

_SAFE_FUNCTIONS: Final = frozenset(
    {"dictionary", "format", "fuzzjson", "fuzzquery", "generate_series", "generaterandom", "generateseries", "input"}
    | {"loop", "merge", "mergetreecodecblockcounts", "mergetreeindex", "mergetreeprojection", "mergetreetextindex"}
    | {"null", "numbers", "numbers_mt", "primes", "sqlstandardvalues", "values", "view", "viewexplain"}
    | {"viewifpermitted", "zeros", "zeros_mt"}
)
_SAFE_ENGINES: Final = frozenset(
    {"alias", "atomic", "buffer", "dictionary", "generaterandom", "join", "log", "materializedview", "memory", "merge"}
    | {"null", "set", "stripelog", "tinylog", "view"}
)
_SAFE_SOURCES: Final = frozenset({"clickhouse", "null"})
_FORBIDDEN_SETTINGS: Final = frozenset(
    {"format_avro_schema_registry_url", "format_schema", "format_template_resultset"}
)
_FORBIDDEN_PAIRS: Final = {
    ("into", "outfile"): "a statement may not write files",
    ("from", "infile"): "a statement may not read files",
    ("system", "shutdown"): "the server is stopped where it was started",
    ("system", "kill"): "the server is stopped where it was started",
}


class ForbiddenError(Exception):
    """A statement reaches for what no statement may here."""


class SeveralStatementsError(Exception):
    """One statement at a time, as on a server."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. For an INSERT that ends in `FORMAT x`: what stands before it, `x`, and the data behind it."""

    verb: str
    output_format: str | None = None
    insert: str = ""
    data_format: str | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str  # a quoted name's without its quotes
    start: int
    end: int

    @property
    def name(self) -> str:
        return self.text.lower()


class Reader:
    """Reads statements. What the engine has of functions and engines is forbidden unless it is known to be harmless."""

    def __init__(self, table_functions: Iterable[str], engines: Iterable[str]) -> None:
        self._functions = {name.lower() for name in table_functions} - _SAFE_FUNCTIONS | {"disk", "file"}
        self._engines = {name.lower() for name in engines if not name.endswith("MergeTree")} - _SAFE_ENGINES

    def read(self, sql: bytes) -> Statement:
        """Read one statement. Raises ForbiddenError, SeveralStatementsError."""
        tokens: list[_Token] = []
        for token in _tokens(sql):
            if tokens and tokens[-1].text == ";":
                raise SeveralStatementsError("one statement at a time, please")
            tokens.append(token)
            if _ends_before_data(tokens):
                break
        self._check(tokens)
        check_settings(token.name for token in tokens if token.kind == "word")
        return _statement(sql, tokens)

    def _check(self, tokens: Sequence[_Token]) -> None:
        for first, second in pairwise(tokens):
            # Nobody writes a function's name with escapes in it but to hide it.
            if second.text == "(" and (
                first.name in self._functions or (first.kind == "quoted" and "\\" in first.text)
            ):
                raise ForbiddenError(f"{first.text}() reaches out of the database")
            if reason := _FORBIDDEN_PAIRS.get((first.name, second.name)):
                raise ForbiddenError(reason)
        if tokens and tokens[0].name in ("attach", "create", "replace"):
            self._check_definition(tokens)

    def _check_definition(self, tokens: Sequence[_Token]) -> None:
        names = [token.name for token in tokens if token.text != "="]
        for first, second in pairwise(names):
            if first == "engine" and second in self._engines:
                raise ForbiddenError(f"the engine {second} reaches out of the database")
            if names[0] == "attach" and first == "from" and second.startswith("'"):
                raise ForbiddenError("ATTACH ... FROM reads files")
        for first, second, third in zip(names, names[1:], names[2:], strict=False):
            if (first, second) == ("source", "(") and third not in _SAFE_SOURCES:
                raise ForbiddenError(f"the source {third} reaches out of the database")


def check_settings(names: Iterable[str]) -> None:
    """Raise ForbiddenError when one of `names` is a setting that makes a format read files or open connections."""
    for name in names:
        if name.lower() in _FORBIDDEN_SETTINGS or name.lower().startswith("format_template_"):
            raise ForbiddenError(f"the setting {name} reaches out of the database")


def _ends_before_data(tokens: Sequence[_Token]) -> bool:
    """Say whether an INSERT's data begins behind these tokens: behind FORMAT and a name, outside of any SELECT."""
    if len(tokens) < 3 or tokens[0].name != "insert" or tokens[-2].name != "format" or tokens[-1].kind != "word":
        return False
    return not any(token.name in ("select", "with", "values") for token in tokens)


def _statement(sql: bytes, tokens: Sequence[_Token]) -> Statement:
    verb = tokens[0].name if tokens else ""
    if not _ends_before_data(tokens):
        return Statement(verb, _output_format(tokens))
    head = sql[: tokens[-2].start].decode(errors="replace")
    gap = _GAP.match(sql, tokens[-1].end)
    return Statement(verb, None, head, tokens[-1].text, sql[gap.end() if gap else len(sql) :])


def _output_format(tokens: Sequence[_Token]) -> str | None:
    """Return the name behind the last FORMAT, if it stands near the end, where only SETTINGS may follow."""
    for first, second in pairwise(reversed(tokens)):
        if second.name == "format" and first.kind == "word":
            return first.text
        if second.text == ")":
            return None
    return None


def _tokens(sql: bytes) -> Iterator[_Token]:
    """Cut `sql` as ClickHouse's lexer does, without spaces and comments."""
    position = 0
    while found := _TOKEN.match(sql, position):
        position = found.end()
        kind = found.lastgroup or ""
        if kind == "comment":
            position = _comment_end(sql, position)
        elif kind != "space":
            text = found[0].decode(errors="replace")
            yield _Token(kind, text[1:-1] if kind == "quoted" else text, found.start(), position)


def _comment_end(sql: bytes, position: int) -> int:
    """Return where a comment ends whose inside begins at `position`. They nest."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(sql, position)
        if edge is None:
            return len(sql)
        depth += 1 if edge[0] == b"/*" else -1
        position = edge.end()
    return position
