"""A stand-in for OpenAI on loopback: it speaks the protocol, usage included, and fails when it is told to.

In a test, take the fixture `provider`. Alone: ``python tests/support/provider --port 8090`` (any folder, stdlib only).
"""

from .exchange import Request
from .fault import KEEP, REMOVED, Fault
from .provider import Provider

__all__ = ["KEEP", "REMOVED", "Fault", "Provider", "Request"]
