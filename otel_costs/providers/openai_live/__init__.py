"""OpenAI's Live sessions over a WebSocket: started, forked, or looked at from the side.

A session is one call, billed by its seconds; the responses and decisions that it delegates are calls of their own
models; what was said is written as messages. `docs/decisions/live.md` has the reasons.
"""

import re
from typing import Final

from otel_costs import hosts
from otel_costs.providers.openai_live.connection import LiveConnection
from otel_costs.providers.openai_realtime.configuration import Configuration
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.transports.websocket import Handshake

_PATH: Final = re.compile(r"/live/sessions(?:/(?P<id>[^/]+)/(?P<how>attach|fork))?/?$")


def match(handshake: Handshake) -> LiveConnection | None:
    """Follow a socket of a Live session."""
    path = _PATH.search(handshake.path)
    if path is None:
        return None
    host, configuration = hosts.at(handshake.host, handshake.port), Configuration()
    user = handshake.headers.get("openai-safety-identifier")
    owner = Owner(host.provider, None, host.attributes, configuration, user=user)
    return LiveConnection(owner, configuration, host, attached_to=path["id"] if path["how"] == "attach" else None)
