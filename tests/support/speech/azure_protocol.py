"""The messages of the Azure Speech service's WebSocket protocol (USP): headers, an empty line, a body.

Text messages have JSON or SSML; binary ones have the length of their headers in two bytes, the headers, and audio.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TICKS_PER_SECOND = 10_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """What the client sent."""

    path: str
    request_id: str
    body: str | bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def read(frame: str | bytes) -> Message:
    """Parse a frame of the client's."""
    body: str | bytes
    if isinstance(frame, str):
        head, _, body = frame.partition("\r\n\r\n")
    else:
        end = 2 + struct.unpack(">H", frame[:2])[0]
        head, body = frame[2:end].decode(), frame[end:]
    headers = dict(line.split(":", 1) for line in head.strip().split("\r\n"))
    found = {name.lower(): value.strip() for name, value in headers.items()}
    return Message(found["path"].lower(), found.get("x-requestid", ""), body)


def event(path: str, request_id: str, body: Mapping[str, Any]) -> str:
    """Write a text message of the service's."""
    return (
        f"X-RequestId:{request_id}\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n"
        + json.dumps(body)
    )


def audio(request_id: str, stream_id: str, data: bytes) -> bytes:
    """Write a piece of synthesized sound."""
    head = f"X-RequestId:{request_id}\r\nContent-Type:audio/x-wav\r\nX-StreamId:{stream_id}\r\nPath:audio\r\n".encode()
    return struct.pack(">H", len(head)) + head + data


def ticks(seconds: float) -> int:
    """Return seconds in units of 100 nanoseconds."""
    return round(seconds * TICKS_PER_SECOND)
