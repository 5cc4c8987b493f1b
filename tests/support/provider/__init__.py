"""A stand-in for OpenAI on loopback: it speaks the protocol, usage included, and fails when it is told to.

In a test, take the fixture `provider`. Alone: ``python tests/support/provider --port 8090`` (any folder; for WebSockets
with the package `websockets`).
"""

from .exchange import Request
from .fault import KEEP, REMOVED, Fault
from .provider import Provider
from .realtime import Stage
from .realtime_turn import OMITTED, Turn

__all__ = ["KEEP", "OMITTED", "REMOVED", "Fault", "Provider", "Request", "Stage", "Turn"]
