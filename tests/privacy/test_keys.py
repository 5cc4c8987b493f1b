"""The keys that content is sealed with, as somebody writes them."""

import base64
import re

import pytest

from otel_costs.privacy import keys
from otel_costs.privacy.keys import KeysError

ONE, OTHER = bytes(range(32)), bytes(range(32, 64))
WRITTEN = base64.b64encode(ONE).decode()


@pytest.mark.parametrize(
    "written",
    [
        WRITTEN,
        WRITTEN.rstrip("="),
        base64.urlsafe_b64encode(ONE).decode(),
        ONE.hex(),
        ONE.hex().upper(),
        f" {WRITTEN} ",
    ],
)
def test_a_key_as_tools_write_it(written: str) -> None:
    """Base64 of either alphabet, with or without padding, or hex: the same key, with the same id."""
    found = keys.read(written)
    assert list(found.keys.values()) == [ONE]
    assert found.sealing == keys.read(WRITTEN).sealing
    assert re.fullmatch("[0-9a-f]{8}", found.sealing)


def test_several_keys() -> None:
    """The first seals; ids are those that are given, or made of the key."""
    found = keys.read(f"2026-11:{WRITTEN}, {OTHER.hex()}")
    assert found.sealing == "2026-11"
    assert list(found.keys.values()) == [ONE, OTHER]


@pytest.mark.parametrize(
    "written",
    [
        "", " ", ",", "correct horse battery staple", WRITTEN[:-4], WRITTEN + WRITTEN, f"{WRITTEN},", f"{WRITTEN},no",
        f"a b:{WRITTEN}", f"{'x' * 33}:{WRITTEN}", f"a:{WRITTEN},a:{OTHER.hex()}", "ключ", "a:", WRITTEN[:-1] + "!",
    ],
)  # fmt: skip
def test_what_is_no_key(written: str) -> None:
    """One that is none spoils all of them; the message helps, and has nothing of them in it."""
    with pytest.raises(KeysError, match="OTEL_COSTS_CONTENT_KEY") as raised:
        keys.read(written)
    said = str(raised.value)
    assert WRITTEN not in said
    assert OTHER.hex() not in said
    assert "horse" not in said


def test_a_keyring_does_not_show_its_keys() -> None:
    """Nor does a traceback that shows it."""
    assert repr(ONE) not in repr(keys.read(WRITTEN))
