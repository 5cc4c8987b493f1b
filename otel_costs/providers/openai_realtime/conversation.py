"""The items of a conversation as messages: one each, in order, written when nothing more can become known of them.

A spoken message waits: the user's for its transcript, the assistant's for the word that it was not all heard, which
comes before the user has said the next thing. No more than `HELD` wait at a time; the oldest is written as it is.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from otel_costs import call as calls
from otel_costs import clean, messages, outbox
from otel_costs.messages import Draft, content
from otel_costs.providers.openai.parts import key
from otel_costs.providers.openai_realtime import items
from otel_costs.providers.openai_realtime.configuration import Configuration
from otel_costs.providers.openai_realtime.item import Item, say
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.providers.openai_realtime.sound import Passing
from otel_costs.recent import Recent

HELD: Final = 32
KNOWN: Final = 512
"""Items that are remembered as written, and more."""

TRANSCRIPT: Final = "transcript"
PLAYBACK: Final = "playback"


class _Asked(NamedTuple):
    """An item that the application has sent, until the service has added it."""

    event_id: object
    id: object
    shown: tuple[object, ...]
    drafts: list[Draft]
    at_ns: int


class Items:
    """The conversation of one connection."""

    def __init__(self, owner: Owner, configuration: Configuration) -> None:
        self._owner, self._configuration = owner, configuration
        self._open: OrderedDict[str, Item] = OrderedDict()
        self._known: Recent[str, bool] = Recent(KNOWN)
        self._asked: deque[_Asked] = deque(maxlen=HELD)
        self._input = Passing()
        self._speech_ms: int | None = None
        self._speech_s: Decimal | None = None
        self._count = 0
        self._instructions: str | None = None
        self.since_response: deque[Draft] = deque(maxlen=HELD)
        """What was added since the last response, for the span of the next."""

    # The user's sound.

    def sound_sent(self, data: str) -> None:
        """Take a piece of the user's sound."""
        self._input.add(data)

    def sound_cleared(self) -> None:
        """Forget what was sent since the last commit."""
        self._input = Passing()

    def speech_started(self, event: Mapping[str, Any]) -> None:
        """Take where the service heard speech begin, in milliseconds of all sound."""
        self._speech_ms = _milliseconds(event.get("audio_start_ms"))

    def speech_stopped(self, event: Mapping[str, Any]) -> None:
        """Take where it heard it end."""
        ended_ms = _milliseconds(event.get("audio_end_ms"))
        if ended_ms is not None and self._speech_ms is not None and ended_ms >= self._speech_ms:
            self._speech_s = Decimal(ended_ms - self._speech_ms) / 1000

    def committed(self, item_id: str) -> Item:
        """Make an item of what was heard since the last commit."""
        sound, seconds = self._input, self._speech_s
        self._input, self._speech_ms, self._speech_s = Passing(), None, None
        item = self._begin(item_id)
        item.sound = sound
        item.seconds = sound.seconds(self._configuration.input_rate) if seconds is None else seconds
        item.drafts = [Draft("user", "audio")]
        item.waits_for = TRANSCRIPT if self._configuration.transcriber else None
        self.playback_over()
        if item.waits_for is None:
            self._write(item)
        return item

    def transcribed(self, item_id: str, transcript: str | None, call_id: str | None) -> None:
        """Take what the user said; None if that will not become known."""
        item = self._open.get(item_id)
        if item is not None and item.waits_for == TRANSCRIPT:
            if transcript is not None:
                item.drafts = [draft._replace(content=transcript) for draft in item.drafts]
            item.call_id = call_id
            self._write(item)

    # Items that the application adds.

    def asked(self, fields: Mapping[str, Any], event_id: object) -> None:
        """Take an item that the application sends; it is a message once the service has added it."""
        drafts = list(items.drafts(fields, self._configuration.input_rate))
        shown = tuple(fields.get(name) for name in ("type", "role", "call_id"))
        self._asked.append(_Asked(event_id, fields.get("id"), shown, drafts, time.time_ns()))

    def refused(self, event_id: object) -> None:
        """Take that the service did not do what the application sent under this id."""
        if event_id:
            for asked in [asked for asked in self._asked if asked.event_id == event_id]:
                self._asked.remove(asked)

    def added(self, fields: Mapping[str, Any]) -> None:
        """Take an item that the service has added to the conversation."""
        item_id = key(fields.get("id"))
        if item_id is None or self._is_known(item_id):
            return
        asked = self._take(fields)
        if asked is None and fields.get("status") == "in_progress":
            self._begin(item_id)  # of a response, which will say what is in it
            return
        drafts = asked.drafts if asked else list(items.drafts(fields, self._configuration.input_rate))
        if not drafts:
            return
        item = self._begin(item_id)
        item.drafts = drafts
        if asked is not None:
            item.at_ns = asked.at_ns
        if drafts[0].role == "user":
            self.playback_over()
        self._write(item)

    def _take(self, fields: Mapping[str, Any]) -> "_Asked | None":
        """Return what the application sent of this item: that with the same id, or the first of the same kind."""
        shown = tuple(fields.get(name) for name in ("type", "role", "call_id"))
        for asked in self._asked:
            if asked.id == fields.get("id") if asked.id else asked.shown == shown:
                self._asked.remove(asked)
                return asked
        return None

    def instructed(self) -> None:
        """Write the instructions that the application has given, once for each wording."""
        said = self._configuration.instructions
        if not said or said == self._instructions:
            return
        self._instructions = said
        draft = Draft("system", "text", said, instructions=True)
        (message,), _ = messages.identify(self._owner.session_id, [draft], index=self._next_index(1))
        if calls.is_new_message(self._owner.session_id, message.id):
            outbox.put(partial(self._owner.conversation.say, message, time.time_ns()))

    # Items that responses make.

    def sound_received(self, item_id: str, data: str) -> None:
        """Take a piece of the assistant's sound."""
        item = self._open.get(item_id) or (None if self._is_known(item_id) else self._begin(item_id))
        if item is not None:
            if item.sound is None:
                item.sound = Passing()
            item.sound.add(data)

    def words_received(self, item_id: str, delta: str) -> None:
        """Take words of the assistant's, in case that nobody will say them whole."""
        item = self._open.get(item_id)
        if item is not None and len(item.said) <= clean.MAX_TEXT:
            item.said += delta

    def made(self, fields: Mapping[str, Any], call_id: str | None, interrupted: str | None) -> list[Draft]:
        """Take an item as its response leaves it, and return what it says."""
        item_id = key(fields.get("id"))
        drafts = list(items.drafts(fields, self._configuration.output_rate))
        if item_id is None or (item_id not in self._open and self._is_known(item_id)):
            return drafts
        item = self._open.get(item_id) or self._begin(item_id)
        item.drafts, item.call_id = drafts, call_id
        item.interrupted = item.interrupted or (interrupted if fields.get("status") != "completed" else None)
        if item.sound is not None:
            item.seconds = item.sound.seconds(self._configuration.output_rate)
        if any(draft.type == "audio" for draft in drafts):
            item.waits_for = PLAYBACK
        elif drafts:
            self._write(item)
        else:
            self._forget(item)
        return drafts

    def left_out(self, item_id: object) -> None:
        """Take that an item is no part of the conversation."""
        if isinstance(item_id, str) and (item := self._open.get(item_id)):
            self._forget(item)

    def unfinished(self, item_id: str, call_id: str | None, interrupted: str) -> None:
        """Write an item of which nobody will say more: what was heard of it so far."""
        item = self._open.get(item_id)
        if item is None or item.drafts:
            return
        item.call_id, item.interrupted = call_id, interrupted
        if item.sound is not None:
            item.seconds = item.sound.seconds(self._configuration.output_rate)
        if item.sound is not None or item.said:
            item.drafts = [Draft("assistant", "audio" if item.sound else "text", item.said or None)]
            self._write(item)
        else:
            self._forget(item)

    def truncated(self, item_id: object, heard_ms: object) -> None:
        """Take that the user heard only the first `heard_ms` milliseconds of an item."""
        item = self._open.get(item_id) if isinstance(item_id, str) else None
        milliseconds = _milliseconds(heard_ms)
        if item is not None and milliseconds is not None:
            item.heard_s = Decimal(milliseconds) / 1000
            item.interrupted = item.interrupted or "truncated"

    def playback_over(self) -> None:
        """Write the assistant's messages that the user may have interrupted until now."""
        for item in [item for item in self._open.values() if item.waits_for == PLAYBACK]:
            self._write(item)

    def end(self, interrupted: str) -> None:
        """Write what is left: the connection has ended."""
        for item in list(self._open.values()):
            if item.drafts:
                self._write(item)
            else:
                self.unfinished(item.id, item.call_id, interrupted)

    # All of them.

    def _next_index(self, count: int) -> int:
        self._count += count
        return self._count - count

    def _is_known(self, item_id: str) -> bool:
        return item_id in self._open or self._known.get(item_id) is not None

    def _begin(self, item_id: str) -> Item:
        if (found := self._open.get(item_id)) is not None:
            return found
        while len(self._open) >= HELD:
            oldest = next(iter(self._open.values()))
            if oldest.drafts:
                self._write(oldest)
            else:
                self._forget(oldest)
        item = self._open[item_id] = Item(item_id, self._next_index(1))
        return item

    def _forget(self, item: Item) -> None:
        self._open.pop(item.id, None)
        self._known[item.id] = True

    def _write(self, item: Item) -> None:
        self._forget(item)
        if len(item.drafts) > 1:
            self._next_index(len(item.drafts) - 1)
        if content.on_spans():  # else an image would be kept until the next response for nothing
            self.since_response.extend(draft for draft in item.drafts if draft.role != "assistant")
        if calls.is_new_message(self._owner.session_id, item.id):
            outbox.put(partial(say, self._owner, item))


def _milliseconds(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**40 else None
