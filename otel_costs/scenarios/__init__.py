"""Scripted conversations, run with OpenAI's client, and what they cost; the YAML files here are scenarios to use.

found = otel_costs.scenarios.run("customer_service", stand_in=True)
found["cost_usd"], found["variants"][0]["phases"]
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from os import PathLike
from typing import Any

__all__ = ["run"]


def run(
    scenario: "str | PathLike[str] | None" = None,
    *,
    text: str | None = None,
    name: str | None = None,
    models: Sequence[str] = (),
    times: int = 1,
    budget_usd: Decimal | str | None = None,
    stand_in: bool = False,
    output: "str | PathLike[str] | None" = None,
) -> Mapping[str, Any]:
    """Run a scenario and return what it cost, as `otel-costs scenario run --format json` does, with money as Decimal.

    - `scenario` is the name of one that comes with the package, or the path of a scenario file. `text` runs a scenario
      of your own text instead, under `name`.
    - `models` are asked one after the other in the place of the scenario's own, which are asked where none is given.
      Each is run `times` times.
    - `budget_usd` is what one run may spend; None sets no limit.
    - `stand_in` True spends nothing: the answers and their tokens are made up, and the prices are real.
    - `output` is a file that the result is written to, as JSON.

    The package `openai` is needed, and without `stand_in` its OPENAI_API_KEY. Raises ScenarioError for an invalid
    scenario, and, after the file is written, where a run fails; PriceFileError for a mistake in a file; ImportError
    without openai.
    """
    from otel_costs.scenarios import results  # noqa: PLC0415  # `import otel_costs` stays light
    from otel_costs.scenarios.comparison import compare  # noqa: PLC0415
    from otel_costs.scenarios.errors import ScenarioError  # noqa: PLC0415
    from otel_costs.scenarios.library import find  # noqa: PLC0415
    from otel_costs.scenarios.own_text import NAMED, of_text  # noqa: PLC0415

    if (scenario is None) == (text is None):
        raise ScenarioError("give a scenario, or a text of your own")
    if times < 1:
        raise ScenarioError(f"{times} runs are none: give times=1 or more")
    budget = None if budget_usd is None else Decimal(budget_usd)
    one = of_text(text, name or NAMED) if text is not None else find(str(scenario))
    chosen: Sequence[str | None] = models or (None,)
    asked = {model: one.asking(model, {}) for model in chosen}
    compared = compare(asked, times=times, budget_usd=budget, stand_in=stand_in)
    found = results.report(compared.variants, budget_usd=budget, stand_in=stand_in, sent_to=compared.sent_to)
    if output is not None:
        results.write(output, found)
    if compared.problem:
        raise ScenarioError(compared.problem)
    return found
