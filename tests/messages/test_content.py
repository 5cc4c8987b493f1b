"""Where content goes, and what of it is recorded."""

import base64
import logging
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.messages import content, redaction
from otel_costs.messages.content import Capture
from otel_costs.messages.drafts import Draft
from otel_costs.runtime import telemetry
from otel_costs.values import sanitize


@pytest.fixture(autouse=True)
def reset(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(telemetry, "_warned", set())
    yield
    redaction.use(None)
    content.configure(Capture.NO_CONTENT)


def said(text: str) -> Draft:
    return Draft("user", "text", text)


@pytest.mark.parametrize(
    ("value", "spans", "events"),
    [
        (None, False, False),
        ("", False, False),
        ("NO_CONTENT", False, False),
        ("SPAN_ONLY", True, False),
        ("event_only", False, True),
        (" SPAN_AND_EVENT ", True, True),
    ],
)
def test_the_variable_says_where_content_goes(
    value: str | None, spans: bool, events: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The four words of the conventions, in any case; without one there is no content, and no warning."""
    monkeypatch.delenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", raising=False)
    if value is not None:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value)
    content.configure()
    assert (content.on_spans(), content.on_events()) == (spans, events)
    assert caplog.records == []


def test_another_word_keeps_content_off(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A value of an older convention, or a typing error, publishes nothing; a warning names the right ones."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    assert content.configure() is Capture.NO_CONTENT
    assert "SPAN_AND_EVENT" in caplog.text
    assert "'true'" in caplog.text


def test_a_redactor_changes_every_text() -> None:
    """It gets the content and the arguments, whole, and the draft that they belong to."""
    seen: list[tuple[str, str]] = []

    def redact(text: str, draft: Draft) -> str:
        seen.append((text[:6], draft.type))
        return text.replace("secret", "***")

    redaction.use(redact)
    assert content.of(said("my secret")).body == "my ***"
    call = Draft("assistant", "function_call", None, "f", '{"a": "secret"}')
    assert content.of(call).arguments == '{"a": "***"}'
    result = content.of(Draft("function", "function_result", "secret", "f", "secret"))
    assert (result.body, result.arguments) == ("***", "***")
    assert [kind for _, kind in seen] == ["text", "function_call", "function_result", "function_result"]


def test_size_and_hash_are_of_the_redacted_text() -> None:
    """Nothing that is recorded is derived from what the redactor took away."""
    redaction.use(lambda text, draft: "***")
    kept = content.of(said("4111 1111 1111 1111"))
    assert (kept.bytes, kept.sha256) == (3, sha256(b"***").hexdigest())


def test_a_secret_at_the_cut_is_redacted() -> None:
    """The redactor sees the text before it is cut: half a secret would not match its pattern."""
    redaction.use(lambda text, draft: text.replace("secret", "******"))
    kept = content.of(said("x" * (sanitize.MAX_TEXT - 3) + "secret"))
    assert kept.body == "x" * (sanitize.MAX_TEXT - 3) + "***"
    assert kept.truncated


async def _asynchronous(text: str, draft: Draft) -> str:
    return text


def _raising(text: str, draft: Draft) -> str:
    raise ValueError(text)


def _exiting(text: str, draft: Draft) -> str:
    raise SystemExit(text)


@pytest.mark.parametrize(
    "redactor",
    [_raising, lambda text, draft: _asynchronous(text, draft), lambda text, draft: 5, lambda text, draft: b"x"],
)
def test_a_redactor_that_fails_drops_the_content(redactor: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It raises, or returns no str: no content, one warning for all calls, and not a word of what was said in it."""
    caplog.set_level(logging.DEBUG)
    redaction.use(redactor)
    for _ in range(3):
        assert content.of(said("the password is 1234")) == content.NOTHING
    assert len(caplog.records) == 1
    assert "1234" not in caplog.text
    assert "content is dropped" in caplog.text


def test_none_from_a_redactor_drops_the_text(caplog: pytest.LogCaptureFixture) -> None:
    """None is a decision, not a failure: nothing is logged."""
    redaction.use(lambda text, draft: None)
    assert content.of(said("hello")) == content.NOTHING
    assert content.of(Draft("user", "image", "QUJD", media_type="image/png")) == content.NOTHING
    assert caplog.records == []


@pytest.mark.parametrize("character", ["x", "é", "人", "😀"])
def test_a_text_is_cut_at_64_kb(character: str) -> None:
    """What is kept has at most 65,536 bytes, with the flag, the size and the hash of the whole."""
    text = character * 100_000
    kept = content.of(said(text))
    assert kept.body is not None
    assert sanitize.MAX_TEXT - 4 < len(kept.body.encode()) <= sanitize.MAX_TEXT
    assert kept.truncated
    assert (kept.bytes, kept.sha256) == (len(text.encode()), sha256(text.encode()).hexdigest())


def test_a_text_of_64_kb_is_whole() -> None:
    """The limit itself fits."""
    assert content.of(said("x" * sanitize.MAX_TEXT)).body == "x" * sanitize.MAX_TEXT
    assert not content.of(said("x" * sanitize.MAX_TEXT)).truncated


def test_a_result_and_its_arguments_fit_together() -> None:
    """Body and arguments of one record have at most 64 KB; arguments give way to the result."""
    kept = content.of(Draft("function", "function_result", "r" * 10**5, "f", "a" * 10**5))
    assert kept.body is not None
    assert kept.arguments is not None
    assert (len(kept.body), len(kept.arguments)) == (49_152, 16_384)
    assert kept.truncated
    assert kept.bytes == 10**5


def test_ten_megabytes_have_no_hash() -> None:
    """Of a huge text the size is told, and the hash is not: it would hold the caller up."""
    for draft in (said("x" * 10**7), Draft("assistant", "function_call", None, "f", "x" * 10**7)):
        kept = content.of(draft)
        assert (kept.bytes, kept.sha256, kept.truncated) == (10**7, None, True)


def test_a_payload_is_described() -> None:
    """An image is its type, size and hash, in the body as well; bytes without a type are too."""
    raw = bytes(range(256)) * 8
    kept = content.of(Draft("user", "image", base64.b64encode(raw).decode(), media_type="image/png"))
    assert kept.body == f"[image/png, 2048 bytes, sha256:{sha256(raw).hexdigest()}]"
    assert (kept.bytes, kept.sha256, kept.truncated) == (2048, sha256(raw).hexdigest(), False)
    assert content.of(Draft("user", "text", b"\x00\x01")).body == (
        f"[application/octet-stream, 2 bytes, sha256:{sha256(bytes([0, 1])).hexdigest()}]"
    )


def test_base64_in_text_is_replaced() -> None:
    """In the arguments and the result of a function too, and before the cut: what is behind it is kept."""
    payload = base64.b64encode(bytes(range(256)) * 400).decode()
    for kind in ("text", "function_result"):
        body = content.of(Draft("function", kind, f'{{"file": "{payload}", "ok": true}}')).body
        assert body is not None
        assert body.endswith('"ok": true}')
        assert payload[:1000] not in body
    arguments = content.of(Draft("assistant", "function_call", None, "f", f'{{"file": "{payload}"}}')).arguments
    assert arguments is not None
    assert len(arguments) < 200


@given(st.text(st.characters()), st.sampled_from(["text", "function_call", "function_result"]))
def test_every_text_can_be_recorded(text: str, kind: str) -> None:
    """Whatever was said is UTF-8 then, and nothing raises."""
    kept = content.of(Draft("user", kind, text, "f", text))
    assert (kept.body or "") + (kept.arguments or "") == sanitize.text(text) * (2 if kind != "function_call" else 1)
