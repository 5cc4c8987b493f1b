"""Records of messages."""

from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256

import pytest

from otel_costs import messages
from otel_costs import semconv as names
from otel_costs.messages import Draft, Message, content, record, redaction
from otel_costs.messages.content import Capture


@pytest.fixture(autouse=True)
def reset() -> Iterator[None]:
    yield
    redaction.use(None)
    content.configure(Capture.NO_CONTENT)


def message(draft: Draft) -> Message:
    return Message("0" * 32, 3, draft)


def test_a_record_with_content() -> None:
    """Every attribute, its exact value, and the text as the body."""
    assert record(message(Draft("user", "text", "hello")), with_content=True) == (
        {
            names.MESSAGE_ID: "0" * 32,
            names.MESSAGE_INDEX: 3,
            names.MESSAGE_ROLE: "user",
            names.MESSAGE_TYPE: "text",
            names.MESSAGE_BYTES: 5,
            names.MESSAGE_SHA256: sha256(b"hello").hexdigest(),
        },
        "hello",
    )


def test_a_record_without_content() -> None:
    """Everything but body and arguments; the hash is none that anybody could try words with."""
    call = Draft("assistant", "function_call", None, "lookup", '{"id": 7}', Decimal("1.50"), key="call_1")
    found, body = record(message(call), with_content=False)
    digest = found.pop(names.MESSAGE_SHA256)
    assert body is None
    assert found == {
        names.MESSAGE_ID: "0" * 32,
        names.MESSAGE_INDEX: 3,
        names.MESSAGE_ROLE: "assistant",
        names.MESSAGE_TYPE: "function_call",
        names.MESSAGE_FUNCTION_NAME: "lookup",
        names.MESSAGE_AUDIO_SECONDS: "1.50",
        names.MESSAGE_BYTES: 9,
    }
    assert len(digest) == 64
    assert digest != sha256(b'{"id": 7}').hexdigest()


def test_equal_messages_have_equal_hashes_without_content() -> None:
    """In one process, a hash tells whether the same was said."""
    digests = [
        record(message(Draft("user", "text", said)), with_content=False)[0][names.MESSAGE_SHA256]
        for said in ("yes", "no", "yes")
    ]
    assert digests[0] == digests[2] != digests[1]


@pytest.mark.parametrize("said", ["no secret", "人" * 1000, "x" * 100_000, "a\ud800b"])
def test_size_and_flag_without_content(said: str) -> None:
    """Without content the size is that of the text, and the flag says that it would have been cut."""
    found, _ = record(message(Draft("user", "text", said)), with_content=False)
    assert found[names.MESSAGE_BYTES] == len(said.encode("utf-8", "replace"))
    assert found.get(names.MESSAGE_TRUNCATED, False) is (len(said) == 100_000)


def test_a_payload_without_content_has_its_decoded_size() -> None:
    """An image counts as many bytes as its file, and is never truncated."""
    found, body = record(message(Draft("user", "image", "QUJD" * 50_000, media_type="image/png")), with_content=False)
    assert (found[names.MESSAGE_BYTES], body) == (150_000, None)
    assert names.MESSAGE_TRUNCATED not in found


def test_what_is_not_known_is_absent() -> None:
    """A spoken answer that is sent back by its id has no content, no size and no hash: not zero, not the empty one."""
    for with_content in (True, False):
        found, body = record(message(Draft("assistant", "audio", None, key="audio_1")), with_content=with_content)
        assert body is None
        assert set(found) == {names.MESSAGE_ID, names.MESSAGE_INDEX, names.MESSAGE_ROLE, names.MESSAGE_TYPE}


def test_arguments_are_recorded_with_a_result() -> None:
    """A result has the arguments of its call beside it when content is on, and its own size and hash."""
    found, body = record(
        message(Draft("function", "function_result", "sunny", "weather", '{"city": "Paris"}')), with_content=True
    )
    assert body == "sunny"
    assert found[names.MESSAGE_ARGUMENTS] == '{"city": "Paris"}'
    assert found[names.MESSAGE_FUNCTION_NAME] == "weather"
    assert found[names.MESSAGE_BYTES] == 5


def test_a_function_call_has_its_arguments_and_no_body() -> None:
    """What the model said with a call is its arguments."""
    found, body = record(message(Draft("assistant", "function_call", None, "f", "{}")), with_content=True)
    assert (found[names.MESSAGE_ARGUMENTS], found[names.MESSAGE_BYTES], body) == ("{}", 2, None)


def test_content_that_is_cut_is_flagged() -> None:
    """64 KB are kept of a longer text, and the record says so."""
    found, body = record(message(Draft("user", "text", "x" * 100_000)), with_content=True)
    assert body == "x" * 65_536
    assert found[names.MESSAGE_TRUNCATED] is True
    assert found[names.MESSAGE_BYTES] == 100_000


def test_dropped_content_leaves_a_record_without_content() -> None:
    """A redactor that raises costs the content alone: size and keyed hash are those of a record without content."""

    def raising(text: str, draft: Draft) -> str:
        raise RuntimeError

    draft = Draft("user", "text", "hello")
    redaction.use(raising)
    assert record(message(draft), with_content=True) == record(message(draft), with_content=False)


def test_ids_are_not_made_of_what_is_redacted() -> None:
    """With a redactor, an id depends on what it leaves no more than without content."""
    content.configure(Capture.EVENT_ONLY)
    plain, _ = messages.identify("s-redacted", [Draft("user", "text", "card 4111")])
    redaction.use(lambda text, draft: "***")
    redacted, _ = messages.identify("s-redacted", [Draft("user", "text", "card 4111")])
    redaction.use(None)
    content.configure(Capture.NO_CONTENT)
    off, _ = messages.identify("s-redacted", [Draft("user", "text", "card 4111")])
    assert redacted[0].id == off[0].id != plain[0].id
