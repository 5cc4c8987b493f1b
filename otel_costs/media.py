"""Audio, images and files inside a payload: replaced by their type, size and SHA-256."""

import binascii
import re
from hashlib import sha256
from typing import Final, NamedTuple

MAX_HASHED: Final = 8 << 20  # characters of base64, about 25 ms to decode and hash; a larger payload has no hash
MIN_EMBEDDED: Final = 1024  # characters: shorter base64 within a text stays, it is a key or a signature at most

_DATA_URL = re.compile(r"data:([^,;\s]{0,100})[^,\s]{0,100};base64,")
_EMBEDDED = re.compile(
    rf"data:(?P<type>[^,;\s\"']{{0,100}})(?:;[^,;\s\"']{{0,50}}){{0,3}};base64,|(?<![A-Za-z0-9+/])(?=[A-Za-z0-9+/]{{{MIN_EMBEDDED}}})"
)
_DELIMITERS: Final = "\"'\\ \n<>,)"


class Media(NamedTuple):
    """What is known of a payload without keeping it."""

    media_type: str
    bytes: int
    """Decoded size."""
    sha256: str | None
    """Of the decoded bytes; None where they were too many, or not asked for."""

    def __str__(self) -> str:
        digest = f", sha256:{self.sha256}" if self.sha256 else ""
        return f"[{self.media_type}, {self.bytes} bytes{digest}]"


def describe(payload: str | bytes, media_type: str | None = None, *, hashed: bool = True) -> Media:
    """Return what `payload` is: bytes, base64, or a data URL, whose own type goes before `media_type`."""
    if isinstance(payload, bytes):
        digest = sha256(payload).hexdigest() if hashed and len(payload) <= MAX_HASHED else None
        return Media(media_type or "application/octet-stream", len(payload), digest)
    start = 0
    if match := _DATA_URL.match(payload):
        start, media_type = match.end(), match[1] or media_type
    padding = payload.count("=", -2) if len(payload) > start else 0
    size = max(0, (len(payload) - start) * 3 // 4 - padding)
    digest = None
    if hashed and len(payload) <= MAX_HASHED:
        size, digest = _decoded(payload[start:], size)
    return Media(media_type or "application/octet-stream", size, digest)


def replace_embedded(text: str, limit: int) -> str:
    """Return the first `limit` characters or more of `text`, its data URLs and long runs of base64 replaced.

    Only what ends up in those characters is looked at, so that 10 MB cost what 64 KB do.
    """
    parts: list[str] = []
    kept = position = 0
    while kept < limit and (match := _EMBEDDED.search(text, position, position + limit - kept + MIN_EMBEDDED)):
        start, end = match.start(), _end(text, match.end())
        if match["type"] is None and not _is_base64(text[start : start + MIN_EMBEDDED]):
            start = end = min(end, start + limit)
            parts.append(text[position:end])
        else:
            parts += text[position:start], str(describe(text[match.end() : end], match["type"]))
        kept += len(parts[-1]) + start - position
        position = end
    if not parts:
        return text
    parts.append(text[position : position + max(0, limit - kept) + 1])
    return "".join(parts)


def _end(text: str, start: int) -> int:
    """Return where the base64 at `start` ends: at a delimiter, which `find` gets much faster than `re`."""
    return min((end for end in (text.find(mark, start) for mark in _DELIMITERS) if end >= 0), default=len(text))


def _is_base64(head: str) -> bool:
    """Tell base64 from a long word, a row of equal characters or hex digits."""
    kinds = set(head)
    return (
        len(kinds) >= 16
        and any(map(str.isupper, kinds))
        and any(map(str.islower, kinds))
        and any(map(str.isdigit, kinds))
    )


def _decoded(payload: str, size: int) -> tuple[int, str | None]:
    try:
        decoded = binascii.a2b_base64(payload + "==")  # more padding than needed is taken, less is not
    except ValueError:
        return size, None
    return len(decoded), sha256(decoded).hexdigest()
