"""One statement as the HTTP interface must know it: its first words, and where an INSERT's data begins.

What the statement does is for the engine's own parser to say (`guard`), and so is whether it is cut into tokens here as
the engine cuts it: `tokens` are compared with the engine's.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_TOKEN: Final = re.compile(
    rb"""
      (?P<space>   \s+ | --[^\n]* | //[^\n]* | \#[^\n]* )
    | (?P<comment> /\* )
    | (?P<string>  '(?:[^'\\]++|\\.|'')*+' )
    | (?P<heredoc> \$\w*\$ )
    | (?P<quoted>  "(?:[^"\\]++|\\.|"")*+" | `(?:[^`\\]++|\\.|``)*+` )
    | (?P<word>    [A-Za-z_][\w$]* )
    | (?P<number>  \d[\w.]* )
    | (?P<mark>    [!\#-&(-_a-~] )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(rb"/\*|\*/")
_GAP: Final = re.compile(rb"[ \t\f]*\r?\n?")  # between FORMAT and the data
_CONSTANTS: Final = re.compile(
    rb"""
    (?: [\s(),\[\]{}:]++ | [+-]?\d[\w.]*+ (?:(?<=[eE])[+-]\d++)? | '(?:[^'\\]++|\\.|'')*+'
      | (?i:null|true|false|default)\b )*+
    ;? \s*+
    """,
    re.VERBOSE | re.DOTALL,
)


class UnreadableError(Exception):
    """The statement cannot be cut into tokens; the message says why."""


class SeveralStatementsError(Exception):
    """One statement at a time, as on a server."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a quoted name (without its quotes), a string, a number, or one sign, and where it stands."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """In lower case, as keywords are compared."""
        return self.text.lower()


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its SQL until its data begins, if it is an INSERT with data, and that data.

    `data_format` is the name behind FORMAT; None for rows behind VALUES, and where there is no data.
    """

    sql: bytes
    tokens: Sequence[Token]
    output_format: str | None = None
    data_format: str | None = None
    data: bytes = b""
    has_rows: bool = False

    @property
    def verb(self) -> str:
        """The first word, in lower case; "" where there is none."""
        return self.tokens[0].name if self.tokens else ""

    @property
    def head(self) -> str:
        """The SQL as text. Raises UnreadableError when it is not UTF-8."""
        return text_of(self.sql)

    @property
    def before_settings(self) -> tuple[str, str]:
        """The SQL of an INSERT with data, cut before its SETTINGS, if it has any. Raises UnreadableError."""
        depth = 0
        for number, token in enumerate(self.tokens):
            depth += (token.text == "(") - (token.text == ")")
            names_table = number < 3 or self.tokens[number - 1].text == "."
            if depth == 0 and not names_table and token.kind == "word" and token.name == "settings":
                return text_of(self.sql[: token.start]), text_of(self.sql[token.start :])
        return self.head, ""


def read(sql: bytes) -> Statement:
    """Read one statement. Raises UnreadableError, SeveralStatementsError."""
    tokens: list[Token] = []
    depth = 0
    selects = False
    for token in _tokens(sql):
        if tokens and tokens[-1].text == ";":
            raise SeveralStatementsError("one statement at a time, please")
        tokens.append(token)
        depth += (token.text == "(") - (token.text == ")")
        selects = selects or token.name in ("select", "with")
        if depth == 0 and not selects and tokens[0].name == "insert" and (found := _with_data(sql, tokens)):
            return found
    return Statement(sql, tokens, _output_format(tokens))


def are_constants(rows: bytes) -> bool:
    """Return whether rows, as they stand behind VALUES, are plain constants, in which there is nothing to run."""
    return _CONSTANTS.fullmatch(rows) is not None


def text_of(sql: bytes) -> str:
    """Decode SQL. Raises UnreadableError when it is not UTF-8."""
    try:
        return sql.decode()
    except UnicodeDecodeError:
        raise UnreadableError("the query is not UTF-8") from None


def _with_data(sql: bytes, tokens: list[Token]) -> Statement | None:
    """Return the INSERT whose data begins behind the last of `tokens`: behind VALUES, or FORMAT and a name."""
    last = tokens[-1]
    if len(tokens) < 3 or last.kind != "word":
        return None
    if last.name == "values" and tokens[-2].name not in ("into", "table", "function", "."):
        head = tokens[:-2] if tokens[-2].name == "format" else tokens[:-1]
        return Statement(sql[: tokens[len(head)].start], head, data=sql[last.end :], has_rows=True)
    if tokens[-2].name == "format" and tokens[-2].kind == "word":
        gap = _GAP.match(sql, last.end)
        data = sql[gap.end() if gap else len(sql) :]
        return Statement(sql[: tokens[-2].start], tokens[:-2], data_format=last.text, data=data)
    return None


def _output_format(tokens: Sequence[Token]) -> str | None:
    """Return the name behind the last FORMAT, if it stands near the end, where only SETTINGS may follow."""
    for first, second in pairwise(reversed(tokens)):
        if second.name == "format" and first.kind == "word":
            return first.text
        if second.text == ")":
            return None
    return None


def _tokens(sql: bytes) -> Iterator[Token]:
    """Cut `sql`, without spaces and comments, until it ends or the caller has enough."""
    position = 0
    while position < len(sql):
        found = _TOKEN.match(sql, position)
        if found is None:
            raise UnreadableError(_why(sql, position))
        position = found.end()
        kind = found.lastgroup or ""
        if kind == "comment":
            position = _comment_end(sql, position)
        elif kind != "space":
            if kind == "heredoc":
                kind, position = "string", _heredoc_end(sql, found[0], position)
            text = sql[found.start() : position].decode(errors="replace")
            yield Token(kind, text[1:-1] if kind == "quoted" else text, found.start(), position)


def _why(sql: bytes, position: int) -> str:
    if sql[position] in b"'\"`":
        return f"the quote at byte {position + 1} is not closed"
    return f"byte {position + 1} is no ASCII: other characters may stand in quotes and in comments alone"


def _heredoc_end(sql: bytes, edge: bytes, position: int) -> int:
    """Return where a heredoc ends whose inside begins at `position`. Raises UnreadableError."""
    end = sql.find(edge, position)
    if end < 0:
        raise UnreadableError(f"the text that begins with {edge.decode()} is not closed")
    return end + len(edge)


def _comment_end(sql: bytes, position: int) -> int:
    """Return where a comment ends whose inside begins at `position`. They nest. Raises UnreadableError."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(sql, position)
        if edge is None:
            raise UnreadableError("a comment is not closed")
        depth += 1 if edge[0] == b"/*" else -1
        position = edge.end()
    return position
