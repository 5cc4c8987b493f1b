"""A vendor's answer, as far as it was read: its head, and its body where that says what was used."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from otel_costs.transports.http.body import events, json_or_text
from otel_costs.usage import Usage, reported
from otel_costs.values.json_objects import parsed


@dataclass(frozen=True)
class Answer:
    """An answer to the end that it was read to."""

    headers: Mapping[str, str]
    body: Any = None
    """JSON, or the text of what is none, as a stream of events; None where it was not read, or nothing was to be."""
    is_whole: bool = True
    """Whether the answer is all that the service had to say: it was not left, cut off or cancelled before."""

    @classmethod
    def of(cls, headers: Mapping[str, str], raw: bytes | None, *, read_out: bool, last_event: str | None) -> Self:
        """Return the answer of a body; `read_out` says whether it was read to its end."""
        if raw is None:
            return cls(headers, None, read_out)
        if not _is_events(headers):
            return cls(headers, json_or_text(raw), read_out)
        ends = read_out if last_event is None else _has(raw, last_event)
        return cls(headers, raw.decode("utf-8", "replace"), ends)

    @property
    def json(self) -> Mapping[str, Any]:
        """The JSON object that the body is; empty where it is none."""
        return self.body if isinstance(self.body, Mapping) else {}

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The JSON objects of a stream, of server-sent events or of lines; none where the body is no stream."""
        if not isinstance(self.body, str):
            return []
        if _is_events(self.headers):
            found = [parsed(data) for _, data in events(self.body.encode())]
        else:
            found = [parsed(line) for line in self.body.splitlines() if line]
        return [event for event in found if event is not None]

    def usage(self, provider: str) -> Usage | None:
        """Return what the body's own `usage` says, in the dialect of `provider`; None where there is none."""
        return read_usage(self.json.get("usage"), provider)


def read_usage(usage: object, provider: str) -> Usage | None:
    """Return the usage that an answer of `provider` reports, None where it reports none. Never raises."""
    return None if usage is None else reported.read(usage, provider)


def _is_events(headers: Mapping[str, str]) -> bool:
    return "text/event-stream" in headers.get("content-type", "")


def _has(raw: bytes, last_event: str) -> bool:
    """Return whether a stream has the event that ends it, which stands last where it does."""
    return any(last_event in _names(*event) for event in reversed([*events(raw)]))


def _names(name: str, data: str) -> tuple[object, ...]:
    """Return what an event may be known by."""
    return name, data, (parsed(data) or {}).get("type")
