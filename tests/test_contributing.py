"""The first change that CONTRIBUTING.md walks through, walked in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]
ADDED = {
    kind: (name, block)
    for name, kind, block in re.findall(r"At the end of `([^`]+)`:\n\n```(\w+)\n(.*?)```", PAGE, re.DOTALL)
}
COPIED = ("otel_costs", "tests", "queries", "examples", "docs")

ELSEWHERE = {
    "git clone ADDRESS_OF_YOUR_FORK otel_costs": "the copy is the clone",
    "cd otel_costs": "commands run there",
    "make lint": "is for a run of its own",
    ".ci/run": "runs this test",
    "git push --set-upstream origin price-of-devstral-9": "there is nothing to push to",
}
"""What is not run here, and why. Of commands of make it is asked whether they are there."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the project in a repository of its own, with this environment as its `.venv`."""
    clone = tmp_path / "otel_costs"
    ignored = shutil.ignore_patterns("__pycache__", "_files")
    for name in COPIED:
        shutil.copytree(ROOT / name, clone / name, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy2(path, clone)
    (clone / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (clone / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    (clone / ".venv" / ".ready").touch()
    run(clone, "git init --quiet && git add --all && git commit --quiet --message 'As it is'")
    return clone


def run(clone: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the page as a contributor's shell does."""
    git = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "MAKE", "OTEL_"))}
    ours = {"PYTHONPATH": str(clone), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": "-n 0"}
    environ = {**clean, **git, **who, **ours}
    return subprocess.run(
        ["bash", "-c", command], cwd=clone, env=environ, capture_output=True, text=True, timeout=100, check=False
    )


def add(clone: Path, kind: str) -> None:
    """Write what the page puts at the end of a file: its test, or its price."""
    (name, block) = ADDED[kind]
    with (clone / name).open("a", encoding="utf-8") as file:
        file.write(f"\n\n{block}" if kind == "python" else block)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("git") is None or shutil.which("make") is None, reason="git and make walk it")
def test_the_first_change(clone: Path) -> None:
    """Each command does what the page says: the new test fails before the change alone, and all is committed."""
    walked = [command for command in COMMANDS if command not in ELSEWHERE]
    failing = next(number for number, command in enumerate(walked) if command.startswith("make test"))
    for command in walked[:failing]:
        assert run(clone, command).returncode == 0, command
    add(clone, "python")
    failed = run(clone, walked[failing])
    assert failed.returncode != 0
    assert "1 failed" in failed.stdout
    add(clone, "yaml")
    for command in walked[failing + 1 :]:
        done = run(clone, command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    changed = run(clone, "git show --name-only --format=%s").stdout.split("\n")
    assert changed[0] == "Price devstral-9"
    assert set(changed[2:]) >= {"otel_costs/pricing/data/mistral.yaml", "tests/pricing/test_pricing.py"}
    assert run(clone, "git status --short").stdout == ""


def test_commands_that_are_not_walked() -> None:
    """They are on the page all the same, and targets of make, or files."""
    assert set(ELSEWHERE) <= set(COMMANDS)
    targets = {command.split()[1] for command in COMMANDS if command.startswith("make ")}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
