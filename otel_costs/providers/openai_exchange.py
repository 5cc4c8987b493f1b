"""One request to a provider and its answer: reads what is billed from both, and tells the `Call`."""

import json
import time
from collections.abc import Mapping
from contextvars import ContextVar, Token
from functools import partial
from typing import Any, Final, Self

from opentelemetry import context as otel_context

from otel_costs import attributes as names
from otel_costs import clean, content, messages, outbox, streaming, telemetry
from otel_costs.call import Call
from otel_costs.identity import whose
from otel_costs.providers import hosts, openai_messages, openai_stream, openai_usage
from otel_costs.providers.openai_routes import Endpoint, find, may_be_billed
from otel_costs.providers.sound import HEAD, Sound
from otel_costs.usage import Usage

KEPT_BODY: Final = 32 * 1024 * 1024
"""Bytes of a body that the application streams itself which are kept to read its usage; audio is only counted."""

# Statuses of a job that will not change any more.
_ENDED: Final = frozenset({"completed", "succeeded", "failed", "cancelled", "canceled", "incomplete", "expired"})

_REQUEST: Final = (
    ("temperature", names.REQUEST_TEMPERATURE),
    ("top_p", names.REQUEST_TOP_P),
    ("max_tokens", names.REQUEST_MAX_TOKENS),
    ("max_completion_tokens", names.REQUEST_MAX_TOKENS),
    ("max_output_tokens", names.REQUEST_MAX_TOKENS),
    ("frequency_penalty", names.REQUEST_FREQUENCY_PENALTY),
    ("presence_penalty", names.REQUEST_PRESENCE_PENALTY),
    ("seed", names.REQUEST_SEED),
    ("stop", names.REQUEST_STOP_SEQUENCES),
    ("n", names.REQUEST_CHOICE_COUNT),
    ("service_tier", names.OPENAI_REQUEST_SERVICE_TIER),
    ("reasoning_effort", names.REQUEST_REASONING_LEVEL),
    ("previous_response_id", names.REQUEST_PREVIOUS_RESPONSE_ID),
    ("dimensions", names.EMBEDDINGS_DIMENSION_COUNT),
    ("voice", names.SPEECH_VOICE),
    ("language", names.SPEECH_INPUT_LANGUAGE),
)


class Exchange:
    """A request of the SDK on its way: `begin`, `enter`, then `received` or `failed`, `leave`, `returned`."""

    __slots__ = ("_begun_ns", "_call", "_context", "_method", "_seen", "args", "body", "client", "endpoint", "host", "injected", "kwargs")

    def __init__(self, client: Any, endpoint: Endpoint | None, body: Mapping[str, Any]) -> None:
        self.client, self.endpoint, self.body = client, endpoint, body
        self.host = hosts.of(client)
        self.args: tuple[Any, ...] = ()
        self.kwargs: Mapping[str, Any] = {}
        self.injected = False
        self._begun_ns = time.time_ns()
        self._call: Call | None = None
        self._context: Token[Any] | None = None
        self._seen = False

    @classmethod
    def begin(cls, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Self | None:
        """Start the call of a request; return None if it is not billed."""
        options = kwargs["options"] if "options" in kwargs else args[1]
        endpoint = find(options.method, options.url)
        if endpoint is None and not may_be_billed(options.method, options.url):
            return None
        exchange = cls(client, endpoint, _body(options))
        exchange.args, exchange.kwargs = args, kwargs
        if endpoint is not None and not endpoint.look:
            exchange._start(endpoint, bool(kwargs.get("stream")))
        return exchange

    def _start(self, endpoint: Endpoint, stream: bool) -> None:
        body = self.body
        self._call = call = self._new_call(endpoint, _request_attributes(body, stream))
        if not endpoint.look:
            call.inputs = openai_messages.read_request(endpoint.said, body)
            call.tools = body.get("tools") if content.on_spans() else None
        if stream and self._asks_for_usage(endpoint):
            self.args, self.kwargs = _with_usage(self.args, self.kwargs, body)
            self.injected = True

    def _new_call(self, endpoint: Endpoint, shown: Mapping[str, Any], **options: Any) -> Call:
        body, host = self.body, self.host
        model = body.get("model")
        call = Call(
            endpoint.operation,
            host.provider,
            model if isinstance(model, str) else None,
            identity=whose(*_identity(body)),
            attributes=host.attributes,
            **options,
        )
        call.bill.endpoint = host.address
        call.bill.deployment = call.request_model if host.has_deployments else None
        call.set(names.OPENAI_API_TYPE, endpoint.api_type)
        call.show(names.OUTPUT_TYPE, endpoint.output_type)
        for name, value in shown.items():
            call.show(name, value)
        return call

    def _asks_for_usage(self, endpoint: Endpoint) -> bool:
        """Whether to ask for the usage of this stream: nobody did, and the provider is known to take the question."""
        options = self.body.get("stream_options")
        return (
            endpoint.name in ("chat/completions", "completions")
            and (options is None or (isinstance(options, Mapping) and "include_usage" not in options))
            and hosts.takes_stream_usage(self.client, self.host)
        )

    def enter(self, current: "ContextVar[Exchange | None]") -> Token["Exchange | None"]:
        """Make this the exchange of the current task, and its span the current span."""
        if self._call is not None:
            self._context = otel_context.attach(self._call.context)
        return current.set(self)

    def leave(self, current: "ContextVar[Exchange | None]", token: Token["Exchange | None"]) -> None:
        """Undo `enter`."""
        current.reset(token)
        if self._context is not None:
            otel_context.detach(self._context)

    @telemetry.shielded("record a failed call")
    def failed(self, error: BaseException) -> None:
        """The request raised, before there was a response or while the SDK read it."""
        if self._call is not None and not self._seen:
            call = self._call
            call.stop()
            refused = isinstance(getattr(error, "status_code", None), int)
            outbox.put(partial(call.refuse if refused else call.fail, type(error).__name__))

    @telemetry.shielded("finish a call")
    def returned(self) -> None:
        """The request returned; if its response never came by here, the SDK has changed."""
        if self._call is not None and not self._seen:
            telemetry.complain_once("no response", "otel_costs saw no response: this version of openai is not known")
            self._call.bill.reasons.append("response_not_seen")
            self._call.finish()

    @telemetry.shielded("read a response")
    def received(self, response: Any) -> None:
        """The response's head is here, and its body unless the application streams it."""
        self._seen = True
        events = "text/event-stream" in response.headers.get("content-type", "")
        if response.is_closed:
            if self._call is not None:
                self._call.stop()
            outbox.put(partial(self._read_raw, response.content, response.headers, events))
        elif events:
            self._follow_events(response)
        elif self.endpoint is not None:
            streaming.watch(response, BodyReader(self, response))

    def _read_raw(self, raw: bytes, headers: Mapping[str, str], events: bool) -> None:
        self._read(openai_stream.folded(self._fold(), raw) if events else _parsed(raw, headers), headers, None)

    def _fold(self) -> openai_stream.Fold:
        return openai_stream.fold(self.endpoint.name if self.endpoint else "")

    def _follow_events(self, response: Any) -> None:
        headers = response.headers
        call = self._call or (self._look_call() if self.endpoint else None)
        if call is None:
            return
        self._call = call

        def finish(fold: openai_stream.Fold, error: BaseException | None) -> None:
            if not fold.complete:
                call.bill.reasons.append("stream_failed" if error is not None else "stream_closed_early")
            self._finish(fold.body(), headers, error)

        reader = openai_stream.EventReader(call, self._fold(), finish, hide_usage=self.injected)
        streaming.watch(response, reader)

    def _look_call(self) -> Call:
        """Start the call of a look at a job, late: most looks find nothing that is billed, and leave no span."""
        assert self.endpoint
        shown = "fetch_response" if self.endpoint.name == "responses" else None
        return self._new_call(self.endpoint, {}, shown_as=shown, start_ns=self._begun_ns)

    def _read(self, body: Any, headers: Mapping[str, str], error: BaseException | None) -> None:
        """Finish with a body that is known; an unknown endpoint leaves a record if its answer has a usage."""
        if self.endpoint is None:
            if isinstance(body, Mapping) and isinstance(body.get("usage"), Mapping):
                self.endpoint = Endpoint("unknown", "unknown")
                self._call = self._new_call(self.endpoint, {}, start_ns=self._begun_ns)
                self._finish(body, headers, error)
            return
        if self.endpoint.look:
            self._looked(body, headers)
        else:
            self._finish(body, headers, error)

    def _looked(self, body: Any, headers: Mapping[str, str]) -> None:
        """A job was looked at, or a list of them."""
        assert self.endpoint
        if not isinstance(body, Mapping):
            return
        if isinstance(body.get("data"), list):
            for job in body["data"]:
                if isinstance(job, Mapping) and _has_ended(job):
                    self._call = self._look_call()
                    self._finish(job, headers, None)
        elif self.endpoint.name == "responses" or _has_ended(body):
            self._call = self._look_call()
            self._finish(body, headers, None)

    @telemetry.shielded("read what a call used")
    def _finish(self, body: Any, headers: Mapping[str, str], error: BaseException | None) -> None:
        call, endpoint = self._call, self.endpoint
        assert call is not None
        assert endpoint is not None
        try:
            if isinstance(body, Mapping):
                self._read_head(call, body)
            if body is not None:
                self._read_usage(call, endpoint, body, headers)
            if call.inputs is not None and body is not None:
                call.choices = openai_messages.read_response(endpoint.said, body)
            if call.bill.usage is None and call.bill.reasons and endpoint.said in ("chat", "completions", "responses"):
                call.bill.usage = _estimate(call)
            self._as_job(call, endpoint, body)
        except Exception as bug:  # noqa: BLE001
            telemetry.complain_once("bug:read", "otel_costs could not read a response", error=bug)
            call.bill.reasons.append("response_not_read")
        if error is not None:
            call.fail(error)
        elif failure := _failure(body):
            call.fail(failure)
        else:
            call.finish()

    def _read_head(self, call: Call, body: Mapping[str, Any]) -> None:
        model, response_id, tier = body.get("model"), body.get("id"), body.get("service_tier")
        call.response_model = model if isinstance(model, str) else None
        call.bill.service_tier = tier if isinstance(tier, str) else None
        call.set(names.RESPONSE_ID, response_id if isinstance(response_id, str) else None)
        call.show(names.OPENAI_RESPONSE_SYSTEM_FINGERPRINT, body.get("system_fingerprint"))
        reasons = [choice["finish_reason"] for choice in _choices(body) if choice.get("finish_reason")]
        call.show(names.RESPONSE_FINISH_REASONS, reasons or None)
        conversation = body.get("conversation")
        if isinstance(conversation, Mapping):
            call.show(names.CONVERSATION_ID, conversation.get("id"))

    def _read_usage(self, call: Call, endpoint: Endpoint, body: Any, headers: Mapping[str, str]) -> None:
        call.bill.usage = openai_usage.read_usage(endpoint.name, body, self.body)
        call.bill.price_model = openai_usage.priced_model(endpoint.name, body, self.body)
        call.bill.reported = openai_usage.reported_cost(body, headers, self.host.provider)
        if endpoint.name == "batches":
            call.bill.processing = "batch"

    def _as_job(self, call: Call, endpoint: Endpoint, body: Any) -> None:
        """Give what can be seen again an identity that it has every time."""
        if not isinstance(body, Mapping):
            call.billed = not endpoint.look
            return
        background = endpoint.name == "responses" and body.get("background") is True
        if not endpoint.job and not background:
            return
        if endpoint.look and endpoint.name == "responses" and not background:
            # It was billed when it was created; this is only another look at it.
            call.billed = False
            return
        if isinstance(body.get("id"), str):
            call.as_job(body["id"], created_s=_seconds(body, "created_at"), ended_s=_ended_s(body), ended=_has_ended(body))


class BodyReader:
    """Follows a body that the application streams itself: keeps it if it may hold the usage, counts it if it is audio."""

    def __init__(self, exchange: Exchange, response: Any) -> None:
        self._exchange, self._response_headers = exchange, response.headers
        self._kept: list[bytes] = []
        self._size = 0
        self._text = _is_text(response.headers)

    def feed(self, chunk: bytes) -> bytes:
        if self._exchange._call is not None and not self._size:
            self._exchange._call.first_chunk()
        self._size += len(chunk)
        if self._size <= (KEPT_BODY if self._text else HEAD):
            self._kept.append(chunk)
        return chunk

    def flush(self) -> bytes:
        return b""

    def end(self, error: BaseException | None) -> None:
        if self._exchange._call is not None:
            self._exchange._call.stop()
        outbox.put(partial(self._read, error))

    def _read(self, error: BaseException | None) -> None:
        raw = b"".join(self._kept)
        body: Any = Sound(raw, self._size) if not self._text else None
        if self._text and len(raw) == self._size:
            body = _parsed_text(raw)
        exchange = self._exchange
        if body is None and exchange._call is not None:
            exchange._call.bill.reasons.append("response_not_read")
        exchange._read(body, self._response_headers, error)


def _body(options: Any) -> Mapping[str, Any]:
    """Return the body as it will be sent: the SDK merges `extra_body` into it later."""
    body, extra = options.json_data, getattr(options, "extra_json", None)
    body = body if isinstance(body, Mapping) else {}
    if files := _files(options):
        body = {**body, **files}
    return {**body, **extra} if isinstance(extra, Mapping) else body


def _files(options: Any) -> dict[str, Any]:
    """Return the files of a multipart request by field; the SDK takes them as a mapping or as pairs."""
    found = getattr(options, "files", None)
    pairs = found.items() if isinstance(found, Mapping) else found or ()
    return {str(pair[0]): pair[1] for pair in pairs if isinstance(pair, tuple) and len(pair) == 2}


def _with_usage(args: tuple[Any, ...], kwargs: Mapping[str, Any], body: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Return the arguments with a copy of the options that asks for usage; the application's own stay as they are."""
    options = kwargs["options"] if "options" in kwargs else args[1]
    asked = {**(body.get("stream_options") or {}), "include_usage": True}
    copied = options.model_copy() if hasattr(options, "model_copy") else options.copy()
    copied.json_data = {**(options.json_data or {}), "stream_options": asked}
    if "options" in kwargs:
        return args, {**kwargs, "options": copied}
    return (args[0], copied, *args[2:]), kwargs


def _request_attributes(body: Mapping[str, Any], stream: bool) -> dict[str, Any]:
    found = {name: body[key] for key, name in _REQUEST if isinstance(body.get(key), str | int | float | list)}
    reasoning = body.get("reasoning")
    if isinstance(reasoning, Mapping) and isinstance(reasoning.get("effort"), str):
        found[names.REQUEST_REASONING_LEVEL] = reasoning["effort"]
    if stream:
        found[names.REQUEST_STREAM] = True
    return found


def _identity(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the user and the session that the request itself names, in the fields that the provider has for them."""
    user = body.get("safety_identifier") or body.get("user")
    metadata, conversation = body.get("metadata"), body.get("conversation")
    session_id = metadata.get("session_id") if isinstance(metadata, Mapping) else None
    if session_id is None:
        session_id = conversation.get("id") if isinstance(conversation, Mapping) else conversation
    return user if isinstance(user, str) else None, session_id if isinstance(session_id, str) else None


def _parsed(raw: bytes, headers: Mapping[str, str]) -> Any:
    if _is_text(headers):
        return _parsed_text(raw)
    return Sound(raw[:HEAD], len(raw))


def _parsed_text(raw: bytes) -> Any:
    """Return JSON, or the text itself where it is none: transcriptions come as text, srt and vtt too."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw.decode("utf-8", "replace")


def _is_text(headers: Mapping[str, str]) -> bool:
    kind = headers.get("content-type", "application/json")
    return "json" in kind or kind.startswith("text/")


def _choices(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = body.get("choices")
    return [choice for choice in found if isinstance(choice, Mapping)] if isinstance(found, list) else []


def _has_ended(job: Mapping[str, Any]) -> bool:
    return job.get("status") in _ENDED or job.get("usage") is not None


def _seconds(job: Mapping[str, Any], key: str) -> int | None:
    found = job.get(key)
    return int(found) if isinstance(found, int | float) and not isinstance(found, bool) and found > 0 else None


def _ended_s(job: Mapping[str, Any]) -> int | None:
    return next((found for key in ("completed_at", "finished_at", "failed_at", "cancelled_at") if (found := _seconds(job, key))), None)


def _failure(body: Any) -> str | None:
    """Return the kind of error that an answer reports of itself; it is billed all the same."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(error, Mapping):
        kind = error.get("code") or error.get("type")
        return clean.identifier(kind) if isinstance(kind, str) else "error"
    return None


def _estimate(call: Call) -> Usage | None:
    """Guess the tokens of a stream that ended without its usage: four bytes of text a token, OpenAI's rule of thumb."""
    if call.inputs is None:
        return None
    return Usage.of(
        {
            "input_tokens": _tokens(call.inputs),
            "output_tokens": sum(_tokens(choice) for choice in call.choices),
        },
        estimated=True,
    )


def _tokens(drafts: "list[messages.Draft]") -> int:
    size = sum(len(said) for draft in drafts for said in (draft.content, draft.arguments) if said and not draft.media_type)
    return -(-size // 4)
