"""Payloads become their type, size and SHA-256."""

import base64
import os
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_costs.values import media

RAW = bytes(range(256)) * 12
PAYLOAD = base64.b64encode(RAW).decode()
DIGEST = sha256(RAW).hexdigest()


@pytest.mark.parametrize(
    "payload",
    [
        PAYLOAD,
        PAYLOAD.rstrip("="),
        base64.urlsafe_b64encode(RAW).decode(),
        base64.encodebytes(RAW).decode(),
        f"data:image/png;base64,{PAYLOAD}",
        f"data:image/png;charset=x;base64,{PAYLOAD}",
        RAW,
    ],
)
def test_a_payload_is_described_by_what_it_decodes_to(payload: str | bytes) -> None:
    """Base64 of any kind, a data URL and bytes have the size and the hash of the file itself."""
    assert media.describe(payload, "image/png") == media.Media("image/png", len(RAW), DIGEST)


def test_a_data_url_knows_its_type_best() -> None:
    """The type in a data URL goes before the caller's; without either it is a stream of octets."""
    assert media.describe(f"data:image/webp;base64,{PAYLOAD}", "image").media_type == "image/webp"
    assert media.describe(f"data:;base64,{PAYLOAD}", "image").media_type == "image"
    assert media.describe(PAYLOAD).media_type == "application/octet-stream"


@given(st.binary(max_size=400))
def test_the_size_is_known_without_decoding(raw: bytes) -> None:
    """Without a hash the size is computed from the length, exactly, for every padding."""
    assert media.describe(base64.b64encode(raw).decode(), hashed=False) == media.Media(
        "application/octet-stream", len(raw), None
    )


@given(st.text(st.characters()))
def test_anything_can_be_described(payload: str) -> None:
    """What is no base64 at all has a description too."""
    assert str(media.describe(payload))


def test_the_largest_have_no_hash() -> None:
    """Past the limit the size is told and the hash is not, since it would hold the caller up."""
    payload = "QUJD" * (media.MAX_HASHED // 4 + 1)
    assert media.describe(payload) == media.Media("application/octet-stream", len(payload) // 4 * 3, None)


def test_base64_within_text_is_replaced() -> None:
    """A long run, and a data URL of any length, become their description; what is around them stays."""
    text = f'{{"a": "{PAYLOAD}", "b": "data:image/png;base64,iVBORw0KGgo=", "c": "data:audio/wav;base64,{PAYLOAD}"}}'
    assert media.replace_embedded(text, 65_536) == (
        f'{{"a": "[application/octet-stream, 3072 bytes, sha256:{DIGEST}]", '
        f'"b": "[image/png, 8 bytes, sha256:{sha256(base64.b64decode("iVBORw0KGgo=")).hexdigest()}]", '
        f'"c": "[audio/wav, 3072 bytes, sha256:{DIGEST}]"}}'
    )


@pytest.mark.parametrize(
    "text",
    [
        "x" * 5000,
        "lorem ipsum dolor " * 500,
        "deadbeef0123" * 500,
        "-" * 5000,
        "_".join(["snake"] * 1000),
        "人" * 5000,
        f"key={base64.b64encode(os.urandom(500)).decode()}",
    ],
)
def test_other_text_stays(text: str) -> None:
    """Rows of one character, words, hex digits and short keys are no payload."""
    assert media.replace_embedded(text, 65_536) == text


def test_silence_in_front_of_a_sound_does_not_hide_it() -> None:
    """A payload that begins with a kilobyte of zeros is one."""
    raw = bytes(3000) + RAW
    assert media.replace_embedded(base64.b64encode(raw).decode(), 65_536) == str(media.describe(raw))


@example(["x" * 1500, PAYLOAD], 6000)
@given(
    st.lists(
        st.sampled_from([PAYLOAD, "x" * 1500, "word ", '"', "人\ud800", f"data:a/b;base64,{PAYLOAD}"]), max_size=8
    ),
    st.integers(0, 6000),
)
def test_a_reader_can_tell_whether_something_was_left_out(pieces: list[str], limit: int) -> None:
    """The whole comes back, or one character more than the limit."""
    text = "".join(pieces)
    whole = media.replace_embedded(text, 10**6)
    part = media.replace_embedded(text, limit)
    assert part == whole[: limit + 1]
    assert PAYLOAD not in part
