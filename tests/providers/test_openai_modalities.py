"""Calls of models whose price differs by modality, where the usage tells none: what can only be text is."""

from typing import Any

import pytest

from otel_costs import semconv as names
from otel_costs.stand_in import Fault, Provider
from tests.providers.conftest import HELLO, Driver
from tests.support.recorded import Recorded

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
SAID = {"role": "assistant", "content": "Hi"}
SPOKEN = [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]
AUDIO = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}


def chat(
    driver: Driver, provider: Provider, model: str, message: dict[str, Any], messages: Any, asked: dict[str, Any]
) -> None:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"id": "c1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
    provider.script(Fault(status=200, error={**answer, "usage": USAGE}))
    driver.run(driver.client.chat.completions.create(model=model, messages=messages, **asked))


@pytest.mark.some(7)
@pytest.mark.parametrize(
    ("model", "message", "messages", "asked", "reason"),
    [
        ("gpt-4o", SAID, HELLO, {}, None),
        ("gpt-audio", SAID, HELLO, {}, None),
        ("gpt-audio", SAID, HELLO, {"modalities": ["text"]}, None),
        ("gpt-audio", SAID, HELLO, AUDIO, "modalities_unknown"),
        ("gpt-audio", SAID, [{"role": "user", "content": SPOKEN}], {}, "modalities_unknown"),
        (
            "gpt-audio",
            SAID,
            [*HELLO, {"role": "assistant", "audio": {"id": "a1"}}, *HELLO],
            {},
            "modalities_unknown",
        ),
        ("gpt-audio", {**SAID, "audio": {"id": "a", "data": "", "transcript": "Hi"}}, HELLO, {}, "modalities_unknown"),
        ("gpt-audio", SAID, [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], {}, None),
    ],
    ids=str,
)
def test_what_can_only_be_text(
    model: str,
    message: dict[str, Any],
    messages: Any,
    asked: dict[str, Any],
    reason: str | None,
    driver: Driver,
    provider: Provider,
    recorded: Recorded,
) -> None:
    """A request without sound and an answer without are text: their price is exact. All else may be audio."""
    chat(driver, provider, model, message, messages, asked)
    call = recorded.call
    assert call.get(names.COST_REASON) == reason
    assert call[names.COST_STATUS] == ("estimated" if reason else "priced")
    is_told = "gen_ai.usage.text.input_tokens" in call
    assert is_told == (model == "gpt-audio" and messages != [{"role": "user", "content": SPOKEN}] and len(messages) < 3)
