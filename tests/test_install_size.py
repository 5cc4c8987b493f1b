"""What an install weighs: the figures of docs/local.md, added up from what is installed here."""

from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

import otel_costs

MIB = 1 << 20
PIP_MIB = 26  # an empty environment


def needed(name: str, *extras: str) -> dict[str, Distribution]:
    """Return what is installed with `name` and these extras of it, itself included."""
    found: dict[str, Distribution] = {}
    waiting = [(name, extras)]
    asked = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        found[name] = distribution(name)
        more = set(_required(found[name], extras)) - asked
        asked |= more
        waiting += more
    return found


def _required(package: Distribution, extras: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for requirement in map(Requirement, package.requires or ()):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            yield requirement.name.lower().replace("_", "-"), tuple(sorted(requirement.extras))


def mib(package: Distribution) -> float:
    """Return what a package weighs, with the byte code of its modules, which is about as large as they are."""
    paths = [Path(str(package.locate_file(file))) for file in package.files or ()]
    return sum(map(_size, paths)) / MIB


def _size(path: Path) -> int:
    if path.suffix == ".pyc" or not path.is_file():
        return 0
    return path.stat().st_size * (2 if path.suffix == ".py" else 1)


def total(packages: dict[str, Distribution]) -> float:
    """Return what an environment with these weighs, and pip in it; of ourselves the package, not this checkout."""
    ours = sum(map(_size, Path(otel_costs.__file__).parent.rglob("*"))) / MIB
    return PIP_MIB + ours + sum(mib(package) for name, package in packages.items() if name != "otel-costs")


def test_the_store_without_data_frames() -> None:
    """At most 660 MB with the engine, which is most of it; and none of what serves data frames."""
    packages = needed("otel-costs", "local-without-engine")
    assert packages.keys().isdisjoint({"chdb-core", "numpy", "pandas", "pyarrow"})
    assert total({**packages, "chdb-core": distribution("chdb-core")}) <= 660


def test_local_is_that_and_the_engine() -> None:
    """`local` has nothing else but what the engine declares."""
    engine = needed("chdb-core")
    assert needed("otel-costs", "local").keys() == needed("otel-costs", "local-without-engine").keys() | engine.keys()


def test_the_application_alone() -> None:
    """What is recorded needs the SDK of OpenTelemetry, and little beside it."""
    packages = needed("otel-costs")
    assert packages.keys().isdisjoint({"chdb-core", "click", "clickhouse-connect", "numpy", "openai", "pydantic"})
    assert total(packages) <= 80
