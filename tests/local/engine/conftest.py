"""Tests that open an engine in their own process, which chDB does once: `test_engine.py` gives them one."""

import os

ALONE = "OTEL_COSTS_TESTS_ENGINE"

if ALONE not in os.environ:
    collect_ignore_glob = ["test_*.py"]
