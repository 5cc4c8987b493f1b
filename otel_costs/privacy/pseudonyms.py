"""Pseudonyms of users: a hash keyed by the salt of `OTEL_COSTS_USER_HASH` stands for each name that is recorded.

    u~ and 24 hex digits

The same name has the same pseudonym wherever the salt is the same, so that reports, budgets and `erase` find it by the
plain name; without the salt names cannot be tried out.
"""

import hmac
import logging
import os
import re
from functools import lru_cache
from typing import Final

from otel_costs.semconv import ENV_USER_HASH
from otel_costs.values import sanitize

LEAST: Final = 16
"""Characters that a salt has at least: a short one can be found out."""

_PSEUDONYM: Final = re.compile(r"u~[0-9a-f]{24}")
_DIGITS: Final = 24

_log = logging.getLogger("otel_costs")


def is_on() -> bool:
    """Return whether users are recorded by pseudonyms, or, where the salt is none, not at all."""
    return ENV_USER_HASH in os.environ


def fault() -> str | None:
    """Return why the salt is none, in a sentence that does not repeat it; None where it is good, or not set."""
    salt = os.environ.get(ENV_USER_HASH)
    return None if salt is None else wrong_salt(salt)


def wrong_salt(salt: str) -> str | None:
    """Return why a text is no salt; None where it is one."""
    if len(salt.strip()) >= LEAST:
        return None
    return f"{ENV_USER_HASH} has less than {LEAST} characters: set it to a long random text (`openssl rand -hex 32`)"


def recorded(user: str) -> str | None:
    """Return the name under which a user is recorded; None where the salt is none, which is logged once.

    A pseudonym is its own, so that one that comes from elsewhere is not hashed again. Never raises.
    """
    salt = os.environ.get(ENV_USER_HASH)
    if salt is None or not user:
        return user
    if (wrong := fault()) is not None:
        _log_once(wrong)
        return None
    return _hashed(salt.strip(), user)


def stored(user: str) -> str:
    """Return the name under which something is stored that is about a user, a budget say. Raises ValueError."""
    if (wrong := fault()) is not None:
        raise ValueError(wrong)
    return asked(user)


def asked(user: str) -> str:
    """Return the name under which the records of a user are found, of the plain name or of the pseudonym."""
    name = sanitize.asked_for(user)
    return name if fault() else recorded(name) or name


def names(user: str) -> tuple[str, ...]:
    """Return every name that a user may be recorded under: the plain one, from before there was a salt, too."""
    return tuple(dict.fromkeys((asked(user), sanitize.asked_for(user), user)))


@lru_cache(4096)
def _hashed(salt: str, user: str) -> str:
    if _PSEUDONYM.fullmatch(user):
        return user
    digest = hmac.digest(salt.encode("utf-8", "replace"), user.encode("utf-8", "replace"), "sha256")
    return f"u~{digest.hex()[:_DIGITS]}"


@lru_cache(1)
def _log_once(wrong: str) -> None:
    _log.error("No user is recorded, since %s.", wrong)
