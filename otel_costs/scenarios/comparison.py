"""A scenario that several choices of models answer, several times each: what is compared, and how it came out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from decimal import Decimal

from otel_costs.scenarios.answering import answering
from otel_costs.scenarios.ledger import Ledger, kept
from otel_costs.scenarios.scenario_run import COMPLETED, FAILED, Run, run
from otel_costs.scenarios.steps import Scenario
from otel_costs.scenarios.variant import Variant

Working = Callable[[str], AbstractContextManager[object]]
"""Shows its text for as long as the context lasts."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was run. `sent_to` is where the records went beside this process, empty if they stayed in it."""

    variants: tuple[Variant, ...]
    sent_to: str

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs, in the order in which they were made."""
        return tuple(run for variant in self.variants for run in variant.runs)

    @property
    def problem(self) -> str:
        """Why a run failed, after which none began; empty if none did."""
        return next((run.problem for run in self.runs if run.outcome == FAILED), "")

    @property
    def is_complete(self) -> bool:
        """Whether every run came to its end within the budget, and every call has its whole price."""
        return all(run.outcome == COMPLETED and not run.unpriced_calls for run in self.runs)


def compare(
    asked: Mapping[str | None, Scenario],
    *,
    times: int = 1,
    budget_usd: Decimal | None = None,
    stand_in: bool = False,
    working: Working = nullcontext,
) -> Comparison:
    """Run each scenario of `asked`, by the model that it asks (None is its own choice), and return how it came out.

    `budget_usd` is for one run; a model that is over it is run no further. After an error of the provider nothing
    is run. With `stand_in` nothing leaves this machine. Raises ScenarioError where no provider could answer, or nothing
    would be recorded.
    """
    with answering(stand_in=stand_in), kept(here_alone=stand_in) as ledger:
        return Comparison(tuple(_variants(ledger, asked, times, budget_usd, working)), ledger.sent_to)


def _variants(
    ledger: Ledger, asked: Mapping[str | None, Scenario], times: int, budget_usd: Decimal | None, working: Working
) -> Iterator[Variant]:
    from openai import OpenAI  # noqa: PLC0415  # an extra of ours

    with OpenAI() as client:
        for model, scenario in asked.items():
            runs: list[Run] = []
            for number in range(1, times + 1):
                with working(f"{scenario.name}{f' with {model}' if model else ''}: run {number} of {times}"):
                    runs.append(run(client, ledger, scenario, budget_usd))
                if runs[-1].outcome != COMPLETED:
                    break
            yield Variant(model, scenario, tuple(runs))
            if runs[-1].outcome == FAILED:
                return
