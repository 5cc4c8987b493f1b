"""Deepgram's sockets: live transcription, speech, and voice agents.

A live transcription says its seconds in `Metadata`, after the application closed the stream. Speech is a call for each
`Flush`, with the characters sent until then. An agent is billed by its minutes, at a price that depends on what it is
made of: recorded, and not priced.
"""

import json
from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs

from otel_costs.calls.reading import Reading
from otel_costs.providers.deepgram import prices
from otel_costs.providers.kit.speech_socket import AgentCall, SynthesisCall, TranscriptionCall
from otel_costs.transports.websocket.matching import Handshake, Observer
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT

_BYTES: Final = {"linear16": 2, "linear32": 4, "mulaw": 1, "alaw": 1}  # of a sample


def match(handshake: Handshake) -> Observer | None:
    """Return the observer of a socket to Deepgram; None if nothing on it is billed."""
    query = parse_qs(handshake.query)
    if handshake.path.endswith(("/v1/listen", "/v2/listen")):
        return _Listen(handshake, query)
    if handshake.path.endswith(("/v1/speak", "/v2/speak")):
        return _Speak(handshake, _first(query, "model"), counts="/v2/" in handshake.path)
    return _Agent(handshake) if handshake.path.endswith("/agent/converse") else None


class _Listen:
    """A live transcription, of the first API or of Flux."""

    def __init__(self, handshake: Handshake, query: Mapping[str, list[str]]) -> None:
        self._query = query
        self._channels = _whole(query, "channels", 1)
        sample = _BYTES.get(_first(query, "encoding") or "")
        rate = _whole(query, "sample_rate", 0) * sample * self._channels if sample else None
        model = _first(query, "model") or prices.DEFAULT_MODEL
        self._transcription = TranscriptionCall(handshake, model, self._bill, rate or None)

    def sent(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._transcription.audio_sent(len(frame))

    def received(self, frame: str | bytes) -> None:
        # Most are guesses that the next one corrects: they are not parsed.
        if not isinstance(frame, str) or not any(mark in frame for mark in _SAID):
            return
        event = json.loads(frame)
        kind = event.get("type")
        if kind == "Metadata":
            self._transcription.seconds_reported(event.get("duration"))
            self._channels = event.get("channels") or self._channels
        elif kind == "Results" and event.get("is_final"):
            likeliest: Any = (event.get("channel") or {}).get("alternatives") or [{}]
            until = EXACT.add(Decimal(str(event.get("start") or 0)), Decimal(str(event.get("duration") or 0)))
            self._transcription.transcript_received(likeliest[0].get("transcript"), until)
        elif kind == "TurnInfo" and event.get("event") == "EndOfTurn":
            self._transcription.transcript_received(event.get("transcript"), event.get("audio_window_end"))

    def closed(self, error: str | None) -> None:
        self._transcription.closed(error)

    def _bill(self, seconds: Decimal) -> Reading:
        several = _first(self._query, "multichannel") == "true"
        model = _first(self._query, "model")
        return prices.billed(model, self._query, seconds, channels=self._channels if several else 1, live=True)


_SAID: Final = ('"Metadata"', '"is_final":true', '"is_final": true', '"EndOfTurn"')


class _Speak:
    """Texts that are spoken, a call for each that is flushed; what is spoken comes in the same order.

    The second API `counts`: it says the characters that it bills when a text was spoken, or interrupted.
    """

    def __init__(self, handshake: Handshake, model: str | None, *, counts: bool) -> None:
        self._start = partial(SynthesisCall, handshake, model)
        self._counts = counts
        self._current: SynthesisCall | None = None
        self._flushed: deque[SynthesisCall] = deque()

    def sent(self, frame: str | bytes) -> None:
        message = json.loads(frame)
        kind = message.get("type")
        if kind == "Speak":
            self._current = self._current or self._start()
            self._current.text_sent(message.get("text"))
        elif kind in ("Flush", "Close") and self._current is not None:
            self._flushed.append(self._current)
            self._current = None

    def received(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            if synthesis := self._flushed[0] if self._flushed else self._current:
                synthesis.audio_received()
        elif "billable_character_count" in frame:
            self._counted(json.loads(frame))
        elif '"Flushed"' in frame and self._flushed and not self._counts:
            self._flushed.popleft().closed()
        elif '"Cleared"' in frame:
            self._end(None)

    def _counted(self, event: Mapping[str, Any]) -> None:
        if not event.get("type", "").startswith("Speech"):
            return  # the sum of all
        found = event.get("metadata") or event
        if self._flushed:
            self._flushed.popleft().closed(characters=found.get("billable_character_count"))
        elif self._current is not None:
            self._current.closed(characters=found.get("billable_character_count"))
            self._current = None

    def closed(self, error: str | None) -> None:
        self._end(error)

    def _end(self, error: str | None) -> None:
        left = [*self._flushed, *([self._current] if self._current else [])]
        self._flushed.clear()
        self._current = None
        for synthesis in left:
            synthesis.closed(error)


class _Agent:
    """A conversation with a voice agent."""

    def __init__(self, handshake: Handshake) -> None:
        self._agent = AgentCall(handshake, "voice-agent", _bill_agent)

    def sent(self, frame: str | bytes) -> None: ...

    def received(self, frame: str | bytes) -> None:
        if isinstance(frame, str) and '"ConversationText"' in frame:
            event = json.loads(frame)
            role = "user" if event.get("role") == "user" else "assistant"
            self._agent.message(role, event.get("content"))

    def closed(self, error: str | None) -> None:
        self._agent.closed(error)


def _bill_agent(seconds: Decimal) -> Reading:
    return Reading(Usage.of({"audio_seconds": seconds}))


def _first(query: Mapping[str, list[str]], name: str) -> str | None:
    return next(iter(query.get(name, ())), None)


def _whole(query: Mapping[str, list[str]], name: str, default: int) -> int:
    value = _first(query, name) or ""
    return int(value) if value.isdecimal() and len(value) < 9 else default
