"""A run as programs read it: JSON with every call in its run, and rows of CSV, a call each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Any, Final

from otel_costs.scenarios.dry_run import Planned
from otel_costs.scenarios.errors import ScenarioError
from otel_costs.scenarios.ledger import LedgerCall
from otel_costs.scenarios.scenario_run import Run
from otel_costs.scenarios.steps import Scenario, Step
from otel_costs.scenarios.variant import Variant, spread
from otel_costs.store.rendering import as_json

Row = Mapping[str, Any]

CALL_COLUMNS: Final = (
    "scenario", "asked_model", "run", "session_id", "outcome", "step", "phase", "operation", "provider", "model",
    "input_tokens", "cache_read_tokens", "output_tokens", "audio_seconds", "input_characters", "usage", "cost_usd",
    "cost_status", "cost_reason", "cost_lines", "duration_s", "error", "call_id", "stand_in",
)  # fmt: skip
PLAN_COLUMNS: Final = (
    "scenario", "asked_model", "step", "phase", "operation", "model", "requests", "sends", "usage", "cost_usd",
    "cost_status", "cost_reason",
)  # fmt: skip


def report(variants: Sequence[Variant], *, budget_usd: Decimal | None, stand_in: bool, sent_to: str) -> Row:
    """Return all runs. `asked_model` null is the scenario's own choice; `sent_to` empty is nowhere but here."""
    runs = [run for variant in variants for run in variant.runs]
    return {
        **_about(variants[0].scenario),
        "stand_in": stand_in,
        "sent_to": sent_to,
        "budget_usd": budget_usd,
        "cost_usd": sum((run.cost_usd for run in runs), Decimal()),
        "unpriced_calls": sum(run.unpriced_calls for run in runs),
        "variants": [_variant(variant) for variant in variants],
    }


def write(path: "str | PathLike[str]", found: Row) -> None:
    """Write a report of runs into a file, as JSON. Raises ScenarioError."""
    try:
        Path(path).write_text(f"{as_json(found, indent=2)}\n", encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"{path} cannot be written: {error.strerror}") from error


def _about(scenario: Scenario) -> Row:
    return {
        "scenario": scenario.name,
        "description": scenario.description,
        "user_id": scenario.user or "",
        "tags": scenario.tags,
    }


def _variant(variant: Variant) -> Row:
    return {
        "asked_model": variant.model,
        "run_count": len(variant.runs),
        "counted_runs": len(variant.counted),
        **_costs(variant.calls()),
        "phases": [
            {"phase": phase, **_costs(variant.of_phase(phase))} for phase in variant.phases
        ],
        "steps": [
            {
                "step": step.name, "phase": step.phase, "operation": step.call.operation, "model": step.model,
                **_costs(variant.calls([step])),
            }
            for step in variant.scenario.steps
        ],
        "runs": [_run(run, number, variant.scenario) for number, run in enumerate(variant.runs, 1)],
    }  # fmt: skip


def _costs(runs: Iterable[Iterable[LedgerCall]]) -> Row:
    found = spread(runs)
    return {"mean_cost_usd": found.mean_usd, "min_cost_usd": found.min_usd, "max_cost_usd": found.max_usd}


def _run(run: Run, number: int, scenario: Scenario) -> Row:
    return {
        "run": number,
        "session_id": run.session_id,
        "outcome": run.outcome,
        "problem": run.problem,
        "cost_usd": run.cost_usd,
        "unpriced_calls": run.unpriced_calls,
        "calls": [_call(call, scenario.steps) for call in run.calls],
    }


def _call(call: LedgerCall, steps: Iterable[Step]) -> Row:
    phases = {step.name: step.phase for step in steps}
    return {"step": call.step, "phase": phases.get(call.step, ""), **asdict(call)}


def call_rows(variants: Iterable[Variant], *, stand_in: bool) -> Iterator[Row]:
    """Yield the calls of all runs as rows of CALL_COLUMNS."""
    for variant in variants:
        shared = {"scenario": variant.scenario.name, "asked_model": variant.model, "stand_in": stand_in}
        for number, run in enumerate(variant.runs, 1):
            for call in run.calls:
                found = _call(call, variant.scenario.steps)
                yield {**call.usage, **found, **shared, "run": number, "outcome": run.outcome}


def plans(scenario: Scenario, found: Mapping[str | None, Sequence[Planned]]) -> Row:
    """Return what would be sent, by the model that is asked for words."""
    variants = [{"asked_model": model, "steps": [asdict(step) for step in steps]} for model, steps in found.items()]
    return {**_about(scenario), "dry_run": True, "variants": variants}


def plan_rows(scenario: Scenario, found: Mapping[str | None, Sequence[Planned]]) -> Iterator[Row]:
    """Yield the steps that would be made as rows of PLAN_COLUMNS."""
    for model, steps in found.items():
        for step in steps:
            yield {"scenario": scenario.name, "asked_model": model, **asdict(step)}
