"""Tests that open an engine in their own process, which chDB does once: a run of their own, by `test_engine.py` above."""

import os

ALONE = "OTEL_COSTS_TESTS_ENGINE"

if ALONE not in os.environ:
    collect_ignore_glob = ["test_*.py"]
