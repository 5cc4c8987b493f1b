"""`otel-costs local`: an OTLP receiver, ClickHouse's engine, its HTTP interface and the report page in one process.

with Stack(folder) as stack:                       # a process of its own on free ports, ready when entered
    stack.otlp_http_url, stack.otlp_grpc_url, stack.http_url

run("data", announce=print)                        # the command: until SIGINT or SIGTERM; raises StartError, EndedError
"""

from otel_costs.local.options import EndedError, StartError
from otel_costs.local.stack import Stack, run

__all__ = ["EndedError", "Stack", "StartError", "run"]
