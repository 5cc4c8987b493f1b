"""Calls over a socket to a vendor of speech: a sound that is transcribed as it is sent, a text that is spoken."""

import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Final

from otel_costs import hosts
from otel_costs import semconv as names
from otel_costs.calls import writer
from otel_costs.calls.admission import admit
from otel_costs.calls.call import Call
from otel_costs.calls.estimate import Kind
from otel_costs.calls.reading import Reading
from otel_costs.messages.drafts import Draft
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.kit import speech_usage, transcripts
from otel_costs.runtime import background, telemetry
from otel_costs.transports.websocket.matching import Handshake
from otel_costs.usage.numbers import quotient, to_milliseconds
from otel_costs.values import sanitize

KEPT: Final = 10_000
"""Messages that one connection keeps until its end; what is said after them is billed and not written."""

_AROUND: Final = 1024  # characters

Billing = Callable[[Decimal], Reading]
"""Returns what the seconds of a transcription, or of a conversation, are billed as."""


class TranscriptionCall:
    """The call of what is transcribed on one socket, from its opening to its end.

    Seconds are those that the service reports. Where it does not, they are those of the sound that was sent, or the
    last at which something was heard: an estimate, which says so. `timed`: the time of the connection is billed.
    """

    __slots__ = (
        "_bill",
        "_bytes",
        "_checked",
        "_heard",
        "_last",
        "_lasted",
        "_per_second",
        "_start_ns",
        "call",
        "reported",
    )

    def __init__(
        self, handshake: Handshake, model: str | None, bill: Billing, bytes_per_second: int | None = None, *,
        timed: bool = False,
    ) -> None:  # fmt: skip
        self.call = _start("speech_to_text", handshake, model)
        self.reported: Decimal | None = None
        self._start_ns = time.perf_counter_ns() if timed else None
        self._lasted: Decimal | None = None
        self._bill, self._per_second = bill, bytes_per_second
        self._bytes, self._last, self._checked = 0, Decimal(0), False
        self._heard: list[Draft] = []

    def audio_sent(self, size: int) -> None:
        """Note that bytes of sound are sent; the first raise BudgetExceeded if the session has spent its budget."""
        if not self._checked:
            call = self.call
            call.reservation = admit(Kind(call.operation, call.provider, call.request_model), scope=call.scope)
            self._checked = True
        self._bytes += size

    def transcript_received(self, transcript: object, until: object = None) -> None:
        """Note a transcript that is final, and the second of the sound at which it ends."""
        self.call.first_chunk()
        self._last = max(self._last, sanitize.number(until) or self._last)
        if len(self._heard) < KEPT:
            self._heard += transcripts.heard(transcript)

    def seconds_reported(self, seconds: object) -> None:
        """Note the seconds that the service bills."""
        self.reported = sanitize.number(seconds)

    def closed(self, error: str | None) -> None:
        """The socket has ended."""
        self.call.stop()
        if self._start_ns is not None:
            self._lasted = _since(self._start_ns)
        background.put(partial(self._finish, error))

    def _finish(self, error: str | None) -> None:
        seconds = self.reported
        if seconds is None:
            sent = quotient(self._bytes, self._per_second) if self._per_second else self._last
            seconds = self._lasted or to_milliseconds(sent)
        # Else it was a sound of unknown length, and nothing was said in it.
        bill = self._bill if seconds or not self._bytes else _unknown
        reason = CostReason.USAGE_NOT_REPORTED if self.reported is None else None
        writer.finish(self.call, _billed(bill, seconds, reason, [self._heard], reported=reason is None), error)


class SynthesisCall:
    """The call of one text that is spoken, which may be sent in pieces; starts with the first of them."""

    __slots__ = ("_pieces", "_refused", "call")

    def __init__(self, handshake: Handshake, model: str | None) -> None:
        host = hosts.at(handshake.host, handshake.port)
        reservation = admit(Kind("text_to_speech", host.provider, model))
        self.call = _start("text_to_speech", handshake, model)
        self.call.reservation = reservation
        self._pieces: list[str] = []
        self._refused = False

    def text_sent(self, text: object) -> None:
        """Note the next piece of the text."""
        if isinstance(text, str):
            self._pieces.append(text)

    def audio_received(self) -> None:
        """Note that sound has come."""
        self.call.first_chunk()

    def closed(self, error: str | None = None, *, characters: object = None, refused: bool = False) -> None:
        """It is over; `characters` are those that the service bills, None where it does not say them.

        `refused`: the service said an error, and bills nothing.
        """
        self.call.stop()
        self._refused = refused
        background.put(partial(self._finish, error, characters))

    def _finish(self, error: str | None, characters: object) -> None:
        text = "".join(self._pieces)
        usage = speech_usage.spoken(characters, text)
        spoken = {names.OUTPUT_TYPE: "speech"}
        read = Reading(usage, inputs=transcripts.synthesized(text), refused=self._refused, attributes=spoken)
        writer.finish(self.call, read, error)


class AgentCall:
    """The call of a conversation with an agent of the vendor's, which is billed by the time that it is connected."""

    __slots__ = ("_bill", "_messages", "_start", "call")

    def __init__(self, handshake: Handshake, model: str, bill: Billing) -> None:
        self.call = _start("realtime_inference", handshake, model)
        self._bill, self._start = bill, time.perf_counter_ns()
        self._messages: list[Draft] = []

    def message(self, role: str, text: object) -> None:
        """Note what the user or the agent said."""
        if isinstance(text, str) and text and len(self._messages) < KEPT:
            self._messages.append(Draft(role, "audio", text))

    def closed(self, error: str | None) -> None:
        """The socket has ended."""
        self.call.stop()
        background.put(partial(self._finish, error, _since(self._start)))

    def _finish(self, error: str | None, seconds: Decimal) -> None:
        writer.finish(self.call, _billed(self._bill, seconds, None, [self._messages], reported=False), error)


def outline(message: str) -> str:
    """Return what stands around the sound in a long message: nothing else of it is looked through."""
    return message if len(message) <= 2 * _AROUND else message[:_AROUND] + message[-_AROUND:]


def _since(start_ns: int) -> Decimal:
    """Return the seconds since then, by a clock that does not go backwards."""
    return to_milliseconds(quotient(time.perf_counter_ns() - start_ns, 10**9))


def _start(operation: str, handshake: Handshake, model: str | None) -> Call:
    host = hosts.at(handshake.host, handshake.port)
    return Call(operation, host.provider, model, attributes=host.attributes, endpoint=host.address)


def _billed(
    bill: Billing, seconds: Decimal, reason: CostReason | None, outputs: list[list[Draft]], *, reported: bool
) -> Reading:
    """Return what seconds are billed as, with what was said; an estimate where the service did not report them."""
    try:
        read = bill(seconds)
    except Exception as error:  # noqa: BLE001
        telemetry.warn_once("bug:socket", "otel_costs could not bill a socket", error=error)
        read = Reading(reasons=(CostReason.RESPONSE_NOT_READ,))
    usage = read.usage if reported or read.usage is None else replace(read.usage, estimated=True)
    return replace(read, usage=usage, reasons=(reason, *read.reasons), inputs=[transcripts.alone()], outputs=outputs)


def _unknown(_: Decimal) -> Reading:
    return Reading()
