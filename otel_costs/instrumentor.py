"""The instrumentor that `opentelemetry-instrument` loads: it starts the patches and takes them back."""

import importlib
from collections.abc import Callable, Collection
from functools import partial
from types import ModuleType
from typing import Any, ClassVar, Self

import wrapt
from opentelemetry._logs._internal import ProxyLoggerProvider

from otel_costs import hosts, pricing, providers, spool
from otel_costs.calls import call_counter, estimate, jobs, message_log
from otel_costs.messages import content, redaction
from otel_costs.pricing import daily_update
from otel_costs.providers import not_covered
from otel_costs.runtime import background, ledger, log_output, plugins, shutdown, telemetry, unfinished, uninstrumented
from otel_costs.runtime.patching import Patches
from otel_costs.sessions import baggage, shared_budgets, thread_context
from otel_costs.sessions.session import forget as forget_sessions
from otel_costs.transports import websocket


class CostsInstrumentor:
    """Records what AI calls cost, after `CostsInstrumentor().instrument()` or `opentelemetry-instrument`.

    `instrument` takes `tracer_provider`, `meter_provider`, `logger_provider` (the global ones by default) and `redact`,
    a function `(text, message) -> text | None` that every content passes before it is recorded (see
    `otel_costs.redact`). In a program that is instrumented already, as by `opentelemetry-instrument` before it starts,
    the given arguments replace the earlier ones. `instrument` never raises: an exception would stop the loading of
    every other instrumentation. The class is a singleton, as each of OpenTelemetry's instrumentors is.
    """

    is_instrumented_by_opentelemetry = False
    _instance: ClassVar[Self | None] = None
    _patches = Patches()
    _redact: Callable[..., str | None] | None = None

    def __new__(cls) -> Self:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def instrument(self, **options: Any) -> None:
        """Instrument, or, where that was done before, use the providers and the redactor that are given now."""
        if not self.is_instrumented_by_opentelemetry:
            self._instrument(**options)
            self.is_instrumented_by_opentelemetry = True
            return
        given = [options.get(name) for name in ("tracer_provider", "meter_provider", "logger_provider")]
        if any(provider is not None for provider in given):
            _guarded("set its providers", telemetry.reconfigure, *given)
            _guarded("look for a ledger", _check_ledger)
        self._set_redactor(options.get("redact"))

    def uninstrument(self, **_: Any) -> None:
        """Remove all patches, once what has begun is written; patches that others made since stay."""
        if self.is_instrumented_by_opentelemetry:
            self._uninstrument()
            self.is_instrumented_by_opentelemetry = False

    def instrumentation_dependencies(self) -> Collection[str]:
        # None: the patches wait for whatever is imported, and an application may bring only some of the SDKs.
        return ()

    def _instrument(
        self,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        logger_provider: Any = None,
        redact: Callable[..., str | None] | None = None,
        **_: Any,
    ) -> None:
        patches = self._patches
        patches.active = True
        uninstrumented.is_over()
        _guarded("show its log", log_output.configure)
        _guarded("set its providers", telemetry.configure, tracer_provider, meter_provider, logger_provider)
        _guarded("read the mode of baggage", baggage.configure)
        _guarded("read the mode of content", content.configure)
        self._set_redactor(redact)
        _guarded("record what providers of other packages do", _install_plugins, patches)
        # What neither the start nor the first call has to wait for.
        _guarded("read the prices", background.put, pricing.warm_up)
        _guarded("update the prices once a day", daily_update.start)
        _guarded("ask for the budgets of the store", shared_budgets.start)
        _guarded("carry sessions into threads", thread_context.install, patches)
        _guarded("write calls before a flush", background.install, patches)
        _guarded("open the spool", spool.install, patches)
        _guarded("count calls", call_counter.start)
        if baggage.mode != "none":
            _guarded("withhold baggage from providers", _install, "otel_costs.transports.withholding", patches)
        for library, hooks in websocket.LIBRARIES:
            _guarded(f"watch {library}", self._watch, library, hooks)
        for provider in providers.PROVIDERS:
            websocket.matched_by(provider.module, provider.sockets)
            for name in provider.patched:
                _guarded(f"watch {name}", self._watch, name, provider.module)
        _guarded("watch clients that are not covered", not_covered.watch, patches)
        _guarded("take over the end of the process", shutdown.install, patches)
        _guarded("look for a ledger", _check_ledger)

    def _set_redactor(self, function: Callable[..., str | None] | None) -> None:
        if function is not None:
            self._redact = function
            _guarded("set the redactor", redaction.use, function)

    def _watch(self, name: str, watcher: str) -> None:
        """Have `install` of `watcher` called when `name` is imported; it is imported itself no earlier."""
        self._patches.on_import(name, partial(_install, watcher), watcher)

    def _uninstrument(self) -> None:
        _guarded("update no prices", daily_update.stop)
        _guarded("ask for no budgets", shared_budgets.stop)
        _guarded("end what is open", unfinished.end_all)
        _guarded("write the last calls", background.drain)
        _guarded("close the spool", spool.remove)
        _guarded("take its patches back", self._patches.remove)
        _guarded("give back the end of the process", shutdown.remove)
        _guarded("forget the redactor", redaction.remove, self._redact)
        for forget in (
            log_output.remove,
            telemetry.forget,
            call_counter.stop,
            message_log.forget,
            jobs.forget,
            estimate.forget,
            forget_sessions,
            websocket.forget,
            hosts.forget,
        ):
            _guarded("forget what was", forget)


# Its own import takes longer than all of ours but the prices: it checks requirements, which we have none of.
@wrapt.when_imported("opentelemetry.instrumentation.instrumentor")
def _register(module: ModuleType) -> None:
    module.BaseInstrumentor.register(CostsInstrumentor)


def _install(watcher: str, patches: Patches) -> None:
    module = importlib.import_module(watcher)
    if (vendor := getattr(module, "VENDOR", None)) is not None:
        importlib.import_module("otel_costs.providers.plugged_in").put(patches, vendor)
    else:
        module.install(patches)


def _install_plugins(patches: Patches) -> None:
    if plugins.loaded():  # in most programs there is none, and nothing is imported for it
        importlib.import_module("otel_costs.providers.plugged_in").install(patches)


def _check_ledger() -> None:
    # Not if no provider has been set: an application may instrument first, and then the first call looks.
    if not isinstance(telemetry.current().global_or_given()[2], ProxyLoggerProvider):
        ledger.check()


def _guarded(what: str, action: Callable[..., object], *args: object) -> None:
    try:
        action(*args)
    except Exception as error:  # noqa: BLE001
        # Configuration is the one place whose errors are ours to show in full: they quote a file or a variable.
        telemetry.log.error("otel_costs could not %s: %s", what, error)
