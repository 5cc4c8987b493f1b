"""The responses of a connection: one call each, from the first word of it until it is done, or the connection ends."""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.calls.call import Call
from otel_costs.calls.reading import Reading
from otel_costs.calls.writer import finish, write
from otel_costs.messages import Draft
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai import hosted_tools
from otel_costs.providers.openai.jobs import FAILED
from otel_costs.providers.openai.parts import key, mapping, sequence
from otel_costs.providers.openai_realtime.configuration import Configuration
from otel_costs.providers.openai_realtime.conversation import Items
from otel_costs.providers.openai_realtime.items import drafts as drafts_of
from otel_costs.providers.openai_realtime.items import item_key
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.providers.openai_realtime.pending_items import MOST_PENDING
from otel_costs.providers.openai_realtime.tools import Tools
from otel_costs.runtime import background
from otel_costs.usage.merging import has_usage, in_one
from otel_costs.usage.reported import read
from otel_costs.values import sanitize
from otel_costs.values.recent import Recent

OPEN: Final = 64
"""Responses that may be under way; the oldest is given up."""


class Turn:
    """A response that is under way."""

    __slots__ = ("aside", "asked", "call", "first_audio_s", "items")

    def __init__(self, call: Call, asked: Reading, *, aside: bool) -> None:
        """`asked` is what is known of it when it begins; `aside` says that it is no part of the conversation."""
        self.call, self.asked, self.aside = call, asked, aside
        self.first_audio_s: float | None = None
        self.items: deque[str] = deque(maxlen=MOST_PENDING)


class Turns:
    """The responses of one connection; several may be under way."""

    def __init__(self, owner: Owner, configuration: Configuration, items: Items, tools: Tools, *, shared: bool) -> None:
        """`shared`: other connections, of other processes too, may see the same responses."""
        self._owner, self._configuration, self._items, self._tools = owner, configuration, items, tools
        self._shared = shared
        self._open: OrderedDict[str, Turn] = OrderedDict()
        self._done: Recent[str, bool] = Recent(512)
        self.step: str | None = None
        """In which step the application asked for the next one."""
        self.unknown_tools: list[str] = []
        """Tools that it requested for the next one, and whose cost is not known."""
        self.may_cost = False
        """Whether it asked for one that costs something."""

    @property
    def is_idle(self) -> bool:
        """Whether no response is under way."""
        return not self._open

    def created(self, response: Mapping[str, Any]) -> None:
        """Begin a response."""
        response_id = key(response.get("id")) or ""
        if response_id not in self._open and not self._done.get(response_id):
            self._begin(response_id, response)

    def _begin(self, response_id: str, response: Mapping[str, Any]) -> Turn:
        while len(self._open) >= OPEN:
            oldest, turn = self._open.popitem(last=False)
            self._give_up(oldest, turn, None)
        call = self._owner.call("realtime_inference", self._owner.model or self._configuration.model)
        self._owner.reserve(call)
        job = self._owner.identify(call, response_id, shared=self._shared)
        if self.step is not None:
            call.identity = {**call.identity, names.STEP: self.step}
            self.step = None
        aside = "conversation_id" in response and response["conversation_id"] is None
        may_cost = self.may_cost or self._configuration.may_cost
        asked = Reading(
            model=self._configuration.model,
            response_id=response_id or None,
            inputs=None if aside else tuple(self._items.since_response),
            reasons=(CostReason.TOOL_USE_NOT_REPORTED,) if may_cost else (),
            unknown=(*self._owner.unknown_tools, *self.unknown_tools),
            job=job,
        )
        self.unknown_tools, self.may_cost = [], False
        if not aside:
            self._items.since_response.clear()
        turn = self._open[response_id] = Turn(call, asked, aside=aside)
        return turn

    def item_begun(self, event: Mapping[str, Any]) -> None:
        """Note an item that a response begins."""
        turn = self._open.get(key(event.get("response_id")) or "")
        item = mapping(event.get("item"))
        if turn is None or (item_id := item_key(item)) is None:
            return
        turn.items.append(item_id)
        if not turn.aside:
            self._items.added({**item, "status": "in_progress"})

    def sound_received(self, response_id: str, item_id: str, data: str) -> None:
        """Note a piece of sound."""
        turn = self._open.get(response_id)
        if turn is None:
            return
        if turn.first_audio_s is None:
            turn.call.first_chunk()
            turn.first_audio_s = turn.call.elapsed_s()
        turn.call.chunks += 1
        if item_id and not turn.aside:
            self._items.sound_received(item_id, data)

    def words_received(self, event: Mapping[str, Any]) -> None:
        """Note a piece of text, of a transcript, or of a function's arguments."""
        turn = self._open.get(key(event.get("response_id")) or "")
        if turn is None:
            return
        turn.call.first_chunk()
        turn.call.chunks += 1
        item_id, delta = key(event.get("item_id")), event.get("delta")
        if item_id and isinstance(delta, str) and not turn.aside and "call_id" not in event:
            self._items.words_received(item_id, delta)

    def done(self, event: Mapping[str, Any]) -> None:
        """End a response; it says itself what it used and what came of it. xAI says the usage beside it."""
        response = mapping(event.get("response"))
        response_id = key(response.get("id")) or ""
        if response_id and self._done.get(response_id):
            return
        turn = self._open.pop(response_id, None) or self._begin(response_id, response)
        self._open.pop(response_id, None)
        self._done[response_id] = True
        turn.call.stop()
        status, reason = _outcome(response)
        interrupted = None if status == "completed" else reason or status
        outputs: list[Draft] = []
        for item in sequence(response.get("output")):
            self._tools.called(mapping(item))
            if turn.aside:
                outputs += drafts_of(mapping(item), self._configuration.output_rate)
            else:
                outputs += self._items.made(mapping(item), turn.call.call_id, interrupted)
        for item_id in turn.items:
            self._items.unfinished(item_id, turn.call.call_id, interrupted)
        used = in_one((response.get("usage"), event.get("usage")))
        unheard = hosted_tools.unheard(map(mapping, sequence(response.get("output"))))
        found = replace(
            turn.asked,
            outputs=[outputs] if outputs else (),
            unknown=(*turn.asked.unknown, *unheard),
            finish_reasons=(sanitize.identifier(reason or status),),
            error=(reason or "failed") if status == "failed" else None,
            recorded={
                names.REALTIME_TIME_TO_FIRST_AUDIO: turn.first_audio_s,
                names.REALTIME_STATUS: sanitize.identifier(status),
                names.REALTIME_STATUS_REASON: reason and sanitize.identifier(reason),
            },
        )
        spoken = status not in FAILED or bool(response.get("output"))
        background.put(partial(write, turn.call, partial(_read, found, used, turn.call.provider, spoken)))

    def end(self, error: str | None) -> None:
        """Give up the responses that are under way: the connection has ended."""
        for response_id, turn in self._open.items():
            self._give_up(response_id, turn, error or "connection_closed")
        self._open.clear()

    def _give_up(self, response_id: str, turn: Turn, error: str | None) -> None:
        turn.call.stop()
        why = CostReason.RESPONSE_NOT_DONE
        job = self._owner.identify(turn.call, response_id, shared=self._shared, ended=False)
        for item_id in turn.items:
            self._items.unfinished(item_id, turn.call.call_id, error or why.value)
        found = replace(
            turn.asked,
            reasons=(why,),
            job=job and replace(job, reason=why),
            error=error or why.value,
            recorded={names.REALTIME_TIME_TO_FIRST_AUDIO: turn.first_audio_s},
        )
        background.put(partial(finish, turn.call, found))


def _outcome(response: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the status of a response and the reason for it."""
    details = mapping(response.get("status_details"))
    error = mapping(details.get("error"))
    reason = key(details.get("reason")) or key(error.get("code")) or key(error.get("type"))
    return key(response.get("status")) or "completed", reason


def _read(found: Reading, used: object, provider: str, has_spoken: bool) -> Reading:
    """Return what is known of a response with what it used."""
    if used is None or (has_spoken and isinstance(used, Mapping) and not has_usage(used)):
        return found  # zeros are true of what was cancelled, or failed, before its first word
    return replace(found, usage=read(used, provider, has_both=True))
