"""Beside other instrumentations of openai, whoever comes first: each call is recorded once, and the answers are theirs.

The instrumentations are the real ones. They cannot all be installed together, so there are two environments; the second
has the older wrapt that one of them wants.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from otel_costs.stand_in import Provider

from .support import environments
from .support.collector import PATIENCE_S, Collector
from .support.environments import HERE, ROOT, Environment
from .support.instrumentations import INSTRUMENTORS, OURS
from .support.program import environ

pytestmark = pytest.mark.long

COMMON = ("openai<4", "openinference-instrumentation-openai>=0.1.66", "logfire>=5.2,<6", "langfuse>=5,<6")
ENVIRONMENTS = {
    "wrapt 2": Environment(
        "beside/wrapt-2",
        HERE,
        (*COMMON, "opentelemetry-instrumentation-openai>=0.62", "opentelemetry-instrumentation-genai-openai>=1.3b0"),
    ),
    "wrapt 1": Environment(
        "beside/wrapt-1",
        HERE,
        (
            *COMMON,
            "elastic-opentelemetry-instrumentation-openai>=1.2",
            "opentelemetry-instrumentation-openai-v2>=2.4b0",
            "opentelemetry-util-genai<1.2",  # openai-v2 does not run with a later one, and does not say so
            "wrapt<2",
        ),
        ("wrapt==",),
    ),
}
OTHERS = {
    "wrapt 2": ("openinference", "logfire", "langfuse", "openllmetry", "genai-openai"),
    "wrapt 1": ("openinference", "logfire", "openai-v2", "elastic"),
}

ONE_OF_EACH = [["chat", "priced", "0.00014", None]] * 4
EXPECTED = 2 * [*ONE_OF_EACH, ["chat", "priced", "0", "BadRequestError"]]
"""Chats and responses, streamed and not, and one that is refused: sync, then async."""

Task = Mapping[str, list[str]]


def tasks(others: tuple[str, ...]) -> list[Task]:
    """Return the orders to try: pairs with ours, taken back in both orders, and larger sets of them."""
    pairs: list[list[str]] = [[first, second] for other in others for first, second in permutations((OURS, other))]
    found: list[Task] = [{"order": order, "back": back} for order in pairs for back in (order, order[::-1])]
    found += [{"order": _with_ours(list(pair))[1], "back": []} for pair in permutations(others, 2)]
    for start in range(len(others)):
        rotated = [*others[start:], *others[:start]]
        found += [{"order": order, "back": []} for order in (_with_ours(rotated)[0], _with_ours(rotated)[-1])]
    return found


def _with_ours(others: list[str]) -> list[list[str]]:
    return [[*others[:at], OURS, *others[at:]] for at in range(len(others) + 1)]


def python(name: str) -> str:
    """Return the Python of an environment that has the others."""
    if environments.uv() is None:
        pytest.skip("no uv to make environments with")
    found, fault = environments.make(ENVIRONMENTS[name])
    if found is None:
        ends, _, reason = fault.partition(": ")
        if ends == "skipped":
            pytest.skip(reason)
        pytest.fail(reason)
    return found


def try_all(name: str, others: tuple[str, ...], base_url: str) -> list[Any]:
    """Return what came of each of the tasks with `others` of an environment; first that of the application alone.

    Where something was raised, that of the others without us is told too, under `others`.
    """
    wanted = tasks(others)
    alone, *found = _try(name, others, base_url, [{"order": [], "back": []}, *wanted])
    failed = [number for number, outcome in enumerate(found) if "error" in outcome]
    orders = [[other for other in wanted[number]["order"] if other != OURS] for number in failed]
    without_us = _try(name, others, base_url, [{"order": order, "back": []} for order in orders])
    for number, outcome in zip(failed, without_us, strict=True):
        found[number]["others"] = outcome
    return [alone, *found]


def _try(name: str, others: tuple[str, ...], base_url: str, wanted: list[Task]) -> list[Any]:
    variables = {"OTEL_COSTS_PROVIDERS": "127.0.0.1=openai", "LANGFUSE_TRACING_ENABLED": "false"}
    ran = subprocess.run(
        [python(name), "-m", "tests.support.instrumentations", base_url, *others],
        input=json.dumps(wanted),
        env=environments.clean() | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "others"),
    [("wrapt 2", ("openinference", "genai-openai")), *OTHERS.items()],
    ids=["some", *OTHERS],
)
def test_in_any_order(name: str, others: tuple[str, ...], provider: Provider) -> None:
    """Each call is recorded once, at its price, in every order; the application gets what it would get without us.

    Taken back, in any order, we record nothing, and all of it again once we are back; nothing is said.
    """
    alone, *found = try_all(name, others, provider.base_url)
    assert alone["calls"] == []
    assert len(found) == len(tasks(others))
    for task, outcome in zip(tasks(others), found, strict=True):
        if "error" in outcome:
            # Some do not get on with each other.
            assert "error" in outcome["others"], (task, outcome["error"])
            continue
        assert outcome["calls"] == EXPECTED, (task, outcome["calls"])
        assert outcome["results"] == alone["results"], task
        assert outcome["said"] == [], task
        gone = task["back"].index(OURS) if task["back"] else 0
        for other in task["back"]:
            # Some do not outlive each other: what they raise, they would raise without us.
            calls = outcome["after"].get(other, [])
            assert calls in ([], EXPECTED[:5])
            assert not calls or task["back"].index(other) < gone, task
        assert outcome["again"] in (None, EXPECTED[:5]), task
    assert sum("error" in outcome for outcome in found) < len(found) / 3
    came_back = [outcome["again"] for task, outcome in zip(tasks(others), found, strict=True) if task["back"]]
    assert None not in came_back


STARTED = [(name, other) for name, others in OTHERS.items() for other in others if other in INSTRUMENTORS]
STARTED = list({other: (name, other) for name, other in STARTED}.values())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("ours", ["first", "last"])
@pytest.mark.parametrize(("name", "other"), STARTED, ids=[other for _, other in STARTED])
def test_started_by_opentelemetry_instrument(
    name: str, other: str, ours: str, provider: Provider, tmp_path: Path
) -> None:
    """`opentelemetry-instrument` loads instrumentations as they are found on the path: ours first, or last."""
    entries = [
        _entry(tmp_path / "ours", OURS, "otel_costs:CostsInstrumentor"),
        _entry(tmp_path / "other", other, f"{INSTRUMENTORS[other]}:OpenAIInstrumentor"),
    ]
    path = entries if ours == "first" else entries[::-1]
    found = Path(python(name)).with_name("opentelemetry-instrument")
    program = (
        "import importlib, sys; from tests.support.instrumentations import results; results(sys.argv[1]);"
        "print(importlib.import_module(sys.argv[2]).OpenAIInstrumentor().is_instrumented_by_opentelemetry)"
    )
    with Collector() as collector:
        ran = subprocess.run(
            [str(found), python(name), "-c", program, provider.base_url, INSTRUMENTORS[other]],
            env={
                **environments.clean(),
                **environ(provider, collector),
                "PYTHONPATH": os.pathsep.join([*path, str(ROOT)]),
                # The packages' own entry points are all called `openai`.
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (ran.returncode, ran.stdout) == (0, "True\n"), ran.stderr
        assert _told(collector.calls()) == EXPECTED, ran.stderr


def _told(calls: list[dict[str, Any]]) -> list[list[Any]]:
    keys = ("gen_ai.operation.name", "otel_costs.cost.status", "otel_costs.cost.usd", "error.type")
    return [[call.get(key) for key in keys] for call in calls]


def _entry(folder: Path, name: str, target: str) -> str:
    """Make a folder in which an instrumentation is found by its entry point, and return it."""
    made = folder / f"{name.replace('-', '_')}_entry-1.dist-info"
    made.mkdir(parents=True)
    (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-entry\nVersion: 1\n")
    (made / "entry_points.txt").write_text(f"[opentelemetry_instrumentor]\nbeside_{name} = {target}\n")
    return str(folder)
