"""Images, by the token and by the piece, whole and streamed; videos by the second."""

from decimal import Decimal
from typing import Any

import pytest

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs import session as otel_session
from otel_costs.stand_in import Fault, Provider
from tests.providers.conftest import Driver, usd
from tests.support.recorded import Recorded

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),
]

PNG = ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(64), "image/png")


def generate(driver: Driver, **asked: Any) -> Any:
    return driver.run(driver.client.images.generate(**{"prompt": "A quiet harbour", **asked}))


@pytest.mark.parametrize("streamed", [False, True])
def test_by_the_token(streamed: bool, driver: Driver, recorded: Recorded) -> None:
    """A model that is billed by tokens is billed by those of its answer, or of the stream's last event."""
    more = {"stream": True, "partial_images": 2} if streamed else {}
    found = generate(driver, model="gpt-image-1", **more)
    if streamed:
        assert [event.type for event in driver.read(found)][-1] == "image_generation.completed"
    made = 1056 + (200 if streamed else 0)
    call = recorded.call
    assert call["gen_ai.usage.text.input_tokens"] == call["gen_ai.usage.input_tokens"] == 4
    assert call["gen_ai.usage.image.output_tokens"] == call["gen_ai.usage.output_tokens"] == made
    assert call[names.COST_STATUS] == "priced"
    assert usd(call) == (Decimal(4) * 5 + Decimal(made) * 40) / 1_000_000
    assert call[names.OPERATION_NAME] == "image_generation"
    (span,) = recorded.spans
    assert span.name == "image_generation gpt-image-1"
    assert span.attributes is not None
    assert span.attributes[names.OUTPUT_TYPE] == "image"


@pytest.mark.parametrize(
    ("asked", "cost"),
    [
        ({"model": "dall-e-3"}, "0.04"),
        ({"model": "dall-e-3", "quality": "hd", "size": "1024x1792"}, "0.12"),
        ({"model": "dall-e-2", "n": 3, "size": "512x512"}, "0.054"),
    ],
)
def test_by_the_piece(asked: Any, cost: str, driver: Driver, recorded: Recorded) -> None:
    """Older models are billed by the image, its size and quality."""
    generate(driver, **asked)
    call = recorded.call
    assert call["otel_costs.usage.images"] == asked.get("n", 1)
    assert (call[names.COST_USD], call[names.COST_STATUS]) == (cost, "priced")


@pytest.mark.parametrize("streamed", [False, True])
def test_edit(streamed: bool, driver: Driver, recorded: Recorded) -> None:
    """An edit reads images, too, at their own price."""
    asked = driver.client.images.edit(model="gpt-image-1", image=[PNG, PNG], prompt="Add a boat", stream=streamed)
    found = driver.run(asked)
    if streamed:
        driver.read(found)
    call = recorded.call
    assert call["gen_ai.usage.image.input_tokens"] == 646
    assert call["gen_ai.usage.text.input_tokens"] == 3
    assert usd(call) == (Decimal(3) * 5 + Decimal(646) * 10 + Decimal(1056) * 40) / 1_000_000


def test_variation(driver: Driver, recorded: Recorded) -> None:
    """A variation says no usage and no model: dall-e-2 makes them, by the piece."""
    driver.run(driver.client.images.create_variation(image=PNG, n=2, model="dall-e-2", size="256x256"))
    call = recorded.call
    assert call["otel_costs.usage.images"] == 2
    assert call[names.COST_USD] == "0.032"


def test_stream_left_early(driver: Driver, recorded: Recorded) -> None:
    """A stream of images that is left says that its cost is not known."""
    found = generate(driver, model="gpt-image-1", stream=True, partial_images=2)
    driver.run(found.close())
    call = recorded.call
    assert call[names.COST_STATUS] == "unpriced"
    assert call[names.COST_REASON].startswith("stream_closed_early")


def make(driver: Driver, **asked: Any) -> Any:
    return driver.run(driver.client.videos.create(**{"prompt": "A quiet harbour", "model": "sora-2", **asked}))


def test_video(driver: Driver, recorded: Recorded) -> None:
    """A video is pending until a look finds it made, and billed once, by the second, to who asked for it."""
    with otel_session("abc-123"):
        video = make(driver, seconds="8")
    pending = recorded.call
    assert (pending[names.CALL_REVISION], pending[names.COST_REASON]) == (0, "job_not_ended")
    for _ in range(3):
        driver.run(driver.client.videos.retrieve(video.id))
    driver.run(driver.client.videos.list())
    _, final = recorded.calls
    assert final[names.CALL_ID] == pending[names.CALL_ID]
    assert final[names.CALL_ID][12] == "5"
    assert final[names.CALL_REVISION] == 1
    assert final["otel_costs.usage.video_seconds"] == "8"
    assert final[names.COST_USD] == "0.8"
    assert final[names.SESSION_ID] == "abc-123"
    assert final["timestamp"] == pending["timestamp"] == video.created_at * 1_000_000_000
    assert final[names.OPERATION_NAME] == "video_generation"


def test_video_by_size(driver: Driver, recorded: Recorded) -> None:
    """The price of a second depends on the model and the size."""
    video = make(driver, model="sora-2-pro", size="1792x1024", seconds="4")
    driver.run(driver.client.videos.poll(video.id, poll_interval_ms=1))
    assert recorded.calls[-1][names.COST_USD] == "2"


def test_create_and_poll(driver: Driver, recorded: Recorded) -> None:
    """The helper that waits for the video leaves the same two records."""
    driver.run(driver.client.videos.create_and_poll(prompt="x", model="sora-2", seconds="4", poll_interval_ms=1))
    assert [call[names.CALL_REVISION] for call in recorded.calls] == [0, 1]
    assert recorded.calls[-1][names.COST_USD] == "0.4"


def test_remix(driver: Driver, recorded: Recorded) -> None:
    """A remix is a video of its own; the content that is downloaded is not."""
    first = make(driver)
    driver.run(driver.client.videos.poll(first.id, poll_interval_ms=1))
    second = driver.run(driver.client.videos.remix(first.id, prompt="At night"))
    driver.run(driver.client.videos.poll(second.id, poll_interval_ms=1))
    driver.run(driver.client.videos.download_content(second.id))
    calls = recorded.calls
    assert [call[names.CALL_REVISION] for call in calls] == [0, 1, 0, 1]
    assert len({call[names.CALL_ID] for call in calls}) == 2


def test_failed_video(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A video that could not be made ends with its error and without a cost."""
    provider.script(Fault(outcome="failed"))
    video = make(driver)
    for _ in range(2):
        driver.run(driver.client.videos.retrieve(video.id))
    _, final = recorded.calls
    assert final[names.CALL_REVISION] == 1
    assert final[names.ERROR_TYPE] == "moderation_blocked"
    assert names.COST_USD not in final or final[names.COST_USD] == "0"


def test_list_of_others(driver: Driver, recorded: Recorded) -> None:
    """A list bills every job on it that has ended, once, and none that has not."""
    CostsInstrumentor().uninstrument()
    made = [make(driver) for _ in range(3)]
    for video in made[:2]:
        driver.run(driver.client.videos.poll(video.id, poll_interval_ms=1))
    CostsInstrumentor().instrument(**recorded.providers)
    for _ in range(2):
        driver.run(driver.client.videos.list())
    calls = recorded.calls
    assert len({call[names.CALL_ID] for call in calls}) == len(calls) == 2
    assert {call[names.RESPONSE_ID] for call in calls} == {video.id for video in made[:2]}
    assert len(recorded.spans) == 2
