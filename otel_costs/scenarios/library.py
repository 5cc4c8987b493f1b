"""The scenarios that come with the package, and how one is found by its name or its path."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from otel_costs.scenarios.errors import UnknownScenarioError
from otel_costs.scenarios.scenario_file import load
from otel_costs.scenarios.steps import Scenario

FOLDER: Final = Path(__file__).resolve().parent


def predefined() -> Mapping[str, Path]:
    """Return the scenarios of the package by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def find(name: str) -> Scenario:
    """Return a scenario of the package, or the one in a file; raise UnknownScenarioError or PriceFileError."""
    known = predefined()
    if name in known:
        return load(known[name])
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return load(path)
    raise UnknownScenarioError(name, known)
