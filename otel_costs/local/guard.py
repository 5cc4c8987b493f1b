"""What SQL may do here: decided on the tree that the engine's own parser makes of a statement, against lists.

Embedded, the engine lets every client read any file, open any connection and start programs; a server would confine
them by its configuration, which chDB does not read.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from otel_costs.local import allowed
from otel_costs.local.sql_guard import Statement, Token, are_constants, text_of
from otel_costs.store.embedded import Connection, Engine, EngineError, escape

_REMEMBERED: Final = 512  # statements
_REMEMBERED_BYTES: Final = 16 * 2**10  # of one statement

_NO_TREE: Final = 36  # BAD_ARGUMENTS: the parser read it, and has no tree to show
_NOT_WRITTEN: Final = 536  # CANNOT_RESTORE_FROM_FIELD_DUMP: the tree cannot be written out again
_TOO_DEEP: Final = 306  # TOO_DEEP_RECURSION
_MARKS: Final = "()[]{},;"
_TABLE_KEYS: Final = frozenset({"table_function", "as_table_function"})

# The tree is what the engine runs only if it says all that was said: both are written out again, and compared. Brackets
# are not: the tree of a bracketed constant has none.
_PARSE: Final = (
    "SELECT parseQueryToJSON({sql:String}) AS tree, translate(formatQuerySingleLine({sql:String}), '()', '')"
    " = translate(formatQuerySingleLine(formatQueryFromJSON(tree)), '()', '')"
)
_TOKENIZE: Final = (
    "SELECT arrayMap(t -> (t.begin, t.end), arrayFilter(t -> t.type IN ('BareWord', 'StringLiteral', 'HereDoc',"
    " 'QuotedIdentifier', 'Comma', 'Semicolon', 'OpeningRoundBracket', 'ClosingRoundBracket', 'OpeningSquareBracket',"
    " 'ClosingSquareBracket', 'OpeningCurlyBrace', 'ClosingCurlyBrace'), tokenizeQuery({sql:String})))"
)
_ANSWER: Final = f" SETTINGS max_query_size = {2**30} FORMAT JSONCompactEachRow"


class ForbiddenError(Exception):
    """A statement does what no statement may here; the message says what is allowed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: {allowed.ALLOWED}")


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is left to look at when a statement, allowed otherwise, comes with values for its parameters."""

    names: frozenset[str] = frozenset()  # parameters of the type Identifier, where a name may be a function's
    changes: tuple[tuple[str, str], ...] = ()  # settings that it names, and their values


class Guard:
    """Checks statements for `engine`, and remembers what it found of the last ones."""

    def __init__(self, engine: Engine) -> None:
        self._known = _Known(engine)
        self._verdicts: OrderedDict[tuple[bytes, bytes], _Verdict] = OrderedDict()
        self._lock = Lock()

    def check_settings(self, names: Iterable[str]) -> None:
        """Raise ForbiddenError when one of `names` is a setting that is not allowed."""
        for name in names:
            self._known.check_setting(name)

    def check(
        self, connection: Connection, statement: Statement, parameters: Mapping[str, str]
    ) -> tuple[tuple[str, str], ...]:
        """Raise ForbiddenError when `statement` does what is not allowed, EngineError when it cannot be parsed.

        Return the settings that it names, anywhere in it, with their values as text ("" for DEFAULT). `connection` is
        only asked what the statement says; its settings must be those that it was opened with.
        """
        rows = b"" if not statement.has_rows or are_constants(statement.data) else statement.data
        key = (statement.sql + b"\0" * statement.has_rows, rows)
        with self._lock:
            verdict = self._verdicts.get(key)
            if verdict is not None:
                self._verdicts.move_to_end(key)
        if verdict is None:
            verdict = self._judge(_Parser(connection), statement, rows)
            self._remember(key, verdict)
        for name in verdict.names:
            if name not in parameters:
                raise ForbiddenError(f"the parameter {name} could become the name of a function")
            self._known.check_function(parameters[name])
        return verdict.changes

    def _remember(self, key: tuple[bytes, bytes], verdict: _Verdict) -> None:
        if len(key[0]) + len(key[1]) > _REMEMBERED_BYTES:
            return
        with self._lock:
            self._verdicts[key] = verdict
            if len(self._verdicts) > _REMEMBERED:
                self._verdicts.popitem(last=False)

    def _judge(self, parser: "_Parser", statement: Statement, rows: bytes) -> _Verdict:
        walk = _Walk(self._known, parser)
        for sql in _parsed(statement, rows):
            if sql != statement.head:
                parser.compare_tokens(statement)
            try:
                tree = parser.tree(sql)
            except EngineError as error:
                if error.code != _NO_TREE or not _is_plain(statement.tokens):
                    raise _refusal(error, statement) from None
                parser.compare_tokens(statement)
            else:
                walk.check(tree)
        return walk.verdict()


class _Parser:
    """The engine's parser, which runs nothing of what it reads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def compare_tokens(self, statement: Statement) -> None:
        """Refuse what is cut into other tokens here than by the engine: the data of an INSERT may begin elsewhere."""
        found = json.loads(self._ask(_TOKENIZE, statement.head))[0]
        mine = [[t.start, t.end] for t in statement.tokens if t.kind not in ("number", "mark") or t.text in _MARKS]
        if [list(map(int, span)) for span in found] != mine:
            raise ForbiddenError("the statement can be read in two ways")

    def tree(self, sql: str) -> Any:
        """Return the tree of `sql`. Raises EngineError, ForbiddenError."""
        tree, same = json.loads(self._ask(_PARSE, sql))
        if not same:
            raise ForbiddenError("the statement is not wholly understood")
        try:
            return json.loads(tree)
        except RecursionError:
            raise EngineError(_TOO_DEEP, "the statement is nested too deeply") from None

    def columns(self, structure: str) -> Any:
        """Return the tree of a table with the columns of `structure`."""
        return self.tree(f"CREATE TABLE t ({structure}) ENGINE = Null")

    def _ask(self, query: str, sql: str) -> bytes:
        return self._connection.execute(query + _ANSWER, parameters={"sql": escape(sql)})


class _Known:
    """What this engine has, and what of it is allowed."""

    def __init__(self, engine: Engine) -> None:
        functions = _rows(engine, "SELECT name, alias_to, categories, is_aggregate, higher_order FROM system.functions")
        fine = {name.lower() for name, _, *about, _ in functions if _is_fine(name, *about)}
        self._refused = {
            name.lower() for name, alias_to, *_ in functions if not {name.lower(), alias_to.lower()} & fine
        }
        self._higher_order = {name.lower() for name, *_, higher in functions if higher}
        self._table_functions = {name.lower() for (name,) in _rows(engine, "SELECT name FROM system.table_functions")}
        settings = _rows(engine, "SELECT name, type FROM system.settings")
        settings += _rows(engine, "SELECT name, type FROM system.merge_tree_settings")
        self._settings = {
            name.lower()
            for name, kind in settings
            if name in allowed.READING_SETTINGS or not (kind in allowed.SETTING_TYPES or name in allowed.SETTINGS)
        }

    def check_function(self, name: str) -> None:
        """Raise ForbiddenError when a function of this name, or a table function, is not allowed."""
        lower = name.lower()
        if lower in self._refused or (lower in self._table_functions and lower not in allowed.TABLE_FUNCTIONS):
            raise ForbiddenError(f"the function {name} is not allowed")

    def is_refused_function(self, name: str) -> bool:
        return name.lower() in self._refused

    def check_setting(self, name: str) -> None:
        """Raise ForbiddenError when a setting of this name is not allowed. Unknown ones are the engine's to refuse."""
        if name.lower() in self._settings:
            raise ForbiddenError(f"the setting {name} is not allowed")

    def takes_functions(self, name: str) -> bool:
        """Return whether the function `name` takes another one, by a lambda or by its mere name."""
        return name.lower() in self._higher_order


class _Walk:
    """Goes through the trees of one statement."""

    def __init__(self, known: _Known, parser: _Parser) -> None:
        self._known = known
        self._parser = parser
        self._names: set[str] = set()
        self._parameters: set[str] = set()
        self._changes: list[tuple[str, str]] = []
        self._takes_functions = False
        self._is_kept = False

    def check(self, tree: Any) -> None:
        for key, node in _nodes(tree):
            self._check_node(key, node)

    def verdict(self) -> _Verdict:
        """Return what is left to look at. Raises ForbiddenError: a function's name alone may stand for a lambda."""
        changes = tuple(self._changes)
        if not self._takes_functions:
            return _Verdict(changes=changes)
        for name in self._names:
            if self._known.is_refused_function(name):
                raise ForbiddenError(
                    f"the function {name} is not allowed, nor a column of that name without its table's"
                )
        if self._parameters and self._is_kept:
            raise ForbiddenError("a parameter that could become the name of a function is not kept in a view")
        return _Verdict(frozenset(self._parameters), changes)

    def _check_node(self, key: str, node: Mapping[str, Any]) -> None:
        kind = node["type"]
        if kind not in allowed.STATEMENTS and kind not in allowed.PARTS:
            raise ForbiddenError(f"{_plainly(kind)} is not allowed")
        for reach, why in allowed.REACHING_KEYS.items():
            if node.get(reach):
                raise ForbiddenError(why)
        check = getattr(self, f"_check_{kind}", None)
        if check is not None:
            check(key, node)

    def _check_Function(self, key: str, node: Mapping[str, Any]) -> None:  # noqa: N802 - the node's type
        name = str(node.get("name", ""))
        if key == "engine":
            if name.lower() not in allowed.ENGINES:
                raise ForbiddenError(f"the engine {name} is not allowed")
            return
        self._known.check_function(name)
        self._takes_functions |= self._known.takes_functions(name)
        self._check_structure(key, name.lower(), node)

    def _check_structure(self, key: str, name: str, node: Mapping[str, Any]) -> None:
        arguments = node.get("arguments", {}).get("children", [])
        place = allowed.STRUCTURES.get(name)
        if name == "format" and key in _TABLE_KEYS:
            _check_data(arguments)
        if place is None or len(arguments) <= place:
            return
        if name == "format" and (key not in _TABLE_KEYS or len(arguments) < 3):
            return  # the one of strings, or that without columns
        if name == "values" and _text(arguments[0]) is None:
            return  # rows alone
        self._check_columns(arguments[place])

    def _check_columns(self, argument: Mapping[str, Any]) -> None:
        text = _text(argument)
        if text is None:
            if argument.get("type") == "Literal":
                return
            raise ForbiddenError("columns of a table function may only be given as a plain text")
        if text.lower() == "auto":
            return
        try:
            tree = self._parser.columns(text)
        except EngineError:
            return  # a single value, or for the engine to refuse: no columns
        found = [node for _, node in _nodes(tree) if node["type"] == "ColumnDeclaration"]
        if any(node.get(part) for node in found for part in ("default_expression", "default_specifier", "ttl")):
            raise ForbiddenError("columns of a table function may not have defaults")

    def _check_Identifier(self, _key: str, node: Mapping[str, Any]) -> None:  # noqa: N802
        if len(node.get("name_parts") or [""]) == 1:
            self._names.add(str(node.get("name", "")))

    def _check_QueryParameter(self, _key: str, node: Mapping[str, Any]) -> None:  # noqa: N802
        if str(node.get("param_type", "")).lower() == "identifier":
            self._parameters.add(str(node.get("name", "")))

    def _check_ColumnsApplyTransformer(self, _key: str, node: Mapping[str, Any]) -> None:  # noqa: N802
        self._known.check_function(str(node.get("func_name", "")))

    def _check_SetQuery(self, key: str, node: Mapping[str, Any]) -> None:  # noqa: N802
        if key == "explain":
            return
        for change in node.get("changes", []):
            name = str(change.get("name", ""))
            self._known.check_setting(name)
            value = change.get("value")
            self._changes.append((name, str(value.get("value", "")) if isinstance(value, dict) else ""))
        self._changes.extend((str(name), "") for name in node.get("default_settings", []))

    def _check_TTLElement(self, _key: str, node: Mapping[str, Any]) -> None:  # noqa: N802
        if node.get("destination_type", "DELETE") != "DELETE":
            raise ForbiddenError("TTL ... TO DISK or VOLUME is not allowed")

    def _check_CreateQuery(self, _key: str, _node: Mapping[str, Any]) -> None:  # noqa: N802
        self._is_kept = True

    def _check_AlterCommand(self, _key: str, node: Mapping[str, Any]) -> None:  # noqa: N802
        self._is_kept = True
        if node.get("command_type") not in allowed.ALTER:
            raise ForbiddenError(f"ALTER ... {_spaced(node.get('command_type'))} is not allowed")

    def _check_SystemQuery(self, _key: str, node: Mapping[str, Any]) -> None:  # noqa: N802
        if node.get("query_type") not in allowed.SYSTEM:
            raise ForbiddenError(f"SYSTEM {_spaced(node.get('query_type'))} is not allowed")

    def _check_DropQuery(self, _key: str, node: Mapping[str, Any]) -> None:  # noqa: N802
        if node.get("kind") not in allowed.DROP:
            raise ForbiddenError(f"{str(node.get('kind')).upper()} is not allowed")


def _rows(engine: Engine, sql: str) -> list[list[Any]]:
    return [json.loads(line) for line in engine.execute(sql, output_format="JSONCompactEachRow").splitlines()]


def _is_fine(name: str, category: str, is_aggregate: int) -> bool:
    return bool(is_aggregate) or category in allowed.CATEGORIES or name in allowed.FUNCTIONS


def _parsed(statement: Statement, rows: bytes) -> Iterator[str]:
    """Give what the engine's parser is asked about: it takes no data, and shows no tree of some statements."""
    if statement.data_format is not None or statement.has_rows:
        yield f"{statement.head} SELECT 1"
        if rows.strip():
            yield f"SELECT {text_of(rows)}"
    elif statement.verb in ("describe", "desc") and any(_has_more(token) for token in statement.tokens):
        second = statement.tokens[1]
        start = second.end if second.name == "table" and second.kind == "word" else second.start
        yield f"SELECT * FROM {text_of(statement.sql[start:])}"  # noqa: S608 - it is parsed, not run
    elif (select := _handlers_select(statement)) is not None:
        yield text_of(select)
    else:
        yield statement.head


def _has_more(token: Token) -> bool:
    """Return whether a DESCRIBE with `token` says more than a name."""
    return token.text == "(" or (token.kind == "word" and token.name == "settings")


def _handlers_select(statement: Statement) -> bytes | None:
    """Return what CREATE or ALTER HANDLER has behind AS, when all before it is plain."""
    tokens = statement.tokens
    if len(tokens) < 3 or tokens[0].name not in ("create", "alter") or tokens[1].name != "handler":
        return None
    for number, token in enumerate(tokens):
        if token.kind == "word" and token.name == "as":
            return statement.sql[token.end :]
        if number > 1 and token.kind == "word" and token.name in ("select", "with"):
            return None
    return None


def _is_plain(tokens: Sequence[Token]) -> bool:
    """Return whether a statement without a tree is one of those that only name things."""
    names = [token.name for token in tokens]
    starts = bool(names) and (names[0] in allowed.PLAIN or tuple(names[:2]) in allowed.PLAIN_STARTS)
    reaches = {"outfile", "infile", "settings"} & {token.name for token in tokens if token.kind == "word"}
    return starts and not reaches and not any(token.kind == "mark" and token.text not in ".,;=*" for token in tokens)


def _refusal(error: EngineError, statement: Statement) -> Exception:
    if error.code == _NO_TREE:
        return ForbiddenError(f"{statement.verb.upper() or 'this statement'} is not allowed in this form")
    if error.code == _NOT_WRITTEN:
        return ForbiddenError("the statement is not wholly understood")
    message = error.message.partition(": In scope SELECT parseQueryToJSON")[0]
    return EngineError(error.code, message)


def _nodes(tree: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give every node of a tree, and the key under which it stands."""
    rest: list[tuple[str, Any]] = [("", tree)]
    while rest:
        key, found = rest.pop()
        if isinstance(found, list):
            rest.extend((key, one) for one in found)
        elif isinstance(found, dict):
            if "type" in found:
                yield key, found
            explains = found.get("type") == "ExplainQuery"
            rest.extend(("explain" if explains and name == "settings" else name, one) for name, one in found.items())


def _check_data(arguments: Sequence[Mapping[str, Any]]) -> None:
    """Raise ForbiddenError for a table of the format Values, which runs what is no constant, or of an unknown one."""
    name = arguments[0].get("name") if arguments and arguments[0].get("type") == "Identifier" else None
    name = name or (_text(arguments[0]) if arguments else "")
    if name is None:
        raise ForbiddenError("the format of a table function may only be given by its name")
    if name.lower() == "values" and not are_constants((_text(arguments[-1]) or "?").encode()):
        raise ForbiddenError("rows of the format Values may only be constants here")


def _text(node: Mapping[str, Any]) -> str | None:
    value = node.get("value") if node.get("type") == "Literal" else None
    if isinstance(value, dict) and value.get("field_type") == "String":
        return str(value.get("value", ""))
    return None


def _plainly(kind: str) -> str:
    return _spaced(kind.removesuffix("Query"))


def _spaced(words: object) -> str:
    return str(words).replace("_", " ")
