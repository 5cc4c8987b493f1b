"""Docker Compose's own reading of `docker-compose.yml`."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import go_program

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("compose_config")

Read = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Return what reads the file with these variables, by the library that Docker Compose is made of."""
    untested = "docker-compose.yml is not read as Docker Compose reads it"
    program = go_program.built(PROGRAM, tmp_path_factory.mktemp("compose"), untested)

    def run(variables: Mapping[str, str], on_top: str | None = None) -> "subprocess.CompletedProcess[str]":
        folder = tmp_path_factory.mktemp("checkout")
        shutil.copy(CHECKOUT / "docker-compose.yml", folder)
        if on_top is not None:
            shutil.copy(CHECKOUT / on_top, folder / "docker-compose.override.yml")
        return subprocess.run([program, folder], env=dict(variables), capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def secrets() -> dict[str, str]:
    """Return a value for every variable of `.env.example`."""
    lines = (CHECKOUT / ".env.example").read_text().splitlines()
    names = [line.removesuffix("=") for line in lines if line and not line.startswith("#")]
    return {name: f"{number:024x}" for number, name in enumerate(names, 1)}


@pytest.fixture(scope="session")
def project(read: Read, secrets: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the project with everything filled in."""
    done = read(secrets)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
