"""What a definition of a table may say: columns, engine, order, and how long it is kept. Nothing in it reads anything.

A manifest may come from anywhere, and what it says is run as SQL: tables of ours need no `select`, and few functions.
"""

import re
from collections.abc import Iterator
from typing import Final

from otel_costs.store.connection import StoreError

_TOKEN: Final = re.compile(
    r"(?P<text>'(?:[^'\\]|\\.|'')*')"
    r"|(?P<quoted>`[A-Za-z_][A-Za-z0-9_.]*`)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>[0-9][0-9.]*)"
    r"|(?P<sign>->|[-+*/%(),=<>!.\[\]])",
    re.ASCII,
)
_MOST: Final = 1 << 20  # characters
_REFUSED: Final = {"as", "select", "with", "from", "clone", "populate", "view", "dictionary"}
_TYPES: Final = {
    "aggregatefunction", "array", "datetime", "datetime64", "decimal", "enum16", "enum8", "fixedstring",
    "lowcardinality", "map", "nullable", "simpleaggregatefunction", "tuple",
}  # fmt: skip
_CODECS: Final = {"codec", "delta", "doubledelta", "gorilla", "lz4hc", "t64", "zstd"}
_INDEXES: Final = {"bloom_filter", "minmax", "ngrambf_v1", "set", "text", "tokenbf_v1"}
_FUNCTIONS: Final = {
    "and", "arraymap", "arraysum", "cast", "cityhash64", "coalesce", "datediff", "divide", "equals", "greater",
    "greatest", "hex", "if", "in", "least", "less", "lower", "mapkeys", "mapvalues", "match", "minus", "multiif",
    "multiply", "not", "now", "now64", "nowinblock64", "or", "plus", "substring", "todate", "todate32", "todatetime",
    "todatetime64", "todecimal128", "tointervalday", "tostartoffiveminutes", "tostring", "touint64",
    "tounixtimestamp64micro", "tounixtimestamp64milli", "toyyyymm",
}  # fmt: skip
_ENGINES: Final = {"aggregatingmergetree", "mergetree", "replacingmergetree", "summingmergetree"}
_BEFORE_BRACKETS: Final = {"between", "by", "default", "key", "materialized", "ttl"}
_CALLED: Final = _TYPES | _CODECS | _INDEXES | _FUNCTIONS | _ENGINES | _BEFORE_BRACKETS


def check(name: str, definition: str) -> None:
    """Raise StoreError where the definition of the table `name` says more than one of a table that keeps rows."""
    if why := _trouble(definition.removeprefix(f"CREATE TABLE {name} ")):
        raise StoreError(f"the definition of {name} is none of a table that keeps rows: it has {why}")


def _trouble(definition: str) -> str:
    """Return what is wrong with the part of a definition after `CREATE TABLE name`."""
    if not definition.startswith("(") or len(definition) > _MOST:
        return "no columns"
    tokens: list[str] = []
    before, depth, columns_end = "", 0, 0
    for kind, text in _tokens(definition):
        if not kind or (kind == "word" and text.lower() in _REFUSED):
            return text
        if text == "(" and before and before.lower() not in _CALLED:
            return f"{before}(...)"
        tokens.append(text.lower())
        depth += {"(": 1, ")": -1}.get(text, 0)
        if not depth and not columns_end:
            columns_end = len(tokens)
        before = text if kind in ("word", "quoted", "text") else ""
    engine = tokens[columns_end : columns_end + 3]
    if depth or engine[:2] != ["engine", "="] or engine[-1] not in _ENGINES:
        return "another engine"
    return ""


def _tokens(definition: str) -> Iterator[tuple[str, str]]:
    """Yield the tokens with their kinds; what is none, as the last one, has no kind."""
    at = 0
    while at < len(definition):
        if definition[at] in " \n":
            at += 1
            continue
        found = _TOKEN.match(definition, at)
        if found is None or definition.startswith(("--", "/*"), at):
            yield "", definition[at : at + 2]
            return
        yield str(found.lastgroup), found.group()
        at = found.end()
