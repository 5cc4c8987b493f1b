"""What goes wrong with an answer: chosen by a test for the next requests, or by a request's own header."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from otel_costs.stand_in.exchange import Request

HEADER = "x-stand-in-fault"
"""A JSON object with the fields of `Fault` but for the gate; it strikes the first `times` attempts of a request."""

GATE_TIMEOUT_S = 30.0


class _Keep:
    def __repr__(self) -> str:
        return "KEEP"


KEEP: Any = _Keep()
REMOVED = "__removed__"
"""A value of `fields` that removes the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong, or several. Nothing set: the request is answered as usual.

    `status`, `error`: an error instead of the answer, with OpenAI's body or the one given (any JSON, or bytes).
    `headers`: added to the answer, ``{"retry-after-ms": "1"}`` say.
    `usage`: written in place of the usage, wherever it stands, also in the terminal event of a stream.
    `fields`: written over fields of the body, of each chunk, and of the response in an event; REMOVED removes one.
    `cut`: the connection ends after so many bytes of the body; -1: before a status line is sent.
    `cut_events`: it ends after so many events of a stream. `error_event`: so many events, then an `error` event.
    `piece`: network chunks have that many bytes, whatever the events are: 1 splits everything, 100,000 joins it.
    `gzip`: the body is compressed. `gate`: the answer, or a stream after `gate_events` events, waits for it to be set.
    `outcome`: how a response ends (failed, incomplete) or a job (failed, cancelled, ...), in an answer that is fine.
    `times`: so many requests are struck. `path`: only requests whose path contains it.
    """

    status: int | None = None
    error: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    usage: Any = KEEP
    fields: Mapping[str, Any] = field(default_factory=dict)
    cut: int | None = None
    cut_events: int | None = None
    error_event: int | None = None
    piece: int | None = None
    gzip: bool = False
    gate: threading.Event | None = None
    gate_events: int = 0
    outcome: str | None = None
    times: int = 1
    path: str = ""

    def changed(self, value: Any) -> Any:
        """Return a body or an event's data with this fault's usage and fields in it."""
        if not isinstance(value, dict):
            return value
        value = dict(value)
        if self.usage is not KEEP and value.get("usage") is not None:
            value["usage"] = self.usage
        for name, new in self.fields.items():
            if new == REMOVED:
                value.pop(name, None)
            elif name in value or "response" not in value:
                value[name] = new
        if isinstance(value.get("response"), dict):
            value["response"] = self.changed(value["response"])
        return value


NOTHING = Fault()
_NAMES = {each.name for each in fields(Fault)} - {"gate"}


def in_header(request: Request) -> Fault | None:
    """Return the fault that `request` asks for in its header, as long as it has been tried fewer than `times` times."""
    text = request.headers.get(HEADER)
    if not text:
        return None
    given = json.loads(text)
    unknown = set(given) - _NAMES
    if unknown:
        raise ValueError(f"{HEADER}: no such field: {', '.join(sorted(unknown))}")
    fault = Fault(**{"times": 2**31, **given})
    tried = int(request.headers.get("x-stainless-retry-count", "0"))
    return fault if tried < fault.times else None
