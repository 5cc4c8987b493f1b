"""Endpoints that are defined in SQL, by CREATE HANDLER, and that a ClickHouse server serves itself.

The engine keeps the definitions and serves nothing; here they are looked up for every request, so that a new one is
there at once.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from otel_costs.local.query import Query
from otel_costs.store.embedded import Engine, escape

_SELECT: Final = (
    "SELECT url_match_type, url, methods, query FROM system.handlers WHERE type = 'query' FORMAT JSONEachRow"
)
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

    def match(self, method: str, raw_path: str) -> dict[str, str] | None:
        """Return what the path gives to the query's parameters, or None when it is not for this handler."""
        if self.methods and method not in self.methods:
            return None
        if self.url_match_type == "regexp":
            found = _fullmatch(self.url, raw_path)
            return {name: unquote(value or "") for name, value in found.groupdict().items()} if found else None
        same = raw_path == self.url if self.url_match_type == "exact" else raw_path.startswith(self.url)
        return {} if same else None


def _fullmatch(pattern: str, text: str) -> re.Match[str] | None:
    """Match as RE2 does, but for the few patterns that Python's expressions do not know: those match nothing here."""
    try:
        return re.fullmatch(pattern, text)
    except re.error:
        return None


def find(engine: Engine, method: str, raw_path: str, parameters: Mapping[str, str]) -> Query | None:
    """Return the query of the handler for a request, or None when there is none.

    `raw_path` is still percent-encoded: a session's id may hold a slash. The values of `parameters` and of the path
    reach the query as they are, whatever characters they have.
    """
    for line in engine.execute(_SELECT).splitlines():
        row = json.loads(line)
        handler = Handler(row["url_match_type"], row["url"], frozenset(row["methods"]), row["query"])
        found = handler.match(method, raw_path)
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
