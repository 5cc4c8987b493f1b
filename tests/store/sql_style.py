"""How a file of queries/ is written: what is wrong with its text, if anything.

sqlfluff's clickhouse dialect cannot parse half of the files (query parameters, global in, refreshed views, TTL by
expression, handlers), so that the rules stand here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 120
LINES: Final = 100

_TOKEN: Final = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.)*'|\{\w+:[^}]*\}|\$?\w+|\S", re.S)
_ENDS_A_LIST: Final = frozenset(
    ("from", "where", "union", "settings", "format", "order", "group", "limit", "array", "engine")
)
_KEYWORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "all alter and any array as asof asc between by case codec create cross default desc distinct else end engine"
        " except exists final format from global grant group grouping having if in index interval is join left like"
        " limit materialized not null on or order over partition primary quota refresh replace role select sets"
        " settings table then to ttl union user view when where with",
    )
)
_TYPES: Final = frozenset(("Array", "Null", "End"))
_BEHIND_A_TABLE: Final = _ENDS_A_LIST | _KEYWORDS | {""}


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    line: int
    first: bool
    """Of its line."""

    depth: int
    """Of brackets around it; an opening one and its closing one are outside of themselves."""


@dataclass(slots=True)
class List:
    """The columns behind a select, the definitions behind a with, or the columns of a table."""

    of: str
    depth: int
    items: list[list[Token]]


def complaints(text: str) -> list[str]:
    """Return what is wrong with the text of a file, line by line; nothing where all is well."""
    tokens = list(_tokens(text))
    lists = list(_lists(tokens))
    return [
        *_shape(text),
        *(f"line {token.line}: {token.text} is a keyword, in lower case" for token in tokens if _is_loud(token.text)),
        *(complaint for found in lists for complaint in _crowded(found)),
        *(complaint for found in lists if found.of == "select" for complaint in _unnamed(found)),
        *_tables_without_as(tokens),
        *_parameters(text),
    ]


def header(text: str) -> list[str]:
    """Return the paragraphs at the beginning of a file: a label begins one."""
    found: list[str] = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        words = line.removeprefix("--").strip()
        if found and not re.match(r"(Parameters|Units|Source|Column [a-z_]+): ", words):
            found[-1] += f" {words}"
        else:
            found.append(words)
    return found


def column_count(text: str) -> int:
    """Return how many columns the statement lists itself, outside of every subquery."""
    return max((len(found.items) for found in _lists(list(_tokens(text))) if found.of != "with"), default=0)


def _tokens(text: str) -> Iterator[Token]:
    depth = 0
    for found in _TOKEN.finditer(text):
        if found[0].startswith(("--", "/*")):
            continue
        before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if found[0] in ")]":
            depth -= 1
        yield Token(found[0], text.count("\n", 0, found.start()) + 1, not before.strip(), depth)
        if found[0] in "([":
            depth += 1


def _lists(tokens: list[Token]) -> Iterator[List]:
    is_table = [token.text for token in tokens[:2]] == ["create", "table"]
    open_lists: list[List] = []
    for token in tokens:
        while open_lists and _ends(open_lists[-1], token):
            yield open_lists.pop()
        if open_lists and token.depth == open_lists[-1].depth and token.text == ",":
            open_lists[-1].items.append([])
        elif open_lists:
            open_lists[-1].items[-1].append(token)
        if token.text in ("select", "with"):
            open_lists.append(List(token.text, token.depth, [[]]))
        elif is_table and token.text == "(" and token.depth == 0 and not open_lists:
            is_table = False
            open_lists.append(List("table", 1, [[]]))
    yield from reversed(open_lists)


def _ends(found: List, token: Token) -> bool:
    if token.depth < found.depth:
        return True
    stops = {"select"} if found.of == "with" else set() if found.of == "table" else _ENDS_A_LIST
    return token.depth == found.depth and token.text in stops


def _shape(text: str) -> Iterator[str]:
    if not text.endswith("\n") or text.endswith("\n\n"):
        yield "the end: one line feed"
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > WIDTH:
            yield f"line {number}: longer than {WIDTH}"
        if line != line.rstrip() or "\t" in line:
            yield f"line {number}: white space at the end, or a tab"
        if (len(line) - len(line.lstrip())) % 4:
            yield f"line {number}: indented by four, eight, ..."


def _is_loud(word: str) -> bool:
    return word.lower() in _KEYWORDS and word in (word.upper(), word.title()) and word not in _TYPES


def _crowded(found: List) -> Iterator[str]:
    """A list of one may stand on the line of its word."""
    if len(found.items) > 1:
        for item in found.items:
            if item and not item[0].first:
                yield f"line {item[0].line}: {item[0].text} begins on a line of its own"


def _unnamed(found: List) -> Iterator[str]:
    for item in found.items:
        names = [token for token in item if token.depth == found.depth]
        if len(names) > 1 and re.fullmatch(r"[a-z_]\w*", names[-1].text) and names[-1].text not in _KEYWORDS:
            before = names[-2].text
            if before == ")" or (re.fullmatch(r"[a-z_]\w*", before) and before not in _KEYWORDS):
                yield f"line {names[-1].line}: {names[-1].text} is named by `as`"


def _tables_without_as(tokens: list[Token]) -> Iterator[str]:
    for word, name, behind in zip(tokens, tokens[1:], [*tokens[2:], None], strict=False):
        if word.text in ("from", "join") and re.fullmatch(r"\w+", name.text):
            text = "" if behind is None else behind.text
            if re.fullmatch(r"\w+", text) and text not in _BEHIND_A_TABLE:
                yield f"line {name.line}: {text} is named by `as`"


def _parameters(text: str) -> Iterator[str]:
    named = next((words for words in header(text) if words.startswith("Parameters: ")), "")
    for name in dict.fromkeys(re.findall(r"\{(\w+):", re.sub(r"--[^\n]*", "", text))):
        if not re.search(rf"\b(param_)?{name}\b", named):
            yield f"the header: Parameters names {name}"
