"""Ids of calls: random ones, and those of jobs, which whoever sees them finds again."""

import itertools
import os
import time
import uuid
from hashlib import blake2b
from typing import Final

from otel_costs.values import sanitize

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "otel_costs")
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
    return uuid.uuid5(_NAMESPACE, f"{provider}/{sanitize.text(job_id)}").hex


def _renew() -> None:
    global _secret
    _secret = os.urandom(32)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
