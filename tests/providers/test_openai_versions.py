"""The SDK's versions: the oldest that we work with, one of each major, the newest; and every Python that is there.

Each has an environment of its own. Two are tested at a time: what they take is processor time.
"""

import datetime
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.support import environments
from tests.support.environments import HERE, Environment

TESTS = ("tests/providers/test_openai_any_version.py", "tests/transports/websocket/test_realtime_clients.py")
CLIENTS = ("aiohttp>=3.10,<4", "websockets>=13")
"""Of WebSockets: a version of the SDK may want its own of them."""
NEWEST = "openai[realtime]<4"
WEEK = "-".join(map(str, datetime.date.today().isocalendar()[:2]))
"""The newest version is looked for once a week."""


def environment(name: str, *openai: str, python: str = HERE) -> Environment:
    since = WEEK if NEWEST in openai else ""
    return Environment(f"openai/{name}", python, (*openai, *CLIENTS), ("openai==", "httpx", "websockets"), since)


ENVIRONMENTS = {
    # It gives httpx an argument that 0.28 dropped; the oldest clients of websockets are tested beside it.
    "1.30": environment("1.30", "openai==1.30.0", "httpx<0.28", "websockets==13.0"),
    "1.109": environment("1.109", "openai[realtime]==1.109.1"),
    "2": environment("2", "openai[realtime]==2.54.0"),
    "3.0": environment("3.0", "openai[realtime]==3.0.0"),
    "3.57": environment("3.57", "openai[realtime]==3.57.0"),
    "newest": environment("newest", NEWEST),
    **{
        f"python{version}": environment(f"python{version}", NEWEST, python=version)
        for version in ("3.11", "3.12", "3.13")
        if version != HERE
    },
}


def run(environment: Environment) -> tuple[str, str]:
    """Return how the tests ended in this environment, and what was written."""
    options = ["--long", "-q", "-x", "-rs", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return environments.run(environment, "-m", "pytest", *options, *TESTS)


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Future[tuple[str, str]]]]:
    """Run the tests in all environments, two at a time."""
    if environments.uv() is None:
        pytest.skip("no uv to make environments with")
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(run, environment) for name, environment in ENVIRONMENTS.items()}


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [*ENVIRONMENTS])
def test_version(name: str, outcomes: dict[str, Future[tuple[str, str]]]) -> None:
    """The same calls are recorded the same way, whichever version of the SDK and of Python makes them."""
    outcome, output = outcomes[name].result()
    if outcome == "skipped":
        pytest.skip(output.strip())
    assert outcome == "passed", output
    assert " passed" in output
