"""What is asked of a provider: read from the SDK's options before they are sent, and never changed."""

import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Self, TypeAlias

from otel_costs import hosts, pricing
from otel_costs import semconv as names
from otel_costs.calls.admission import admit
from otel_costs.calls.call import Call
from otel_costs.calls.estimate import Kind
from otel_costs.calls.request_size import of_body
from otel_costs.hosts import Host
from otel_costs.messages import content
from otel_costs.messages.drafts import Draft
from otel_costs.pricing.rates import Rates
from otel_costs.providers.openai import messages
from otel_costs.providers.openai.routes import UNKNOWN, Route
from otel_costs.runtime import telemetry
from otel_costs.sessions.reservations import Reservation
from otel_costs.sessions.scope import attribution
from otel_costs.values import audio_length


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its route and host, its session and user, and its body as it will be sent, with a form's files."""

    route: Route
    host: Host
    body: Mapping[str, Any]
    stream: bool
    deployment: str | None
    """The name of a deployment, where the host has those."""
    start_ns: int
    path: str
    """Of its URL, without the query."""
    model: str | None
    identity: Mapping[str, Any]
    """The attributes of its session and user."""
    inputs: Sequence[Draft] | None
    """What it says; None where that is only counted, or said by an earlier request."""
    message_count: int | None
    """How many messages it says, where they are only counted."""
    text_length: int | None
    """The characters of text in them, where they are only counted; None where it says nothing."""

    @classmethod
    def of(
        cls,
        route: Route,
        host: Host,
        body: Mapping[str, Any],
        *,
        stream: bool = False,
        deployment: str | None = None,
        path: str = "",
        identity: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return the request of a body, made now; `identity` None is that of the current session.

        Its messages are read before the application can change them, or counted where none are kept.
        """
        get = body.get
        model = text(get("model")) or (text(_session(body).get("model")) if "session" in body else None)
        if identity is None:
            identity = attribution() if _NAMING.isdisjoint(body) else _identity(body)
        inputs: _Inputs | None = None
        if not route.polls and route is not UNKNOWN:
            inputs = _read_inputs(route.messages, body, kept=content.is_on or names.SESSION_ID in identity)
        return cls(route, host, body, stream, deployment, time.time_ns(), path, model, identity, *(inputs or _UNREAD))

    @classmethod
    def read(cls, client: Any, options: Any, route: Route, *, stream: bool) -> Self:
        """Read the options of a request that `client` is about to send."""
        body, extra, host = options.json_data, getattr(options, "extra_json", None), hosts.of(client, options.url)
        body = body if isinstance(body, Mapping) else {}
        if getattr(options, "files", None):
            body = {**body, **dict(_files(options.files))}
        if isinstance(extra, Mapping):  # `extra_body`, which the SDK merges into it later
            body = {**body, **extra}
        if route.messages in ("transcription", "translation"):
            body = {**body, "file": _glimpsed(body.get("file"))}
        deployment = None
        if host.has_deployments:
            deployment = hosts.deployment_of(client, options.url) or text(body.get("model"))
        path = str(options.url).partition("?")[0]
        return cls.of(route, host, body, stream=stream, deployment=deployment, path=path)

    def start(self, span_operation: str | None = None, reservation: Reservation | None = None) -> Call:
        """Start its call, at the time and in the session that it was made; `reservation` is what it may cost."""
        route, host = self.route, self.host
        return Call(
            route.operation,
            host.provider,
            self.model,
            identity=self.identity,
            attributes=host.attributes,
            endpoint=host.address,
            deployment=self.deployment,
            route=route.name,
            span_operation=span_operation,
            start_ns=self.start_ns,
            reservation=reservation,
        )

    def admitted(self) -> Reservation | None:
        """Return what is reserved for its call, None where no budget holds; raises BudgetExceeded."""
        route, host = self.route, self.host
        return admit(
            Kind(route.operation, host.provider, self.model),
            partial(of_body, route.operation, self.body),
            identity=self.identity,
            endpoint=host.address,
            deployment=self.deployment,
        )

    def rates(self, model: str | None) -> Rates:
        """Return the standard rates of the `model` that answered, at the time of the request."""
        return pricing.standard_rates(
            provider=self.host.provider,
            model=model,
            at=datetime.fromtimestamp(self.start_ns / 1e9, UTC),
            endpoint=self.host.address,
            deployment=self.deployment,
            request_model=self.model,
        )

    def may_ask_for_usage(self, client: Any) -> bool:
        """Whether to ask for the usage of this stream: the application did not, and the provider accepts it."""
        if not self.stream or self.route.name not in ("chat/completions", "completions"):
            return False
        options = self.body.get("stream_options")
        unsaid = options is None or (isinstance(options, Mapping) and "include_usage" not in options)
        return unsaid and hosts.takes_stream_usage(client, self.host)


@telemetry.never_raises("ask for the usage of a stream")
def with_usage(options: Any) -> Any:
    """Return a copy of the options that asks for the stream's usage; the application's own stay as they are."""
    copied = options.model_copy() if hasattr(options, "model_copy") else options.copy()
    extra = getattr(options, "extra_json", None) or {}
    # What is in `extra_body` wins when the SDK merges the two.
    place = "extra_json" if extra.get("stream_options") is not None else "json_data"
    body = getattr(options, place) or {}
    asked = {**(body.get("stream_options") or {}), "include_usage": True}
    setattr(copied, place, {**body, "stream_options": asked})
    return copied


_NAMING: Final = frozenset({"metadata", "conversation", "safety_identifier", "user"})
"""Fields of a request that may name its user or its session."""


def _identity(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the session and user of a request: those that its fields name, a conversation's id too, or the current."""
    metadata, conversation = body.get("metadata"), body.get("conversation")
    named = metadata.get("session_id") if isinstance(metadata, Mapping) else None
    conversation_id = conversation.get("id") if isinstance(conversation, Mapping) else conversation
    user = text(body.get("safety_identifier")) or text(body.get("user"))
    return attribution(user, text(named) or text(conversation_id))


_Inputs: TypeAlias = tuple[Sequence[Draft] | None, int | None, int | None]
_UNREAD: Final[_Inputs] = (None, None, None)


@telemetry.never_raises("read the messages of a request")
def _read_inputs(endpoint: str, body: Mapping[str, Any], *, kept: bool) -> _Inputs:
    """Return the messages of a request, or, where they are not kept, their number and their length."""
    return (
        (messages.read_request(endpoint, body), None, None)
        if kept
        else (None, *messages.measure_request(endpoint, body))
    )


def _session(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of the session that a request starts; in a form they are a file of JSON."""
    session = body.get("session")
    if isinstance(session, tuple) and len(session) > 1:
        session = session[1]
    if isinstance(session, str | bytes):
        try:
            session = json.loads(session)
        except (ValueError, RecursionError):
            return {}
    return session if isinstance(session, Mapping) else {}


def text(value: object) -> str | None:
    """Return a text that is not empty; None where it is none."""
    return value if isinstance(value, str) and value else None


def _files(files: Any) -> Iterator[tuple[str, Any]]:
    """Yield the files of a multipart request by field; the SDK takes them as a mapping or as pairs.

    What can be read only once is left to the SDK.
    """
    pairs = files.items() if isinstance(files, Mapping) else files if isinstance(files, list | tuple) else ()
    for pair in pairs:
        if isinstance(pair, tuple) and len(pair) == 2:
            yield str(pair[0]), pair[1]


class _Glimpse(io.BytesIO):
    """An open file of which only the head and the size are known; what reads its length later gets no more."""

    def __init__(self, head: bytes, size: int) -> None:
        super().__init__(head)
        self._size = size

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._size if whence == io.SEEK_END else super().seek(offset, whence)


def _glimpsed(file: Any) -> Any:
    """Return what tells the length of an uploaded file, without the file itself.

    It is read here, in the application's own thread and before the SDK reads it, and left where it was.
    """
    name, opened = file[:2] if isinstance(file, tuple) and len(file) > 1 else (None, file)
    if isinstance(opened, bytes | bytearray):
        return (name, _Glimpse(bytes(opened[: audio_length.HEAD]), len(opened)))
    try:
        if (plain := _plain(opened)) is None:
            return None
        place = plain.tell()
        try:
            plain.seek(0)
            return (name, _Glimpse(plain.read(audio_length.HEAD), plain.seek(0, io.SEEK_END)))
        finally:
            plain.seek(place)
    except Exception:  # noqa: BLE001  # not seekable, or closed: then the length is unknown
        return None


def _plain(opened: Any) -> Any:
    """Return the file on a disk, or in memory, that an object is, or that it is as a temporary file; else None.

    Others are not looked into: they may decompress all that they have to find their end, or count what is read of them.
    """
    if type(opened).__module__ == "tempfile":
        opened = vars(opened).get("_file", vars(opened).get("file"))
    kind = type(opened.raw) if type(opened) in (io.BufferedReader, io.BufferedRandom) else type(opened)
    return opened if kind in (io.FileIO, io.BytesIO) else None
