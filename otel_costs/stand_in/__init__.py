"""A stand-in for OpenAI on loopback: it speaks the protocol, usage included, and fails when it is told to.

`Provider` serves it in threads of this process, ``python -m otel_costs.stand_in --port 8090`` alone. `otel-costs
demo`, scenarios with `--stand-in` and the tests talk to it. WebSockets need the package `websockets`.
"""

from otel_costs.stand_in.exchange import Request
from otel_costs.stand_in.fault import KEEP, REMOVED, Fault
from otel_costs.stand_in.provider import Provider
from otel_costs.stand_in.realtime import Stage
from otel_costs.stand_in.realtime_turn import OMITTED, Turn

__all__ = ["KEEP", "OMITTED", "REMOVED", "Fault", "Provider", "Request", "Stage", "Turn"]
