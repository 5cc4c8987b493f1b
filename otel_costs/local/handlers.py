"""Endpoints that are defined in SQL, by CREATE HANDLER, and that a ClickHouse server serves itself.

The engine keeps the definitions and serves nothing; here they are looked up for every request, so that a new one is
there at once.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from otel_costs.local.query import Query
from otel_costs.store.embedded import Engine, EngineError, escape

_SELECT: Final = (
    "SELECT url_match_type, url, methods, query FROM system.handlers WHERE type = 'query' FORMAT JSONEachRow"
)
_MATCH: Final = "SELECT extractGroups({path:String}, concat('^(', {pattern:String}, ')$'))"  # the first has all of it
# The engine takes this setting and leaves it to the server.
_HEADERS: Final = re.compile(r"\bhttp_response_headers\s*=\s*\{([^}]*)\}")
_HEADER: Final = re.compile(r"'([^']*)'\s*:\s*'([^']*)'")


@dataclass(frozen=True, slots=True)
class Handler:
    """One endpoint: how its URL is matched (exact, prefix or regexp), for which methods, and its statement."""

    url_match_type: str
    url: str
    methods: frozenset[str]
    query: str

    def match(self, engine: Engine, method: str, raw_path: str) -> dict[str, str] | None:
        """Return what the path gives to the query's parameters, or None when it is not for this handler."""
        if self.methods and method not in self.methods:
            return None
        if self.url_match_type == "regexp":
            return _groups(engine, self.url, raw_path)
        same = raw_path == self.url if self.url_match_type == "exact" else raw_path.startswith(self.url)
        return {} if same else None


def _groups(engine: Engine, pattern: str, path: str) -> dict[str, str] | None:
    """Return what the named groups of `pattern` match, or None when it does not match all of `path`.

    The engine matches, whose time grows with the text alone: Python's expressions can take for ever, and stop every
    thread. Python counts the groups; the few patterns of RE2 that it does not know match nothing here.
    """
    with suppress(re.error, EngineError):
        names = re.compile(pattern).groupindex
        found = engine.execute(
            _MATCH, output_format="JSONCompactEachRow", parameters={"pattern": escape(pattern), "path": escape(path)}
        )
        if groups := json.loads(found)[0]:
            return {name: unquote(groups[number]) for name, number in names.items()}
    return None


def find(engine: Engine, method: str, raw_path: str, parameters: Mapping[str, str]) -> Query | None:
    """Return the query of the handler for a request, or None when there is none.

    `raw_path` is still percent-encoded: a session's id may hold a slash. The values of `parameters` and of the path
    reach the query as they are, whatever characters they have.
    """
    for line in engine.execute(_SELECT).splitlines():
        row = json.loads(line)
        handler = Handler(row["url_match_type"], row["url"], frozenset(row["methods"]), row["query"])
        found = handler.match(engine, method, raw_path)
        if found is not None:
            values = {name: escape(value) for name, value in {**parameters, **found}.items()}
            headers = _HEADERS.search(handler.query)
            return Query(
                handler.query.encode(),
                parameters=values,
                settings={"readonly": "2"},
                headers=dict(_HEADER.findall(headers[1])) if headers else {},
            )
    return None
