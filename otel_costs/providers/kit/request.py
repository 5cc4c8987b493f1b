"""What is asked of a vendor over HTTP: read from the request as it will be sent, and never changed."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from otel_costs.hosts import Host
from otel_costs.messages.drafts import Draft
from otel_costs.providers.kit import transcripts
from otel_costs.values.json_objects import parsed

if TYPE_CHECKING:
    from otel_costs.calls.reading import Reading
    from otel_costs.providers.kit.answer import Answer

_JSON_LIMIT: Final = 8 * 1024 * 1024  # bytes; of what is longer, the text is not read


class Asked:
    """One request: where it goes, and what it asks for. Its parts are parsed when they are first read."""

    def __init__(self, endpoint: "Endpoint", host: Host, request: Any) -> None:
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
        return (parsed(noted) or {}) if isinstance(noted, bytes) else noted

    def text(self, name: str) -> str | None:
        """Return an option that is a text, from the query or the body; None if it is not given."""
        value = next(iter(self.query.get(name, ())), None) or self.body.get(name)
        return value if isinstance(value, str) and value else None

    def has(self, name: str) -> bool:
        """Return whether an option is switched on."""
        value = self.body.get(name, next(iter(self.query.get(name, ())), None))
        return value not in (None, False, "", "false", "False", "0", [], {})

    def any_of(self, options: Collection[str]) -> bool:
        """Return whether one of the options is switched on."""
        return any(map(self.has, options))

    def unknown_options(self, known: Collection[str]) -> tuple[str, ...]:
        """Return the options that are switched on and are none of `known`: their cost is not known."""
        return tuple(name for name in dict.fromkeys((*self.body, *self.query)) if name not in known and self.has(name))


def asked_model(asked: Asked) -> str | None:
    """Return the model that a request names in the usual ways."""
    return asked.text("model") or asked.text("model_id")


def no_messages(_: Asked) -> Sequence[Draft]:
    """Return the messages of a request without a text: its answer continues no history."""
    return [transcripts.alone()]


def text_to_speak(option: str) -> Callable[[Asked], Sequence[Draft]]:
    """Return a reader of the messages of a request whose option `option` is the text to be spoken."""
    return lambda asked: transcripts.synthesized(asked.body.get(option))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A way of a vendor's API that is billed, and how its requests and answers are read."""

    operation: str
    """`chat`, `embeddings`, `text_to_speech`, ...: by the GenAI conventions where they have one."""
    method: str
    path: str
    """A pattern that is searched for in the path: `/v1/messages$`."""
    read: "Callable[[Asked, Answer], Reading]"
    """What a request and its answer say of the call; called when the answer is over, not in the application's call."""
    model: Callable[[Asked], str | None] = asked_model
    """The model that is asked for."""
    default_model: str | None = None
    """The model that counts where a request names none."""
    inputs: Callable[[Asked], Sequence[Draft]] = no_messages
    """What is said in a request."""
    is_read: bool = True
    """Whether the answer's body says what was used; where it does not, as a sound, nothing of it is kept."""
    last_event: str | None = None
    """The event that ends a stream: its name, its `type`, or its data (`[DONE]`). A stream without it was left or cut.
    None: a stream is whole when it was read to its end."""
    is_poll: bool = False
    """Whether it only looks at what was started before: the call starts when the answer says that a job has ended."""
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(self.path))


def read(request: Any, endpoint: Endpoint, host: Host) -> Asked:
    """Read a request of httpx or httpx2."""
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
