"""The redactor that comes with it: what it hides, what it leaves, and that it takes no longer than a text is long."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.messages.pii import redact


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("mail bob.smith+x@example.co.uk, or <a@b.de>.", "mail [email], or <[email]>."),
        ("müller@exämple.de wrote", "[email] wrote"),
        ("call +49 30 901820 or 030 901820 or 030/90 18 20", "call [phone] or [phone] or [phone]"),
        ("(555) 123-4567, 555-123-4567;555.123.4567", "[phone], [phone];[phone]"),
        ("5551234567 or 0170 1234567, 0049-170-1234567.", "[phone] or [phone], [phone]."),
        ("555-1234,555-9876", "[phone],[phone]"),
        ("+1 (650) 253-0000x12 and +1 650 253 0000 ext. 12", "[phone] and [phone]"),
        ("01.23.45.67.89 et 612 345 678", "[phone] et [phone]"),
        ("tel:+4930901820", "tel:[phone]"),
        ("٠١٢٣٤٥٦٧٨٩", "[phone]"),
        ("4111 1111 1111 1111", "[card]"),
        ("4111-1111-1111-1111, 4111111111111111, 378282246310005", "[card], [card], [card]"),
        ("3782 822463 10005 and 1234 5678 9012 3456", "[card] and [card]"),
        ("DE89 3704 0044 0532 0130 00 and GB82WEST12345698765432", "[iban] and [iban]"),
        ("de89370400440532013000.", "[iban]."),
        ("NL91-ABNA-0417-1643-00 and FR14 2004 1010 0505 0001 3M02 606", "[iban] and [iban]"),
    ],
)
def test_hidden(text: str, left: str) -> None:
    """E-mail addresses, phone numbers of any country, payment cards and IBANs, as people write them."""
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Hello, how are you?",
        "on 2026-11-28 12:30:00, 28.11.2026 or 11/28/2026, in 2024-2026, at 10:15",
        "from 192.168.100.200 and 10.0.0.1",
        "1250.75 dollars, 1,250,000 tokens, $0.0000025 each",
        "at 1764307200 or 1764307200123, order 12345678",
        "gpt-4o-2024-08-06 and 550e8400-e29b-41d4-a716-446655440000",
        "v1.2.3.4.5.6.7 and 3.14159265358979",
        "1 2 3 4 5 6 7 8 9",
        "@property and a @ b, DE12, ISO 27001",
    ],
)
def test_left(text: str) -> None:
    """Dates, times, amounts, versions, addresses of machines and identifiers are no personal data."""
    assert redact(text) == text


def test_json_stays_json() -> None:
    """Arguments and results of functions are JSON: values are hidden, and the rest is as it was."""
    asked = {
        "to": "ada@example.org",
        "n": [491701234567, 12, 1.5, None, True],
        "at": 1764307200,
        "note": "call 555-1234",
    }
    assert json.loads(redact(json.dumps(asked))) == {
        "to": "[email]",
        "n": ["[phone]", 12, 1.5, None, True],
        "at": 1764307200,
        "note": "call [phone]",
    }
    assert redact('{"a":  1.10, "b": "x"}') == '{"a":  1.10, "b": "x"}'  # as it was written, where nothing is hidden
    assert json.loads(redact('{"a": "\\u002b49 30 901820"}')) == {"a": "[phone]"}
    assert redact('{"a": "ada@example.org"') == '{"a": "[email]"'


@given(st.text(st.characters()))
def test_any_text(text: str) -> None:
    """It never raises, and what is hidden stays hidden."""
    assert redact(redact(text)) == redact(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,  # to draw larger ones takes seconds, and to redact them none
)


@given(st.lists(VALUES, min_size=1))
def test_any_json(value: Any) -> None:
    """It is JSON of the same shape."""
    assert len(json.loads(redact(json.dumps(value)))) == len(value)


@given(st.text("0123456789+-(). @aDE", max_size=60), st.integers(0, 40_000))
def test_a_piece_of_a_long_text_is_as_the_whole(text: str, before: int) -> None:
    """Long texts are read in pieces; no number is cut in two where a word stands between."""
    padded = "word " * (before // 5) + text
    assert redact(padded + " word" * 8000) == "word " * (before // 5) + redact(text) + " word" * 8000 or "@" in text
