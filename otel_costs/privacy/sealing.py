"""Sealing: content as AES-GCM leaves it, which opens with its key, in its own place, and nowhere else.

    sealed:v1:KEY_ID:NONCE:CIPHERTEXT

Nonce (96 bits) and ciphertext (with its tag of 128 bits behind it) are in base64. Session, message and field are
authenticated with it, so that what is sealed opens in no other session, message or field. The nonce is a keyed hash of
all that and of the text: a history that is sent again is sealed the same again, and the store keeps it once. No nonce
serves two texts.
"""

import base64
import binascii
import hmac
import json
from functools import cached_property, lru_cache
from typing import Any, Final

from otel_costs.privacy import keys
from otel_costs.privacy.keys import KeysError

PREFIX: Final = "sealed:v1:"
"""What a sealed text begins with, and no other content: see `unlike_sealed`. The views of the store know it too."""

CONTENT: Final = "content"
ARGUMENTS: Final = "arguments"
"""The fields of a message that are sealed."""

_NONCE: Final = 12  # bytes: what GCM is made for

_MISSING: Final = "the package cryptography is missing, which seals content: pip install 'otel-costs[encryption]'"


class NotOpenedError(Exception):
    """A sealed text does not open; `has_key` says whether its key is there, so that the text was altered or moved."""

    def __init__(self, *, has_key: bool) -> None:
        super().__init__("it was altered, or belongs elsewhere" if has_key else "its key is not there")
        self.has_key = has_key


class Sealer:
    """Seals with one key and opens with all of them. Raises KeysError where they, or the library, cannot be used."""

    def __init__(self, given: str) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  # an extra of ours
        except ImportError:
            raise KeysError(_MISSING) from None
        ring = keys.read(given)
        self._key, self._id = ring.keys[ring.sealing], ring.sealing
        self._ciphers: dict[str, Any] = {
            key_id: AESGCM(keys.derived(key, "content v1")) for key_id, key in ring.keys.items()
        }

    @cached_property
    def for_ids(self) -> bytes:
        """The secret that ids of messages are made with: the same in every process that has the key."""
        return keys.derived(self._key, "message ids")

    @cached_property
    def _for_nonces(self) -> bytes:
        return keys.derived(self._key, "nonces")

    @cached_property
    def _for_hashes(self) -> bytes:
        return keys.derived(self._key, "message hashes")

    def keyed(self, digest: str) -> str:
        """Return a hash of content as it may be recorded: equal for equal content, and of no use without the key."""
        return hmac.digest(self._for_hashes, digest.encode(), "sha256").hex()

    def seal(self, text: str, session_id: str, message_id: str, field: str) -> str:
        """Return a text sealed for its place."""
        place, raw = _place(session_id, message_id, field), text.encode()
        nonce = hmac.digest(self._for_nonces, b"%d:%b%b" % (len(place), place, raw), "sha256")[:_NONCE]
        sealed = self._ciphers[self._id].encrypt(nonce, raw, place)
        return f"{PREFIX}{self._id}:{_written(nonce)}:{_written(sealed)}"

    def open(self, sealed: str, session_id: str, message_id: str, field: str) -> str:
        """Return what was sealed for this place. Raises NotOpenedError."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        key_id, _, rest = sealed.removeprefix(PREFIX).partition(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise NotOpenedError(has_key=False)
        nonce, _, ciphertext = rest.partition(":")
        try:
            opened: bytes = cipher.decrypt(_read(nonce), _read(ciphertext), _place(session_id, message_id, field))
            return opened.decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise NotOpenedError(has_key=True) from None


def is_sealed(text: str) -> bool:
    """Return whether a text is sealed."""
    return text.startswith(PREFIX)


def unlike_sealed(text: str) -> str:
    """Return content that is not mistaken for sealed: one that begins like it gets a blank in front."""
    return f" {text}" if text.startswith(PREFIX) else text


def of_environment() -> Sealer | None:
    """Return what seals and opens by the keys of the environment; None where it has none. Raises KeysError."""
    given = keys.given()
    return None if given is None else _sealer(given)


@lru_cache(4)
def _sealer(given: str) -> Sealer:
    return Sealer(given)


def _place(session_id: str, message_id: str, field: str) -> bytes:
    return json.dumps(["otel_costs", session_id, message_id, field]).encode()


def _written(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _read(written: str) -> bytes:
    return base64.b64decode(written, validate=True)
