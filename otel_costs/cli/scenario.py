"""The commands `scenario list` and `scenario run`: what a scripted conversation costs, before thousands hold it."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

import click

from otel_costs import pricing
from otel_costs.cli import options, output
from otel_costs.cli import scenario_tables as tables
from otel_costs.cli.failure import Failure, nearest
from otel_costs.scenarios import results as rows
from otel_costs.scenarios.comparison import Comparison, compare
from otel_costs.scenarios.dry_run import Planned, planned
from otel_costs.scenarios.errors import UnknownScenarioError
from otel_costs.scenarios.library import FOLDER, find, predefined
from otel_costs.scenarios.own_text import NAMED, of_text
from otel_costs.scenarios.scenario_file import load
from otel_costs.scenarios.steps import Scenario, Talk
from otel_costs.semconv import ENV_PRICES, ENV_PROVIDERS

NO_PRICE: Final = (
    f"no price: `otel-costs prices MODEL` lists those in force, the file of {ENV_PRICES} adds others, "
    f"and {ENV_PROVIDERS} says who is behind a gateway"
)
STOOD_IN: Final = (
    "A stand-in on this machine answered. Its answers and their tokens are its own, counted by a fixed rule: prices "
    "are the real ones, quantities are not. Nothing was spent, and nothing is in any report."
)
LIST_COLUMNS: Final = ("scenario", "description", "steps", "requests", "models", "file")


@click.group("scenario", short_help="See what a scripted conversation costs.")
def scenario() -> None:
    """Run scripted conversations against the real models, and see what one costs, before thousands of users hold it.

    A scenario is a YAML file of steps: chat, responses, speech and transcription. Some come with otel-costs.
    """


@scenario.command("list", short_help="List the scenarios that come with otel-costs.")
@options.format_option
def list_(form: str) -> None:
    """List the scenarios that come with otel-costs: to be run by their name, and to copy from."""
    found = [{**_listed(load(path)), "file": str(path)} for path in predefined().values()]
    if form == options.JSON:
        output.write_json({"scenarios": found})
    elif form == options.CSV:
        output.write_csv(found, LIST_COLUMNS)
    else:
        table = output.table()
        for name in ("scenario", "steps", "requests", "description"):
            table.add_column(name, justify="right" if name in ("steps", "requests") else "left")
        for row in found:
            table.add_row(*(str(row[name]) for name in ("scenario", "steps", "requests", "description")))
        output.show(table, "otel-costs scenario run NAME", output.text(f"Copy from {FOLDER}", "dim"))


def _listed(one: Scenario) -> Mapping[str, object]:
    return {
        "scenario": one.name,
        "description": one.description,
        "steps": len(one.steps),
        "requests": sum(step.requests for step in one.steps),
        "models": list(dict.fromkeys(step.model for step in one.steps)),
    }


@scenario.command("run", short_help="Run a scenario, and say what it costs.")
@click.argument("scenario", metavar="[NAME|FILE]", required=False)
@click.option("--text", metavar="TEXT", help="A text of your own in the place of a scenario: what it is about.")
@click.option("--name", metavar="NAME", help="What a text of your own is called.  [default: own_text]")
@click.option(
    "--model",
    "models",
    metavar="MODEL",
    multiple=True,
    help="Ask MODEL in the steps of chat and responses, STEP=MODEL in one step, of speech too. Several are compared.",
)
@click.option("--times", type=click.IntRange(min=1), default=1, show_default=True, help="How often, with each model.")
@click.option("--budget-usd", metavar="DOLLARS", help="What one run may cost; past it no request is sent.")
@click.option("--dry-run", is_flag=True, help="Send nothing: show what would be sent, and the price of what is known.")
@click.option("--stand-in", is_flag=True, help="Ask a stand-in on this machine in the place of models; for nothing.")
@click.option(
    "--output", "path", metavar="FILE", type=click.Path(dir_okay=False), help="Write the results here, as JSON."
)
@options.format_option
def run(
    scenario: str | None,
    text: str | None,
    name: str | None,
    path: str | None,
    models: tuple[str, ...],
    times: int,
    budget_usd: str | None,
    dry_run: bool,
    stand_in: bool,
    form: str,
) -> None:
    """Run a scenario of otel-costs by its NAME, or your own from a FILE, with OpenAI's client and your OPENAI_API_KEY.

    With --text it is one of your own text: from it a role is written, and a conversation is heard, held and spoken.

    What it costs is what the instrumentation records, and with OTEL_EXPORTER_OTLP_ENDPOINT it is in all reports too.
    Exit code 1: it is over its budget, or something has no price.
    """
    budget = _dollars(budget_usd)
    asked = _asked(_found(scenario, text, name), models)
    pricing.reload()
    if dry_run:
        plans = {model: list(planned(one)) for model, one in asked.items()}
        _show_plan(next(iter(asked.values())), plans, form)
        statuses = {step.cost_status for steps in plans.values() for step in steps}
        if statuses & {pricing.PARTIAL, pricing.UNPRICED}:
            output.note(NO_PRICE)
            click.get_current_context().exit(1)
        return
    found = compare(asked, times=times, budget_usd=budget, stand_in=stand_in, working=output.working)
    if path is not None:
        rows.write(path, rows.report(found.variants, budget_usd=budget, stand_in=stand_in, sent_to=found.sent_to))
    _show(found, budget, form, stand_in=stand_in)
    if found.problem:
        raise Failure(found.problem)
    click.get_current_context().exit(int(not found.is_complete))


def _found(scenario: str | None, text: str | None, name: str | None) -> Scenario:
    if (scenario is None) == (text is None):
        raise click.UsageError("give the name of a scenario, a file, or --text with what it is about")
    if text is not None:
        return of_text(text, name or NAMED)
    if name is not None:
        raise click.UsageError("--name is for --text alone")
    try:
        return find(str(scenario))
    except UnknownScenarioError as error:
        near = nearest(error.name, error.known, "there are")
        hint = "Or give the path of a YAML file: `otel-costs scenario list`"
        raise Failure(f"no scenario {error.name!r}; {near} {hint}") from error


def _dollars(given: str | None) -> Decimal | None:
    if given is None:
        return None
    try:
        amount = Decimal(given.removeprefix("$").replace(",", ""))
    except InvalidOperation:
        amount = Decimal()
    if not amount.is_finite() or amount <= 0:
        raise click.UsageError(f"--budget-usd is {given!r}: give dollars, such as 0.10")
    return amount


def _asked(one: Scenario, models: Iterable[str]) -> Mapping[str | None, Scenario]:
    """Return the scenario as each of `models` makes it; None is its own choice."""
    steps = [step.name for step in one.steps]
    pinned: dict[str, str] = {}
    plain: dict[str | None, None] = {}
    for given in models:
        step, sign, model = given.partition("=")
        if not (model if sign else given):
            raise click.UsageError(f"--model {given!r} names no model")
        if not sign:
            plain[given] = None
        elif step in steps:
            pinned[step] = model
        else:
            raise click.UsageError(f"--model {given}: no step {step!r}; {nearest(step, steps, 'there are')}")
    if plain and not any(isinstance(step.call, Talk) for step in one.steps):
        raise click.UsageError(f"no step of {one.name} is chat or responses: give --model STEP=MODEL")
    return {model: one.asking(model, pinned) for model in plain or [None]}


def _show(found: Comparison, budget: Decimal | None, form: str, *, stand_in: bool) -> None:
    variants, sent_to = found.variants, found.sent_to
    if form == options.JSON:
        output.write_json(rows.report(variants, budget_usd=budget, stand_in=stand_in, sent_to=sent_to))
    elif form == options.CSV:
        output.write_csv(rows.call_rows(variants, stand_in=stand_in), rows.CALL_COLUMNS)
    else:
        for variant in variants:
            output.show(*tables.variant_parts(variant, sent=bool(sent_to)), "")
        if len(variants) > 1:
            output.show(tables.comparison(variants))
        if stand_in:
            output.show(output.text(STOOD_IN, "yellow"))
        elif sent_to:
            output.show(output.text(f"The records went to {sent_to} as well.", "dim"))


def _show_plan(one: Scenario, found: Mapping[str | None, Sequence[Planned]], form: str) -> None:
    if form == options.JSON:
        output.write_json(rows.plans(one, found))
    elif form == options.CSV:
        output.write_csv(rows.plan_rows(one, found), rows.PLAN_COLUMNS)
    else:
        for model, steps in found.items():
            output.show(*tables.plan(steps, model))
        output.show(output.text("Nothing was sent. Tokens are known after a call alone.", "dim"))
