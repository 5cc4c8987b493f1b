"""The names that a call has for its model, in the order in which a price book is asked for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from otel_costs.pricing.model_names import is_form, plain, spellings, undated
from otel_costs.pricing.price_entry import provider_id

_NAMELESS: Final = "unknown"
"""The model of a call that names none: some prices are for every model of a provider."""


class Name(NamedTuple):
    """A name that the price may be listed under, in all its spellings.

    `sized`: it is as narrow as what was asked for; `dall-e-3` is not, where `dall-e-3/hd/1024x1024` was. An entry that
    fits `asked`, too, says nothing of this name in particular, and is left to that one.
    """

    spellings: tuple[str, ...]
    sized: bool = True
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallNames:
    """The model that answered and the one that was asked, plain; empty where there is none, or no other."""

    provider: str
    answered: str
    asked: str
    listed: str
    """What the price is listed under where that is more than a model's name."""

    @classmethod
    def of(
        cls, provider: str | None, model: str | None, request_model: str | None, price_model: str | None
    ) -> "CallNames":
        """Return the names of a call as prices have them."""
        answered, asked, listed = (plain(name or "") for name in (model, request_model, price_model))
        if not (answered or asked or listed):
            answered = _NAMELESS
        return cls(provider_id(provider or ""), answered, "" if asked == answered else asked, listed)

    def is_one_model(self) -> bool:
        """Whether the names alone say that the asked model answered."""
        return not self.asked or not self.answered or is_form(self.answered, self.asked)

    def as_called(self, *, one_model: bool) -> Iterator[Name]:
        """Yield the names in turn; the one that was asked only if both are `one_model`."""
        yield from _with_plainer(self.listed, self.provider)
        asked = spellings(self.asked, self.provider) if one_model and self.asked else ()
        for name in _with_plainer(self.answered, self.provider):
            yield name._replace(asked=asked)
        if one_model:
            yield from self.of_asked()

    def of_asked(self) -> Iterator[Name]:
        """Yield the names of the model that was asked."""
        return _with_plainer(self.asked, self.provider)

    def undated(self, *, one_model: bool) -> Iterator[Name]:
        """Yield the names without the dates at their ends, of those that have one."""
        model, _, size = self.listed.partition("/")
        if (shorter := undated(model)) is not None:
            yield from _with_plainer(f"{shorter}/{size}", self.provider)
        for name in (self.answered, self.asked) if one_model else (self.answered,):
            for spelling in spellings(name, self.provider)[:2]:
                if (shorter := undated(spelling)) is not None:
                    yield Name(spellings(shorter, self.provider))


def _with_plainer(name: str, provider: str) -> Iterator[Name]:
    """Yield `name`, and what it is without size and quality: without a price, `dall-e-3/hd/9x9` costs as `dall-e-3`."""
    if name:
        yield Name(spellings(name, provider))
        for parts in range(1, min(name.count("/"), 2) + 1):
            if plainer := name.rsplit("/", parts)[0]:
                yield Name((plainer,), sized=False)
