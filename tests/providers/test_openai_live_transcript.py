"""Pieces of transcripts: whose words are one utterance."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.providers.openai_live.transcript import LONG_PAUSE_MS, PAUSE_MS, Transcript
from otel_costs.values import sanitize


def piece(role: str, delta: Any, start_ms: Any, end_ms: Any) -> dict[str, Any]:
    kind = f"session.{'input' if role == 'user' else 'output'}_transcript.delta"
    return {"type": kind, "delta": delta, "start_ms": start_ms, "end_ms": end_ms}


def said(*pieces: dict[str, Any]) -> list[tuple[str, str]]:
    transcript = Transcript()
    over = [one for event in pieces for one in transcript.add(event)]
    return [(one.role, str(one.draft.content)) for one in [*over, *transcript.end()]]


def test_both_at_once() -> None:
    """Words that arrive in turns, since both speak, stay two utterances; none is torn."""
    assert said(
        piece("user", "Where", 0, 400),
        piece("assistant", "Good", 300, 600),
        piece("user", " is", 400, 700),
        piece("assistant", " morning", 600, 900),
        piece("user", " it?", 700, 1000),
    ) == [("user", "Where is it?"), ("assistant", "Good morning")]


@pytest.mark.parametrize(("pause_ms", "answered", "utterances"), [
    (PAUSE_MS, True, 1), (PAUSE_MS + 1, True, 2),
    (PAUSE_MS + 1, False, 1), (LONG_PAUSE_MS, False, 1), (LONG_PAUSE_MS + 1, False, 2),
])  # fmt: skip
def test_pauses(pause_ms: int, answered: bool, utterances: int) -> None:
    """A pause ends an utterance if the other has spoken, and a long one in any case."""
    pieces = [piece("user", "One", 0, 1000), piece("user", " two", 1000 + pause_ms, 2000 + pause_ms)]
    if answered:
        pieces.insert(1, piece("assistant", "Yes", 900, 1100))
    assert sum(role == "user" for role, _ in said(*pieces)) == utterances


def test_monologue() -> None:
    """Who never stops fills one message after the other."""
    word = "x" * 1000
    found = said(*(piece("assistant", word, ms, ms + 10) for ms in range(0, 2000, 10)))
    assert [len(text) for _, text in found] == [65_000, 65_000, 65_000, 5_000]
    assert max(len(text) for _, text in found) <= sanitize.MAX_TEXT


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["user", "assistant"]), st.text(max_size=4), st.integers(-5, 9000), st.integers(-5, 9000)
        ),
        max_size=30,
    )
)
def test_nothing_is_lost(pieces: list[tuple[str, str, int, int]]) -> None:
    """Whatever the times, each role's words are there in the order they came, and none is shorter than nothing."""
    transcript = Transcript()
    over = [one for event in pieces for one in transcript.add(piece(*event))] + list(transcript.end())
    for role in ("user", "assistant"):
        whole = "".join("".join(one._texts) for one in over if one.role == role)
        assert whole == "".join(delta for who, delta, _, _ in pieces if who == role)
    assert all((one.draft.audio_seconds or 0) >= 0 for one in over)
