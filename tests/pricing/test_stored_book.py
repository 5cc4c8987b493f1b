"""Stored prices: what is written is what is read, by provider, and what is not as written is refused."""

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.pricing import builtin_prices, stored_book
from otel_costs.pricing.base_prices import BaseBook
from otel_costs.pricing.builtin_prices import builtin_book
from otel_costs.pricing.price_entry import Price, PriceFile, PriceFileError
from otel_costs.pricing.stored_book import StoredBook

RAW = stored_book.dump(builtin_book())


def facts(price: Price) -> list[object]:
    return [getattr(price, field.name) for field in fields(Price)]


@pytest.mark.long
def test_what_is_written_is_what_is_read() -> None:
    """Every field of every price, of our files and of the base, comes back as it was."""
    made, found = builtin_prices.make(), stored_book.load(RAW, "x")
    for mine, theirs in zip(made.files, found.files, strict=True):
        assert (mine.name, mine.version) == (theirs.name, theirs.version)
        assert list(map(facts, mine.prices)) == list(map(facts, theirs.prices))
    assert made.base is not None
    assert found.base is not None
    assert found.base.version == made.base.version
    assert list(found.base.models()) == list(made.base.models())
    assert stored_book.dump(StoredBook(found.files, found.base, builtin_book().header)) == RAW


def test_a_name_with_anything_in_it_is_kept() -> None:
    """Tabs and line ends of a provider's name are no places to cut at."""
    odd = "a\tb\nc\u2028"
    file = PriceFile("x", "1", [replace(builtin_book().files[0].prices[0], provider=odd)])
    found = stored_book.load(stored_book.dump(StoredBook((file,), BaseBook("1", {odd: '{"models":[]}'}))), "x")
    assert found.files[0].providers() == (odd,)
    assert found.base is not None
    assert found.base.providers() == {odd}


def test_a_book_is_read_provider_by_provider() -> None:
    """Who asks OpenAI reads the prices of OpenAI."""
    found = stored_book.load(RAW, "x")
    assert found.base is not None
    assert found.base.find("openai", "gpt-4o") is not None
    assert set(found.base._read) == {"openai"}


@given(place=st.integers(0, len(RAW) - 1), byte=st.integers(1, 255))
def test_a_byte_that_is_another_is_noticed(place: int, byte: int) -> None:
    """No damage makes another price."""
    damaged = bytearray(RAW)
    damaged[place] ^= byte
    with pytest.raises(PriceFileError):
        stored_book.load(bytes(damaged), "x")


@given(length=st.integers(0, len(RAW) - 1))
def test_a_book_that_is_cut_is_noticed(length: int) -> None:
    """Nor does a part of a book."""
    with pytest.raises(PriceFileError):
        stored_book.load(RAW[:length], "x")


def test_a_book_of_a_later_release_is_refused_at_once() -> None:
    """A field that is not known here might change a price: it is not found out at a call."""
    lines = RAW.split(b"\n", 3)
    header = json.loads(lines[2])
    header["fields"] = [*header["fields"], "discount"]
    found = StoredBook(builtin_book().files, builtin_book().base, header)
    raw = stored_book.dump(found).replace(b'"line"]', b'"line","discount"]', 1)
    with pytest.raises(PriceFileError, match="damaged"):
        stored_book.load(raw, "x")
    body = raw.split(b"\n", 2)[2]
    import hashlib

    again = b"\n".join([stored_book.FORM.encode(), hashlib.sha256(body).hexdigest().encode(), body])
    with pytest.raises(PriceFileError, match="later release"):
        stored_book.load(again, "x")


def test_a_write_that_fails_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it or nothing, and nothing aside."""
    path = tmp_path / "prices" / "x.book"
    stored_book.write(path, builtin_book())
    monkeypatch.setattr(stored_book, "dump", lambda _: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space"):
        stored_book.write(path, builtin_book())
    assert path.read_bytes() == RAW
    assert [entry.name for entry in path.parent.iterdir()] == ["x.book"]


def test_the_first_price_imports_neither_yaml_nor_genai_prices() -> None:
    """What can be known when the package is built is not worked out in each process."""
    program = (
        "import sys, otel_costs; otel_costs.price({'input_tokens': 1}, provider='openai', model='gpt-4o');"
        "print([name for name in ('yaml', 'genai_prices', 'pydantic', 'httpx2') if name in sys.modules])"
    )
    builtin_book()  # which a checkout keeps
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_checkout_makes_its_book_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is built, or it is of other files, one is made and kept; one that is damaged is made again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(builtin_prices, "BUILT", tmp_path / "none")
    builtin_book.cache_clear()
    try:
        made = builtin_book()
        (kept,) = (tmp_path / "otel-costs" / "prices").iterdir()
        raw = kept.read_bytes()
        kept.write_bytes(raw[:-1])
        builtin_book.cache_clear()
        assert builtin_book().header == made.header
        assert kept.read_bytes() == raw
        monkeypatch.setattr(builtin_prices, "make", lambda: pytest.fail("it is there"))
        builtin_book.cache_clear()
        assert builtin_book().header["sources"] == made.header["sources"]
    finally:
        builtin_book.cache_clear()
