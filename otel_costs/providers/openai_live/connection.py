"""One connection of a Live session: each event that is sent or received, and what it changes."""

from collections.abc import Callable, Mapping
from functools import partial
from secrets import token_hex
from time import time_ns
from typing import Any, Final

from otel_costs.calls.advance import Advance
from otel_costs.calls.message_log import is_new_message
from otel_costs.hosts import Host
from otel_costs.messages import Draft, Message, joined
from otel_costs.providers.openai import items as openai_items
from otel_costs.providers.openai.parts import key, mapping, sequence
from otel_costs.providers.openai_live.delegations import Delegations
from otel_costs.providers.openai_live.session_usage import SessionObserver, SessionUsage, observe
from otel_costs.providers.openai_live.transcript import Transcript, Utterance
from otel_costs.providers.openai_realtime import frames
from otel_costs.providers.openai_realtime.configuration import Configuration
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.runtime import background
from otel_costs.usage.numbers import EXACT, quotient
from otel_costs.values.json_objects import parsed

Event = Mapping[str, Any]

_SOUND_SENT: Final = "session.input_audio.append"  # received, too, from the side
_SOUND_RECEIVED: Final = "session.output_audio.delta"
_G711_BYTES_PER_SECOND: Final = 8_000
_PCM_RATE: Final = 24_000
_ASKING: Final = ("response.create", "decision.create")
_APPENDED: Final = frozenset({"session.instructions.append", "session.thinking.append", "session.commentary.append"})


class LiveConnection:
    """Follows one connection, from its opening to its end."""

    def __init__(
        self, owner: Owner, configuration: Configuration, host: Host, *, attached_to: str | None = None
    ) -> None:
        """`attached_to` is the id of a session that this connection only observes; None for one that it starts."""
        self._owner, self._configuration, self._host = owner, configuration, host
        self._delegations, self._transcript = Delegations(owner, host), Transcript()
        self._observer = SessionObserver(owner, configuration, is_primary=attached_to is None)
        self._usage: SessionUsage | None = None
        self._advance = Advance()
        self._requested: Event = {}
        self._received_bytes, self._bytes_per_second = 0, 2 * _PCM_RATE
        self._played_bytes = 0
        self._began_ns: int | None = None
        self._name, self._count = token_hex(4), 0
        if attached_to is not None:
            configuration.id = attached_to
            self._usage = observe(self._observer, attached_to)

    def sent(self, frame: str | bytes) -> None:
        """Read an event of the application's. Raises BudgetExceeded where it starts more than its session may spend."""
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        if frames.kind(text) == _SOUND_SENT:
            self._check_advance()
            return
        if (event := parsed(text)) is None:
            return
        self._owner.adopt()
        kind = str(event.get("type"))
        if kind == "session.start":
            self._requested = mapping(event.get("session"))
            model = key(self._requested.get("model"))
            if self._host.has_deployments:
                self._owner.deployment = model
            if self._usage is None:
                self._advance.begin(self._owner.payer(model))
        elif kind in _APPENDED:
            self._append(event)
        elif kind == "response.item.create":
            self._delegations.give(event.get("item"))
        elif kind in _ASKING:
            self._payer.ask(event.get("event_id"), self._delegations.kind(kind))

    def received(self, frame: str | bytes) -> None:
        """Read an event that the service sends."""
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        kind = frames.kind(text)
        if kind == _SOUND_SENT:
            return
        if kind == _SOUND_RECEIVED and (sound := frames.sound(text)) is not None:
            self._received_bytes += len(sound.data) * 3 // 4
            if self._received_bytes >= self._played_bytes + self._bytes_per_second:
                self._played_bytes = self._received_bytes
                self._play()
        elif (event := parsed(text)) is not None and (handler := _RECEIVED.get(str(event.get("type")))) is not None:
            handler(self, event)

    def closed(self, error: str | None) -> None:
        """Write what is under way: nothing more will become known of it here."""
        try:
            self._finish(error)
            if self._usage is not None:
                self._play()
                self._usage.leave(self._observer, error)
            else:
                self._advance.end()
        finally:
            self._owner.end(error)

    def _check_advance(self) -> None:
        """Raise `BudgetExceeded` for the next sound of a session that is not let on, once its turn is over."""
        usage = self._usage
        if usage is None or not usage.is_refused or not self._delegations.is_idle:
            return
        if self._transcript.speaks("assistant", int(EXACT.multiply(usage.seconds, 1000))):
            return
        if (refusal := usage.renew()) is not None:
            raise refusal

    def _finish(self, error: str | None) -> None:
        self._delegations.end(error)
        for utterance in self._transcript.end():
            self._write_utterance(utterance)

    @property
    def _leads(self) -> bool:
        """Whether what all connections of the session see is written here."""
        return self._usage is not None and self._usage.leads(self._observer)

    @property
    def _payer(self) -> Owner:
        """The owner whose budgets count the requests of this connection: that of the connection that leads."""
        return self._owner if self._usage is None else self._usage.payer or self._owner

    def _play(self) -> None:
        """Note how far the session has got, by its sound and by its transcripts."""
        if self._usage is not None:
            received_s = quotient(self._received_bytes, self._bytes_per_second)
            self._usage.play(max(received_s, quotient(self._transcript.until_ms, 1000)))

    # The service's events.

    def _starts(self, event: Event) -> None:
        self._configures(event)
        if self._usage is None and self._configuration.id is not None:
            self._usage = observe(self._observer, self._configuration.id)
            self._usage.pay(self._advance)
            self._began_ns = time_ns()
            self._write_history()

    def _configures(self, event: Event) -> None:
        session = mapping(event.get("session"))
        self._configuration.reported(session)
        if self._usage is not None:
            self._usage.know(self._configuration)
        form = mapping(mapping(session.get("audio")).get("format"))
        if self._observer.is_primary and form:  # any other hears what the model does, whatever the caller's format
            rate = form.get("rate")
            pcm = 2 * rate if type(rate) is int and rate > 0 else 2 * _PCM_RATE
            self._bytes_per_second = _G711_BYTES_PER_SECOND if form.get("type") in ("audio/pcmu", "audio/pcma") else pcm

    def _uses(self, event: Event) -> None:
        if self._usage is not None:
            self._usage.report(event.get("usage"))
            self._play()
            self._usage.renew()
            self._usage.note(self._observer)

    def _ends(self, event: Event) -> None:
        self._configures(event)
        if self._usage is not None:
            self._finish(None)
            self._play()
            self._usage.end(self._observer, event.get("usage"), event.get("reason"))

    def _speaks(self, event: Event) -> None:
        if self._began_ns is None:
            end_ms = event.get("end_ms")
            self._began_ns = time_ns() - (end_ms if type(end_ms) is int else 0) * 1_000_000
        for utterance in self._transcript.add(event):
            self._write_utterance(utterance)

    def _delegates(self, event: Event) -> None:
        delegation = mapping(event.get("delegation"))
        if delegation_id := key(delegation.get("id")):
            target = f"delegate_to_{delegation.get('target')}"
            self._write(delegation_id, Draft("assistant", "function_call", None, target, key=delegation_id))

    def _responds(self, event: Event) -> None:
        if self._takes(event):
            self._delegations.respond(event)

    def _decides(self, event: Event) -> None:
        if self._takes(event):
            self._delegations.decide(event)

    def _refuses(self, event: Event) -> None:
        self._payer.refused(mapping(event.get("error")).get("event_id"), is_response=False)

    def _takes(self, event: Event) -> bool:
        return self._usage is not None and self._usage.takes(self._observer, key(event.get("event_id")))

    # What was said.

    def _write_history(self) -> None:
        """Write what the session began with: its instructions, and an earlier conversation in text."""
        request = {"instructions": self._requested.get("instructions"), "input": sequence(self._requested.get("input"))}
        for draft in openai_items.request(request):
            self._write(None, draft)

    def _append(self, event: Event) -> None:
        """Write what the application tells the model: the result of what it was delegated, or a hint."""
        content, delegation_id = event.get("content"), key(event.get("delegation_id"))
        if isinstance(content, str) and delegation_id:
            self._write(None, Draft("function", "function_result", content, key=delegation_id))
        elif isinstance(content, str):
            self._write(None, Draft("system", "text", content))

    def _write_utterance(self, utterance: Utterance) -> None:
        at_ns = (self._began_ns or time_ns()) + utterance.start_ms * 1_000_000
        self._write(f"{self._configuration.id}/{utterance.role}/{utterance.start_ms}", utterance.draft, at_ns)

    def _write(self, message_id: str | None, draft: Draft, at_ns: int | None = None) -> None:
        """Write a message, unless another connection does; one without an id is seen by this connection alone."""
        if self._usage is None or not (self._leads or message_id is None):
            return
        self._count += 1
        message_id = message_id or f"{self._configuration.id}/{self._name}/{self._count}"
        session_id = self._owner.session_id
        if is_new_message(session_id, message_id):
            message = Message(message_id, self._count, joined(session_id, draft))
            background.put(
                partial(self._owner.conversation.write_message, message, at_ns or time_ns(), self._usage.call_id)
            )


_RECEIVED: Final[Mapping[str, Callable[[LiveConnection, Event], None]]] = {
    "session.started": LiveConnection._starts,
    "session.updated": LiveConnection._configures,
    "session.usage.updated": LiveConnection._uses,
    "session.closed": LiveConnection._ends,
    "session.input_transcript.delta": LiveConnection._speaks,
    "session.output_transcript.delta": LiveConnection._speaks,
    "session.delegation.created": LiveConnection._delegates,
    "response.event": LiveConnection._responds,
    "decision.event": LiveConnection._decides,
    "error": LiveConnection._refuses,
}
