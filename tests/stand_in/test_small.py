"""The endpoints with one answer: completions, embeddings, decisions, and the free ones."""

import base64

import pytest

from .conftest import Caller

# Endpoints that are deprecated, or shut down for others, are billed where they are still served.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_completions(call: Caller) -> None:
    """Legacy completions answer every prompt, whole and streamed."""
    call.loosely()  # until the last, chunks have no finish_reason
    answer = call(lambda c: c.completions.create(model="gpt-3.5-turbo-instruct", prompt=["Hello", "Thanks"], n=2))
    assert len(answer.choices) == 4
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    options = {"include_usage": True}
    chunks = call(
        lambda c: c.completions.create(
            model="gpt-3.5-turbo-instruct", prompt=["Hello", "Thanks"], n=2, stream=True, stream_options=options
        )
    )
    assert chunks[-1].usage == answer.usage
    assert "".join(c.text for chunk in chunks for c in chunk.choices) == "".join(c.text for c in answer.choices)


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings(call: Caller, encoding: str | None) -> None:
    """Embeddings are the same in either encoding, also in the client's own default."""
    call.loosely()  # base64 is decoded after it was checked
    wanted = {"encoding_format": encoding} if encoding else {}
    answer = call(
        lambda c: c.embeddings.create(model="text-embedding-3-small", input=["Hello", "Hi"], dimensions=8, **wanted)
    )
    vectors = [
        embedding.embedding
        if isinstance(embedding.embedding, list)
        else list(memoryview(base64.b64decode(embedding.embedding)).cast("f"))
        for embedding in answer.data
    ]
    assert [len(vector) for vector in vectors] == [8, 8]
    assert vectors[0] != vectors[1]
    assert answer.usage.model_dump() == {"prompt_tokens": 3, "total_tokens": 3}


def test_embedding_of_tokens(call: Caller) -> None:
    """Tokens count as many as they are."""
    call.loosely()
    answer = call(lambda c: c.embeddings.create(model="text-embedding-3-large", input=[[1, 2, 3], [4]], dimensions=4))
    assert answer.usage.prompt_tokens == 4


def test_decisions(call: Caller) -> None:
    """Each question has an answer of its kind."""
    answer = call(
        lambda c: c.decisions.create(
            model="gpt-6-luna",
            input="I want my money back!",
            questions=[
                {"type": "predicate", "instructions": "Is it a complaint?"},
                {"type": "choice", "instructions": "Which?", "choices": [{"value": "refund"}, {"value": "other"}]},
                {"type": "score", "instructions": "How angry?", "levels": [{"label": "calm"}, {"label": "angry"}]},
            ],
        )
    )
    assert [one.type for one in answer.answers] == ["predicate", "choice", "score"]
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_free_endpoints(call: Caller) -> None:
    """Moderations, models and files answer without usage."""
    assert len(call(lambda c: c.moderations.create(input=["a", "b"])).results) == 2
    assert call(lambda c: c.models.retrieve("gpt-4o")).id == "gpt-4o"
    file = call(lambda c: c.files.create(file=("lines.jsonl", b"{}\n"), purpose="batch"))
    assert (file.bytes, file.filename) == (3, "lines.jsonl")
    assert call(lambda c: c.files.retrieve(file.id)) == file
    assert call(lambda c: c.files.content(file.id)).content == b"{}\n"
