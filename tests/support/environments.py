"""Environments of their own for tests: made with uv, kept in the user's cache, and made anew when they change."""

import fcntl
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otel_costs"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Environment:
    """A Python and what is installed for it; `name` is its folder in the cache.

    `since` makes it anew when it changes. `free` names what need not be of the project's pinned versions, None all.
    """

    name: str
    python: str
    needs: tuple[str, ...]
    free: tuple[str, ...] | None = ()
    since: str = ""
    packages: tuple[Path, ...] = ()
    """Folders of packages that are installed as they are, without what they need."""

    @property
    def folder(self) -> Path:
        return CACHE / self.name

    @property
    def requirements(self) -> list[str]:
        """What is installed: what is tested, what an application gets of us, and what runs the tests."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        needs = [need for need in project["dependency-groups"]["dev"] if isinstance(need, str)]  # else another group
        tools = [need for need in needs if need.startswith(("pytest", "hypothesis"))]
        return [*self.needs, *project["project"]["dependencies"], *tools]

    @property
    def marker(self) -> str:
        """What the environment has to say to be used as it is."""
        sources = [
            path.read_text() for folder in self.packages for path in sorted(folder.glob("*.*")) if path.is_file()
        ]
        return "\n".join([*self.requirements, self.since, *map(str, self.packages), *sources])


def make(environment: Environment) -> tuple[str | None, str]:
    """Make the environment, unless it is there; return its Python, or None and how a test without it ends."""
    python = interpreter(environment.python)
    if python is None:
        return None, f"skipped: no Python {environment.python} on this machine"
    if fault := _prepare(environment, python):
        # On a machine without a network nothing can be said; where the network is given, nothing is left out.
        ends = "failed" if os.environ.get("CI") else "skipped"
        return None, f"{ends}: cannot install {environment.name}: {fault}"
    return str(environment.folder / "venv" / "bin" / "python"), ""


def run(environment: Environment, *arguments: str, **variables: str) -> tuple[str, str]:
    """Run the environment's Python in a clean process; return `passed`, `failed` or `skipped`, and what was written."""
    python, fault = make(environment)
    if python is None:
        ends, _, reason = fault.partition(": ")
        return ends, reason
    command = [python, *arguments]
    environ = {**clean(), **variables}
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False)
    return ("failed", ran.stdout + ran.stderr) if ran.returncode else ("passed", ran.stdout)


def clean() -> dict[str, str]:
    """Return the variables of a process in an environment: none is of the tests, and its imports are compiled once."""
    # By the names that are there now: this may run in a thread, beside a test that begins or ends.
    left_out = ("PYTEST_", "OTEL_", "OPENAI_", "PYTHONDONTWRITEBYTECODE")
    names = [name for name in list(os.environ) if not name.startswith(left_out)]
    found = {name: value for name in names if (value := os.environ.get(name)) is not None}
    return {**found, "PYTHONPATH": str(ROOT)}


def uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def interpreter(version: str) -> str | None:
    """Return a Python of this version, if there is one on this machine; none is downloaded."""
    if version == HERE:
        return sys.executable
    found = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    # pyenv's own commands are there for versions that are not chosen, too, and then only say so.
    there = shutil.which(f"python{version}")
    return str(found[-1]) if found else there if there and "shims" not in there else None


def _prepare(environment: Environment, python: str) -> str | None:
    """Make the environment, unless it is there; return what went wrong, None if nothing did."""
    environment.folder.mkdir(parents=True, exist_ok=True)
    with (environment.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another checkout may be making it
        ready = environment.folder / "ready"
        if ready.exists() and ready.read_text() == environment.marker:
            return None
        ready.unlink(missing_ok=True)
        fault = _install(environment, python)
        if fault is None:
            ready.write_text(environment.marker)
        return fault


def _install(environment: Environment, python: str) -> str | None:
    """Install what belongs into the environment; return what went wrong."""
    tool = uv()
    assert tool
    venv = environment.folder / "venv"
    constraints = environment.folder / "constraints.txt"
    pins = [] if environment.free is None else (ROOT / "constraints.txt").read_text().splitlines()
    constraints.write_text("\n".join(pin for pin in pins if not pin.startswith(environment.free or ())))
    for command in (
        [tool, "venv", "--quiet", "--clear", "--python", python, "--no-python-downloads", str(venv)],
        [tool, "pip", "install", "--quiet", "--python", str(venv / "bin" / "python"), "--constraints", str(constraints),
         *environment.requirements],
        *([tool, "pip", "install", "--quiet", "--python", str(venv / "bin" / "python"), "--no-deps", str(package)]
          for package in environment.packages),
    ):  # fmt: skip
        ran = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
        if ran.returncode:
            return ran.stderr
    return None
