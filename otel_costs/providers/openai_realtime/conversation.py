"""The items of a conversation as messages: one each, in order, written when nothing more can become known of them.

A spoken message waits: the user's for its transcript, the assistant's for the word that it was not all heard, which
comes before the user has said the next thing.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from otel_costs.calls.message_log import is_new_message
from otel_costs.messages import Draft
from otel_costs.providers.openai.parts import key
from otel_costs.providers.openai_realtime import items
from otel_costs.providers.openai_realtime.configuration import Configuration
from otel_costs.providers.openai_realtime.input_buffer import InputBuffer, milliseconds
from otel_costs.providers.openai_realtime.item import Item
from otel_costs.providers.openai_realtime.outgoing import Outgoing
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.providers.openai_realtime.pending_items import PendingItems
from otel_costs.providers.openai_realtime.sound import PassingAudio
from otel_costs.runtime import background
from otel_costs.usage.numbers import quotient
from otel_costs.values import sanitize

COMMIT: Final = "commit"
TRANSCRIPT: Final = "transcript"
PLAYBACK: Final = "playback"


class Items:
    """The conversation of one connection."""

    def __init__(self, owner: Owner, configuration: Configuration) -> None:
        self._owner, self._configuration = owner, configuration
        self._pending = PendingItems(owner)
        self._outgoing = Outgoing()
        self._instructions: str | None = None
        self.input = InputBuffer()
        self.since_response = self._pending.since_response

    # What the user says.

    def committed(self, item_id: str) -> Item | None:
        """Make an item of what was heard since the last commit; None if this was said before."""
        item = self._pending.get(item_id)
        if self._pending.is_over(item_id) or (item is not None and item.waits_for != COMMIT):
            return None
        item = item or self._pending.begin(item_id)
        item.sound, item.seconds = self.input.take(self._configuration.input_rate)
        item.drafts = [Draft("user", "audio")]
        item.waits_for = TRANSCRIPT if self._configuration.transcriber else None
        self.playback_over()
        if item.waits_for is None:
            self._pending.write(item)
        return item

    def transcribed(self, item_id: str, transcript: str | None, call_id: str | None) -> None:
        """Note the user's words; None if they will not become known."""
        item = self._pending.get(item_id)
        if item is not None and item.drafts and item.waits_for in (COMMIT, TRANSCRIPT):
            item.understand(transcript, call_id)
            self._pending.write(item)
        elif transcript is not None:
            self._pending.add_words(item_id, transcript, call_id)

    # Items that the application adds.

    def asked(self, fields: Mapping[str, Any], event_id: object) -> None:
        """Note an item that the application sends; it is a message once the service has added it."""
        self._outgoing.put(fields, event_id, list(items.drafts(fields, self._configuration.input_rate)))

    def refused(self, event_id: object) -> None:
        """Forget what the application sent under this id: the service refused it."""
        self._outgoing.refused(event_id)

    def added(self, fields: Mapping[str, Any]) -> None:
        """Note an item that the service has added to the conversation."""
        item_id = key(fields.get("id"))
        if item_id is None or self._pending.is_over(item_id) or self._pending.get(item_id) is not None:
            return
        drafts = list(items.drafts(fields, self._configuration.input_rate))
        sent = self._outgoing.take(fields, drafts)
        if sent is None and fields.get("status") == "in_progress":
            item = self._pending.begin(item_id)  # of a response, which will say what is in it; or of what the user says
            item.waits_for = COMMIT if fields.get("role") == "user" else None
        elif drafts := sent.drafts if sent else drafts:
            item = self._pending.begin(item_id)
            item.drafts = drafts
            if sent is not None:
                item.at_ns = sent.at_ns
            if drafts[0].role == "user":
                self.playback_over()
            if sent is None and item.is_wordless:
                item.waits_for = COMMIT  # mostly that is said first
            else:
                self._pending.write(item)

    def instructed(self) -> None:
        """Write the instructions that the application has given, once for each wording."""
        instructions = self._configuration.instructions
        if not instructions or instructions == self._instructions:
            return
        self._instructions = instructions
        draft = Draft("system", "text", instructions, instructions=True)
        (message,), _ = self._owner.conversation.identify([draft], index=self._pending.next_index())
        if is_new_message(self._owner.session_id, message.id):
            background.put(partial(self._owner.conversation.write_message, message, time.time_ns()))

    # Items that responses make.

    def sound_received(self, item_id: str, data: str) -> None:
        """Note a piece of the assistant's sound."""
        item = None if self._pending.is_over(item_id) else self._pending.begin(item_id)
        if item is not None:
            if item.sound is None:
                item.sound = PassingAudio()
            item.sound.add(data)

    def words_received(self, item_id: str, delta: str) -> None:
        """Note words of the assistant's, in case no event has them whole."""
        item = self._pending.get(item_id)
        if item is not None and len(item.transcript) <= sanitize.MAX_TEXT:
            item.transcript += delta

    def made(self, fields: Mapping[str, Any], call_id: str | None, interrupted: str | None) -> list[Draft]:
        """Return the drafts of an item as its response leaves it."""
        item_id = key(fields.get("id"))
        drafts = list(items.drafts(fields, self._configuration.output_rate))
        if item_id is None or self._pending.is_over(item_id):
            return drafts
        item = self._pending.begin(item_id)
        item.drafts, item.call_id = drafts, call_id
        item.interrupted = item.interrupted or (interrupted if fields.get("status") != "completed" else None)
        if item.sound is not None:
            item.seconds = item.sound.seconds(self._configuration.output_rate)
        if any(draft.type == "audio" for draft in drafts):
            item.waits_for = PLAYBACK
        elif drafts:
            self._pending.write(item)
        else:
            self._pending.forget(item)
        return drafts

    def unfinished(self, item_id: str, call_id: str | None, interrupted: str | None) -> None:
        """Write an item of which no more events will come, as far as it was received."""
        item = self._pending.get(item_id)
        if item is None or item.drafts:
            return
        item.call_id, item.interrupted = call_id, interrupted
        if item.sound is not None:
            item.seconds = item.sound.seconds(self._configuration.output_rate)
        if item.sound is not None or item.transcript:
            item.drafts = [Draft("assistant", "audio" if item.sound else "text", item.transcript or None)]
            self._pending.write(item)
        else:
            self._pending.forget(item)

    def truncated(self, item_id: object, heard_ms: object) -> None:
        """Note that the user heard only the first `heard_ms` milliseconds of an item."""
        item = self._pending.get(item_id)
        heard_ms = milliseconds(heard_ms)
        if item is not None and heard_ms is not None:
            item.heard_s = quotient(heard_ms, 1000)

    def playback_over(self) -> None:
        """Write the assistant's messages that the user may have interrupted until now."""
        for item in self._pending:
            if item.waits_for == PLAYBACK:
                self._pending.write(item)

    def end(self, interrupted: str) -> None:
        """Write what is left: the connection has ended."""
        for item in self._pending:
            if item.drafts:
                self._pending.write(item)
            else:
                self.unfinished(item.id, item.call_id, interrupted)
