"""Calls over a socket to a vendor of speech: a sound that is transcribed as it is sent, a text that is spoken."""

import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Final

from otel_costs import attributes as names
from otel_costs import clean, outbox, telemetry
from otel_costs.call import Call
from otel_costs.cost_reason import CostReason
from otel_costs.messages.drafts import Draft
from otel_costs.providers import hosts, spoken
from otel_costs.session import check_budget
from otel_costs.sockets.claims import Handshake
from otel_costs.usage import Usage

KEPT: Final = 10_000
"""Messages that one connection keeps until its end; what is said after them is billed and not written."""

_AROUND: Final = 1024  # characters
_MILLI: Final = Decimal("0.001")

Billing = Callable[[Call, Decimal], None]
"""Bills the seconds of a transcription, or of a conversation."""


class Listening:
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

    def takes(self, size: int) -> None:
        """Note that bytes of sound are sent; the first raise BudgetExceeded if the session has spent its budget."""
        if not self._checked:
            check_budget()
            self._checked = True
        self._bytes += size

    def hears(self, transcript: object, until: object = None) -> None:
        """Note a transcript that is final, and the second of the sound at which it ends."""
        self.call.first_chunk()
        self._last = max(self._last, clean.number(until) or self._last)
        if len(self._heard) < KEPT:
            self._heard += spoken.heard(transcript)

    def reports(self, seconds: object) -> None:
        """Note the seconds that the service bills."""
        self.reported = clean.number(seconds)

    def closed(self, error: str | None) -> None:
        """The socket has ended."""
        self.call.stop()
        if self._start_ns is not None:
            self._lasted = _since(self._start_ns)
        outbox.put(partial(self._finish, error))

    def _finish(self, error: str | None) -> None:
        call, seconds = self.call, self.reported
        call.inputs, call.choices = [spoken.alone()], [self._heard]
        if seconds is None:
            sent = Decimal(self._bytes) / self._per_second if self._per_second else self._last
            seconds = self._lasted or sent.quantize(_MILLI)
            call.bill.reasons.append(CostReason.USAGE_NOT_REPORTED)
        if self._bytes and not seconds:
            _write(call, error)  # a sound of unknown length, and nothing said in it
            return
        _billed(call, self._bill, seconds, reported=self.reported is not None)
        _write(call, error)


class Speaking:
    """The call of one text that is spoken, which may be sent in pieces; starts with the first of them."""

    __slots__ = ("_pieces", "call")

    def __init__(self, handshake: Handshake, model: str | None) -> None:
        check_budget()
        self.call = _start("text_to_speech", handshake, model)
        self.call.show(names.OUTPUT_TYPE, "speech")
        self._pieces: list[str] = []

    def says(self, text: object) -> None:
        """Note the next piece of the text."""
        if isinstance(text, str):
            self._pieces.append(text)

    def sounds(self) -> None:
        """Note that sound has come."""
        self.call.first_chunk()

    def closed(self, error: str | None = None, *, characters: object = None, refused: bool = False) -> None:
        """It is over; `characters` are those that the service bills, None where it does not say them.

        `refused`: the service said an error, and bills nothing.
        """
        self.call.stop()
        self.call.bill.refused = refused
        outbox.put(partial(self._finish, error, characters))

    def _finish(self, error: str | None, characters: object) -> None:
        text, call = "".join(self._pieces), self.call
        call.inputs = spoken.synthesized(text)
        counted = len(text) if characters is None else characters
        call.bill.usage = Usage.of({"input_characters": counted}, estimated=characters is None)
        _write(call, error)


class Conversing:
    """The call of a conversation with an agent of the vendor's, which is billed by the time that it is connected."""

    __slots__ = ("_bill", "_said", "_start", "call")

    def __init__(self, handshake: Handshake, model: str, bill: Billing) -> None:
        self.call = _start("realtime_inference", handshake, model)
        self._bill, self._start = bill, time.perf_counter_ns()
        self._said: list[Draft] = []

    def says(self, role: str, text: object) -> None:
        """Note what the user or the agent said."""
        if isinstance(text, str) and text and len(self._said) < KEPT:
            self._said.append(Draft(role, "audio", text))

    def closed(self, error: str | None) -> None:
        """The socket has ended."""
        self.call.stop()
        outbox.put(partial(self._finish, error, _since(self._start)))

    def _finish(self, error: str | None, seconds: Decimal) -> None:
        self.call.inputs, self.call.choices = [spoken.alone()], [self._said]
        _billed(self.call, self._bill, seconds, reported=False)
        _write(self.call, error)


def outline(message: str) -> str:
    """Return what stands around the sound in a long message: nothing else of it is looked through."""
    return message if len(message) <= 2 * _AROUND else message[:_AROUND] + message[-_AROUND:]


def _since(start_ns: int) -> Decimal:
    """Return the seconds since then, by a clock that does not go backwards."""
    return (Decimal(time.perf_counter_ns() - start_ns) / 10**9).quantize(_MILLI)


def _start(operation: str, handshake: Handshake, model: str | None) -> Call:
    host = hosts.at(handshake.host, handshake.port)
    call = Call(operation, host.provider, model, attributes=host.attributes)
    call.bill.endpoint = host.address
    return call


@telemetry.shielded("bill a socket")
def _billed(call: Call, bill: Billing, seconds: Decimal, *, reported: bool) -> None:
    bill(call, seconds)
    if not reported and call.bill.usage is not None:
        call.bill.usage = replace(call.bill.usage, estimated=True)


def _write(call: Call, error: str | None) -> None:
    if error:
        call.fail(error)
    else:
        call.finish()
