"""Sealed content: it opens with its key, in its place, and nowhere else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.privacy import sealing
from otel_costs.privacy.sealing import NotOpenedError, Sealer

OLD, NEW, FOREIGN = (os.urandom(32).hex() for _ in range(3))
PLACE = ("session-1", "message-1", sealing.CONTENT)

SEALER = Sealer(f"old:{OLD}")


@given(st.text())
def test_what_is_sealed_opens(text: str) -> None:
    """Any text, and none of it can be seen before."""
    text = text.encode("utf-8", "replace").decode()
    sealed = SEALER.seal(text, *PLACE)
    assert sealing.is_sealed(sealed)
    assert SEALER.open(sealed, *PLACE) == text
    assert sealed == SEALER.seal(text, *PLACE), "a history that is sent again would be stored again"
    assert len(text) < 16 or text not in sealed


def test_no_nonce_serves_two_texts() -> None:
    """Nor two places, nor two keys: GCM would give both away."""
    texts = [
        ("a", *PLACE),
        ("b", *PLACE),
        ("a", "s", "m", "content"),
        ("a", "s", "m", "arguments"),
        ("", "sa", "m", "content"),
    ]
    sealed = [SEALER.seal(*one) for one in texts] + [Sealer(f"old:{NEW}").seal(*texts[0])]
    nonces = {one.split(":")[3] for one in sealed}
    assert len(nonces) == len(sealed)


@pytest.mark.parametrize(
    "place",
    [
        ("session-2", "message-1", sealing.CONTENT),
        ("session-1", "message-2", sealing.CONTENT),
        ("session-1", "message-1", sealing.ARGUMENTS),
        ("session-1message-1", "", sealing.CONTENT),
    ],
)
def test_it_opens_in_no_other_place(place: tuple[str, str, str]) -> None:
    """A body cannot be moved to another session, message or field, so that somebody else reads it there."""
    with pytest.raises(NotOpenedError) as raised:
        SEALER.open(SEALER.seal("secret", *PLACE), *place)
    assert raised.value.has_key


@given(st.integers(min_value=len("sealed:v1:old:")), st.sampled_from("Aa0+/=:x"))
def test_what_was_altered_does_not_open(at: int, letter: str) -> None:
    """No letter of nonce, text or tag can be another one."""
    sealed = SEALER.seal("secret", *PLACE)
    at = min(at, len(sealed) - 4)  # the last letter of base64 has bits that mean nothing
    altered = sealed[:at] + letter + sealed[at + 1 :]
    if altered != sealed:
        with pytest.raises(NotOpenedError):
            SEALER.open(altered, *PLACE)


@pytest.mark.parametrize(
    "sealed", ["sealed:v1:", "sealed:v1:old", "sealed:v1:old:::", "sealed:v1:old:AAAA:BBBB", "sealed:v1:old:é:é"]
)
def test_what_only_looks_sealed(sealed: str) -> None:
    """Whatever was stored, a reader gets one kind of error."""
    with pytest.raises(NotOpenedError):
        SEALER.open(sealed, *PLACE)


def test_keys_rotate() -> None:
    """The new key seals, both open; with the new one alone what is old stays sealed, and that is told apart."""
    before = SEALER.seal("secret", *PLACE)
    both = Sealer(f"new:{NEW},old:{OLD}")
    after = both.seal("secret", *PLACE)
    assert after.startswith("sealed:v1:new:")
    assert [both.open(sealed, *PLACE) for sealed in (before, after)] == ["secret", "secret"]
    with pytest.raises(NotOpenedError) as raised:
        Sealer(f"new:{NEW}").open(before, *PLACE)
    assert not raised.value.has_key
    with pytest.raises(NotOpenedError) as raised:
        Sealer(f"old:{FOREIGN}").open(before, *PLACE)
    assert raised.value.has_key


def test_hashes_and_ids_are_of_the_key() -> None:
    """Equal in every process that has it, others without it, and apart from each other."""
    assert SEALER.keyed("ab") == Sealer(f"another-id:{OLD}").keyed("ab") != Sealer(FOREIGN).keyed("ab")
    assert SEALER.for_ids == Sealer(f"another-id:{OLD}").for_ids != Sealer(FOREIGN).for_ids
    assert SEALER.for_ids not in (bytes.fromhex(OLD), SEALER.keyed("").encode())


def test_plain_content_is_never_taken_for_sealed() -> None:
    """Somebody who writes what a sealed text looks like has written a text."""
    forged = SEALER.seal("secret", *PLACE)
    assert not sealing.is_sealed(sealing.unlike_sealed(forged))
    assert sealing.unlike_sealed("hello") == "hello"
