"""What is asked of a vendor of speech over HTTP: read from the request as it will be sent, and never changed."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from otel_costs.providers.hosts import Host

_JSON_LIMIT: Final = 1024 * 1024  # bytes; what is longer is no text to be spoken


class Endpoint(NamedTuple):
    """A way of a vendor's API that is billed."""

    name: str
    """By which the vendor's own module knows it."""
    operation: str
    method: str
    path: re.Pattern[str]
    is_read: bool = False
    """Whether the answer's body says what was used; where it does not, nothing of it is kept."""
    is_look: bool = False
    """Whether it only looks at what was started before: the call starts when the answer says that it is due."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: where it goes, and what it asks for."""

    endpoint: Endpoint
    host: Host
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    """The JSON object, or the fields of a form; empty where the body is a sound."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """They have a key in them: they are read, and never recorded."""

    def text(self, name: str) -> str | None:
        """Return an option that is a text, from the body or the query; None if it is not given."""
        value = self.body.get(name) or next(iter(self.query.get(name, ())), None)
        return value if isinstance(value, str) and value else None

    def has(self, name: str) -> bool:
        """Return whether an option is switched on."""
        value = self.body.get(name, next(iter(self.query.get(name, ())), None))
        return value not in (None, False, "", "false", "False", "0", [], {})


def read(request: Any, endpoint: Endpoint, host: Host) -> Asked:
    """Read a request of httpx."""
    url = request.url
    query = parse_qs(url.query.decode("ascii", "replace"))
    return Asked(endpoint, host, url.path, query, _body(request), request.headers)


def _body(request: Any) -> Mapping[str, Any]:
    kind = request.headers.get("content-type", "")
    try:
        if "json" in kind:
            content = request.content
            found = json.loads(content) if len(content) <= _JSON_LIMIT else None
            return found if isinstance(found, dict) else {}
        return _form(request.stream) if kind.startswith("multipart/") else {}
    except Exception:  # noqa: BLE001  # a body that is streamed, or no JSON: then nothing is known of it
        return {}


def _form(stream: Any) -> Mapping[str, Any]:
    """Return the fields of a form but for its files, which are the application's to read."""
    found: dict[str, Any] = {}
    for part in getattr(stream, "fields", ()):
        value = getattr(part, "value", None)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if value not in (None, "null"):  # how Fern's clients write what is not given
            found[str(part.name)] = value
    return found
