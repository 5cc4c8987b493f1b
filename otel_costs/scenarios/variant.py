"""The runs of a scenario with one choice of models, and their costs together: mean, least and most."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from otel_costs.scenarios.ledger import LedgerCall
from otel_costs.scenarios.scenario_run import COMPLETED, Run
from otel_costs.scenarios.steps import Scenario, Step
from otel_costs.usage.numbers import EXACT

_MONEY: Final = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Spread:
    """What several runs cost, in dollars, of what is known; the mean is rounded to 10⁻¹²."""

    mean_usd: Decimal
    min_usd: Decimal
    max_usd: Decimal


@dataclass(frozen=True, slots=True)
class Variant:
    """A scenario that was run with one choice of models. `model` None is the scenario's own."""

    model: str | None
    scenario: Scenario
    runs: tuple[Run, ...]

    @property
    def counted(self) -> Sequence[Run]:
        """The runs that figures are made of: those that came to their end, or all where none did."""
        return [run for run in self.runs if run.outcome == COMPLETED] or self.runs

    @property
    def phases(self) -> Sequence[str]:
        """The phases in the order of the steps; empty is the one of steps without any."""
        return list(dict.fromkeys(step.phase for step in self.scenario.steps))

    def calls(self, steps: Iterable[Step] | None = None) -> list[list[LedgerCall]]:
        """Return, for each run that counts, its calls: of `steps`, or of all."""
        names = {step.name for step in (self.scenario.steps if steps is None else steps)}
        return [[call for call in run.calls if call.step in names] for run in self.counted]

    def of_phase(self, phase: str) -> list[list[LedgerCall]]:
        """Return the same of a phase."""
        return self.calls(step for step in self.scenario.steps if step.phase == phase)


def spread(runs: Iterable[Iterable[LedgerCall]]) -> Spread:
    """Return mean, least and most of what each of `runs` cost; of no run at all, nothing."""
    totals = [sum((call.cost_usd or Decimal() for call in calls), Decimal()) for calls in runs] or [Decimal()]
    mean = EXACT.divide(sum(totals, Decimal()), Decimal(len(totals)))
    return Spread(EXACT.quantize(mean, _MONEY), min(totals), max(totals))


def usage(runs: Sequence[Iterable[LedgerCall]]) -> dict[str, int | Decimal]:
    """Return what a run used on average, by unit; whole where it is."""
    found: dict[str, int | Decimal] = {}
    for unit, quantity in _quantities(runs):
        found[unit] = found.get(unit, 0) + quantity
    if len(runs) > 1:
        found = {unit: EXACT.divide(Decimal(total), Decimal(len(runs))) for unit, total in found.items()}
    return found


def _quantities(runs: Iterable[Iterable[LedgerCall]]) -> Iterator[tuple[str, int | Decimal]]:
    for calls in runs:
        for call in calls:
            yield from call.usage.items()
