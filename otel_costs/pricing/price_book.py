"""The prices in force: the user's file, over our own, over genai-prices; the rates of a call, found once and kept."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Final, TypeAlias

from otel_costs.pricing import base_prices
from otel_costs.pricing.endpoint import host, region
from otel_costs.pricing.price_entry import PriceFile, provider_id, settle
from otel_costs.pricing.price_search import Question, Search
from otel_costs.pricing.rates import EARLIEST, LATEST, UNKNOWN_MODEL, Rates

_MAX_CALLS: Final = 2048  # ways of calling whose rates are kept; a model name may come from the user's own users
_MAX_NAME: Final = 256  # characters; longer names are looked up each time and not kept
_MAX_TIMES: Final = 8  # intervals that are kept of each


Call: TypeAlias = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
"""Provider, model, service tier, processing, endpoint and deployment, as the caller names them."""


class PriceBook:
    """Prices from files, the earlier ones over the later ones, and all of them over genai-prices."""

    def __init__(self, files: Sequence[PriceFile], *, version: str) -> None:
        self.files = tuple(files)
        self.version = version
        self._kept: dict[Call, tuple[Rates, ...]] = {}

    def rates(self, call: Call, at: datetime) -> Rates:
        """Return the rates for `call` at `at` (aware); without any, and with no price id, if the model is unknown."""
        kept = self._kept.get(call)
        if kept is not None:
            for rates in kept:
                if rates.start <= at < rates.end:
                    return rates
        rates = self._find(call, at.astimezone(UTC))
        if any(part is not None and len(part) > _MAX_NAME for part in call):
            return rates
        if len(self._kept) >= _MAX_CALLS:
            self._kept.clear()
        self._kept[call] = (rates, *(kept or ()))[:_MAX_TIMES]
        return rates

    def _find(self, call: Call, at: datetime) -> Rates:
        search = Search(self.files, at)
        found, sized = None, True
        for question in _questions(call):
            found = search.find(question)
            if found is not None:
                break
            sized = False
        found = found or Rates(((-1, {}),), None, reason=UNKNOWN_MODEL)
        start = max((moment for moment in search.moments if moment <= at), default=EARLIEST)
        end = min((moment for moment in search.moments if moment > at), default=LATEST)
        return replace(found, start=start, end=end, sized=sized, plans={})


def _questions(call: Call) -> Iterator[Question]:
    """Yield what to look for, in turn: `dall-e-3/hd/1024x1024` without a price of its own is priced as `dall-e-3`."""
    provider, model, service_tier, processing, endpoint, deployment = call
    tier, way = settle(service_tier, processing)
    at_host, name = host(endpoint), (model or "").strip().lower()
    for size_and_quality in range(min(name.count("/"), 2) + 1):
        plain = name.rsplit("/", size_and_quality)[0] if size_and_quality else name
        if provider and plain:
            yield Question(
                provider=provider_id(provider),
                model=plain,
                service_tier=tier,
                processing=way,
                endpoint=at_host,
                region=region(at_host),
                deployment=deployment.strip().lower() if deployment else None,
            )


@cache
def builtin_files() -> tuple[PriceFile, ...]:
    """Return our own price files, one per provider."""
    from otel_costs.pricing.price_file import parse  # noqa: PLC0415  # PyYAML, which `import otel_costs` need not wait for

    folder = resources.files("otel_costs") / "prices"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return tuple(parse((folder / name).read_bytes(), name) for name in names)


@cache
def builtin() -> PriceBook:
    """Return the book of our own files over genai-prices."""
    files = builtin_files()
    return PriceBook(files, version=_version(files))


def with_file(path: str) -> PriceBook:
    """Return the built-in book with the price file at `path` over it; raise PriceFileError if it cannot be used."""
    from otel_costs.pricing.price_file import load  # noqa: PLC0415

    own = load(path)
    files = builtin_files()
    return PriceBook((own, *files), version=f"{own.version}+{_version(files)}")


def _version(files: Sequence[PriceFile]) -> str:
    return (
        "+".join([*[max(file.version for file in files)][:1], base_prices.version()])
        if files
        else base_prices.version()
    )
