"""OpenAI's Realtime sessions, and those of servers that speak its protocol, over a WebSocket or another transport.

A response is a call, with the tokens of each kind; the transcription of the input is another, of its own model. The
connection's span is their parent, and its conversation is written as messages, one for each item.
`docs/decisions/realtime.md` has the reasons.
"""

from typing import Final
from urllib.parse import parse_qs

from otel_costs import hosts
from otel_costs.providers.openai_realtime.configuration import Configuration
from otel_costs.providers.openai_realtime.connection import Connection
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.providers.openai_realtime.translation import Translation
from otel_costs.transports.websocket.matching import Handshake, Observer

_OTHERS: Final = frozenset({"speech-to-text", "text-to-speech", "transcriptions", "stt", "tts"})
"""What stands before `realtime` in the paths of services that speak another protocol."""

_VOICE_LIVE: Final = "voice-live"
"""Azure's Voice Live: the same events, at prices of its own."""


def match(handshake: Handshake) -> Observer | None:
    """Follow a socket whose path ends in `realtime` or `realtime/translations`, at any host."""
    path = [part for part in handshake.path.split("/") if part]
    translates = path[-2:] == ["realtime", "translations"]
    before = path[:-2] if translates else path[:-1]
    if not (translates or path[-1:] == ["realtime"]) or (before and before[-1] in _OTHERS):
        return None
    host = hosts.at(handshake.host, handshake.port)
    asked = {name: values[-1] for name, values in parse_qs(handshake.query).items()}
    deployment = asked.get("deployment") or (asked.get("model") if host.has_deployments else None)
    configuration = Configuration()
    owner = Owner(
        "azure.voice_live" if _VOICE_LIVE in before else host.provider,
        asked.get("model") or deployment,
        host.attributes,
        configuration,
        deployment=deployment,
        user=handshake.headers.get("openai-safety-identifier"),
    )
    if translates:
        return Translation(owner, configuration)
    return Connection(owner, configuration, joins=asked.get("call_id"))
