"""The owner of a connection: its provider, its span, and the session that its calls belong to.

That is the session that is open when the connection is made; or else the first that is open when the application sends
something; or else one of the connection's own, under the provider's session id.
"""

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_costs import semconv as names
from otel_costs.calls.admission import admit, check_room, limits_of
from otel_costs.calls.advance import Payer
from otel_costs.calls.call import Call, random_id
from otel_costs.calls.estimate import Kind
from otel_costs.calls.message_log import Conversation
from otel_costs.calls.reading import Job, Reading
from otel_costs.calls.writer import finish
from otel_costs.providers import unseen_sessions
from otel_costs.providers.openai_realtime.configuration import SESSION_S, Configuration
from otel_costs.runtime import background, telemetry
from otel_costs.sessions.reservations import Reservation
from otel_costs.sessions.scope import attribution
from otel_costs.sessions.session import ConnectionSession, Scope, current_scope
from otel_costs.usage import Usage
from otel_costs.values import sanitize

RANDOM: Final = 16
"""Length from which an id is unique: OpenAI's are random, a local server's `resp_1` is another each time."""


ASKED: Final = 64
"""Responses that may be asked for and not have begun; what is reserved for more, the oldest give back."""


class Owner:
    """The provider, span and session of a connection, from its opening to its end."""

    def __init__(
        self,
        provider: str,
        model: str | None,
        attributes: Mapping[str, Any],
        configuration: Configuration,
        *,
        deployment: str | None = None,
        user: str | None = None,
    ) -> None:
        self.provider, self.model, self.deployment = provider, model, deployment
        self._configuration = configuration
        self._attributes = attributes
        self._scope: Scope | None = current_scope()
        self._has_consent = self._scope is None or self._scope.content
        self._identity: Mapping[str, Any] | None = None
        found = attribution(user)
        self._user: str | None = found.get(names.USER_ID)
        if names.SESSION_ID in found:
            self._identity = found
        self._own: tuple[ConnectionSession, Scope] | None = None
        self._asked: deque[tuple[object, Reservation]] = deque(maxlen=ASKED)
        self._conversation: Conversation | None = None
        span_attributes = {names.PROVIDER_NAME: provider, **attributes}
        if model:
            span_attributes[names.REQUEST_MODEL] = model
        self._span = telemetry.current().tracer.start_span(
            f"realtime {model}" if model else "realtime", kind=SpanKind.CLIENT, attributes=span_attributes
        )
        self.context = trace.set_span_in_context(self._span)

    def adopt(self) -> None:
        """Belong to the session in which the application sends something, if to none yet."""
        scope = current_scope()
        if self._identity is None and scope is not None and names.SESSION_ID in scope.attributes:
            self._scope, self._identity = self._consenting(scope), attribution(self._user)

    def _consenting(self, scope: Scope) -> Scope:
        """Return a scope without content where the connection was opened in one: nobody has agreed to it since."""
        if self._has_consent or not scope.content:
            return scope
        inner = Scope(scope.session, scope.step, scope)
        inner.content = False
        return inner

    def ask(self, event_id: object, kind: Kind | None = None) -> None:
        """Reserve what the application asks for, until the service begins or refuses it.

        It is a response of this connection's model, or of another `kind`; `event_id` is what the application calls the
        event. Raises BudgetExceeded if it does not fit.
        """
        reservation = admit(kind or self._kind, scope=self._scope, identity=self._attribution)
        if reservation is not None:
            self._asked.append((event_id, reservation))

    def refused(self, event_id: object, *, is_response: bool) -> None:
        """Release what is reserved for what is refused: the next response, or what the event of this id asked for."""
        for asked in self._asked:
            if is_response or asked[0] == event_id:
                self._asked.remove(asked)
                asked[1].release()
                return

    def check_turn(self) -> None:
        """Raise `BudgetExceeded` if a budget is spent, or has no room for the response that sound may begin.

        What others have reserved takes the room, and nothing is reserved for sound: most of it begins none. This is for
        every piece of sound, and waits for nothing where there is room.
        """
        limits = limits_of(self._kind, self._scope, self._attribution)
        for limit in limits:
            limit.check()
        if self._configuration.responds and not self._asked:
            check_room(limits, self._kind)

    def reserve(self, call: Call) -> None:
        """Reserve what a call may cost that the service has begun: what was asked for, or what it begins by itself."""
        kind = Kind(call.operation, call.provider, call.request_model)
        if self._asked:
            call.reservation = self._asked.popleft()[1]
            call.reservation.kind = kind
        else:
            call.reservation = admit(kind, scope=self._scope, identity=self._attribution, refusing=False)

    def payer(self, model: str | None = None) -> Payer:
        """Return the payer of a session on this connection that is billed by the second."""
        kind = Kind("realtime_inference", self.provider, model or self._kind.model)
        endpoint = self._attributes.get(names.SERVER_ADDRESS)
        return Payer(kind, self._scope, self._attribution, endpoint, self.deployment)

    @property
    def _kind(self) -> Kind:
        return Kind("realtime_inference", self.provider, self.model or self._configuration.model)

    @property
    def _attribution(self) -> Mapping[str, Any]:
        return attribution(self._user) if self._identity is None else self._identity

    @property
    def identity(self) -> Mapping[str, Any]:
        """The attributes of session and user; asked for the first time, it opens a session if there is none."""
        if self._identity is None:
            step = self._scope.step if self._scope else None
            session = ConnectionSession(
                self._configuration.id or random_id(), user=self._user, content=self._has_consent
            )
            opened = session.open()
            self._own = session, opened
            self._scope = Scope(session, step, opened)
            self._identity = self._scope.attributes
        return self._identity

    @property
    def session_id(self) -> str:
        """The id of the session that its calls belong to."""
        return str(self.identity[names.SESSION_ID])

    @property
    def conversation(self) -> Conversation:
        """Where messages are written."""
        if self._conversation is None:
            session_id, may = self.session_id, self._scope is None or self._scope.content
            self._conversation = Conversation(session_id, self.identity, None, self.context, may_have_content=may)
        return self._conversation

    def call(self, operation: str, model: str | None, *, start_ns: int | None = None) -> Call:
        """Start a call of this connection."""
        identity, session_id = self.identity, self._configuration.id
        attributes = {**self._attributes} | (
            {names.REALTIME_SESSION_ID: sanitize.text(session_id)} if session_id else {}
        )
        call = Call(
            operation,
            self.provider,
            model,
            identity=identity,
            attributes=attributes,
            endpoint=self._attributes.get(names.SERVER_ADDRESS),
            deployment=self.deployment,
            start_ns=start_ns,
            parent=self.context,
        )
        call.scope, call.messages_logged_elsewhere = self._scope, True
        return call

    @property
    def unknown_tools(self) -> tuple[str, ...]:
        """The tools that the session offers and whose cost is not known."""
        return tuple(self._configuration.unknown_tools)

    @property
    def begun_s(self) -> int | None:
        """When the provider's session began, in seconds since 1970, the same on all connections; None if not known."""
        expires_at = self._configuration.expires_at
        return None if expires_at is None else expires_at - SESSION_S

    def identify(self, call: Call, name: str, *, shared: bool, ended: bool = True) -> Job | None:
        """Let what others see too, under the provider's `name` for it, be billed once.

        `shared`: connections of other processes may see it. Then its id follows from the name, and its time from the
        one that all of them know, which is the session's: that is a job, which is returned. `ended` is False where its
        end was not seen here.
        """
        if len(name) < RANDOM:
            call.call_id = random_id()
        elif shared and self.begun_s is not None:
            call.known_as(name, ended=ended)
            return Job(name, ended, self.begun_s)
        else:
            call.call_id = call.call_id or random_id()
            call.dedup_key = f"{self.provider}/{name}" if ended else None
        return None

    def joined(self, name: str) -> None:
        """Replace the record of a call over SIP or WebRTC that this process started: its usage is seen here.

        What is used before or after this connection is not.
        """
        started_s = unseen_sessions.started_s(self.provider, name)
        if started_s is None:
            return
        call = self.call("realtime_inference", self.model or self._configuration.model)
        call.stop()
        found = Reading(
            usage=Usage.of({"input_tokens": 0, "output_tokens": 0}),
            model=self._configuration.model,
            unknown=self.unknown_tools,
            job=Job(name, True, started_s),
        )
        background.put(partial(finish, call, found))

    def end(self, error: str | None) -> None:
        """End the connection's span, in a job, after its calls; and its session, if that is its own."""
        while self._asked:
            self._asked.popleft()[1].release()
        span = self._span
        if span.is_recording():
            span.set_attributes(self._identity or {})
            for name, value in (
                (names.REALTIME_SESSION_ID, self._configuration.id),
                (names.RESPONSE_MODEL, self._configuration.model),
                (names.ERROR_TYPE, error),
            ):
                if value:
                    span.set_attribute(name, sanitize.identifier(value))
            if error:
                span.set_status(Status(StatusCode.ERROR, sanitize.identifier(error)))
        span.end()
        if self._own is not None:
            session, scope = self._own
            self._own = None
            session.close(scope)
