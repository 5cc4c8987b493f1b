"""Realtime events in any order, any number of times, with anything in them: what is billed, and what is kept."""

import base64
import gc
import itertools
import json
import weakref
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs import semconv as names
from otel_costs.calls.call import Call
from otel_costs.providers.openai_realtime import pending_items, tools, transcriptions, turns
from otel_costs.providers.openai_realtime.connection import Connection
from otel_costs.providers.openai_realtime.item import Item
from otel_costs.providers.openai_realtime.sound import PassingAudio
from otel_costs.transports.websocket import Handshake, observe
from tests.support import garbage
from tests.support.recorded import Recorded, instrumented, wait_for_records
from tests.support.selection import examples

Event = dict[str, Any]
Step = tuple[str, Event]
"""An event with where it comes from: `client` or `server`."""

RATES = {  # gpt-realtime, per million tokens: input, what of it is cached, output
    "text": ("4", "0.4", "16"),
    "audio": ("32", "0.4", "64"),
    "image": ("5", "0.5", "0"),
}
HEARD = Decimal("0.36") / 3600  # whisper-1, per second

_examples = itertools.count()
_sound = base64.b64encode(bytes(480)).decode()


@pytest.fixture(scope="module")
def kept() -> Iterator[Recorded]:
    """Instrument once for all examples: each has ids, and so a session, of its own."""
    found = Recorded()
    with instrumented(found):
        yield found


# What a service says.

_usages = st.builds(
    lambda parts, said: _usage(parts, said),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), min_size=3, max_size=3),
    st.tuples(st.integers(0, 5000), st.integers(0, 5000)),
)


def _usage(parts: Sequence[tuple[int, int]], said: tuple[int, int]) -> Event:
    """Return a usage of (tokens beside the cache, tokens from it) of text, audio and images, and text and audio out."""
    kinds = [f"{kind}_tokens" for kind in RATES]
    return {
        "input_tokens": sum(map(sum, parts)),
        "output_tokens": sum(said),
        "total_tokens": sum(map(sum, parts)) + sum(said),
        "input_token_details": {
            **dict(zip(kinds, map(sum, parts), strict=True)),
            "cached_tokens": sum(cached for _, cached in parts),
            "cached_tokens_details": dict(zip(kinds, (cached for _, cached in parts), strict=True)),
        },
        "output_token_details": {"text_tokens": said[0], "audio_tokens": said[1]},
    }


def _cost(usage: Event) -> Decimal:
    """Price a usage by hand."""
    entered, said = usage["input_token_details"], usage["output_token_details"]
    total = Decimal(0)
    for kind, rates in RATES.items():
        plain, cached, out = map(Decimal, rates)
        from_cache = entered["cached_tokens_details"][f"{kind}_tokens"]
        total += (entered[f"{kind}_tokens"] - from_cache) * plain + from_cache * cached
        total += said.get(f"{kind}_tokens", 0) * out
    return total / 1_000_000


_numbers = st.integers(0, 3)


def _spoken(number: int, seconds: int | None) -> list[Step]:
    """Return what the user says: one item, whose transcript comes, or does not."""
    item = f"item_user_{number}"
    found: list[Step] = [
        ("client", {"type": "input_audio_buffer.append", "audio": _sound}),
        ("server", {"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": item}),
        ("server", {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 1000, "item_id": item}),
        ("server", {"type": "input_audio_buffer.committed", "item_id": item, "previous_item_id": None}),
    ]
    if seconds is not None:
        kind = "conversation.item.input_audio_transcription.completed"
        usage = {"type": "duration", "seconds": seconds}
        found.append(
            ("server", {"type": kind, "item_id": item, "content_index": 0, "transcript": "Hi", "usage": usage})
        )
    return found


def _answer(number: int, usage: Event, *, aside: bool, ends: bool, status: str) -> list[Step]:
    """Return a response of one spoken item."""
    about = {"response_id": f"resp_{number}", "item_id": f"item_answer_{number}", "output_index": 0, "content_index": 0}
    response: Event = {"id": f"resp_{number}", "conversation_id": None if aside else "conv_1"}
    said: Event = {"id": about["item_id"], "type": "message", "role": "assistant"}
    whole = {**said, "status": "completed", "content": [{"type": "output_audio", "transcript": "Hello"}]}
    begun = {**said, "status": "in_progress", "content": []}
    call = {"type": "function_call", "id": f"item_call_{number}", "call_id": f"call_{number}", "name": "f",
            "arguments": "{}", "status": "completed"}  # fmt: skip
    ended = {**response, "status": status, "output": [whole, call], "usage": usage}
    found: list[Step] = [
        ("client", {"type": "response.create"}),
        ("server", {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}),
        ("server", {"type": "response.output_item.added", "response_id": about["response_id"], "item": begun}),
        ("server", {"type": "conversation.item.added", "item": begun}),
        ("server", {"type": "response.output_audio_transcript.delta", **about, "delta": "Hel"}),
        ("server", {"type": "response.output_audio.delta", **about, "delta": _sound}),
        ("server", {"type": "conversation.item.done", "item": whole}),
    ]
    if ends:
        found.append(("server", {"type": "response.done", "response": ended}))
    truncation = {"item_id": about["item_id"], "content_index": 0, "audio_end_ms": 5}
    return [*found, ("client", {"type": "conversation.item.truncate", **truncation})]


def _written(number: int) -> list[Step]:
    """Return what the application writes: a text, and a function's result."""
    text = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": f"Text {number}"}]}
    result = {"type": "function_call_output", "call_id": f"call_{number}", "output": "{}"}
    found: list[Step] = []
    for kind, item in (("text", text), ("result", result)):
        found.append(("client", {"type": "conversation.item.create", "item": item}))
        added = {**item, "id": f"item_{kind}_{number}", "status": "completed"}
        found.append(("server", {"type": "conversation.item.added", "item": added}))
    return found


_parts = st.one_of(
    st.builds(_spoken, _numbers, st.one_of(st.none(), st.integers(1, 60))),
    st.builds(
        _answer, _numbers, _usages, aside=st.booleans(), ends=st.booleans(),
        status=st.sampled_from(["completed", "cancelled", "incomplete", "failed"]),
    ),
    st.builds(_written, _numbers),
)  # fmt: skip
_talks = st.lists(_parts, max_size=6).map(lambda parts: [step for part in parts for step in part])


@st.composite
def _shuffled(draw: st.DrawFn) -> list[Step]:
    """Draw a conversation whose events are in any order, lost, and said again."""
    talk = draw(_talks)
    if not talk or draw(st.booleans()):
        return talk
    return draw(st.lists(st.sampled_from(talk), max_size=2 * len(talk)))


# What anybody may say.

_texts = st.text(st.characters(), max_size=12)
_odd = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), _texts, st.just(_sound)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_texts, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def _spoilt(draw: st.DrawFn) -> list[Step]:
    """Draw a conversation in which any value may be any other."""
    steps: list[Step] = [("server", _created("")), *draw(_shuffled())]
    found = []
    for whose, event in steps:
        spoilt: Any = json.loads(json.dumps(event))
        for _ in range(draw(st.integers(0, 2))):
            _spoil(draw, spoilt)
        found.append((draw(st.sampled_from([whose, whose, "client", "server"])), spoilt))
    return found


def _spoil(draw: st.DrawFn, value: Any) -> None:
    """Put something odd into one place of an object, at any depth."""
    while True:
        places: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not places:
            return
        place = draw(st.sampled_from(places))
        if isinstance(value[place], dict | list) and value[place] and draw(st.booleans()):
            value = value[place]
            continue
        value[place] = draw(_odd)
        return


class Talk:
    """A connection of one example, whose ids nobody else has."""

    def __init__(self, query: str = "model=gpt-realtime") -> None:
        found = observe(Handshake("127.0.0.1", 443, "/v1/realtime", query, {}))
        assert isinstance(found, Connection)
        self.connection = found
        self.mark = f"_{next(_examples):016}"

    def play(self, steps: Sequence[Step]) -> None:
        for whose, event in steps:
            self.tell(whose, json.dumps(_marked(event, self.mark)))

    def tell(self, whose: str, frame: str | bytes) -> None:
        (self.connection.sent if whose == "client" else self.connection.received)(frame)


def _marked(value: Any, mark: str) -> Any:
    """Return an event whose ids are this example's own."""
    if isinstance(value, dict):
        return {key: _marked(item, mark) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item, mark) for item in value]
    return value + mark if isinstance(value, str) and value.startswith(("item_", "resp_", "sess_", "call_")) else value


def _created(mark: str) -> Event:
    audio = {"input": {"format": {"type": "audio/pcm"}, "transcription": {"model": "whisper-1"}}}
    session = {"id": f"sess_{mark}", "type": "realtime", "model": "gpt-realtime", "audio": audio}
    return {"type": "session.created", "session": session}


def _finished(kept: Recorded) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the calls and the messages of one example, and forget them."""
    wait_for_records()
    found = kept.calls, kept.messages
    kept.log_exporter.clear()
    kept.span_exporter.clear()
    return found


def _first_by_id(steps: Sequence[Step], kind: str) -> dict[str, Event]:
    found: dict[str, Event] = {}
    for _, event in steps:
        if event["type"] == kind:
            found.setdefault(event["response"]["id"], event["response"])
    return found


@given(steps=_shuffled())
@examples(150)
def test_every_response_is_billed_once_and_exactly(kept: Recorded, steps: list[Step]) -> None:
    """Whatever the order, and whatever is lost or said twice: the money is that of the usages, to the last digit."""
    talk = Talk()
    talk.play([("server", _created("")), *steps])
    talk.connection.closed(None)
    calls, _ = _finished(kept)
    done = _first_by_id(steps, "response.done")
    expected = {f"{name}{talk.mark}": _cost(response["usage"]) for name, response in done.items()}
    inferred = [call for call in calls if call[names.OPERATION_NAME] == "realtime_inference"]
    priced = {call[names.RESPONSE_ID]: Decimal(call[names.COST_USD]) for call in inferred if names.COST_USD in call}
    assert priced == expected
    begun = set(done) | set(_first_by_id(steps, "response.created"))
    assert sorted(call[names.RESPONSE_ID] for call in inferred) == sorted(f"{name}{talk.mark}" for name in begun)


@given(steps=_shuffled())
@examples(150)
def test_every_transcription_is_billed_once(kept: Recorded, steps: list[Step]) -> None:
    """By its item, at the first usage that is said; where none is said, by an estimate."""
    talk = Talk()
    talk.play([("server", _created("")), *steps])
    talk.connection.closed(None)
    calls, _ = _finished(kept)
    committed: set[str] = set()
    said: dict[str, int] = {}
    for _, event in steps:
        if event["type"] == "input_audio_buffer.committed":
            committed.add(event["item_id"])
        elif event["type"].endswith("transcription.completed"):
            said.setdefault(event["item_id"], event["usage"]["seconds"])
    heard = [call for call in calls if call[names.OPERATION_NAME] == "speech_to_text"]
    assert len(heard) == len(committed | set(said))
    priced = [Decimal(call[names.COST_USD]) for call in heard if call[names.COST_STATUS] == "priced"]
    assert sum(priced) == sum(seconds * HEARD for seconds in said.values())
    assert len(priced) == len(said)


@given(steps=_shuffled())
@examples(100)
def test_every_item_is_a_message_once(kept: Recorded, steps: list[Step]) -> None:
    """However often it is said, and by how many events; what stands aside of the conversation is none."""
    talk = Talk()
    talk.play([("server", _created("")), *steps])
    talk.connection.closed(None)
    _, messages = _finished(kept)
    ids = [message[names.MESSAGE_ID] for message in messages]
    assert len(ids) == len(set(ids))
    committed = {event["item_id"] for _, event in steps if event["type"] == "input_audio_buffer.committed"}
    assert {f"{item}{talk.mark}" for item in committed} <= set(ids)


@given(steps=_spoilt())
@examples(300)
def test_nothing_that_is_said_raises_or_hides_what_follows(kept: Recorded, steps: list[Step]) -> None:
    """Whatever an event has in any of its fields, the next good one counts, and no more is held than may be."""
    talk = Talk()
    talk.play(steps)
    _holds_no_more_than_it_may(talk.connection)
    usage = _usage([(10, 5), (20, 5), (0, 0)], (3, 4))
    last = {"type": "response.done", "response": {"id": "resp_last", "status": "completed", "usage": usage}}
    talk.play([("server", _created("")), ("server", last)])
    talk.connection.closed(None)
    calls, _ = _finished(kept)
    (call,) = (call for call in calls if call.get(names.RESPONSE_ID) == f"resp_last{talk.mark}")
    assert Decimal(call[names.COST_USD]) == _cost(usage)


@given(whose=st.sampled_from(["client", "server"]), steps=_talks, data=st.data())
@examples(150)
def test_no_frame_raises(kept: Recorded, whose: str, steps: list[Step], data: st.DataObject) -> None:
    """Cut anywhere, of any bytes, as text or not."""
    talk = Talk()
    frames = [json.dumps(event) for _, event in steps] or ["{}"]
    for _ in range(4):
        frame = data.draw(st.sampled_from(frames))
        cut = frame[: data.draw(st.integers(0, len(frame)))]
        for said in (cut, cut.encode(), data.draw(st.binary(max_size=40)), data.draw(_texts)):
            talk.tell(whose, said)
    talk.connection.closed("1006")
    _finished(kept)


def _holds_no_more_than_it_may(connection: Connection) -> None:
    assert len(connection._items._pending) <= pending_items.MOST_PENDING
    assert len(connection._items._pending._wordless) <= pending_items.MOST_PENDING
    assert len(connection._turns._open) <= turns.OPEN
    assert len(connection._transcriptions._open) <= transcriptions.OPEN
    assert len(connection._tools._running) <= tools.WAITING


def test_many_things_under_way_are_bounded(kept: Recorded) -> None:
    """A service that begins everything and ends nothing."""
    talk = Talk()
    talk.play([("server", _created(""))])
    usage = _usage([(1, 0)] * 3, (1, 1))
    for number in range(200):
        talk.play(_spoken(number, None))
        talk.play(_answer(number, usage, aside=False, ends=False, status=""))
        talk.play(_written(number)[:1])
    begun = {"type": "response.output_item.added", "response_id": "resp_199"}
    for number in range(1000):
        talk.play([("server", {**begun, "item": {"id": f"item_more_{number}", "type": "message"}})])
    _holds_no_more_than_it_may(talk.connection)
    assert len(talk.connection._turns._open[f"resp_199{talk.mark}"].items) <= pending_items.MOST_PENDING
    talk.connection.closed(None)
    calls, messages = _finished(kept)
    assert len([call for call in calls if call[names.OPERATION_NAME] == "speech_to_text"]) == 200
    assert len([call for call in calls if call[names.COST_REASON] == "response_not_done"]) == 200
    assert len({message[names.MESSAGE_ID] for message in messages}) == len(messages) >= 200


@pytest.mark.some(1)
@pytest.mark.parametrize("error", [None, "1006"])
def test_nothing_is_held_after_the_end(kept: Recorded, error: str | None) -> None:
    """Neither the connection, nor a call, an item or a sound of it, whatever was under way."""
    before = _held()  # of other tests in this process; they stay, so that no id is given anew
    others = set(map(id, before))
    talk = Talk()
    talk.play([("server", _created(""))])
    usage = _usage([(1, 0)] * 3, (1, 1))
    for number in range(4):
        talk.play(_spoken(number, None if number % 2 else 1))
        talk.play(_answer(number, usage, aside=False, ends=number < 2, status="cancelled"))
        talk.play(_written(number))
    gone = weakref.ref(talk.connection)
    talk.connection.closed(error)
    del talk
    _finished(kept)
    garbage.collect()
    assert gone() is None
    assert not [found for found in _held() if id(found) not in others]


def _held() -> list[object]:
    """Return the calls, items and sounds of this process."""
    return [found for found in gc.get_objects() if type(found) in (Call, Item, PassingAudio)]
