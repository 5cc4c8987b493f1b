"""Errors where a provider does not report, or reports in another shape."""

from collections.abc import Iterator
from contextlib import contextmanager

from otel_costs.cli.reconciliation.pages import StatusError
from otel_costs.cli.reconciliation.reported import NoNumberError, ProviderError, Terms

_OTHERWISE = (TypeError, AttributeError, KeyError, IndexError, ValueError, ArithmeticError, OSError)


@contextmanager
def shaped(where: str, path: str, verb: str = "answered") -> Iterator[None]:
    """Raise what a value of another shape raises as ProviderError, with the name of what is missing."""
    try:
        yield
    except _OTHERWISE as error:
        raise ProviderError(f"{where} {verb} {path} with results of another shape{_named(error)}") from error


def refused(error: StatusError, terms: Terms, host: str, path: str) -> ProviderError:
    """Return what to do about an answer that is none."""
    if error.status in (401, 403):
        return ProviderError(f"{host} refused the key (HTTP {error.status}): {terms.which_key}")
    if error.status == 404:
        return ProviderError(f"{host} has no {path}: give {terms.title}'s own address, --base-url {terms.base_url}")
    if error.status == 429:
        return ProviderError(f"{host} {error}; try again in some minutes, or ask for fewer days")
    return ProviderError(f"{host} {error}" + ("; try again later" if error.status >= 500 else f" ({path})"))


def _named(error: Exception) -> str:
    """Return which name is missing; of another error nothing, since its text may have anything of the report in it."""
    if isinstance(error, NoNumberError):
        return ": a number is not written as 1234.5 is"
    return f": {error.args[0]} is missing" if isinstance(error, KeyError) and isinstance(error.args[0], str) else ""
