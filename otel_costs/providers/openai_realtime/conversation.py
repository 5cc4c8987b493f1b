"""The items of a conversation as messages: one each, in order, written when nothing more can become known of them.

A spoken message waits: the user's for its transcript, the assistant's for the word that it was not all heard, which
comes before the user has said the next thing. No more than `HELD` wait at a time; the oldest is written as it is.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final

from otel_costs import call as calls
from otel_costs import clean, messages, outbox
from otel_costs.identity import random_id
from otel_costs.messages import Draft, content
from otel_costs.providers.openai.parts import key
from otel_costs.providers.openai_realtime import items
from otel_costs.providers.openai_realtime.configuration import Configuration
from otel_costs.providers.openai_realtime.input_buffer import InputBuffer, milliseconds
from otel_costs.providers.openai_realtime.item import Item, say
from otel_costs.providers.openai_realtime.outgoing import Outgoing
from otel_costs.providers.openai_realtime.owner import RANDOM, Owner
from otel_costs.providers.openai_realtime.sound import Passing
from otel_costs.recent import Recent

HELD: Final = 32
KNOWN: Final = 512
"""Items that are remembered as written, and more."""

COMMIT: Final = "commit"
TRANSCRIPT: Final = "transcript"
PLAYBACK: Final = "playback"


class Items:
    """The conversation of one connection."""

    def __init__(self, owner: Owner, configuration: Configuration) -> None:
        self._owner, self._configuration = owner, configuration
        self._open: OrderedDict[str, Item] = OrderedDict()
        self._known: Recent[str, bool] = Recent(KNOWN)
        self._wordless: OrderedDict[str, Item] = OrderedDict()
        self._outgoing = Outgoing()
        self.input = InputBuffer()
        self._count = 0
        self._mark = random_id()[:8]
        self._instructions: str | None = None
        self.since_response: deque[Draft] = deque(maxlen=HELD)
        """What was added since the last response, for the span of the next."""

    # What the user says.

    def committed(self, item_id: str) -> Item | None:
        """Make an item of what was heard since the last commit; None if this was said before."""
        item = self._open.get(item_id)
        if self._is_known(item_id) and (item is None or item.waits_for != COMMIT):
            return None
        item = item or self._begin(item_id)
        item.sound, item.seconds = self.input.take(self._configuration.input_rate)
        item.drafts = [Draft("user", "audio")]
        item.waits_for = TRANSCRIPT if self._configuration.transcriber else None
        self.playback_over()
        if item.waits_for is None:
            self._write(item)
        return item

    def transcribed(self, item_id: str, transcript: str | None, call_id: str | None) -> None:
        """Take what the user said; None if that will not become known."""
        item = self._open.get(item_id)
        waiting = item is not None and item.waits_for in (COMMIT, TRANSCRIPT) and bool(item.drafts)
        found = item if waiting else self._wordless.pop(item_id, None)
        if found is None:
            return
        found.call_id = found.call_id or call_id
        if transcript is not None:
            found.drafts = [draft._replace(content=transcript) for draft in found.drafts]
        if waiting:
            self._write(found)
        elif transcript and content.on_events():
            # Another copy of the same message: the words of one count.
            outbox.put(partial(say, self._owner, found))

    # Items that the application adds.

    def asked(self, fields: Mapping[str, Any], event_id: object) -> None:
        """Take an item that the application sends; it is a message once the service has added it."""
        self._outgoing.put(fields, event_id, list(items.drafts(fields, self._configuration.input_rate)))

    def refused(self, event_id: object) -> None:
        """Take that the service did not do what the application sent under this id."""
        self._outgoing.refused(event_id)

    def added(self, fields: Mapping[str, Any]) -> None:
        """Take an item that the service has added to the conversation."""
        item_id = key(fields.get("id"))
        if item_id is None or self._is_known(item_id):
            return
        drafts = list(items.drafts(fields, self._configuration.input_rate))
        sent = self._outgoing.take(fields, drafts)
        if sent is None and fields.get("status") == "in_progress":
            item = self._begin(item_id)  # of a response, which will say what is in it; or of what the user says
            item.waits_for = COMMIT if fields.get("role") == "user" else None
        elif drafts := sent.drafts if sent else drafts:
            item = self._begin(item_id)
            item.drafts = drafts
            if sent is not None:
                item.at_ns = sent.at_ns
            if drafts[0].role == "user":
                self.playback_over()
            if sent is None and _is_heard(drafts):
                item.waits_for = COMMIT  # mostly that is said first
            else:
                self._write(item)

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

    def unfinished(self, item_id: str, call_id: str | None, interrupted: str | None) -> None:
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
        heard_ms = milliseconds(heard_ms)
        if item is not None and heard_ms is not None:
            item.heard_s = Decimal(heard_ms) / 1000

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
                del self._open[oldest.id]  # and begin again if somebody says what is in it
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
        if self._is_new(item):
            if _is_heard(item.drafts):
                self._wordless[item.id] = item
                while len(self._wordless) > HELD:
                    self._wordless.popitem(last=False)
            outbox.put(partial(say, self._owner, item))

    def _is_new(self, item: Item) -> bool:
        """Tell whether the item is no message of this session yet; a local server's `item_1` is another each time."""
        if calls.is_new_message(self._owner.session_id, item.id):
            return True
        if len(item.id) >= RANDOM:
            return False
        item.message_id = f"{item.id}~{self._mark}"
        return calls.is_new_message(self._owner.session_id, item.message_id)


def _is_heard(drafts: list[Draft]) -> bool:
    """Tell whether this is what the user said, and not in words yet."""
    return all(draft.role == "user" and draft.type == "audio" and draft.said is None for draft in drafts)
