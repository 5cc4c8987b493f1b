"""Transcriptions of what users say: calls of their own, of another model, at that model's price."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from otel_costs.calls.call import Call
from otel_costs.calls.reading import Reading
from otel_costs.calls.writer import finish, write
from otel_costs.messages import Draft
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai.parts import key, mapping
from otel_costs.providers.openai_realtime import usage
from otel_costs.providers.openai_realtime.configuration import Configuration
from otel_costs.providers.openai_realtime.conversation import Items
from otel_costs.providers.openai_realtime.item import Item
from otel_costs.providers.openai_realtime.owner import RANDOM, Owner
from otel_costs.runtime import background
from otel_costs.values.recent import Recent

OPEN: Final = 64
"""Transcriptions that may be under way; the oldest is given up."""


class Transcriptions:
    """The transcriptions of one connection, by item and part of it."""

    def __init__(self, owner: Owner, configuration: Configuration, items: Items, *, shared: bool) -> None:
        self._owner, self._configuration, self._items = owner, configuration, items
        self._shared = shared
        self._open: OrderedDict[str, _Transcription] = OrderedDict()
        self._done: Recent[str, bool] = Recent(512)

    def begun(self, item: Item) -> None:
        """Begin to transcribe what was heard, if the session is set to it."""
        name = _name(item.id, 0)
        if self._configuration.transcriber is None or name in self._open or self._done.get(name):
            return
        while len(self._open) >= OPEN:
            self._give_up(*self._open.popitem(last=False))
        self._open[name] = self._begin(item.id, 0, item.seconds)

    def completed(self, event: Mapping[str, Any]) -> None:
        """End a transcription with its text."""
        if (found := self._take(event)) is None:
            return
        transcript = event.get("transcript")
        words = transcript if isinstance(transcript, str) else None
        self._items.transcribed(key(event.get("item_id")) or "", words, found.call.call_id)
        background.put(partial(write, found.call, partial(_read, found, event.get("usage"), words)))

    def failed(self, event: Mapping[str, Any]) -> None:
        """End a transcription without a text; whether it is billed is not known."""
        if (found := self._take(event)) is None:
            return
        self._items.transcribed(key(event.get("item_id")) or "", None, found.call.call_id)
        error = mapping(event.get("error"))
        kind = key(error.get("code")) or key(error.get("type")) or CostReason.TRANSCRIPTION_FAILED.value
        failed = replace(found.asked, reasons=(CostReason.TRANSCRIPTION_FAILED,), error=kind)
        background.put(partial(finish, found.call, failed))

    def end(self) -> None:
        """Give up what is under way: the connection has ended, and no event will report what was used."""
        for name, found in self._open.items():
            self._give_up(name, found)
        self._open.clear()

    def _begin(self, item_id: str, index: int, heard_s: Decimal | None) -> "_Transcription":
        model = self._configuration.transcriber
        call = self._owner.call("speech_to_text", model)
        name = _name(item_id, index) if len(item_id) >= RANDOM else ""
        job = self._owner.identify(call, name, shared=self._shared)
        return _Transcription(call, Reading(model=model, job=job), heard_s)

    def _take(self, event: Mapping[str, Any]) -> "_Transcription | None":
        """Return the call that an event ends; None if it is ended already."""
        item_id, index = key(event.get("item_id")) or "", event.get("content_index")
        index = index if type(index) is int else 0
        name = _name(item_id, index)
        if item_id and self._done.get(name):
            return None
        self._done[name] = True
        found = self._open.pop(name) if name in self._open else self._begin(item_id, index, None)
        found.call.stop()
        return found

    def _give_up(self, name: str, given_up: "_Transcription") -> None:
        call, job, why = given_up.call, given_up.asked.job, CostReason.TRANSCRIPTION_NOT_SEEN
        call.stop()
        if self._shared and self._owner.begun_s is not None:  # if another connection sees what it used, that counts
            job = self._owner.identify(call, name, shared=True, ended=False)
            job = job and replace(job, is_known=True, reason=why)
        spent = usage.of_transcription(None, given_up.heard_s)
        background.put(partial(finish, call, replace(given_up.asked, usage=spent, reasons=(why,), job=job)))


class _Transcription(NamedTuple):
    """A transcription that is under way, and the seconds that were heard; None where they are not known."""

    call: Call
    asked: Reading
    heard_s: Decimal | None


def _name(item_id: str, index: int) -> str:
    return f"{item_id}/{index}/transcription" if item_id else ""


def _read(found: _Transcription, used: object, transcript: str | None) -> Reading:
    """Return what is known of a transcription that has ended."""
    spent = usage.of_transcription(used, found.heard_s, found.call.provider)
    outputs = [] if transcript is None else [[Draft("user", "audio", transcript, audio_seconds=found.heard_s)]]
    return replace(found.asked, usage=spent, outputs=outputs)
