"""One item of a conversation, from its first mention until it is written as a message, or as several."""

import time
from decimal import Decimal
from typing import Final

from otel_costs import messages
from otel_costs.messages import Draft, Message
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.providers.openai_realtime.sound import PassingAudio
from otel_costs.runtime import telemetry
from otel_costs.values import sanitize

TRUNCATED: Final = "truncated"
"""Why a message was broken off: it was all made, and not all played."""


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
        "message_id",
        "seconds",
        "sound",
        "transcript",
        "waits_for",
        "written",
    )

    def __init__(self, item_id: str, index: int) -> None:
        self.id, self.index = item_id, index
        self.message_id = item_id
        """Of its message; another than its own where a local server gives each connection the same ids."""
        self.at_ns = time.time_ns()
        self.drafts: list[Draft] = []
        self.sound: PassingAudio | None = None
        self.seconds: Decimal | None = None
        self.heard_s: Decimal | None = None
        """Seconds of it after which the application stopped to play it; None if it did not."""
        self.transcript = ""
        """The transcript so far, while it is made."""
        self.interrupted: str | None = None
        self.call_id: str | None = None
        self.waits_for: str | None = None
        self.written: list[Draft] | None = None
        """What it said when it was written."""

    @property
    def is_wordless(self) -> bool:
        """Whether it is what the user said, and not in words yet."""
        return bool(self.drafts) and all(
            draft.role == "user" and draft.type == "audio" and draft.body is None for draft in self.drafts
        )

    def understand(self, transcript: str | None, call_id: str | None) -> None:
        """Set its words, None if they will not become known, and the call that found them."""
        self.call_id = call_id
        if transcript is not None:
            self.drafts = [draft._replace(content=transcript) for draft in self.drafts]

    @property
    def unheard(self) -> bool:
        """Whether the user did not hear all of it."""
        return self.heard_s is not None and (self.seconds is None or self.heard_s < self.seconds)


@telemetry.never_raises("write a message")
def write_messages(owner: Owner, item: Item) -> None:
    """Write the messages of an item, one for each part of it, in a job; not again if it says no more than before."""
    if item.written is item.drafts:
        return
    item.written = item.drafts
    recording = item.sound.recording() if item.sound is not None else None
    seconds = item.heard_s if item.unheard else item.seconds
    interrupted = item.interrupted or (TRUNCATED if item.unheard else None)
    for number, draft in enumerate(item.drafts):
        if draft.type == "audio" and draft.recording is None:
            draft = draft._replace(recording=recording, audio_seconds=seconds)
        if interrupted:
            draft = draft._replace(interrupted=interrupted)
        message_id = sanitize.identifier(item.message_id if number == 0 else f"{item.message_id}/{number}")
        message = Message(message_id, item.index + number, messages.joined(owner.session_id, draft))
        owner.conversation.write_message(message, item.at_ns, item.call_id)
