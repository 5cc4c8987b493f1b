"""Whether a program that is started here, as this one was, would be recorded: entry point, order, what is off."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Final

from opentelemetry.util._importlib_metadata import entry_points  # in the order in which it loads them

from otel_costs.cli.doctor.finding import Finding, note, ok, problem
from otel_costs.runtime import plugins

NAME: Final = "otel_costs"
STARTER: Final = "opentelemetry-instrument"
DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
OFF: Final = "OTEL_SDK_DISABLED"

_CHECK: Final = "instrumentation"
_START: Final = f"Start the program with `{STARTER} python main.py`."
_SAME_CALLS: Final = ("openai", "logfire", "traceloop", "openllmetry", "langfuse", "litellm", "openlit")


def findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what stands between a program and its being recorded, from the installation to the running process."""
    installed = list(entry_points(group="opentelemetry_instrumentor"))
    yield from _installed(installed, environ)
    yield from _switches(environ)
    yield from _plugged_in()
    yield from _starter()
    yield _process()


def _installed(installed: list[EntryPoint], environ: Mapping[str, str]) -> Iterator[Finding]:
    own = next((one for one in installed if one.name == NAME), None)
    if own is None:
        yield problem(
            _CHECK,
            "otel_costs is not installed as an instrumentation in this environment.",
            f"Install it where the program runs: `{sys.executable} -m pip install otel-costs`.",
        )
        return
    try:
        own.load()
    except Exception as error:  # noqa: BLE001  # whatever an installation is broken by
        yield problem(
            _CHECK,
            f"The instrumentation otel_costs cannot be imported ({type(error).__name__}).",
            "Install otel-costs anew; `python -c 'import otel_costs'` shows the error.",
        )
        return
    disabled = _disabled(environ)
    order = [one.name for one in installed if one.name not in disabled]
    where = f"It is number {order.index(NAME) + 1} of {len(order)}: {', '.join(order)}." if NAME in order else ""
    yield ok(_CHECK, f"otel_costs is installed as an instrumentation, and can be imported. {where}".rstrip())
    if others := [name for name in order if name != NAME and any(word in name for word in _SAME_CALLS)]:
        yield note(
            _CHECK,
            f"Other instrumentations make spans of the same calls: {', '.join(others)}.",
            "Costs are counted once all the same; docs/other-instrumentations.md says how to have one span a call.",
        )


def _disabled(environ: Mapping[str, str]) -> set[str]:
    return {name.strip() for name in environ.get(DISABLED, "").split(",")} - {""}


def _switches(environ: Mapping[str, str]) -> Iterator[Finding]:
    if not {NAME, "*"}.isdisjoint(_disabled(environ)):
        yield problem(_CHECK, f"{DISABLED} switches otel_costs off.", f"Take otel_costs (or *) out of {DISABLED}.")
    if environ.get(OFF, "").strip().lower() == "true":
        yield problem(_CHECK, f"{OFF}=true: nothing is recorded at all.", f"Unset {OFF}.")
    if environ.get("OTEL_CONFIG_FILE"):
        yield note(
            _CHECK,
            "OTEL_CONFIG_FILE is set, so the file says where records go, and the variables below do not count.",
            "See that it has a logger provider with an OTLP exporter.",
        )


def _plugged_in() -> Iterator[Finding]:
    """Yield each provider that another package brings, and whether it can be loaded."""
    for entry in entry_points(group=plugins.GROUP):
        try:
            entry.load()
        except Exception as error:  # noqa: BLE001  # whatever another package does
            yield problem(
                _CHECK,
                f"The provider {entry.name!r} cannot be loaded ({type(error).__name__}): its calls are not recorded.",
                f"`python -c 'import {entry.module}'` shows the error.",
            )
        else:
            yield ok(_CHECK, f"The provider {entry.name!r} is recorded, by {entry.module}.")


def _starter() -> Iterator[Finding]:
    beside = Path(sys.executable).parent / STARTER
    if not (beside.exists() or shutil.which(STARTER)):
        yield problem(
            _CHECK,
            f"`{STARTER}` is not here.",
            "Install opentelemetry-distro, or call `otel_costs.CostsInstrumentor().instrument()` in the program.",
        )
    for group in ("opentelemetry_distro", "opentelemetry_configurator"):
        if not entry_points(group=group):
            yield problem(
                _CHECK,
                f"Nothing sets up OpenTelemetry's SDK under `{STARTER}`: no {group} is installed.",
                "Install opentelemetry-distro.",
            )


def _process() -> Finding:
    """Return whether this very process is recorded, which it is where it was started as a program is."""
    if "opentelemetry.instrumentation.auto_instrumentation" not in sys.modules:
        return ok(
            _CHECK,
            f"This process was not started by `{STARTER}`, as a program that is recorded has to be.",
            f"{_START} `{STARTER} otel-costs doctor` sees what the program would.",
        )
    from otel_costs import CostsInstrumentor  # noqa: PLC0415

    if CostsInstrumentor().is_instrumented_by_opentelemetry:
        return ok(_CHECK, f"`{STARTER}` has started this process and loaded otel_costs.")
    return problem(
        _CHECK,
        f"`{STARTER}` has started this process and did not load otel_costs.",
        f"See the errors that it wrote at the start, and {DISABLED}.",
    )
