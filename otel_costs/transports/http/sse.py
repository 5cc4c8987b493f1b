"""Server-sent events: where one ends in the bytes of a stream, and what it says."""

import re
from collections.abc import Iterator
from typing import Final

BOUNDARY: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_ENDINGS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")


def end_of_last(raw: bytes) -> int:
    """Return where the last whole event of `raw` ends; 0 if none is whole."""
    if raw.endswith(b"\n\n"):
        return len(raw)
    return max((raw.rfind(ending) + len(ending) for ending in _ENDINGS if ending in raw), default=0)


def events(raw: bytes) -> Iterator[tuple[str, str]]:
    """Return the events of a stream as pairs of name and data; what has no data is left out."""
    text = raw.decode("utf-8", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    for event in text.split("\n\n"):
        if event.startswith("data: ") and "\n" not in event:
            yield "", event[6:]
        elif event:
            yield from _fields(event)


def _fields(event: str) -> Iterator[tuple[str, str]]:
    name, data = "", []
    for line in event.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    if data:
        yield name, "\n".join(data)
