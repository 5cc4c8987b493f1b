"""Imports point one way, and what is public is said once."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import otel_costs
from docs.architecture import LAYERS

PACKAGE = Path(otel_costs.__file__).parent

LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules.split()}


def part(module: str) -> str:
    """Return the name of a module, or of the package it is in, under which it stands in LAYERS."""
    return module.removeprefix("otel_costs").lstrip(".").partition(".")[0] or "otel_costs"


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the modules of ours that a file imports, at its head or in its functions; not those for types alone."""
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    nodes = list(ast.walk(tree))
    for typing in [node for node in nodes if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]:
        typing.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    ours = {name for name in found if name.partition(".")[0] == "otel_costs"}
    modules = {name for name in ours if _is_module(name)}
    return frozenset(name for name in modules if not any(other.startswith(f"{name}.") for other in modules))


def _is_module(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def modules() -> list[tuple[str, Path]]:
    found = sorted(PACKAGE.rglob("*.py"))
    names = [".".join(("otel_costs", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in found]
    return [(name.removesuffix(".__init__"), path) for name, path in zip(names, found, strict=True)]


def test_every_module_has_its_place() -> None:
    """A new module is put into a layer, and a module that is gone is taken out."""
    assert {part(name) for name, _ in modules()} == set(LEVEL)


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_a_module_imports_from_below(name: str, path: Path) -> None:
    """Nothing below knows of what is above it."""
    above = {other for other in imports(path) if LEVEL[part(other)] > LEVEL[part(name)]}
    assert above == set()


def test_no_import_goes_in_a_circle() -> None:
    """Within a layer, too: of any two modules, one can be read without the other."""
    pending = {name: imports(path) - {name} for name, path in modules()}
    while pending:
        free = {name for name, needed in pending.items() if not needed & pending.keys()}
        assert free, f"these import each other: {pending}"
        pending = {name: needed for name, needed in pending.items() if name not in free}


def test_public_names_are_listed_once_and_sorted() -> None:
    """`__all__` is what the package offers, in order, and all of it is there and documented."""
    names = otel_costs.__all__
    assert names == sorted(set(names))
    public = {name for name, value in vars(otel_costs).items() if not name.startswith("_") and not _is_submodule(value)}
    assert public == set(names)
    assert all(getattr(otel_costs, name).__doc__ for name in names)


def _is_submodule(value: object) -> bool:
    return type(value).__name__ == "module"


def test_the_application_imports_nothing_of_commands_and_stores() -> None:
    """What the application's process imports is the core alone, and not even the SDK that it watches."""
    source = "import sys, otel_costs; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout.split()
    unwanted = (
        "otel_costs.store",
        "otel_costs.local",
        "otel_costs.cli",
        "openai",
        "chdb",
        "click",
        "rich",
        "starlette",
    )
    assert [name for name in loaded if name.startswith(unwanted)] == []
