"""Which tests run: all of them before a change is taken, and of every module some in minutes."""

import os
import subprocess
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import settings

from .support.selection import COLLECTED, EXAMPLES, examples, matrices

ROOT = Path(__file__).parents[1]
ALONE = {"tests/local/engine/test_embedded.py", "tests/local/engine/test_ingest.py"}
"""What `tests/local/test_engine.py` runs in a process of its own."""

LONG = {
    # They need a program that is built first; what it is configured with is read in minutes, too.
    "tests/collector/test_config.py",
    "tests/collector/test_end_to_end.py",
    "tests/collector/test_faults.py",
    "tests/collector/test_gateway.py",
    "tests/collector/test_schedules.py",
    "tests/collector/test_sealed.py",
    "tests/collector/test_times.py",
    "tests/jaeger/test_traces.py",
    # They install packages into environments of their own; the version that is installed here is what others use.
    "tests/providers/test_openai_versions.py",
    "tests/test_example_anthropic.py",
    "tests/transports/websocket/test_frameworks.py",
    # They start interpreters with other instrumentations in them; tests/test_instrumentor.py starts one without.
    "tests/test_other_instrumentations.py",
    # The engine is what every test of the store runs.
    "tests/local/test_engine.py",
    # They damage stores, kill their processes and give up on them; tests/local/test_lifecycle.py and test_half_sent.py
    # have some of it, tests/store/test_backups.py what a backup is.
    "tests/cli/test_backup.py",
    "tests/local/test_backup.py",
    "tests/local/test_clients_that_give_up.py",
    "tests/local/test_damage.py",
    "tests/local/test_set_aside.py",
    "tests/store/test_cut_moves.py",
    # They draw whole deliveries; tests/queries/test_calls.py and test_sessions.py have the kinds of them.
    "tests/cases/test_store.py",
    "tests/queries/test_deliveries.py",
    "tests/store/test_one_sum.py",
    # They fill stores of older versions, or search files of whole stores; sealing and the schema have tests in minutes.
    "tests/local/test_sealed.py",
    "tests/store/test_upgrades.py",
    "tests/web/test_sealed.py",
    # They ask many commands of one store; each has tests of its own.
    "tests/chargeback/test_served.py",
    "tests/cli/test_new_store.py",
    "tests/cli/test_others.py",
    "tests/cli/test_scenario_records.py",
}
"""Modules that are long as a whole; each promise of theirs is another module's, too."""


def made(target: str) -> list[str]:
    """Return the commands of a target of the Makefile."""
    asked = ["make", "--no-print-directory", "--dry-run", "--always-make", "--old-file=.venv/.ready", target]
    # As nobody calls it: a make that runs these tests hands down what it was told.
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "TESTS")}
    done = subprocess.run(asked, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    return [line.strip() for line in done.stdout.splitlines()]


def test_what_a_change_must_pass_is_everything() -> None:
    """`.ci/run` calls `make test-all`, which leaves nothing out, and nothing else runs tests."""
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")]
    assert commands == ["make lint", "make browser", "make test-all"]
    assert made("test-all")[-1] == ".venv/bin/python -m pytest --long"
    assert made("test")[-1] == ".venv/bin/python -m pytest"


def test_nothing_else_is_left_out(request: pytest.FixtureRequest) -> None:
    """A long run leaves no test out, and any other those alone that are marked `long`."""
    collected = request.config.stash[COLLECTED]
    narrowed = request.config.getoption("keyword") or request.config.getoption("markexpr")
    if not narrowed:
        expected = 0 if request.config.getoption("long") else collected.long.total()
        assert len(collected.deselected) == expected


def test_every_other_module_has_a_test_that_is_not_long(request: pytest.FixtureRequest) -> None:
    """What a module promises is tried in minutes, too: all of it that was collected here, and all where all was."""
    collected = request.config.stash[COLLECTED]
    long = {module for module, count in collected.tests.items() if collected.long[module] == count}
    assert long == LONG & collected.tests.keys()
    whole = request.config.args == request.config.getini("testpaths")
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")} - ALONE
    assert collected.tests.keys() == there or not whole


def test_some_rows_of_a_matrix_always_run(request: pytest.FixtureRequest) -> None:
    """As many as its marker names, of a matrix that was collected whole, and no more."""
    narrowed = any("::" in argument for argument in request.config.args)
    kept = [(number, len(found)) for number, found in matrices(request.session.items)]
    assert all(0 < count <= number for number, count in kept)
    assert narrowed or not kept or any(count == number for number, count in kept)


def test_a_property_is_tried_more_often_in_a_long_run(request: pytest.FixtureRequest) -> None:
    """A tenth of the examples, always the same ones, or all that it asks for."""
    is_long = request.config.getoption("long")
    assert settings().max_examples == (EXAMPLES if is_long else EXAMPLES / 10)
    assert examples(150).max_examples == (150 if is_long else 15)
    assert settings().derandomize or is_long


def test_modules_that_may_take_longest_come_first(request: pytest.FixtureRequest) -> None:
    """And stay together: what is begun last in a worker keeps the others waiting, and is short."""
    modules = [item.nodeid.partition("::")[0] for item in request.session.items]
    assert len(list(groupby(modules))) == len(set(modules))
    limits = dict.fromkeys(modules, 0.0)
    for item, module in zip(request.session.items, modules, strict=True):
        marker = item.get_closest_marker("timeout")
        limits[module] = max(limits[module], marker.args[0] if marker else 0)
    assert list(limits.values()) == sorted(limits.values(), reverse=True)
    assert not request.config.getoption("loadscopereorder")
