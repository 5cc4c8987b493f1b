"""The SDK's versions: the oldest that we work with, one of each major, the newest; and every Python that is there.

Each has an environment of its own, which is kept in the user's cache and made anew when what belongs into it changes.
Two are tested at a time: what they take is processor time.
"""

import datetime
import fcntl
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otel_costs" / "openai"
TESTS = ("tests/providers/test_openai_any_version.py", "tests/sockets/test_realtime_clients.py")
CLIENTS = ("aiohttp>=3.10,<4", "websockets>=13")
"""Of WebSockets: a version of the SDK may want its own of them."""
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
NEWEST = "openai[realtime]<4"


@dataclass(frozen=True)
class Environment:
    """A Python and what is installed for it; `name` is its folder in the cache."""

    name: str
    python: str
    openai: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return CACHE / self.name

    @property
    def requirements(self) -> list[str]:
        """What is installed: the SDK, what an application gets of us, and what runs the tests."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        needs = [need for need in project["dependency-groups"]["dev"] if isinstance(need, str)]  # else another group
        tools = [need for need in needs if need.startswith(("pytest", "hypothesis"))]
        return [*self.openai, *project["project"]["dependencies"], *tools, *CLIENTS]

    @property
    def marker(self) -> str:
        """What the environment has to say to be used as it is; the newest version is looked for once a week."""
        week = "-".join(map(str, datetime.date.today().isocalendar()[:2])) if NEWEST in self.openai else ""
        return "\n".join([*self.requirements, week])


ENVIRONMENTS = [
    # It gives httpx an argument that 0.28 dropped; the oldest clients of websockets are tested beside it.
    Environment("1.30", HERE, ("openai==1.30.0", "httpx<0.28", "websockets==13.0")),
    Environment("1.109", HERE, ("openai[realtime]==1.109.1",)),
    Environment("2", HERE, ("openai[realtime]==2.54.0",)),
    Environment("3.0", HERE, ("openai[realtime]==3.0.0",)),
    Environment("newest", HERE, (NEWEST,)),
    *(Environment(f"python{version}", version, (NEWEST,)) for version in ("3.11", "3.12", "3.13") if version != HERE),
]


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


def prepare(environment: Environment, python: str) -> str | None:
    """Make the environment, unless it is there; return what went wrong, None if nothing did."""
    environment.folder.mkdir(parents=True, exist_ok=True)
    with (environment.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another checkout may be making it
        ready = environment.folder / "ready"
        if ready.exists() and ready.read_text() == environment.marker:
            return None
        ready.unlink(missing_ok=True)
        fault = install(environment, python)
        if fault is None:
            ready.write_text(environment.marker)
        return fault


def install(environment: Environment, python: str) -> str | None:
    """Install what belongs into the environment; return what went wrong."""
    tool = uv()
    assert tool
    venv = environment.folder / "venv"
    constraints = environment.folder / "constraints.txt"
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    constraints.write_text("\n".join(pin for pin in pins if not pin.startswith(("openai==", "httpx", "websockets"))))
    for command in (
        [tool, "venv", "--quiet", "--clear", "--python", python, "--no-python-downloads", str(venv)],
        [tool, "pip", "install", "--quiet", "--python", str(venv / "bin" / "python"), "--constraints", str(constraints),
         *environment.requirements],
    ):  # fmt: skip
        ran = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
        if ran.returncode:
            return ran.stderr
    return None


def run(environment: Environment) -> tuple[str, str]:
    """Return how the tests ended in this environment, and what was written."""
    python = interpreter(environment.python)
    if python is None:
        return "skipped", f"no Python {environment.python} on this machine"
    if fault := prepare(environment, python):
        # On a machine without a network nothing can be said; where the network is given, nothing is left out.
        return "failed" if os.environ.get("CI") else "skipped", f"cannot install {environment.name}: {fault}"
    python = str(environment.folder / "venv" / "bin" / "python")
    options = ["-q", "-x", "-rs", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command = [python, "-m", "pytest", *options, *TESTS]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "OTEL_", "OPENAI_"))}
    environ = {**clean, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False)
    return "passed" if ran.returncode == 0 else "failed", ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Future[tuple[str, str]]]]:
    """Run the tests in all environments, two at a time."""
    if uv() is None:
        pytest.skip("no uv to make environments with")
    with ThreadPoolExecutor(2) as pool:
        yield {environment.name: pool.submit(run, environment) for environment in ENVIRONMENTS}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [environment.name for environment in ENVIRONMENTS])
def test_version(name: str, outcomes: dict[str, Future[tuple[str, str]]]) -> None:
    """The same calls are recorded the same way, whichever version of the SDK and of Python makes them."""
    outcome, output = outcomes[name].result()
    if outcome == "skipped":
        pytest.skip(output.strip())
    assert outcome == "passed", output
    assert " passed" in output
