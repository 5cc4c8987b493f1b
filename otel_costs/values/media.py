"""Audio, images and files inside a payload: replaced by their type, size and SHA-256."""

import binascii
import re
from hashlib import sha256
from typing import Final, NamedTuple

MAX_HASHED: Final = 8 << 20  # characters of base64, about 25 ms to decode and hash; a larger payload has no hash
MAX_EMBEDDED_HASHED: Final = 1 << 20  # characters, about 4 ms
MIN_EMBEDDED: Final = 1024  # characters: shorter base64 within a text stays, it is a key or a signature at most

_DATA_URL = re.compile(r"data:([^,;\s\"']{0,100})[^,\s\"']{0,100};base64,")
_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{{MIN_EMBEDDED}}}")
_LOOKED_AT: Final = 1 << 16  # characters of a run, to tell whether it is base64
_WINDOW: Final = MIN_EMBEDDED // 2
_ALPHABET: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")
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
    """Return the first `limit` characters of `text`, its data URLs and long base64 replaced, and one more if there is.

    Only what ends up there is looked at, so that 10 MB cost little more than 64 KB do.
    """
    parts: list[str] = []
    kept = position = 0
    while kept <= limit and (found := _find(text, position, position + limit - kept + 1)):
        start, payload, media_type = found
        end = _end(text, start, min(len(text), start + _LOOKED_AT))
        if media_type is None and not _is_base64(text, start, end):
            part = text[start:end]
        else:
            end = _end(text, payload, len(text))
            part = str(describe(text[payload:end], media_type, hashed=end - payload <= MAX_EMBEDDED_HASHED))
        parts += text[position:start], part
        kept += start - position + len(part)
        position = end
    parts.append(text[position : position + max(0, limit - kept) + 1])
    return "".join(parts)[: limit + 1]


def _find(text: str, position: int, stop: int) -> tuple[int, int, str | None] | None:
    """Return the next start before `stop`: of a data URL or a long run, of its payload, and the type in the URL."""
    url = text.find("data:", position, stop + 5)
    while url >= 0:
        if match := _DATA_URL.match(text, url):
            stop = url
            break
        url = text.find("data:", url + 5, stop + 5)
    # A run covers one of these windows whole; nearly all windows of ordinary text have a space in them.
    for window in range(position, min(stop, len(text)) + _WINDOW, _WINDOW):
        if " " not in text[window : window + _WINDOW] and text[window : window + 1] in _ALPHABET:
            start = window
            while start > position and text[start - 1] in _ALPHABET:
                start -= 1
            if start < stop and _RUN.match(text, start):
                return start, start, None
    return (url, match.end(), match[1]) if url >= 0 and match else None


def _end(text: str, start: int, end: int) -> int:
    """Return where the base64 at `start` ends: at a delimiter, which `find` gets much faster than `re`, or at `end`."""
    for mark in _DELIMITERS:
        found = text.find(mark, start, end)
        if found >= 0:
            end = found
    return end


def _is_base64(text: str, start: int, end: int) -> bool:
    """Return whether a text is base64, by samples: no long word, no row of equal characters, no hex digits."""
    middle = (start + end) // 2
    kinds = set(text[start : start + 512] + text[middle : middle + 512] + text[max(start, end - 512) : end])
    return len(kinds) >= 16 and all(any(map(kind, kinds)) for kind in (str.isupper, str.islower, str.isdigit))


def _decoded(payload: str, size: int) -> tuple[int, str | None]:
    if "-" in payload or "_" in payload:
        payload = payload.replace("-", "+").replace("_", "/")
    try:
        decoded = binascii.a2b_base64(payload + "==")  # more padding than needed is taken, less is not
    except ValueError:
        return size, None
    return len(decoded), sha256(decoded).hexdigest()
