"""The instrumentor that `opentelemetry-instrument` loads: it starts the patches and takes them back."""

import importlib
from collections.abc import Callable, Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]
    BaseInstrumentor,
)

from otel_costs import baggage, call, content, outbox, pricing, providers, shutdown, telemetry, threads
from otel_costs.patching import Patches
from otel_costs.session import forget as forget_sessions


class CostsInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Record what AI calls cost: `CostsInstrumentor().instrument()`, or nothing at all under `opentelemetry-instrument`.

    `instrument` takes `tracer_provider`, `meter_provider`, `logger_provider` (the global ones by default) and `redact`,
    a function `(text, message) -> text | None` that every content passes before it is recorded. It never raises:
    an exception here would stop the loading of every other instrumentation.
    """

    _patches = Patches()

    def instrumentation_dependencies(self) -> Collection[str]:
        # None: the patches wait for whatever is imported, and an application may bring only some of the SDKs.
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        _guarded("start", lambda: self._start(**kwargs))

    def _start(
        self,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        logger_provider: Any = None,
        redact: Callable[..., str | None] | None = None,
        **_: Any,
    ) -> None:
        telemetry.configure(tracer_provider, meter_provider, logger_provider)
        _guarded("read the mode of baggage", baggage.configure)
        _guarded("read the mode of content", content.configure)
        if redact is not None:
            content.set_redactor(redact)
        _guarded("read the prices", lambda: pricing.warm_up())
        self._patches.active = True
        threads.install(self._patches)
        outbox.install(self._patches)
        for name in providers.PROVIDERS:
            provider = importlib.import_module(name)
            self._patches.on_import(provider.MODULE, provider.install)
        _guarded("take over the end of the process", shutdown.install)
        telemetry.warn_without_ledger()

    def _uninstrument(self, **kwargs: Any) -> None:
        outbox.drain()
        self._patches.remove()
        for forget in (telemetry.forget, call.forget, forget_sessions):
            forget()


def _guarded(what: str, action: Callable[[], Any]) -> None:
    try:
        action()
    except Exception as error:  # noqa: BLE001
        # Configuration is the one place whose errors are ours to show in full: they quote a file or a variable.
        telemetry.log.error("otel_costs could not %s: %s", what, error)
