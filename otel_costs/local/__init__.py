"""`otel-costs local`: an OTLP receiver, ClickHouse's engine, its HTTP interface and the report page in one process.

with Stack(folder, otlp_http_port=0, otlp_grpc_port=0, http_port=0) as stack:   # 0: any free port
    stack.otlp_http_url, stack.otlp_grpc_url, stack.http_url                    # ready when entered

run("data", announce=print)      # the command: until SIGINT or SIGTERM; returns the exit code, raises StartError
"""

from otel_costs.local.stack import Stack, StartError, run

__all__ = ["Stack", "StartError", "run"]
