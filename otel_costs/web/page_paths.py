"""The paths of pages: which page a path is of, of which one thing, and in which form: to look at, as JSON or as CSV.

Paths are percent-encoded, as they were written. `/sessions/ID.json` is the JSON of the page `/sessions/ID`, unless
there is a session with just this id; `%2Ejson` is never a suffix. What no path can end with in a browser, `..` and
nothing, stands in the query: `/sessions/?id=..`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

FORMS: Final = ("json", "csv")

OVERVIEW: Final = "overview"

SINGLE: Final = ("sessions", "statements", "budgets", "alerts", "what-if", "prices", "inbox", "compare")
"""The pages that there are one of, beside the overview, which is `/` and, as data, `/overview.json`."""

OF_ONE: Final = ("sessions", "calls", "users", "scenarios", "models")
"""What the paths begin with of pages of one session, call, user, scenario or model."""


@dataclass(frozen=True, slots=True)
class PagePath:
    """A page that a path is of. `form` is that of its suffix; None: it has none.

    `kind` is the first part of the path, `is_one` whether it goes on; `rest` is what follows, as it was written,
    without the suffix.
    """

    kind: str
    form: str | None = None
    is_one: bool = False
    rest: str = ""

    def ids(self, query: Mapping[str, str]) -> tuple[str, ...] | None:
        """Return the ids of what the page is of: one, or provider and model; None where the path names none."""
        if self.kind == "models":
            return self._model(query)
        return (query.get("id", "") if self.rest == "" else unquote(self.rest),)

    def exactly(self) -> "PagePath | None":
        """Return the same page of an id that ends in what looks like a suffix; None where there is no such id."""
        if not self.is_one or self.form is None or self.kind == "calls":
            return None
        return PagePath(self.kind, None, is_one=True, rest=f"{self.rest}.{self.form}")

    def _model(self, query: Mapping[str, str]) -> tuple[str, ...] | None:
        provider, slash, model = self.rest.partition("/")
        if self.rest == "" and "model" in query:
            return query.get("provider", ""), query["model"]
        return (unquote(provider), unquote(model)) if slash else None


def of_session(session_id: str) -> str:
    """Return the path of a session's page, below where the application is mounted."""
    if session_id in ("", ".", ".."):
        return f"/sessions/?id={session_id}"
    stem, dot, form = quote(session_id, safe="", errors="replace").rpartition(".")
    return f"/sessions/{stem}{'%2E' if form in FORMS else dot}{form}"


def find(path: str) -> PagePath | None:
    """Return the page of a path, below where the application is mounted; None where it is of none."""
    if path == "/":
        return PagePath(OVERVIEW)
    stem, dot, form = path.rpartition(".")
    if not dot or form not in FORMS:
        stem, form = path, ""
    kind, slash, rest = stem.removeprefix("/").partition("/")
    if slash and kind in OF_ONE:
        return PagePath(kind, form or None, is_one=True, rest=rest)
    is_single = kind in SINGLE or (kind == OVERVIEW and form)
    return PagePath(kind, form or None) if is_single and not slash else None
