"""What a run would send, and the price of what is known of it before: characters to speak, seconds to listen to."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from otel_costs import hosts, pricing
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.scenarios.sound import seconds_of
from otel_costs.scenarios.steps import Scenario, Speech, Step, Talk, Transcription, quoted

UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Planned:
    """A step that would be made. `cost_usd` None is not known before, or has no price: `cost_status` says which."""

    step: str
    phase: str
    operation: str
    model: str
    requests: int
    sends: str
    usage: Mapping[str, int | Decimal]
    cost_usd: Decimal | None
    cost_status: str
    cost_reason: str


def planned(scenario: Scenario) -> Iterator[Planned]:
    """Yield what each step would send, and what is known of its price."""
    provider = _provider()
    for step in scenario.steps:
        usage, sends = _known(step)
        cost = pricing.price(usage or {"input_tokens": 1}, provider=provider, model=step.model)
        unpriced = cost.reason == CostReason.UNKNOWN_MODEL
        status = pricing.UNPRICED if unpriced else cost.status if usage else UNKNOWN
        yield Planned(
            step=step.name,
            phase=step.phase,
            operation=step.call.operation,
            model=step.model,
            requests=step.requests,
            sends=sends,
            usage=usage,
            cost_usd=cost.total if usage else None,
            cost_status=status,
            cost_reason=(cost.reason or "") if usage or unpriced else "known_after_the_call",
        )


def _provider() -> str:
    """Return the provider that would be asked, by the address that the client would use."""
    base = os.environ.get("OPENAI_BASE_URL")
    if not base:
        return "openai"
    url = urlsplit(base)
    return hosts.provider_of(url.hostname or "", url.port or (80 if url.scheme == "http" else 443)) or UNKNOWN


def _known(step: Step) -> tuple[dict[str, int | Decimal], str]:
    """Return what is known of the usage, empty if nothing is, and what is sent in words."""
    call = step.call
    if isinstance(call, Talk):
        return {}, _talk(call)
    if isinstance(call, Speech):
        if quotes := quoted(call.text):
            return {}, f"what {' and '.join(quotes)} said"
        return {"input_characters": len(call.text)}, _many(len(call.text), "character")
    return _sound(call)


def _talk(talk: Talk) -> str:
    texts = [talk.system or "", *(message.text for message in talk.history), *talk.turns]
    sends = f"{_many(len(talk.turns), 'turn')}, {_many(sum(map(len, texts)), 'character')} of text"
    quotes = dict.fromkeys(name for text in texts for name in quoted(text))
    more = [f"what {name} said" for name in quotes]
    more += [f"all of {talk.continues}"] if talk.continues else []
    return " and ".join([sends, *more])


def _sound(heard: Transcription) -> tuple[dict[str, int | Decimal], str]:
    if heard.speech is not None:
        return {}, f"what {heard.speech} spoke"
    name, seconds = "a tone", Decimal(heard.seconds) if heard.seconds else None
    if heard.file is not None:
        name, seconds = heard.file.name, seconds_of(heard.file)
    if seconds is None:
        return {}, name
    return {"audio_seconds": seconds, "input_audio_seconds": seconds}, f"{name}, {seconds.normalize():,f} s"


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
