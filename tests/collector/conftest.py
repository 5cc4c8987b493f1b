"""The collector as it is shipped, built from its pinned modules, before a store of its own."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from otel_costs.local import Stack

from .support import ROOT, Collector, Jaeger


@pytest.fixture(scope="session")
def program() -> Path:
    """Return the collector. CI builds it and fails where it cannot; elsewhere a test waits for nobody's compiler."""
    spec = importlib.util.spec_from_file_location("collector_build", ROOT / "collector" / "build.py")
    assert spec
    assert spec.loader
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    found: Path | None = build.cached()
    if found is None and os.environ.get("CI") != "true":
        pytest.skip("the collector is not built, so the pipeline is not tested: `make collector` builds it, with Go")
    try:
        return found or build.built()
    except build.BuildError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def stack(shared_stack: Stack) -> Stack:
    """Return a store that runs already; tests use sessions of their own."""
    return shared_stack


@pytest.fixture(scope="module")
def jaeger() -> Iterator[Jaeger]:
    with Jaeger() as running:
        yield running


@pytest.fixture(scope="module")
def collector(
    program: Path, stack: Stack, jaeger: Jaeger, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collector]:
    """Run one collector for a module, before its store."""
    with Collector(program, tmp_path_factory.mktemp("collector"), stack.http_url, jaeger.url) as running:
        yield running


@pytest.fixture
def impatient(tmp_path: Path) -> Path:
    """Let the collector pause for a tenth of the time that it pauses as it is shipped."""
    exporter = {
        "retry_on_failure": {"initial_interval": "100ms", "max_interval": "1s"},
        "sending_queue": {"batch": {"flush_timeout": "50ms"}},
    }
    path = tmp_path / "impatient.yaml"
    path.write_text(yaml.safe_dump({"exporters": {"clickhouse/ledger": exporter}}))
    return path


@pytest.fixture
def run_collector(program: Path, impatient: Path, tmp_path: Path) -> Iterator[Callable[[str], Collector]]:
    """Start collectors of a test's own, before a store that is given, to be killed."""
    started: list[Collector] = []

    def start(store: str) -> Collector:
        collector = Collector(program, tmp_path / f"collector{len(started)}", store, "", impatient)
        started.append(collector)
        collector.start()
        return collector

    yield start
    for collector in started:
        collector.kill()
