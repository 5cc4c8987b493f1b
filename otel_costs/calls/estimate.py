"""What a call may cost: by its size and the price book, or as much as the dearest of its kind lately."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from otel_costs import pricing
from otel_costs.calls.request_size import Size
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT
from otel_costs.values.recent import Recent

KINDS: Final = 1_000
"""Kinds of calls that are remembered, each with what its last `LATELY` calls cost."""

LATELY: Final = 32

ASSUMED_OUTPUT_TOKENS: Final = 4_096
"""What a call without a limit may answer, as long as none of its kind has ended."""

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Kind:
    """Calls that cost about the same: `place` is a route or a method where no model is known yet."""

    operation: str
    provider: str
    model: str | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call may cost in USD."""

    usd: Decimal
    is_bounded: bool
    """Whether it cannot cost more."""
    is_priced: bool
    """Whether there is a price for it, or one of its kind has had a cost."""


@dataclass(slots=True)
class _Lately:
    costs: deque[Decimal] = field(default_factory=lambda: deque(maxlen=LATELY))
    excess: deque[Decimal] = field(default_factory=lambda: deque(maxlen=LATELY))
    """How many times what was taken for the most they cost: more than 1 where the estimate was wrong."""
    is_unpriced: bool = False


_lately: Recent[object, _Lately] = Recent(KINDS)


def estimate(kind: Kind, size: Size | None, *, endpoint: str | None = None, deployment: str | None = None) -> Estimate:
    """Return what a call may cost; `size` None is one of which only its kind is known."""
    lately = _lately.get(kind)
    dearest = max(lately.costs) if lately is not None and lately.costs else None
    if size is None:
        return Estimate(dearest or _ZERO, False, lately is None or not lately.is_unpriced)
    usd, is_bounded = _by_size(kind, size, endpoint, deployment, dearest is not None)
    is_priced = usd is not None or dearest is not None
    if usd is None or not is_bounded:
        return Estimate(max(usd or _ZERO, dearest or _ZERO), False, is_priced)
    if lately is not None and lately.excess:
        usd = EXACT.multiply(usd, max(Decimal(1), *lately.excess))
    return Estimate(usd, True, is_priced)


def note(kind: object, expected_usd: Decimal, usd: Decimal | None, *, bounded: bool) -> None:
    """Remember what a call of a kind has cost, None where that is not known, of which `expected_usd` was reserved."""
    lately = _lately.setdefault(kind, _Lately())
    lately.is_unpriced = usd is None
    if usd is None:
        return
    lately.costs.append(usd)
    if bounded and expected_usd:
        lately.excess.append(EXACT.divide(usd, expected_usd))


def forget() -> None:
    """Forget what calls have cost; as after a restart."""
    global _lately
    _lately = Recent(KINDS)


def _by_size(
    kind: Kind, size: Size, endpoint: str | None, deployment: str | None, is_known: bool
) -> tuple[Decimal | None, bool]:
    """Return the cost by the price book, None where it has no price, and whether it can be no more."""
    found: list[Decimal] = []
    is_bounded = size.is_bounded
    for usage in _usages(kind.operation, size, is_known):
        for tier in {None, size.service_tier}:
            cost = pricing.price(
                usage,
                provider=kind.provider,
                model=kind.model,
                service_tier=tier,
                endpoint=endpoint,
                deployment=deployment,
            )
            if cost.total is not None:
                found.append(cost.total)
            if size.input_characters is not None:
                is_bounded = is_bounded and any(line.unit == "input_characters" for line in cost.lines)
    return max(found, default=None), is_bounded


def _usages(operation: str, size: Size, is_known: bool) -> Iterator[Usage]:
    """Yield what a call may use: its tokens are read, or written to a cache, which may be dearer."""
    if size.input_characters is not None:
        yield Usage.of({"input_characters": size.input_characters, "input_tokens": size.input_tokens})
        return
    output = size.output_tokens
    if output is None:
        output = 0 if is_known or operation not in _ANSWERING else ASSUMED_OUTPUT_TOKENS
    used = {"input_tokens": size.input_tokens, "output_tokens": output}
    if size.is_spoken:
        used["output_audio_tokens"] = output
    yield Usage.of(used)
    yield Usage.of({**used, "cache_write_tokens": size.input_tokens})


_ANSWERING: Final = ("chat", "text_completion", "generate_content", "decision", "invoke_agent")
"""Operations whose answer is as long as the model makes it."""
