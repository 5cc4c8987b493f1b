"""Who a call belongs to, and by which id it is known."""

import itertools
import os
import time
import uuid
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from otel_costs import attributes as names
from otel_costs import baggage, clean
from otel_costs.scope import current_scope

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "otel_costs")


def whose(user: str | None = None, session_id: str | None = None) -> Mapping[str, Any]:
    """Return the attributes of the session and the user that a call made here belongs to.

    An open session decides; then baggage, where it is believed; then `user` and `session_id`, which the request names.
    """
    scope = current_scope()
    found = scope.attributes if scope else {}
    if not found and user is None and session_id is None and baggage.mode not in baggage.BELIEVED:
        return found
    if names.USER_ID in found or (user is None and names.SESSION_ID in found):
        return found
    outside_session, outside_user = baggage.received()
    chosen = {
        names.SESSION_ID: found.get(names.SESSION_ID) or outside_session or session_id,
        names.USER_ID: outside_user or user,
    }
    return {**found, **{name: clean.identifier(value) for name, value in chosen.items() if value}}


_secret = os.urandom(32)
_made: Final = itertools.count()


def random_id() -> str:
    """Return 32 hex digits shaped as a UUIDv4 that nobody repeats: `random.seed` cannot.

    A hash of when it is made, where, and how many were made before, keyed by the system's own randomness. To ask that
    for each id gives the interpreter to whoever waits for it, for up to 5 ms. The time tells machines apart that
    were restored from one image.
    """
    made = b"%d %d %d" % (next(_made), time.time_ns(), os.getpid())
    digits = blake2b(made, key=_secret, digest_size=16).hexdigest()
    return f"{digits[:12]}4{digits[13:16]}8{digits[17:]}"


def derived_id(provider: str, job_id: str) -> str:
    """Return the id of a job, which may be seen more than once: 32 hex digits shaped as a UUIDv5."""
    return uuid.uuid5(_NAMESPACE, f"{provider}/{clean.text(job_id)}").hex


def _renew() -> None:
    global _secret
    _secret = os.urandom(32)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
