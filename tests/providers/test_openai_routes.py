"""Which URL is which endpoint."""

import pytest

from otel_costs.providers.openai.routes import find, may_be_billed


@pytest.mark.parametrize(
    ("method", "url", "name"),
    [
        ("post", "/chat/completions", "chat/completions"),
        ("POST", "chat/completions", "chat/completions"),
        ("post", "/responses", "responses"),
        ("post", "/responses?beta=true", "responses"),
        ("post", "/responses/compact?beta=true", "responses/compact"),
        ("get", "/responses/resp_1?beta=true", "responses"),
        ("post", "/responses/resp_1/cancel", "responses"),
        ("post", "https://llm.example/v1/chat/completions", "chat/completions"),
        ("post", "https://llm.example/proxy/v1/embeddings?x=1", "embeddings"),
        ("post", "/deployments/prod-chat-eu/chat/completions", "chat/completions"),
        ("post", "/openai/deployments/my%20model/embeddings", "embeddings"),
        ("post", "/audio/speech", "audio/speech"),
        ("post", "/images/edits", "images/edits"),
        ("post", "/videos", "videos"),
        ("post", "/videos/video_1/remix", "videos"),
        ("post", "/videos/edits", "videos"),
        ("get", "/videos/video_1", "videos"),
        ("get", "/batches", "batches"),
        ("get", "/batches/b_1", "batches"),
        ("post", "/batches/b_1/cancel", "batches"),
        ("post", "/fine_tuning/jobs/j_1/cancel", "fine_tuning/jobs"),
        ("post", "/fine_tuning/alpha/graders/run", "fine_tuning/alpha/graders/run"),
        ("post", "/evals/e_1/runs", "evals/runs"),
        ("post", "/evals/e_1/runs/r_1", "evals/runs"),
        ("post", "/evals/e_1/runs/r_1/cancel", "evals/runs"),
        ("get", "/evals/e_1/runs", "evals/runs"),
        ("post", "/threads/runs", "threads/runs"),
        ("post", "/threads/t_1/runs", "threads/runs"),
        ("post", "/threads/t_1/runs/r_1", "threads/runs"),
        ("post", "/threads/t_1/runs/r_1/submit_tool_outputs", "threads/runs"),
        ("get", "/agents/sessions/s_1/subagents/a_1/turns/t_1", "agents/turns"),
        ("post", "/containers", "containers"),
    ],
)
def test_known(method: str, url: str, name: str) -> None:
    """A request is found by its method and path, whatever stands before them."""
    found = find(method, url)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("get", "/chat/completions"),
        ("get", "/chat/completions/chatcmpl-1"),
        ("get", "/models"),
        ("get", "/responses/resp_1/input_items"),
        ("delete", "/responses/resp_1"),
        ("get", "/videos/video_1/content"),
        ("get", "/fine_tuning/jobs/j_1/events"),
        ("get", "/evals/e_1/runs/r_1/output_items"),
        ("get", "/threads/t_1/runs/r_1/steps"),
        ("post", "/chat/completions/chatcmpl-1"),
        ("post", "/my/chat/completions"),
    ],
)
def test_not_billed(method: str, url: str) -> None:
    """What only looks like one is none."""
    assert find(method, url) is None


@pytest.mark.parametrize("url", ["/responses/resp_1", "/batches", "/threads/t_1/runs/r_1", "/evals/e_1/runs/r_1"])
def test_looks(url: str) -> None:
    """What is asked about a job is a look at it, and may be billed at any time."""
    found = find("get", url)
    assert found is not None
    assert found.polls
    assert found.job


@pytest.mark.parametrize(
    ("method", "url", "worth"),
    [
        ("post", "/future/things", True),
        ("post", "https://llm.example/v9/rerank", True),
        ("get", "/future/things", False),
        ("post", "/files", False),
        ("post", "https://llm.example/v1/vector_stores/vs_1/search", False),
        ("post", "/conversations", False),
        ("post", "/responses/input_tokens", False),
        ("post", "/chat/completions/chatcmpl-1", False),
        ("post", "/assistants", False),
        ("post", "/uploads/u_1/parts", False),
    ],
)
def test_worth_a_look(method: str, url: str, worth: bool) -> None:
    """Unknown requests are worth a look at their answer, but for what is known to be free."""
    assert may_be_billed(method, url) is worth
