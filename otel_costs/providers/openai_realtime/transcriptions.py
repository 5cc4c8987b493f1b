"""Transcriptions of what users say: calls of their own, of another model, at that model's price."""

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final

from otel_costs.calls.call import Call
from otel_costs.messages import Draft
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai.parts import key, mapping
from otel_costs.providers.openai_realtime import usage
from otel_costs.providers.openai_realtime.configuration import Configuration
from otel_costs.providers.openai_realtime.conversation import Items
from otel_costs.providers.openai_realtime.item import Item
from otel_costs.providers.openai_realtime.owner import RANDOM, Owner
from otel_costs.runtime import background, telemetry
from otel_costs.values.recent import Recent

OPEN: Final = 64
"""Transcriptions that may be under way; the oldest is given up."""


class Transcriptions:
    """The transcriptions of one connection, by item and part of it."""

    def __init__(self, owner: Owner, configuration: Configuration, items: Items, *, shared: bool) -> None:
        self._owner, self._configuration, self._items = owner, configuration, items
        self._shared = shared
        self._open: OrderedDict[str, tuple[Call, Decimal | None]] = OrderedDict()
        self._done: Recent[str, bool] = Recent(512)

    def begun(self, item: Item) -> None:
        """Begin to transcribe what was heard, if the session is set to it."""
        name = _name(item.id, 0)
        if self._configuration.transcriber is None or name in self._open or self._done.get(name):
            return
        while len(self._open) >= OPEN:
            oldest, (call, heard_s) = self._open.popitem(last=False)
            self._give_up(oldest, call, heard_s)
        self._open[name] = self._call(item.id, 0), item.seconds

    def completed(self, event: Mapping[str, Any]) -> None:
        """End a transcription with its text."""
        if (found := self._take(event)) is None:
            return
        call, heard_s = found
        transcript = event.get("transcript")
        said = transcript if isinstance(transcript, str) else None
        self._items.transcribed(key(event.get("item_id")) or "", said, call.call_id)
        if said is not None:
            call.choices = [[Draft("user", "audio", said, audio_seconds=heard_s)]]
        background.put(partial(_finish, call, event.get("usage"), heard_s))

    def failed(self, event: Mapping[str, Any]) -> None:
        """End a transcription without a text; whether it is billed is not known."""
        if (found := self._take(event)) is None:
            return
        call, _ = found
        self._items.transcribed(key(event.get("item_id")) or "", None, call.call_id)
        call.bill.reasons.append(CostReason.TRANSCRIPTION_FAILED)
        error = mapping(event.get("error"))
        kind = key(error.get("code")) or key(error.get("type")) or CostReason.TRANSCRIPTION_FAILED.value
        background.put(partial(call.fail, kind))

    def end(self) -> None:
        """Give up what is under way: the connection has ended, and nobody will say what was used."""
        for name, (call, heard_s) in self._open.items():
            self._give_up(name, call, heard_s)
        self._open.clear()

    def _call(self, item_id: str, index: int) -> Call:
        call = self._owner.call("speech_to_text", self._configuration.transcriber)
        call.response_model = self._configuration.transcriber
        name = _name(item_id, index) if len(item_id) >= RANDOM else ""
        self._owner.identify(call, name, shared=self._shared)
        return call

    def _take(self, event: Mapping[str, Any]) -> tuple[Call, Decimal | None] | None:
        """Return the call that an event ends; None if it is ended already."""
        item_id, index = key(event.get("item_id")) or "", event.get("content_index")
        index = index if type(index) is int else 0
        name = _name(item_id, index)
        if item_id and self._done.get(name):
            return None
        self._done[name] = True
        call, heard_s = self._open.pop(name) if name in self._open else (self._call(item_id, index), None)
        call.stop()
        return call, heard_s

    def _give_up(self, name: str, call: Call, heard_s: Decimal | None) -> None:
        call.stop()
        if self._shared and self._owner.begun_s is not None:  # if another connection sees what it used, that counts
            self._owner.identify(call, name, shared=True, ended=False)
        call.bill.usage = usage.of_transcription(None, heard_s)
        call.bill.reasons = [CostReason.TRANSCRIPTION_NOT_SEEN]
        background.put(call.finish)


def _name(item_id: str, index: int) -> str:
    return f"{item_id}/{index}/transcription" if item_id else ""


@telemetry.never_raises("finish a transcription")
def _finish(call: Call, said: object, heard_s: Decimal | None) -> None:
    try:
        call.bill.usage = usage.of_transcription(said, heard_s, call.provider)
    finally:
        call.finish()
