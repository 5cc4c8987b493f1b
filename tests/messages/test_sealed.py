"""Content that is sealed: what a record has of it, and what happens where it cannot be."""

import logging
import os
import sys
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from otel_costs import messages
from otel_costs import semconv as names
from otel_costs.messages import Draft, Message, Recording, content, identify, redaction
from otel_costs.messages.content import Capture
from otel_costs.privacy import sealing
from otel_costs.privacy.sealing import ARGUMENTS, CONTENT, Sealer
from otel_costs.runtime import telemetry
from otel_costs.values import sanitize

KEY = "7a" * 32
CALL = Draft("assistant", "function_call", None, "lookup", '{"id": "canary"}', key="call_1")


@pytest.fixture(autouse=True)
def reset(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(telemetry, "_warned", set())
    monkeypatch.setenv("OTEL_COSTS_CONTENT_KEY", KEY)
    yield
    redaction.use(None)
    monkeypatch.undo()
    content.configure(Capture.NO_CONTENT)


def record(draft: Draft, session_id: str = "s1") -> tuple[dict[str, Any], str | None]:
    """Return the record of a message, as it would leave the process."""
    attributes, body = messages.record(Message("m1", 0, draft), with_content=content.on_events())
    return attributes, messages.seal(attributes, body, session_id)


def test_body_and_arguments_are_sealed() -> None:
    """Each for its own place; all else of the record stays as it is."""
    content.configure(Capture.EVENT_ONLY)
    attributes, body = record(Draft("user", "text", "the canary sings"))
    assert body is not None
    assert "canary" not in f"{attributes}{body}"
    assert Sealer(KEY).open(body, "s1", "m1", CONTENT) == "the canary sings"
    assert attributes[names.MESSAGE_BYTES] == len("the canary sings")
    attributes, body = record(CALL)
    assert body is None
    assert "canary" not in str(attributes)
    assert Sealer(KEY).open(attributes[names.MESSAGE_ARGUMENTS], "s1", "m1", ARGUMENTS) == '{"id": "canary"}'


def test_it_is_cut_before_it_is_sealed() -> None:
    """The caps are of the plain text, and the longest text still opens."""
    content.configure(Capture.EVENT_ONLY)
    attributes, body = record(Draft("user", "text", "x" * 100_000))
    assert attributes[names.MESSAGE_TRUNCATED] is True
    assert Sealer(KEY).open(body or "", "s1", "m1", CONTENT) == "x" * sanitize.MAX_TEXT


@pytest.mark.parametrize(
    "draft",
    [
        Draft("user", "text", "yes"),
        CALL,
        Draft("user", "audio", "yes", recording=Recording(3, sha256(b"yes").hexdigest())),
        Draft("user", "image", b"yes", media_type="image/png"),
    ],
)
def test_hashes_are_keyed(draft: Draft) -> None:
    """Nobody without the key can try out what was said; equal content has equal hashes, in every process."""
    content.configure(Capture.EVENT_ONLY)
    found = record(draft)[0][names.MESSAGE_SHA256]
    body = draft.body
    raw = body.encode() if isinstance(body, str) else body or b""
    assert found == record(draft)[0][names.MESSAGE_SHA256] == Sealer(KEY).keyed(sha256(raw).hexdigest())


def test_ids_are_keyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with the key in every process, and others with another key, or without."""
    drafts = [Draft("user", "text", "hello"), Draft("assistant", "text", "yes"), Draft("system", "text", "be kind")]
    found = []
    for key in (KEY, KEY, os.urandom(32).hex(), None):
        if key is None:
            monkeypatch.delenv("OTEL_COSTS_CONTENT_KEY")
        else:
            monkeypatch.setenv("OTEL_COSTS_CONTENT_KEY", key)
        content.configure(Capture.EVENT_ONLY)
        found.append([message.id for message in identify("s1", drafts)[0]])
    one, again, *others = found
    assert one == again
    assert not set(one) & set(others[0]) | set(one) & set(others[1])


@pytest.mark.parametrize("key", ["", "too short", f"{KEY},nonsense"])
def test_a_key_that_is_none_keeps_content_off(
    key: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Never in plain words instead: nothing of content, and one line that says why, without the key."""
    monkeypatch.setenv("OTEL_COSTS_CONTENT_KEY", key)
    assert content.configure(Capture.SPAN_AND_EVENT) is Capture.NO_CONTENT
    attributes, body = record(Draft("user", "text", "canary"))
    assert (body, "canary" in str(attributes)) == (None, False)
    (said,) = caplog.records
    assert said.levelno == logging.ERROR
    assert "OTEL_COSTS_CONTENT_KEY" in said.getMessage()
    assert KEY not in said.getMessage()


def test_a_library_that_is_missing_keeps_content_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The line says what to install."""
    monkeypatch.setenv("OTEL_COSTS_CONTENT_KEY", os.urandom(32).hex())
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    assert content.configure(Capture.EVENT_ONLY) is Capture.NO_CONTENT
    assert "otel-costs[encryption]" in caplog.text


def test_a_library_that_is_broken_keeps_content_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it raises when it is loaded, a panic of its compiled part too, does not get out."""

    class PanicException(BaseException):  # what the library's is called
        pass

    def broken() -> None:
        raise PanicException("canary")

    monkeypatch.setattr(sealing, "of_environment", broken)
    assert content.configure(Capture.EVENT_ONLY) is Capture.NO_CONTENT
    assert "PanicException" in caplog.text
    assert "canary" not in caplog.text


def test_what_cannot_be_sealed_is_dropped(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A fault while it is sealed costs the content, and nothing else; it does not get out."""
    content.configure(Capture.EVENT_ONLY)

    def broken(*_: object) -> str:
        raise RuntimeError("canary")

    monkeypatch.setattr(Sealer, "seal", broken)
    for draft in (Draft("user", "text", "canary"), CALL):
        attributes, body = record(draft)
        assert (body, names.MESSAGE_ARGUMENTS in attributes) == (None, False)
    assert len(caplog.records) == 1
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (Capture.SPAN_ONLY, Capture.NO_CONTENT),
        (Capture.SPAN_AND_EVENT, Capture.EVENT_ONLY),
        (Capture.EVENT_ONLY, Capture.EVENT_ONLY),
        (Capture.NO_CONTENT, Capture.NO_CONTENT),
    ],
)
def test_content_on_spans_is_refused(asked: Capture, left: Capture, caplog: pytest.LogCaptureFixture) -> None:
    """There it would be in plain words; one line says so."""
    assert content.configure(asked) is left
    assert not content.on_spans()
    assert len(caplog.records) == (asked is not left)


def test_text_that_looks_sealed_is_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key, too: who writes one cannot have a message told as sealed."""
    monkeypatch.delenv("OTEL_COSTS_CONTENT_KEY")
    content.configure(Capture.EVENT_ONLY)
    forged = Sealer(KEY).seal("x", "s1", "m1", CONTENT)
    _, body = record(Draft("user", "text", forged))
    assert body == f" {forged}"
