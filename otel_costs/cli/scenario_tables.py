"""A run as people read it: a row per step, what its phases and all of it cost, and models beside each other."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from otel_costs.cli import formatting, output
from otel_costs.cli.cost_lines import label
from otel_costs.pricing import ESTIMATED, PARTIAL, UNPRICED
from otel_costs.scenarios.dry_run import UNKNOWN, Planned
from otel_costs.scenarios.ledger import LedgerCall
from otel_costs.scenarios.scenario_run import OVER_BUDGET
from otel_costs.scenarios.steps import Step
from otel_costs.scenarios.variant import Variant, spread, usage
from otel_costs.usage.units import WHOLES

Runs = Sequence[Sequence[LedgerCall]]

_ESTIMATE: Final = "≈ "
_AT_LEAST: Final = "≥ "
_LEGEND: Final = {_ESTIMATE: "≈ is an estimate", _AT_LEAST: "≥ lacks what has no price"}
_SHORT: Final = {"input_tokens": "in", "cache_read_tokens": "cached", "output_tokens": "out", "audio_seconds": "s"}


def variant_parts(variant: Variant, *, sent: bool) -> Iterator[RenderableType]:
    """Yield the parts of the output for one choice of models; with the sessions, if they were `sent` to a store."""
    calls = variant.calls()
    many = len(variant.counted) > 1
    yield _heading(variant)
    yield _steps(variant, many=many)
    if many or sent:
        for number, run in enumerate(variant.runs, 1):
            parts = [f"run {number}", _cost([run.calls], formatting.exact)[0]]
            parts += [f"otel-costs session {run.session_id}"] if sent else []
            yield output.text(" · ".join(parts), "dim")
    if legend := [words for sign, words in _LEGEND.items() if _sign(_flat(calls)) == sign]:
        yield output.text(", ".join(legend), "dim")
    for run in variant.runs:
        if run.outcome == OVER_BUDGET:
            yield output.text(run.problem, "bold red")


def _heading(variant: Variant) -> Text:
    found = Text.assemble(("Scenario ", "bold"), output.text(variant.scenario.name, "bold"))
    parts = [f"with {variant.model}" if variant.model else "", formatting.many(len(variant.runs), "run")]
    for part in filter(None, parts):
        found.append(" · ", "dim").append_text(output.text(part))
    return found


def _steps(variant: Variant, *, many: bool) -> Table:
    table = output.table()
    table.add_column("step", no_wrap=True)
    table.add_column("call", overflow="fold")
    table.add_column("used, mean" if many else "used", overflow="fold")
    for name in ("mean", "min", "max") if many else ("cost",):
        table.add_column(name, justify="right", no_wrap=True)
    phases = variant.phases
    for phase in phases:
        steps = [step for step in variant.scenario.steps if step.phase == phase]
        if len(phases) > 1:
            costs = _costs(variant.of_phase(phase), many=many)
            table.add_row(output.text(phase or "(no phase)"), "", "", *costs, style="bold")
        for step in steps:
            runs = variant.calls([step])
            first_cell = output.text(f"  {step.name}" if len(phases) > 1 else step.name)
            table.add_row(first_cell, *_made(step, runs), *_costs(runs, many=many))
    table.add_section()
    costs = _costs(variant.calls(), many=many)
    table.add_row(Text("total", "bold"), "", "", *costs, style="bold")
    return table


def _made(step: Step, runs: Runs) -> Iterator[Text]:
    requests = max(map(len, runs), default=0)
    models = ", ".join(dict.fromkeys(call.model for call in _flat(runs))) or step.model
    yield _call(step.call.operation, models, requests)
    yield output.text(used(usage(runs)) if requests else "not made")


def _call(operation: str, model: str, requests: int) -> Text:
    return output.text(f"{operation.replace('_', ' ')} {model}{f' × {requests}' if requests > 1 else ''}")


def used(quantities: Mapping[str, int | Decimal]) -> str:
    """Return a usage as text, without parts of units that are in it: 1,250 in, 1,024 cached, 340 out."""
    wholes = {
        unit: quantity
        for unit, quantity in quantities.items()
        if quantity and (unit in _SHORT or not any(whole in quantities for whole in WHOLES.get(unit, ())))
    }
    order = sorted(wholes, key=lambda unit: (list(_SHORT).index(unit) if unit in _SHORT else len(_SHORT), unit))
    return ", ".join(f"{_rounded(wholes[unit])} {_SHORT.get(unit) or label(unit)}" for unit in order)


def _rounded(quantity: int | Decimal) -> str:
    return formatting.quantity(quantity if isinstance(quantity, int) else round(quantity, 1))


def _costs(runs: Runs, *, many: bool) -> Iterator[str]:
    found = _cost(runs, formatting.usd if many else formatting.exact)
    return iter(found if many else found[:1])


def _cost(runs: Runs, written: Callable[[Decimal | None], str]) -> tuple[str, str, str]:
    calls = _flat(runs)
    if calls and all(call.cost_usd is None for call in calls):
        return (formatting.UNPRICED,) * 3
    found, sign = spread(runs), _sign(calls)
    mean, least, most = (sign + written(amount) for amount in (found.mean_usd, found.min_usd, found.max_usd))
    return mean, least, most


def _sign(calls: Iterable[LedgerCall]) -> str:
    statuses = {call.cost_status for call in calls}
    if statuses & {PARTIAL, UNPRICED}:
        return _AT_LEAST
    return _ESTIMATE if ESTIMATED in statuses else ""


def _flat(runs: Runs) -> list[LedgerCall]:
    return [call for calls in runs for call in calls]


def comparison(variants: Sequence[Variant]) -> Table:
    """Return models beside each other, each against the first."""
    table = output.table("By model")
    table.add_column("model", no_wrap=True)
    for name in ("runs", "mean", "min", "max", "to the first"):
        table.add_column(name, justify="right", no_wrap=True)
    first = spread(variants[0].calls()).mean_usd
    for variant in variants:
        mean = spread(variant.calls()).mean_usd
        share = f"{mean / first:.2f} ×" if first else ""
        costs = _cost(variant.calls(), formatting.usd)
        table.add_row(output.text(variant.model or "the scenario's own"), f"{len(variant.counted)}", *costs, share)
    return table


def plan(steps: Sequence[Planned], model: str | None) -> Iterator[RenderableType]:
    """Yield what would be sent, with the price of what is known of it."""
    table = output.table(f"with {model}" if model else None)
    for name in ("step", "call", "sends"):
        table.add_column(name, overflow="fold")
    table.add_column("known cost", justify="right", no_wrap=True)
    for step in steps:
        call = _call(step.operation, step.model, step.requests)
        table.add_row(output.text(step.step), call, output.text(step.sends), _planned(step))
    unknown = sum(step.cost_usd is None for step in steps)
    known = [step for step in steps if step.cost_usd is not None]
    total = formatting.exact(sum((step.cost_usd or Decimal() for step in known), Decimal())) if known else UNKNOWN
    sign = _ESTIMATE if any(step.cost_status == ESTIMATED for step in known) else ""
    more = f" + {formatting.many(unknown, 'step')} {UNKNOWN}" if known and unknown else ""
    table.add_section()
    table.add_row(Text("total", "bold"), "", "", Text(sign + total + more, "bold"))
    yield table


def _planned(step: Planned) -> str:
    if step.cost_status == UNPRICED:
        return formatting.UNPRICED
    if step.cost_usd is None:
        return UNKNOWN
    return {ESTIMATED: _ESTIMATE, PARTIAL: _AT_LEAST}.get(step.cost_status, "") + formatting.exact(step.cost_usd)
