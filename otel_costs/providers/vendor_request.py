"""What is asked of a vendor of speech over HTTP: read from the request as it will be sent, and never changed."""

import json
import re
from collections.abc import Collection, Mapping
from functools import cached_property
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


class Asked:
    """One request: where it goes, and what it asks for. What nobody asks for in the call is parsed after it."""

    def __init__(self, endpoint: Endpoint, host: Host, request: Any) -> None:
        """Note a request of httpx, but not its sounds, and not the request itself, which has them."""
        self.endpoint, self.host = endpoint, host
        self.headers: Mapping[str, str] = request.headers
        """They have a key in them: they are read, and never recorded."""
        self._query: bytes = request.url.query
        self._body = _noted(request)

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        """The parameters of the address."""
        return parse_qs(self._query.decode("ascii", "replace")) if self._query else {}

    @cached_property
    def body(self) -> Mapping[str, Any]:
        """The JSON object, or the fields of a form; empty where the body is a sound."""
        noted, self._body = self._body, b""
        if not isinstance(noted, bytes):
            return noted
        try:
            found = json.loads(noted)
        except Exception:  # noqa: BLE001
            return {}
        return found if isinstance(found, dict) else {}

    def text(self, name: str) -> str | None:
        """Return an option that is a text, from the query or the body; None if it is not given."""
        value = next(iter(self.query.get(name, ())), None) or self.body.get(name)
        return value if isinstance(value, str) and value else None

    def has(self, name: str) -> bool:
        """Return whether an option is switched on."""
        value = self.body.get(name, next(iter(self.query.get(name, ())), None))
        return value not in (None, False, "", "false", "False", "0", [], {})

    def beyond(self, known: Collection[str]) -> list[str]:
        """Return the options that are switched on and are none of `known`: nobody knows what they cost."""
        return [name for name in dict.fromkeys((*self.body, *self.query)) if name not in known and self.has(name)]


def read(request: Any, endpoint: Endpoint, host: Host) -> Asked:
    """Read a request of httpx."""
    return Asked(endpoint, host, request)


def _noted(request: Any) -> bytes | Mapping[str, Any]:
    """Return the bytes of a JSON object, or the fields of a form."""
    kind = request.headers.get("content-type", "")
    try:
        if "json" in kind:
            content: bytes = request.content
            return content if len(content) <= _JSON_LIMIT else b""
        return _form(request.stream) if kind.startswith("multipart/") else {}
    except Exception:  # noqa: BLE001  # a body that is streamed: then nothing is known of it
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
