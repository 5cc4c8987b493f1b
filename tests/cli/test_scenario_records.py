"""Where the records of a scenario go: into the store that the environment names, or nowhere."""

import json
import os
import subprocess
import sysconfig
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otel_costs.local import Stack
from otel_costs.scenarios.library import predefined
from otel_costs.stand_in import Provider
from tests.support.stack import empty

from .support import MAIN, run

pytestmark = pytest.mark.long

INSTRUMENT = [str(Path(sysconfig.get_path("scripts")) / "opentelemetry-instrument")]


@dataclass(frozen=True, slots=True)
class Place:
    """A store, and who answers."""

    stack: Stack
    provider: Provider

    def run(self, *options: str, name: str = "support-chat", under: tuple[str, ...] = ()) -> Any:
        """Run a scenario as somebody whose collector the store is, and return its report."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "OTEL_"))}
        environ |= {
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": self.provider.base_url,
            "OTEL_COSTS_PROVIDERS": f"127.0.0.1:{self.provider.port}=openai",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.stack.otlp_grpc_url,
        }
        command = [*under, *MAIN, "scenario", "run", name, "--format", "json", *options]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False, timeout=100)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def scenarios(self) -> list[Any]:
        """Return what the reports say of scenarios."""
        rows = json.loads(run("report", "--format", "json", url=self.stack.http_url).stdout)["scenarios"]
        return [row for row in rows if row["call_count"]]


@pytest.fixture
def place(shared_stack: Stack, provider: Provider) -> Place:
    """Return a store that is empty at first."""
    empty(shared_stack)
    return Place(shared_stack, provider)


def test_a_run_is_in_the_reports(place: Place, tmp_path: Path) -> None:
    """With a collector, each run is a session of its scenario, whose it is and at the cost that the command said."""
    file = tmp_path / "mine.yaml"
    file.write_text("user: ada\ntags: {team: west}\n" + predefined()["support-chat"].read_text())
    found = place.run("--times", "2", name=str(file))
    assert found["sent_to"] == place.stack.otlp_grpc_url
    (scenario,) = place.scenarios()
    assert (scenario["scenario"], scenario["call_count"]) == ("support-chat", 6)
    assert Decimal(scenario["cost_usd"]) == Decimal(found["cost_usd"]) > 0
    for one in found["variants"][0]["runs"]:
        shown = json.loads(run("session", one["session_id"], "--format", "json", url=place.stack.http_url).stdout)
        assert (shown["cost_usd"], shown["call_count"]) == (one["cost_usd"], 3)
        assert (shown["user_id"], shown["tags"]) == ("ada", {"team": "west"})


def test_under_opentelemetry_instrument(place: Place) -> None:
    """Started as any other program, it records each call once all the same."""
    found = place.run(under=tuple(INSTRUMENT))
    assert len(found["variants"][0]["runs"][0]["calls"]) == 3
    (scenario,) = place.scenarios()
    assert (scenario["call_count"], scenario["cost_usd"]) == (3, found["cost_usd"])


@pytest.mark.parametrize("under", [(), tuple(INSTRUMENT)], ids=["alone", "instrumented"])
def test_a_stand_in_is_in_no_report(place: Place, under: tuple[str, ...]) -> None:
    """What nobody paid for is not among what somebody did."""
    found = place.run("--stand-in", under=under)
    assert (found["stand_in"], found["sent_to"], place.provider.requests) == (True, "", [])
    assert Decimal(found["cost_usd"]) > 0
    assert place.scenarios() == []


def test_the_phases_of_a_scenario_are_kinds_in_the_store(place: Place) -> None:
    """What was written, held, heard and spoken is told apart in reports, and adds up to what the run said."""
    found = place.run(name="customer_service")
    said = run("report", "--by", "kind", "--scenario", "customer_service", "--format", "json", url=place.stack.http_url)
    kinds = {row["kind"]: (row["call_count"], row["cost_usd"]) for row in json.loads(said.stdout)["costs"]}
    phases = {phase["phase"]: phase["mean_cost_usd"] for phase in found["variants"][0]["phases"]}
    assert kinds.keys() == phases.keys() == {"creation", "conversation", "transcription", "speech"}
    assert {kind: Decimal(usd) for kind, (_, usd) in kinds.items()} == {
        phase: Decimal(usd) for phase, usd in phases.items()
    }
    assert {kind: calls for kind, (calls, _) in kinds.items()} == {
        "creation": 1, "conversation": 3, "transcription": 1, "speech": 2,
    }  # fmt: skip
