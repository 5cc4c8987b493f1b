"""Where calls and messages are kept: ClickHouse, as a server or embedded. What the commands need of it.

client = connect("http://localhost:8123")       # or chdb:///path; OTEL_COSTS_DSN when nothing is given
for change in schema.apply(client): ...         # makes it what queries/ says, and says what it changed
reports.sessions(client, user="user-1")         # plain rows, money as Decimal
"""

from otel_costs.store.connection import DEFAULT_DSN, StoreError, connect

__all__ = ["DEFAULT_DSN", "StoreError", "connect"]
