"""One Realtime connection, whatever carries it: each event that is sent or received, and what it changes."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from otel_costs.providers.openai import hosted_tools
from otel_costs.providers.openai.parts import key, mapping
from otel_costs.providers.openai_realtime import frames
from otel_costs.providers.openai_realtime.configuration import Configuration
from otel_costs.providers.openai_realtime.conversation import Items
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.providers.openai_realtime.tools import Tools
from otel_costs.providers.openai_realtime.transcriptions import Transcriptions
from otel_costs.providers.openai_realtime.turns import Turns
from otel_costs.runtime import telemetry
from otel_costs.sessions.session import current_scope

Event = Mapping[str, Any]

_BUSY: Final = "conversation_already_has_active_response"
"""Code of the refusal of a response."""


class Connection:
    """Follows one connection, from its opening to its end."""

    def __init__(self, owner: Owner, configuration: Configuration, *, joins: str | None = None) -> None:
        """`joins` is the call over SIP or WebRTC that this observes, as other connections may do, too."""
        self._owner, self._configuration = owner, configuration
        self._joins, shared = joins, joins is not None
        self._items = Items(owner, configuration)
        self._tools = Tools(owner)
        self._turns = Turns(owner, configuration, self._items, self._tools, shared=shared)
        self._transcriptions = Transcriptions(owner, configuration, self._items, shared=shared)

    def sent(self, frame: str | bytes) -> None:
        """Read a frame of the application's. Raises BudgetExceeded where it asks for more than may be spent."""
        if isinstance(frame, bytes):
            frame = frame.decode("utf-8", "replace")
        if frames.kind(frame) in frames.SOUND_SENT and (sound := frames.sound(frame)):
            self._owner.adopt()
            self._hears(sound.data)
        elif (event := _parsed(frame)) is not None:
            self.event_sent(event)

    def received(self, frame: str | bytes) -> None:
        """Read a frame that the service sends."""
        if isinstance(frame, bytes):
            frame = frame.decode("utf-8", "replace")
        kind = frames.kind(frame)
        if kind in frames.SILENT:
            return
        if kind in frames.SOUND_RECEIVED and (sound := frames.sound(frame)) and sound.response_id:
            self._turns.sound_received(sound.response_id, sound.item_id, sound.data)
        elif (event := _parsed(frame)) is not None:
            self.event_received(event)

    def event_sent(self, event: Event) -> None:
        """Read an event of the application's."""
        self._owner.adopt()
        _handle(self, _SENT, event)

    def event_received(self, event: Event) -> None:
        """Read an event of the service's."""
        _handle(self, _RECEIVED, event)

    def closed(self, error: str | None) -> None:
        """Write what is under way: nothing more will become known of it."""
        for end in (
            partial(self._turns.end, error),
            self._transcriptions.end,
            partial(self._items.end, error or "connection_closed"),
            self._tools.end,
            partial(self._owner.end, error),
        ):
            telemetry.never_raises("end a Realtime connection")(end)()

    # The application's events.

    def _asks_for_settings(self, event: Event) -> None:
        self._configuration.requested(mapping(event.get("session")))

    def _sends_sound(self, event: Event) -> None:
        if isinstance(data := event.get("audio"), str):
            self._hears(data)

    def _hears(self, data: str) -> None:
        """Note sound that is sent; it begins the next turn, which a budget stops once the last one is over."""
        if self._turns.is_idle:
            self._owner.check_turn()
        self._items.input.add(data)

    def _clears_sound(self, _: Event) -> None:
        self._items.input.clear()

    def _sends_item(self, event: Event) -> None:
        item = mapping(event.get("item"))
        self._tools.answered(item)
        self._items.asked(item, event.get("event_id"))

    def _truncates(self, event: Event) -> None:
        self._items.truncated(event.get("item_id"), event.get("audio_end_ms"))

    def _asks_for_response(self, event: Event) -> None:
        self._owner.ask(event.get("event_id"))
        tools = hosted_tools.asked(event.get("response"))
        self._turns.unknown_tools, self._turns.may_cost = hosted_tools.unknown(tools), hosted_tools.may_cost(tools)
        scope = current_scope()
        self._turns.step = scope.step if scope is not None else None

    # The service's events.

    def _configures(self, event: Event) -> None:
        self._configuration.reported(mapping(event.get("session")))
        self._items.instructed()
        if self._joins is not None:
            self._owner.joined(self._joins)
            self._joins = None

    def _adds_item(self, event: Event) -> None:
        self._items.added(mapping(event.get("item")))

    def _begins_speech(self, event: Event) -> None:
        self._items.input.speech_started(event)

    def _ends_speech(self, event: Event) -> None:
        self._items.input.speech_stopped(event)

    def _commits(self, event: Event) -> None:
        item_id = key(event.get("item_id"))
        if item_id and (item := self._items.committed(item_id)) is not None:
            self._transcriptions.begun(item)

    def _transcribes(self, event: Event) -> None:
        self._transcriptions.completed(event)

    def _cannot_transcribe(self, event: Event) -> None:
        self._transcriptions.failed(event)

    def _begins_response(self, event: Event) -> None:
        self._turns.created(mapping(event.get("response")))

    def _begins_item(self, event: Event) -> None:
        self._turns.item_begun(event)

    def _receives_sound(self, event: Event) -> None:
        if isinstance(data := event.get("delta"), str):
            self._turns.sound_received(key(event.get("response_id")) or "", key(event.get("item_id")) or "", data)

    def _receives_words(self, event: Event) -> None:
        self._turns.words_received(event)

    def _ends_response(self, event: Event) -> None:
        self._turns.done(event)

    def _refuses(self, event: Event) -> None:
        error = mapping(event.get("error"))
        self._items.refused(error.get("event_id"))
        is_busy = error.get("code") == _BUSY
        self._owner.refused(error.get("event_id"), is_response=is_busy)
        if is_busy:
            self._turns.step = None


def _handle(connection: Connection, handlers: "Mapping[str, Handler]", event: Event) -> None:
    kind = event.get("type")
    if isinstance(kind, str) and (handler := handlers.get(kind)) is not None:
        handler(connection, event)


def _parsed(frame: str) -> Event | None:
    try:
        event = json.loads(frame)
    except (ValueError, RecursionError):
        telemetry.warn_once("realtime:json", "An event of a Realtime connection is no JSON; it is not recorded")
        return None
    return event if isinstance(event, dict) else None


Handler = Callable[[Connection, Event], None]

_SENT: Final[Mapping[str, Handler]] = {
    "session.update": Connection._asks_for_settings,
    "transcription_session.update": Connection._asks_for_settings,
    "input_audio_buffer.append": Connection._sends_sound,
    "input_audio_buffer.clear": Connection._clears_sound,
    "conversation.item.create": Connection._sends_item,
    "conversation.item.truncate": Connection._truncates,
    "response.create": Connection._asks_for_response,
}
_RECEIVED: Final[Mapping[str, Handler]] = {
    "session.created": Connection._configures,
    "session.updated": Connection._configures,
    "transcription_session.created": Connection._configures,
    "transcription_session.updated": Connection._configures,
    "input_audio_buffer.speech_started": Connection._begins_speech,
    "input_audio_buffer.speech_stopped": Connection._ends_speech,
    "input_audio_buffer.committed": Connection._commits,
    "conversation.item.added": Connection._adds_item,
    "conversation.item.created": Connection._adds_item,
    "conversation.item.done": Connection._adds_item,
    "conversation.item.truncated": Connection._truncates,
    "conversation.item.input_audio_transcription.completed": Connection._transcribes,
    "conversation.item.input_audio_transcription.failed": Connection._cannot_transcribe,
    "response.created": Connection._begins_response,
    "response.output_item.added": Connection._begins_item,
    "response.output_audio.delta": Connection._receives_sound,
    "response.audio.delta": Connection._receives_sound,
    "response.output_audio_transcript.delta": Connection._receives_words,
    "response.audio_transcript.delta": Connection._receives_words,
    "response.output_text.delta": Connection._receives_words,
    "response.text.delta": Connection._receives_words,
    "response.function_call_arguments.delta": Connection._receives_words,
    "response.mcp_call_arguments.delta": Connection._receives_words,
    "response.done": Connection._ends_response,
    "error": Connection._refuses,
}
