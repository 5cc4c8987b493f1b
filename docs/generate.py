"""Make the pages of the documentation that are made from code: `make docs`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from docs import architecture, sql_reference
from otel_costs.pricing.cost_reason import CostReason

HERE: Final = Path(__file__).parent

_REASONS: Final = """\
# Reasons of a cost

<!-- Made by `make docs` from otel_costs/pricing/cost_reason.py. -->

A cost that is not simply `priced` has a reason: the attribute `otel_costs.cost.reason`, the column `cost_reason`, and
the text behind a call in `otel-costs session`. Several are separated by commas. `otel-costs doctor` counts the calls
that have no price, by reason, and the view `unpriced_calls` lists them all.

*Price file* is the file that `OTEL_COSTS_PRICES` names ([prices](prices.md)). After a price was added,
`otel-costs reprice` prices the calls that are stored.
"""


def reasons() -> str:
    """Return the page of all reasons, in the order of their names: what each means, and what to do."""
    sections = [f"## {reason}\n\n{reason.meaning}\n\n*What to do:* {reason.remedy}\n" for reason in sorted(CostReason)]
    return "\n".join([_REASONS, *sections])


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "architecture.md": architecture.page,
    "reasons.md": reasons,
    "sql.md": sql_reference.page,
}
"""File name -> what returns its text."""


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
