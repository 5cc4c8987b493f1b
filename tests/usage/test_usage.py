"""Usage: what is taken, what is refused, and how usages add up."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.usage import MAX_UNITS, MAX_UNKNOWN, NOTHING, Usage
from otel_costs.usage.numbers import LIMIT
from otel_costs.usage.units import UNITS, WHOLES

Quantities = Mapping[str, object]


class Level(IntEnum):
    TWO = 2


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        (12, 12),
        ("12", 12),
        (" 12 ", 12),
        (12.0, 12),
        (Decimal(12), 12),
        ("1e3", 1000),
        (0, 0),
        (-0.0, 0),
        (Level.TWO, 2),
    ],
)
def test_whole_numbers_are_taken_in_any_form(given_: object, kept: int) -> None:
    """A count is an int, however a provider writes it."""
    usage = Usage.of({"input_tokens": given_})
    assert usage == Usage({"input_tokens": kept})
    assert type(usage.quantities["input_tokens"]) is int


@pytest.mark.parametrize(
    "refused",
    [-1, -0.5, math.nan, math.inf, "NaN", "-Infinity", Decimal("sNaN"), 10**15, 2**70, "1e300", True, False, "", "many",
     b"12", [12], {}, Level, 12.5, "12.5", "1_0", 1j, "1" * 200],
    ids=repr,
)  # fmt: skip
def test_what_is_no_count_is_refused_and_named(refused: object) -> None:
    """A quantity that cannot be is absent, which is unknown and not zero, and its unit is named."""
    assert Usage.of({"input_tokens": refused, "output_tokens": 5}) == Usage({"output_tokens": 5}, ("input_tokens",))


def test_absent_is_not_zero() -> None:
    """None is dropped; a reported zero is kept."""
    assert Usage.of({"input_tokens": None, "output_tokens": 0}) == Usage({"output_tokens": 0})


def test_seconds_keep_their_fraction_to_the_nanosecond() -> None:
    """Seconds are Decimal, from a float by the digits that it was written with."""
    usage = Usage.of({"audio_seconds": 0.1, "video_seconds": "8.0", "input_audio_seconds": Decimal("1.23456789012")})
    assert usage.quantities == {
        "audio_seconds": Decimal("0.1"),
        "video_seconds": 8,
        "input_audio_seconds": Decimal("0.1"),  # clamped to the seconds of audio that it is a part of
    }
    assert usage.invalid == ("input_audio_seconds",)
    assert Usage.of({"video_seconds": "1.23456789012"}).quantities == {"video_seconds": Decimal("1.234567890")}


@pytest.mark.parametrize(("unit", "most"), [("audio_seconds", "999999999"), ("frames", "999999999999999")])
def test_what_is_rounded_up_to_a_limit_is_refused(unit: str, most: str) -> None:
    """What is kept is below the limit, also where it was only just below it before it was rounded."""
    assert Usage.of({unit: most + ".9999999994"}).quantities == {unit: Decimal(most + ".999999999")}
    assert Usage.of({unit: most + ".9999999996"}) == Usage({}, (unit,))


def test_the_ambient_context_changes_nothing() -> None:
    """The application's own Decimal context rounds none of our quantities."""
    with localcontext() as context:
        context.prec = 3
        usage = Usage.of({"audio_seconds": "12345.678"}) + Usage.of({"audio_seconds": "0.0001"})
    assert usage.quantities == {"audio_seconds": Decimal("12345.6781")}


def test_a_part_is_no_larger_than_its_whole() -> None:
    """A part that is too large is cut, and said; a part of a part is cut to what is left of it."""
    usage = Usage.of(
        {"cache_audio_read_tokens": 70, "cache_read_tokens": 60, "input_audio_tokens": 50, "input_tokens": 40}
    )
    assert set(usage.quantities.values()) == {40}
    assert set(usage.invalid) == {"cache_audio_read_tokens", "cache_read_tokens", "input_audio_tokens"}


def test_parts_that_were_cut_are_together_no_more_than_their_whole() -> None:
    """Parts that exclude one another and were each cut to the whole are more than it: the whole is named, too."""
    usage = Usage.of({"cache_text_write_tokens": 1, "cache_text_write_1h_tokens": 2, "cache_text_write_12h_tokens": 2})
    assert set(usage.quantities.values()) == {1}
    assert set(usage.invalid) == set(usage.quantities)


def test_a_part_without_its_whole_is_kept() -> None:
    """What is known is kept, even when the total is not."""
    assert Usage.of({"input_audio_tokens": 50}) == Usage({"input_audio_tokens": 50})


def test_units_that_we_do_not_know_are_kept() -> None:
    """A usage is a fact: a unit without a meaning for us is recorded, and not priced."""
    assert Usage.of({"gpu_seconds": "2.5", "frames": 3}) == Usage({"gpu_seconds": Decimal("2.5"), "frames": 3})


@pytest.mark.parametrize("name", ["", "Input Tokens", "a" * 65, "ünit", "\ud800", "a\n", 3, None, ("a",)], ids=repr)
def test_names_that_no_column_could_have_are_refused(name: object) -> None:
    """A unit's name is a short identifier; what is named in its place can be printed."""
    usage = Usage.of({name: 1})  # type: ignore[dict-item]
    assert usage.quantities == {}
    assert len(usage.invalid) == 1
    assert usage.invalid[0].isascii()
    assert usage.invalid[0].isprintable()


class Hostile(Mapping[str, object]):
    """A mapping that fails while it is read."""

    def __repr__(self) -> str:
        return "Hostile()"

    def __getitem__(self, key: str) -> object:
        raise RuntimeError

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        yield "input_tokens"
        raise RuntimeError


@pytest.mark.parametrize("quantities", [None, 3, "input_tokens", [("input_tokens", 1)], Hostile()], ids=repr)
def test_what_is_no_mapping_is_an_unknown_usage(quantities: Quantities) -> None:
    """Nothing that a caller hands over raises."""
    assert Usage.of(quantities) == Usage({}, ("usage",))


def test_usages_add_up() -> None:
    """A session's usage is the sum of its calls', and says what was wrong in any of them."""
    total = NOTHING + Usage({"input_tokens": 5}, ("output_tokens",)) + Usage({"input_tokens": 2, "images": 1}, (), True)
    assert total == Usage({"input_tokens": 7, "images": 1}, ("output_tokens",), True)


def test_a_usage_that_was_kept_is_read_back() -> None:
    """The quantities are stored as text, with what was invalid: reading them back gives the same usage."""
    usage = Usage.of({"input_tokens": 10, "cache_read_tokens": 20, "audio_seconds": 1.5, "images": -1})
    kept = {
        unit: f"{quantity:f}" if isinstance(quantity, Decimal) else str(quantity)
        for unit, quantity in usage.quantities.items()
    }
    assert Usage.of(kept, invalid=usage.invalid) == usage


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(st.characters()),
    st.binary(),
    st.lists(st.integers()),
)
mappings = st.dictionaries(st.one_of(st.sampled_from(sorted(UNITS)), st.text(st.characters())), values)


@given(mappings)
def test_every_quantity_is_kept_or_named(quantities: Quantities) -> None:
    """Nothing is lost without a word, nothing impossible is kept, and nothing raises."""
    usage = Usage.of(quantities)
    wanted = {unit for unit, quantity in quantities.items() if quantity is not None}
    known = {unit for unit in wanted if unit in UNITS}
    assert set(usage.quantities) <= wanted
    if len(usage.invalid) < MAX_UNKNOWN and len(wanted) <= MAX_UNITS:  # no more are named, and kept
        assert known <= set(usage.quantities) | set(usage.invalid)
        assert len(usage.quantities) + len(usage.invalid) >= len(wanted)
    for part, quantity in usage.quantities.items():
        assert 0 <= quantity < LIMIT
        assert all(quantity <= usage.quantities.get(whole, quantity) for whole in WHOLES.get(part, ()))


@given(mappings)
def test_cleaning_is_done_once(quantities: Quantities) -> None:
    """A clean usage is clean: it is kept as it is, and nothing else is named than was before."""
    usage = Usage.of(quantities)
    again = Usage.of(usage.quantities)
    assert (again.quantities, again.unknown) == (usage.quantities, ())
    assert set(again.invalid) <= set(usage.invalid)  # parts that are together more than their whole are so still


def test_tokens_by_modality_are_disjoint() -> None:
    """Text is what audio and images leave of the totals; a modality that was not used is left out."""
    usage = Usage({"input_tokens": 10, "input_audio_tokens": 7, "output_tokens": 5, "output_image_tokens": 4})
    assert list(usage.by_modality()) == [("audio", 7, 0), ("image", 0, 4), ("text", 3, 1)]
    assert list(NOTHING.by_modality()) == [("text", 0, 0)]


@pytest.mark.parametrize(
    ("quantities", "invalid"),
    [
        ({"input_tokens": 132, "input_text_tokens": 132, "input_audio_tokens": 132}, ("input_tokens",)),
        ({"input_tokens": 132, "input_text_tokens": 119, "input_audio_tokens": 13}, ()),
        (
            {"cache_read_tokens": 64, "cache_text_read_tokens": 60, "cache_audio_read_tokens": 60},
            ("cache_read_tokens",),
        ),
        (
            {"cache_write_tokens": 1000, "cache_write_5m_tokens": 800, "cache_write_1h_tokens": 800},
            ("cache_write_tokens",),
        ),
        ({"cache_write_tokens": 1000, "cache_write_5m_tokens": 800, "cache_write_1h_tokens": 200}, ()),
        ({"cache_write_tokens": 9, "cache_text_write_tokens": 9, "cache_write_1h_tokens": 9}, ()),  # both at once
        ({"output_tokens": 5, "output_image_tokens": 4, "output_video_tokens": 4}, ("output_tokens",)),
        ({"input_text_tokens": 132, "input_audio_tokens": 132}, ()),  # without a whole each stands for itself
        ({"containers": 1, "containers_4g": 1, "containers_16g": 1}, ("containers",)),
        ({"input_tokens": 9, "cache_read_tokens": 9, "input_text_tokens": 9}, ()),
    ],
)
def test_parts_that_exclude_one_another(quantities: dict[str, int], invalid: tuple[str, ...]) -> None:
    """No token is of text and of audio, or kept for five minutes and for an hour: together they are all at most."""
    found = Usage.of(quantities)
    assert (found.quantities, found.invalid) == (quantities, invalid)
    assert Usage.of(quantities, invalid=invalid).invalid == invalid  # of a usage that is read back


def test_units_of_one_call_are_bounded() -> None:
    """What is counted beyond the bound is named; units that prices know are kept before any others."""
    own = {f"k{number}_tokens": number for number in range(200)}
    usage = Usage.of({**own, "output_tokens": 3, "input_audio_tokens": 5, "input_tokens": 7}, unknown=("dreams",))
    assert len(usage.quantities) == MAX_UNITS
    assert {"input_tokens", "input_audio_tokens", "output_tokens", "k0_tokens"} < usage.quantities.keys()
    assert len(usage.unknown) == MAX_UNKNOWN
    assert usage.unknown[0] == "dreams"
    assert not usage.quantities.keys() & set(usage.unknown)
    everything = Usage.of(dict.fromkeys(sorted(UNITS, reverse=True), 1))
    assert {"input_tokens", "output_tokens"} < everything.quantities.keys()
    assert everything.unknown


def test_what_is_refused_is_named_up_to_a_bound() -> None:
    """A hundred thousand units without a quantity are an invalid usage like one."""
    assert len(Usage.of({f"k{number}": "many" for number in range(1000)}).invalid) == 16
