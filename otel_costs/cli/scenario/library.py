"""The scenarios that come with the package, and how one is found by its name or its path."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from otel_costs.cli.failure import Failure, nearest
from otel_costs.cli.scenario.scenario_file import load
from otel_costs.cli.scenario.steps import Scenario

FOLDER: Final = Path(__file__).resolve().parents[2] / "scenarios"


def predefined() -> Mapping[str, Path]:
    """Return the scenarios of the package by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def find(name: str) -> Scenario:
    """Return a scenario of the package, or the one in a file; raise Failure or PriceFileError."""
    known = predefined()
    if name in known:
        return load(known[name])
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return load(path)
    near = nearest(name, known, "there are")
    raise Failure(f"no scenario {name!r}; {near} Or give the path of a YAML file: `otel-costs scenario list`")
