"""The stand-in provider, through the real client, which checks every answer against its types."""

import openai
import pytest

from tests.support.provider import Fault, Provider


@pytest.fixture
def client(provider: Provider) -> openai.OpenAI:
    return openai.OpenAI(base_url=provider.base_url, api_key="sk-test", _strict_response_validation=True)


def test_chat(client: openai.OpenAI) -> None:
    """A chat completion has the dated model, the served tier and a usage that adds up."""
    answer = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "Hello"}], service_tier="fast"
    )
    assert answer.model == "gpt-4o-2024-08-06"
    assert answer.service_tier == "priority"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (9, 12, 21)


def test_a_retried_call_is_answered(client: openai.OpenAI, provider: Provider) -> None:
    """A scripted 429 strikes once; the client's retry is answered."""
    provider.script(Fault(status=429, headers={"retry-after-ms": "1"}))
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
    assert [request.headers["x-stainless-retry-count"] for request in provider.requests] == ["0", "1"]
