"""The keys that content is sealed with, as `OTEL_COSTS_CONTENT_KEY` names them.

`KEY`, or `ID:KEY`, or several of them with commas between: the first seals, all open. A key is 32 bytes in base64
(`openssl rand -base64 32`) or in hex. The id stands beside what is sealed and is no secret; where none is given, it is
made of the key.
"""

import base64
import binascii
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from otel_costs.semconv import ENV_CONTENT_KEY

SIZE: Final = 32
"""Bytes of a key: AES-256."""

_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}")
_HELP: Final = "give 32 bytes in base64 (`openssl rand -base64 32`), or ID:KEY, the newest first, with commas between"


class KeysError(ValueError):
    """The keys cannot be used; the message says why and what to do, and repeats nothing of them."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by their ids; `sealing` is the id of the one that seals."""

    sealing: str
    keys: Mapping[str, bytes] = field(repr=False)


def given() -> str | None:
    """Return what the environment has for the keys; None where nothing is said of them."""
    return os.environ.get(ENV_CONTENT_KEY)


def read(text: str) -> Keyring:
    """Read keys as the variable has them. Raises KeysError for what is none, also for an empty text."""
    found: dict[str, bytes] = {}
    for number, part in enumerate(text.split(","), 1):
        key_id, _, written = part.strip().rpartition(":")
        key = _bytes(written.strip())
        if key is None:
            raise KeysError(f"key {number} of {ENV_CONTENT_KEY} is none: {_HELP}")
        key_id = key_id.strip() or derived(key, "id").hex()[:8]
        if not _ID.fullmatch(key_id):
            raise KeysError(f"the id of key {number} of {ENV_CONTENT_KEY} is none: use up to 32 letters and digits")
        if found.get(key_id, key) != key:
            raise KeysError(f"two keys of {ENV_CONTENT_KEY} have the id {key_id}: give each an id of its own")
        found[key_id] = key
    return Keyring(next(iter(found)), found)


def derived(key: bytes, purpose: str) -> bytes:
    """Return the 32 bytes that a key has for one purpose: none of them tells anything of another, or of the key."""
    return hmac.digest(key, f"otel_costs {purpose}".encode(), "sha256")


def _bytes(written: str) -> bytes | None:
    if _HEX.fullmatch(written):
        return bytes.fromhex(written)
    try:
        plain = written.replace("-", "+").replace("_", "/").rstrip("=")
        found = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == SIZE else None
