"""The command `scenario`: scripted conversations, run with the real client, and what they cost."""

from otel_costs.cli.scenario.command import scenario

__all__ = ["scenario"]
