"""Patches are installed when their module is there, and taken back without a trace."""

import inspect
import logging
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import openai
import pytest
import wrapt
from openai._base_client import AsyncAPIClient, SyncAPIClient

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.runtime import telemetry
from otel_costs.runtime.patching import Patches
from otel_costs.stand_in import Provider
from tests.providers.conftest import HELLO
from tests.support.recorded import Recorded

METHODS = [(kind, name) for kind in (SyncAPIClient, AsyncAPIClient) for name in ("request", "_process_response")]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a module of two classes and a function."""
    made = ModuleType("acme_sdk")
    source = """
        class Base:
            def ask(self, word): return f"{word}!"
            @classmethod
            def make(cls): return cls
            @staticmethod
            def add(a, b): return a + b
        class Derived(Base): pass
        def ask(word): return word
    """
    exec(textwrap.dedent(source), vars(made))
    monkeypatch.setitem(sys.modules, "acme_sdk", made)
    return made


def louder(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
    return f"<{wrapped(*args, **kwargs)}>"


@pytest.fixture
def patches() -> Iterator[Patches]:
    made = Patches()
    made.active = True
    yield made
    made.remove()
    telemetry.forget()


def test_wrapped_and_taken_back(module: Any, patches: Patches) -> None:
    """A method is wrapped for its class and those below, and is the very same object again afterwards."""
    original = vars(module.Base)["ask"]
    assert patches.wrap("acme_sdk", "Base.ask", louder)
    assert module.Derived().ask("hi") == "<hi!>"
    patches.remove()
    assert vars(module.Base)["ask"] is original
    assert module.Derived().ask("hi") == "hi!"


@pytest.mark.parametrize(("path", "ask"), [("ask", lambda m: m.ask("1")), ("Base.add", lambda m: m.Base.add(1, 2))])
def test_functions(path: str, ask: Any, module: Any, patches: Patches) -> None:
    """Functions and static methods can be wrapped, too."""
    before = ask(module)
    patches.wrap("acme_sdk", path, louder)
    assert ask(module) == f"<{before}>"


def test_twice_is_once(module: Any, patches: Patches) -> None:
    """Wrapping again adds no second wrapper."""
    for _ in range(3):
        assert patches.wrap("acme_sdk", "Base.ask", louder)
    assert module.Base().ask("hi") == "<hi!>"


def test_what_was_bound_passes_through(module: Any, patches: Patches) -> None:
    """A method that somebody bound meanwhile calls the original once we are gone."""
    patches.wrap("acme_sdk", "Base.ask", louder)
    bound = module.Base().ask
    assert bound("hi") == "<hi!>"
    patches.remove()
    assert bound("hi") == "hi!"


@pytest.mark.parametrize("path", ["Base.gone", "Gone.ask", "gone", "Derived.ask"])
def test_what_is_not_there(path: str, module: Any, patches: Patches, caplog: pytest.LogCaptureFixture) -> None:
    """A method that is not there, or is inherited, is left alone, with one warning for its module."""
    before = dict(vars(module.Derived))
    for _ in range(2):
        assert not patches.wrap("acme_sdk", path, louder)
        assert not patches.wrap("acme_sdk", "Base.gone_too", louder)
    assert dict(vars(module.Derived)) == before
    (warning,) = [record for record in caplog.records if record.name == "otel_costs"]
    assert warning.levelno == logging.WARNING
    assert path in warning.getMessage()


def test_others_on_top(module: Any, patches: Patches) -> None:
    """A wrapper that somebody put on top of ours is not torn out; ours beneath it passes through, until we are back."""
    patches.wrap("acme_sdk", "Base.ask", louder)
    wrapt.wrap_function_wrapper(module.Base, "ask", lambda wrapped, _, args, kwargs: wrapped(*args, **kwargs).upper())
    theirs = vars(module.Base)["ask"]
    assert module.Base().ask("hi") == "<HI!>"
    patches.remove()
    assert vars(module.Base)["ask"] is theirs
    assert module.Base().ask("hi") == "HI!"
    patches.active = True
    patches.wrap("acme_sdk", "Base.ask", louder)
    assert module.Base().ask("hi") == "<HI!>"


def test_a_failing_installation(patches: Patches, caplog: pytest.LogCaptureFixture) -> None:
    """An installation that fails is one warning, and nobody's exception."""

    def install(_: Patches) -> None:
        raise RuntimeError("secret")

    patches.on_import("sys", install)
    assert "could not patch sys (RuntimeError)" in caplog.text
    assert "secret" not in caplog.text


def test_imported_later() -> None:
    """A module that is imported after us is patched then, unless we were taken back meanwhile."""
    program = """
        import sys
        from otel_costs.runtime.patching import Patches
        installed = []
        patches = Patches()
        patches.active = True
        patches.on_import("colorsys", lambda _: installed.append("colorsys"))
        patches.on_import("colorsys", lambda _: installed.append("twice"))
        patches.on_import("fractions", lambda _: installed.append("fractions"))
        assert not installed and "colorsys" not in sys.modules
        import colorsys
        assert installed == ["colorsys"], installed
        patches.remove()
        import fractions
        assert installed == ["colorsys"], installed
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)


def test_openai_imported_later(provider: Provider) -> None:
    """openai may be imported before we are instrumented or after, and not at all: nothing of it is imported by us."""
    program = f"""
        import os, sys
        os.environ["OTEL_COSTS_PROVIDERS"] = "127.0.0.1=openai"
        from otel_costs import CostsInstrumentor
        assert "openai" not in sys.modules
        from tests.support.recorded import Recorded
        kept = Recorded()
        CostsInstrumentor().instrument(**kept.providers)
        assert "openai" not in sys.modules
        import openai
        client = openai.OpenAI(api_key="k", base_url={provider.base_url!r})
        client.chat.completions.create(model="gpt-4o", messages=[{{"role": "user", "content": "hi"}}])
        assert len(kept.calls) == 1
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)


@pytest.mark.long
def test_a_hundred_cycles() -> None:
    """After a hundred times instrument and uninstrument the SDK has its own objects, untouched."""
    originals = [vars(kind)[name] for kind, name in METHODS]
    kept = Recorded()
    for _ in range(100):
        CostsInstrumentor().instrument(**kept.providers)
        assert all(vars(kind)[name] is not original for (kind, name), original in zip(METHODS, originals, strict=True))
        CostsInstrumentor().uninstrument()
    assert all(vars(kind)[name] is original for (kind, name), original in zip(METHODS, originals, strict=True))


def test_instrumented_twice(provider: Provider, monkeypatch: pytest.MonkeyPatch, recorded: Recorded) -> None:
    """Instrumenting twice, by one instrumentor or by two, leaves one record."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openai")
    CostsInstrumentor().instrument(**recorded.providers)
    CostsInstrumentor().instrument(**recorded.providers, skip_dep_check=True)
    with openai.OpenAI(api_key="k", base_url=provider.base_url) as client:
        client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert len(recorded.calls) == len(recorded.spans) == 1


def test_bound_meanwhile(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the SDK bound while we were there passes through once we are gone, and is recorded once we are back."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openai")
    kept = Recorded()
    with openai.OpenAI(api_key="k", base_url=provider.base_url) as client:
        CostsInstrumentor().instrument(**kept.providers)
        create, raw = client.chat.completions.create, client.chat.completions.with_raw_response.create
        CostsInstrumentor().uninstrument()
        for ask in (create, raw):
            ask(model="gpt-4o", messages=HELLO)
        assert kept.calls == []
        CostsInstrumentor().instrument(**kept.providers)
        for ask in (create, raw):
            ask(model="gpt-4o", messages=HELLO)
        assert len(kept.calls) == 2
        CostsInstrumentor().uninstrument()


def test_signatures(recorded: Recorded) -> None:
    """Who looks at the patched methods sees the SDK's: signatures, names, and which are coroutines."""
    patched = [inspect.signature(vars(kind)[name]) for kind, name in METHODS]
    coroutines = [inspect.iscoroutinefunction(vars(kind)[name]) for kind, name in METHODS]
    assert [vars(kind)[name].__name__ for kind, name in METHODS] == [name for _, name in METHODS]
    CostsInstrumentor().uninstrument()
    assert patched == [inspect.signature(vars(kind)[name]) for kind, name in METHODS]
    assert coroutines == [inspect.iscoroutinefunction(vars(kind)[name]) for kind, name in METHODS]


@pytest.mark.parametrize("name", ["request", "_process_response"])
def test_renamed_by_the_sdk(
    name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A version of the SDK that calls its methods otherwise is one warning, and the application runs."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openai")
    for kind in (SyncAPIClient, AsyncAPIClient):
        original = vars(kind)[name]
        monkeypatch.setattr(kind, f"{name}_v4", original, raising=False)
        monkeypatch.delattr(kind, name)

    class Renamed(openai.OpenAI):
        def __getattr__(self, wanted: str) -> Any:
            if wanted == name:
                return getattr(self, f"{name}_v4")
            raise AttributeError(wanted)

    kept = Recorded()
    CostsInstrumentor().instrument(**kept.providers)
    try:
        with Renamed(api_key="k", base_url=provider.base_url) as client:
            for _ in range(2):
                assert client.chat.completions.create(model="gpt-4o", messages=HELLO).choices
        calls = kept.calls
    finally:
        CostsInstrumentor().uninstrument()
        telemetry.forget()
    ours = [record for record in caplog.records if record.name == "otel_costs" and "openai" in record.getMessage()]
    assert len(ours) == 1
    assert f"SyncAPIClient.{name}" in ours[0].getMessage()
    # Without its response a call is known to have been made, and no more; a request that is not seen is noticed.
    reasons = [call.get(names.COST_REASON) for call in calls]
    assert reasons == ["response_not_seen" if name == "_process_response" else None] * 2


def loudest(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs).upper()


def test_a_wrapper_on_a_subclass(module: Any, patches: Patches) -> None:
    """What another instrumentation put on a subclass before us calls the original: it is wrapped where it stands."""
    wrapt.wrap_function_wrapper(module.Derived, "ask", loudest)
    theirs = vars(module.Derived)["ask"]
    patches.wrap("acme_sdk", "Base.ask", louder)
    assert (module.Base().ask("hi"), module.Derived().ask("hi")) == ("<hi!>", "<HI!>")
    patches.remove()
    assert vars(module.Derived)["ask"] is theirs
    assert module.Derived().ask("hi") == "HI!"


def test_a_subclass_of_its_own_mind(module: Any, patches: Patches) -> None:
    """A method that a subclass has of its own is left alone, and what it calls of the base is seen once."""
    source = """
        class Own(Base):
            def ask(self, word): return super().ask(word) + "?"
    """
    exec(textwrap.dedent(source), vars(module))
    own = vars(module.Own)["ask"]
    patches.wrap("acme_sdk", "Base.ask", louder)
    assert module.Own().ask("hi") == "<hi!>?"
    assert vars(module.Own)["ask"] is own


def test_what_others_put_back(module: Any, patches: Patches) -> None:
    """They put back what they found, which is ours by way of the base, or was the original: neither is seen twice."""
    patches.wrap("acme_sdk", "Base.ask", louder)
    found = module.Derived.ask
    wrapt.wrap_function_wrapper(module.Derived, "ask", loudest)
    module.Derived.ask = found
    assert module.Derived().ask("hi") == "<hi!>"
    patches.remove()
    assert "ask" not in vars(module.Derived)
    assert module.Derived().ask("hi") == "hi!"
    module.Derived.ask = vars(module.Base)["ask"]
    patches.active = True
    for _ in range(2):
        patches.wrap("acme_sdk", "Base.ask", louder)
        assert module.Derived().ask("hi") == "<hi!>"


def test_ours_was_thrown_away(module: Any, patches: Patches) -> None:
    """Where somebody put the original back over ours, we are there again the next time, once."""
    original = vars(module.Base)["ask"]
    patches.wrap("acme_sdk", "Base.ask", louder)
    module.Base.ask = original
    patches.remove()
    patches.active = True
    patches.wrap("acme_sdk", "Base.ask", louder)
    assert module.Base().ask("hi") == "<hi!>"
    patches.remove()
    assert vars(module.Base)["ask"] is original


def test_an_instance(module: Any, patches: Patches) -> None:
    """A function on a single object that passed ours by is wrapped, is told the object, and is given back."""
    told = []

    def telling(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        told.append(instance)
        return wrapped(*args, **kwargs)

    client = module.Base()
    client.ask = theirs = lambda word: f"{word}?"
    for _ in range(2):
        patches.wrap_found(client, "ask", telling)
    assert (client.ask("hi"), told) == ("hi?", [client])
    patches.remove()
    assert vars(client)["ask"] is theirs


def test_two_of_ours(module: Any, patches: Patches) -> None:
    """Two wrappers of ours on one method are both called, and both taken back."""
    original = vars(module.Base)["ask"]
    for _ in range(2):
        patches.wrap("acme_sdk", "Base.ask", louder)
        patches.wrap("acme_sdk", "Base.ask", loudest)
    assert module.Base().ask("hi") == "<HI!>"
    patches.remove()
    assert vars(module.Base)["ask"] is original


def test_a_wrapper_that_is_made_anew_wraps_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An install that runs for each of several modules makes its wrapper again: it is on the function once."""
    patches, calls = Patches(), []
    patches.active = True

    class Client:
        def send(self) -> str:
            return "sent"

    module = ModuleType("otel_costs_made_anew")
    module.Client = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def made(name: str) -> Any:
        def wrapper(wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            calls.append(name)
            return wrapped(*args, **kwargs)

        return wrapper

    for _ in range(3):
        patches.wrap(module.__name__, "Client.send", made("a"))
    assert Client().send() == "sent"
    assert calls == ["a"]
