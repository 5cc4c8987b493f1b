"""One item of a conversation, from its first mention until it is written as a message, or as several."""

import time
from decimal import Decimal

from otel_costs import clean, messages, telemetry
from otel_costs.messages import Draft, Message
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.providers.openai_realtime.sound import Passing


class Item:
    """One item, from its first mention until it is written."""

    __slots__ = (
        "at_ns",
        "call_id",
        "drafts",
        "heard_s",
        "id",
        "index",
        "interrupted",
        "said",
        "seconds",
        "sound",
        "waits_for",
    )

    def __init__(self, item_id: str, index: int) -> None:
        self.id, self.index = item_id, index
        self.at_ns = time.time_ns()
        self.drafts: list[Draft] = []
        self.sound: Passing | None = None
        self.seconds: Decimal | None = None
        self.heard_s: Decimal | None = None
        """Seconds that the user heard of it, where that is less than all."""
        self.said = ""
        """The transcript so far, while it is made."""
        self.interrupted: str | None = None
        self.call_id: str | None = None
        self.waits_for: str | None = None


@telemetry.shielded("write a message")
def say(owner: Owner, item: Item) -> None:
    """Write the messages of an item, one for each part of it, in a job."""
    recording = item.sound.recording() if item.sound is not None else None
    for number, draft in enumerate(item.drafts):
        if draft.type == "audio" and draft.recording is None:
            seconds = item.seconds if item.heard_s is None else min(item.heard_s, item.seconds or item.heard_s)
            draft = draft._replace(recording=recording, audio_seconds=seconds)
        if item.interrupted:
            draft = draft._replace(interrupted=item.interrupted)
        message_id = clean.identifier(item.id if number == 0 else f"{item.id}/{number}")
        message = Message(message_id, item.index + number, messages.joined(owner.session_id, draft))
        owner.conversation.say(message, item.at_ns, item.call_id)
