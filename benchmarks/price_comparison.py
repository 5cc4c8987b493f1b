"""Our price book beside other public tables: where they agree, where they differ, and what ours lacks.

`make prices` runs it. It takes litellm's table out of the wheel that is named here, and genai-prices as it is
installed. A difference that is explained in `price_differences.yaml` is counted and not shown; one that is not
explained is shown, and the exit code is 1. A point is one rate of one model: a unit, on one tier or in a batch, from
one length of the prompt on.
"""

import fnmatch
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

from otel_costs.pricing.plan import priced_as
from otel_costs.pricing.price_book import PriceBook, builtin
from otel_costs.pricing.rates import Rate, band
from otel_costs.usage.numbers import EXACT

LITELLM: Final = "litellm==1.110.2"
TABLE: Final = "litellm/model_prices_and_context_window_backup.json"
EXPLAINED: Final = Path(__file__).with_name("price_differences.yaml")

# litellm's name of a provider -> ours, and what stands before a model's name there.
PROVIDERS: Final = {
    "openai": ("openai", ""),
    "azure": ("azure", "azure/"),
    "anthropic": ("anthropic", ""),
    "gemini": ("google", "gemini/"),
    "mistral": ("mistral", "mistral/"),
    "xai": ("x-ai", "xai/"),
    "deepseek": ("deepseek", "deepseek/"),
    "groq": ("groq", "groq/"),
    "cerebras": ("cerebras", "cerebras/"),
    "cohere": ("cohere", ""),
    "cohere_chat": ("cohere", ""),
    "moonshot": ("moonshotai", "moonshot/"),
    "perplexity": ("perplexity", "perplexity/"),
    "deepgram": ("deepgram", "deepgram/"),
    "elevenlabs": ("elevenlabs", "elevenlabs/"),
    "assemblyai": ("assemblyai", "assemblyai/"),
    "soniox": ("soniox", "soniox/"),
    "aws_polly": ("aws.polly", "aws_polly/"),
}
UNITS: Final = {
    "input_cost_per_token": "input_tokens",
    "output_cost_per_token": "output_tokens",
    "cache_read_input_token_cost": "cache_read_tokens",
    "cache_creation_input_token_cost": "cache_write_tokens",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_tokens",
    "cache_creation_input_token_cost_above_12hr": "cache_write_12h_tokens",
    "input_cost_per_audio_token": "input_audio_tokens",
    "output_cost_per_audio_token": "output_audio_tokens",
    "cache_read_input_audio_token_cost": "cache_audio_read_tokens",
    "input_cost_per_image_token": "input_image_tokens",
    "output_cost_per_image_token": "output_image_tokens",
    "cache_read_input_image_token_cost": "cache_image_read_tokens",
    "output_cost_per_reasoning_token": "output_reasoning_tokens",
    "input_cost_per_second": "audio_seconds",
    "output_cost_per_second": "audio_seconds",
    "input_cost_per_character": "input_characters",
}
_KEY: Final = re.compile(
    rf"(?P<unit>{'|'.join(sorted(UNITS, key=len, reverse=True))})"
    r"(?:_above_(?P<above>\d+)k_tokens)?(?:_(?P<way>batches|flex|priority|ultrafast))?"
)
_SPOKEN: Final = ("audio_transcription", "audio_speech")


@dataclass(frozen=True, slots=True)
class Point:
    """One rate of another table: dollars for one `unit`."""

    provider: str
    model: str
    unit: str
    way: str
    """batch, a service tier, or empty for the standard."""
    above: int
    """Input tokens beyond which it holds; 0 for every length."""
    usd: Decimal


def litellm_points(table: Mapping[str, Any]) -> Iterator[Point]:
    """Yield the points of litellm's table that ours could have."""
    for listed, fields in table.items():
        provider, prefix = PROVIDERS.get(fields.get("litellm_provider"), ("", ""))
        model = listed.removeprefix(prefix)
        # Regions and kinds of deployment are asked by endpoint and deployment, image sizes by a name of their own.
        if not provider or "/" in model or model == "sample_spec":
            continue
        for key, value in fields.items():
            match = _KEY.fullmatch(key)
            if match is None or not value or not isinstance(value, int | float):
                continue
            unit = UNITS[match["unit"]]
            if unit == "audio_seconds" and fields.get("mode") not in _SPOKEN:
                continue
            way = {"batches": "batch"}.get(match["way"] or "", match["way"] or "")
            yield Point(provider, model, unit, way, int(match["above"] or 0) * 1000, Decimal(repr(value)))


def ours(book: PriceBook, point: Point, at: datetime) -> Decimal | None:
    """Return our price of the point in dollars, None where the book has none."""
    tier, processing = (None, "batch") if point.way == "batch" else (point.way or None, None)
    rates = book.rates((point.provider, point.model, tier, processing, None, None), at)
    if rates.price_id is None or rates.reason is not None:
        return None
    _, units = band(rates.bands, point.above + 1)
    name = priced_as(point.unit, units)
    return None if name is None else _usd(units[name])


def _usd(rate: Rate) -> Decimal:
    return EXACT.divide(EXACT.multiply(rate.usd, rate.multiplier), Decimal(rate.per))


def same(one: Decimal, other: Decimal) -> bool:
    """Return whether two prices are one: others write prices per second as floats, with six digits at least."""
    return abs(one - other) <= max(one, other) * Decimal("2e-4")


def explained(point: Point, reasons: list[dict[str, Any]]) -> bool:
    """Return whether an entry of the file of differences is about the point."""
    return any(
        entry["provider"] == point.provider
        and any(fnmatch.fnmatchcase(point.model, pattern) for pattern in entry["models"])
        and point.unit in entry.get("units", [point.unit])
        and point.way in entry.get("ways", [point.way])
        for entry in reasons
    )


def litellm_table() -> Mapping[str, Any]:
    """Return litellm's table, out of its wheel."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", LITELLM]
        subprocess.run([*command, "--dest", folder], check=True)
        with zipfile.ZipFile(next(Path(folder).iterdir())) as wheel:
            found: Mapping[str, Any] = json.loads(wheel.read(TABLE))
    return found


def main() -> int:
    """Print agree, differ and lack by provider, then what is not explained. Return 1 if there is any."""
    book, at = builtin(), _busy_hour()
    known = yaml.safe_load(EXPLAINED.read_text()) or {}
    counts: dict[str, Counter[str]] = {}
    new: list[str] = []
    for point in litellm_points(litellm_table()):
        mine = ours(book, point, at)
        state = "lack" if mine is None else "agree" if same(mine, point.usd) else "differ"
        if state != "agree" and explained(point, known.get(state) or []):
            state = f"{state}, explained"
        elif state != "agree":
            new.append(
                f"{state:6} {point.provider} {point.model} {point.unit} {point.way or 'standard'}"
                f"{f' above {point.above}' if point.above else ''}: ours {_million(mine)}, theirs {_million(point.usd)}"
            )
        counts.setdefault(point.provider, Counter())[state] += 1
    states = ("agree", "differ", "lack", "differ, explained", "lack, explained")
    print(f"{LITELLM}: rates that agree / differ / lack / differ, explained / lack, explained")
    for provider, found in sorted(counts.items()):
        print(f"  {provider:12} " + " / ".join(f"{found[state]:5}" for state in states))
    print(f"{book.base.version}: rates that agree / ours over it")
    for provider, found in sorted(_counted(base_points(book, at)).items()):
        print(f"  {provider:12} {found['agree']:5} / {found['ours over it']:5}")
    print(*new, sep="\n")
    return 1 if new else 0


def _counted(states: Iterator[tuple[str, str]]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for provider, state in states:
        counts.setdefault(provider, Counter())[state] += 1
    return counts


def _busy_hour() -> datetime:
    """Return a moment of this week at which nothing is off-peak: others state such prices."""
    now = datetime.now(UTC)
    return (now - timedelta(days=now.weekday())).replace(hour=2, minute=0, second=0, microsecond=0)


def base_points(book: PriceBook, at: datetime) -> Iterator[tuple[str, str]]:
    """Yield the provider and the state of each standard rate of genai-prices in our book: agree, or ours over it."""
    for known in book.base.models():
        name = next(known.names(), None)
        if name is None:
            continue  # known by a part of its name alone
        mine = book.rates((known.provider, name, None, None, None, None), at)
        for above, units in known.rates(at, None, None).bands:
            _, found = band(mine.bands, max(above, 0) + 1)
            for unit, rate in units.items():
                same_rate = unit in found and same(_usd(found[unit]), _usd(rate))
                yield known.provider, "agree" if same_rate else "ours over it"


def _million(usd: Decimal | None) -> str:
    return "nothing" if usd is None else f"{usd * 1_000_000:f} per million"


if __name__ == "__main__":
    sys.exit(main())
