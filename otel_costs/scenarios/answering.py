"""The provider that answers a scenario: OpenAI or a gateway, as the environment names it, or a stand-in here."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from otel_costs.scenarios.errors import ScenarioError
from otel_costs.semconv import ENV_PROVIDERS, ENV_SPOOL
from otel_costs.stand_in import Provider

NO_KEY: Final = (
    "no OPENAI_API_KEY: set it (for a gateway that needs none, to anything), or try the scenario with --stand-in, "
    "which asks no model and costs nothing"
)


@contextmanager
def answering(*, stand_in: bool) -> Iterator[None]:
    """Provide a client in a `with` block: of the provider that the environment names, or of a stand-in."""
    import openai  # noqa: F401, PLC0415  # an extra of ours: missing, it is told before anything begins

    if not stand_in and not os.environ.get("OPENAI_API_KEY"):
        raise ScenarioError(NO_KEY)
    # The spool keeps ledger records from the reader of them here, and they are sent in the end anyway.
    changed: dict[str, str | None] = {ENV_SPOOL: None}
    if not stand_in:
        with _environment(changed):
            yield
        return
    with Provider() as provider:
        address = urlsplit(provider.base_url).netloc
        mine = {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "stand-in", ENV_PROVIDERS: f"{address}=openai"}
        with _environment({**changed, **mine}):
            yield


def printable_url(url: str) -> str:
    """Return an address without its secrets: a password or a key in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


@contextmanager
def _environment(changed: Mapping[str, str | None]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changed}
    _set(changed)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
