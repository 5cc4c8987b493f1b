"""Images."""

import pytest

from .conftest import Caller

# Endpoints that are deprecated, or shut down for others, are billed where they are still served.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_images(call: Caller) -> None:
    """GPT images have usage with its details; dall-e's have a URL and none."""
    answer = call(lambda c: c.images.generate(model="gpt-image-2", prompt="A red hat", n=2, quality="high"))
    assert len(answer.data) == 2
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 8320)
    answer = call(lambda c: c.images.generate(model="dall-e-3", prompt="A red hat"))
    assert answer.usage is None
    assert answer.data[0].url


def test_image_edits(call: Caller) -> None:
    """Pictures that were given count as input."""
    answer = call(lambda c: c.images.edit(model="gpt-image-2", prompt="Blue", image=[("a.png", b"1"), ("b.png", b"2")]))
    assert answer.usage.input_tokens_details.image_tokens == 2 * 323
    assert len(call(lambda c: c.images.create_variation(image=("a.png", b"1"), n=2)).data) == 2


def test_image_streams(call: Caller) -> None:
    """Partial pictures come first, the usage with the last one."""
    events = call(lambda c: c.images.generate(model="gpt-image-2", prompt="A red hat", stream=True, partial_images=2))
    assert [event.type.rpartition(".")[2] for event in events] == ["partial_image", "partial_image", "completed"]
    assert events[-1].usage.output_tokens == 1056 + 200
    events = call(lambda c: c.images.edit(model="gpt-image-2", prompt="Blue", image=("a.png", b"1"), stream=True))
    assert events[-1].type == "image_edit.completed"
