"""What pricing takes of a call: `Usage.of` and `price`, against the Decimal arithmetic alone and against genai-prices.

python -m benchmarks price
"""

import timeit
import tracemalloc
from collections.abc import Callable
from decimal import Context, Decimal
from functools import partial
from time import process_time

import genai_prices

from otel_costs.pricing import builtin_prices, price, stored_book, warm_up
from otel_costs.pricing.builtin_prices import builtin_book, builtin_files
from otel_costs.pricing.price_book import PriceBook
from otel_costs.usage import Usage

CHAT = {
    "input_tokens": 1500, "cache_read_tokens": 0, "input_audio_tokens": 0, "output_tokens": 800,
    "output_reasoning_tokens": 0, "output_audio_tokens": 0,
}  # fmt: skip
VOICE = {
    "input_tokens": 1150, "input_text_tokens": 250, "input_audio_tokens": 900, "input_image_tokens": 0,
    "cache_read_tokens": 600, "cache_text_read_tokens": 200, "cache_audio_read_tokens": 400,
    "cache_image_read_tokens": 0, "output_tokens": 410, "output_text_tokens": 60, "output_audio_tokens": 350,
}  # fmt: skip
_SENT, _RECEIVED, _EXACT = Decimal("2.5"), Decimal(10), Context(prec=60)
_PLACES = Decimal("1e-12")
_STORED = stored_book.dump(builtin_book())


def main() -> None:
    """Print microseconds, and ratios to the arithmetic of a chat call: two rates, two quantities, one sum."""
    warm_up()
    openai = partial(price, provider="openai", service_tier="default")
    chat, voice = Usage.of(CHAT), Usage.of(VOICE)
    arithmetic = best(_arithmetic)
    print(f"{'Decimal arithmetic of a chat call':<44}{arithmetic:8.2f} us")
    calls: dict[str, Callable[[], object]] = {
        "Usage.of, chat": partial(Usage.of, CHAT),
        "Usage.of, realtime": partial(Usage.of, VOICE),
        "price, chat": partial(openai, chat, model="gpt-4o"),
        "price, chat, long context": partial(openai, chat, model="gpt-6-sol"),
        "price, realtime (6 lines)": partial(openai, voice, model="gpt-realtime"),
        "price, unknown model": partial(openai, chat, model="no-such-model"),
        "genai_prices.calc_price, chat": _theirs,
    }
    for name, call in calls.items():
        took = best(call)
        print(f"{name:<44}{took:8.2f} us{took / arithmetic:8.1f} x")
    print(f"{'price, first call of a model':<44}{_first():8.2f} us")
    print(f"{'kept for 2,000 models':<44}{_kept() / 2**20:8.2f} MiB")
    read, made = (min(timeit.repeat(work, number=1, repeat=5, timer=process_time)) for work in (_read, _made))
    print(f"{'built-in prices, read as they are stored':<44}{read * 1e3:8.2f} ms")
    print(f"{'made of YAML and genai-prices (imported)':<44}{made * 1e3:8.2f} ms{made / read:8.1f} x")


def best(call: Callable[[], object]) -> float:
    """Return the microseconds of the fastest of many rounds: the others were disturbed."""
    call()
    return min(timeit.repeat(call, number=1000, repeat=60)) * 1e3


def _arithmetic() -> Decimal:
    sent = _EXACT.quantize(_EXACT.divide(_EXACT.multiply(_SENT, 1500), 1_000_000), _PLACES)
    received = _EXACT.quantize(_EXACT.divide(_EXACT.multiply(_RECEIVED, 800), 1_000_000), _PLACES)
    return _EXACT.add(sent, received)


def _theirs() -> object:
    return genai_prices.calc_price(genai_prices.Usage(**CHAT), "gpt-4o", provider_id="openai")


def _first() -> float:
    """Return the microseconds of a model's first price, from files and genai-prices, on average."""
    usage = Usage.of(CHAT)
    models = ["gpt-4o", "gpt-4.1", "gpt-5", "o3", "gpt-6-sol", "gpt-4o-mini", "gpt-realtime", "gpt-4o-transcribe"]
    book = PriceBook(builtin_files(), version="benchmark")
    return (
        timeit.timeit(lambda: [price(usage, provider="openai", model=name, prices=book) for name in models], number=1)
        * 1e6
        / len(models)
    )


def _read() -> object:
    """Read the stored prices and those of OpenAI in them, as the first call does."""
    found = stored_book.load(_STORED, "benchmark")
    return [file.of("openai") for file in found.files], found.base and found.base.find("openai", "gpt-4o")


def _made() -> object:
    return builtin_prices.make()


def _kept() -> int:
    """Return the bytes that the book keeps once 2,000 names were asked for."""
    usage = Usage.of(CHAT)
    book = PriceBook(builtin_files(), version="benchmark")
    price(usage, provider="openai", model="gpt-4o", prices=book)
    tracemalloc.start()
    for number in range(2_000):
        price(usage, provider="openai", model=f"ft:gpt-4o-2024-08-06:acme::{number}", prices=book)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return kept


if __name__ == "__main__":
    main()
