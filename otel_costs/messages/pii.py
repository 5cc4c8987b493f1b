"""A redactor for e-mail addresses, phone and payment card numbers, and IBANs: `OTEL_COSTS_REDACT=pii`.

It goes by the shape of what is written, so it needs no language model and no country, takes time that grows with the
length of a text alone, and rather hides too much than too little: an order number of twelve digits is hidden as well.
Names, addresses and spelled-out digits are not found. See `docs/redaction.md`.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from otel_costs.messages.drafts import Draft

EMAIL: Final = "[email]"
CARD: Final = "[card]"
IBAN: Final = "[iban]"
PHONE: Final = "[phone]"

_PIECE: Final = 1 << 14  # characters: `re` holds the interpreter for as long as one call of it takes
_MAX_JSON: Final = 1 << 20  # characters

# Possessive quantifiers: none of these patterns tries the same character twice.
_LOCAL: Final = r"[^\s@<>()\[\],;:\"'`|\\]"
_EMAIL: Final = re.compile(rf"(?<!{_LOCAL}){_LOCAL}++@(?:[\w-]++\.)++[\w-]++")

_IBAN_HEAD: Final = re.compile(r"(?<![^\W_])[A-Za-z]{2}[ -]?\d[ -]?\d(?=[ -.]?[A-Za-z0-9])")
# ISO 13616: the length of a country's IBANs.
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
_IBAN_GAPS: Final = " -.\u00a0\u202f"

# A date, a time or an address of the internet is told from a phone number by standing first.
_DATE: Final = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ,]{1,2}\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)?(?!\d)"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}(?!\d)"
    r"|(?:19|20)\d\d ?[-/–] ?(?:19|20)\d\d(?!\d)"
)
_IP: Final = r"(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)"
_DECIMAL: Final = r"\d++\.\d++(?![\d.\-/ (]*\d)"
_GAP: Final = r"[ \t.\-/()\u00a0\u202f\u2010-\u2015]"
_DIGITS: Final = re.compile(
    rf"(?<![\w-])(?<!\d\.)(?:{_DATE}|{_IP}|{_DECIMAL}"
    rf"|(?P<number>(?:\+ ?)?\(?(?:\+ ?)?\d(?:{_GAP}{{0,3}}\d)++\)?)(?: ?(?:x|ext\.?) ?\d{{1,6}})?)(?!\w)",
    re.IGNORECASE,
)
_GROUPS: Final = re.compile(r"\d+")
_CARD_GROUPS: Final = ((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3))
_MIN_PHONE, _MAX_PHONE = 7, 15  # digits; 15 by ITU-T E.164
_MIN_PLAIN: Final = 10  # digits that stand without a gap: fewer are an amount or a number of something
_EPOCH: Final = re.compile(r"1[5-9]\d{8}(?:\d{3})?")  # seconds or milliseconds since 1970


def redact(text: str, message: Draft | None = None) -> str:  # noqa: ARG001  # a redactor gets the message too
    """Return `text` with e-mail addresses, IBANs, payment card and phone numbers replaced by a word in brackets.

    In a text that is JSON the values are replaced, and it stays JSON.
    """
    if len(text) <= _MAX_JSON and text.lstrip()[:1] in ("{", "["):
        try:
            parsed = json.loads(text)
            found = _value(parsed)
            return text if found == parsed else json.dumps(found, ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return _text(text)


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {_text(key): _value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item) for item in value]
    if type(value) is int and value >= 10**9:
        digits = str(value)
        return value if (redacted := _text(digits)) == digits else redacted
    return value


def _text(text: str) -> str:
    return "".join(map(_piece, _pieces(text)))


def _pieces(text: str) -> Iterator[str]:
    """Yield the text in pieces that are cut between two words, and not between two groups of digits."""
    start = 0
    while len(text) - start > 2 * _PIECE:
        end = start + _PIECE
        cut = next((at for at in range(end, end + _PIECE) if text[at].isalpha() and text[at - 1].isspace()), None)
        end = cut or end + _PIECE
        yield text[start:end]
        start = end
    yield text[start:]


def _piece(text: str) -> str:
    if "@" in text:
        text = _EMAIL.sub(EMAIL, text)
    return _DIGITS.sub(_digits, _without_ibans(text))


def _without_ibans(text: str) -> str:
    parts: list[str] = []
    position = 0
    for head in _IBAN_HEAD.finditer(text):
        if head.start() >= position and (end := _iban_end(text, head.start())):
            parts += text[position : head.start()], IBAN
            position = end
    return "".join([*parts, text[position:]]) if parts else text


def _iban_end(text: str, start: int) -> int | None:
    """Return where the IBAN that may begin at `start` ends: after as many characters as its country's have."""
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
    if length is None:
        return None
    count, at = 0, start
    while at < len(text) and count < length:
        if text[at].isascii() and text[at].isalnum():
            count += 1
        elif text[at] not in _IBAN_GAPS:
            return None
        at += 1
    whole = count == length and not text[at : at + 1].isalnum()
    return at if whole and sum(character.isdigit() for character in text[start:at]) >= 10 else None


def _digits(match: re.Match[str]) -> str:
    found = match["number"]
    if found is None:
        return match[0]
    groups = _GROUPS.findall(found)
    digits = "".join(groups)
    count = len(digits)
    is_card = 13 <= count <= 19 and (tuple(map(len, groups)) in _CARD_GROUPS or _has_luhn_digit(digits))
    if is_card and not _EPOCH.fullmatch(found):
        return CARD
    if count < _MIN_PHONE or count < 1.9 * len(groups):
        return match[0]
    if len(groups) > 1 or found[0] in "+0(":
        return PHONE if count <= _MAX_PHONE else CARD
    plain = _MIN_PLAIN <= count <= _MAX_PHONE and not _EPOCH.fullmatch(found)
    return PHONE if plain else match[0]


def _has_luhn_digit(digits: str) -> bool:
    """Return whether the last digit is the check digit of the others, by ISO/IEC 7812."""
    doubled = [int(digit) * (2 - index % 2) for index, digit in enumerate(digits[-2::-1])]
    return (sum(number - 9 if number > 9 else number for number in doubled) + int(digits[-1])) % 10 == 0
