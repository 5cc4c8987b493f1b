"""session_messages and search_messages: every message once, where it was said first, with what is known of it."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest

from .ledger import NOON, Store, at, message, only


def said(store: Store, session: str = "s1") -> list[tuple[str, ...]]:
    """Return role and content of a conversation, in order."""
    found = store.ask(
        "select role, content from session_messages where session_id = {session:String}"
        " order by timestamp, message_index",
        session=session,
    )
    return only(found, "role", "content")


def test_a_record_becomes_a_message(store: Store) -> None:
    """Every attribute of a message has its column, with its type and value."""
    store.insert(
        message(
            at("10:30:00.123456"),
            "It is sunny.",
            message_id="item_1",
            role="assistant",
            otel_costs__message__type="audio",
            otel_costs__message__index=3,
            otel_costs__message__audio_seconds="1.5",
            otel_costs__message__bytes=70000,
            otel_costs__message__sha256="ab" * 32,
            otel_costs__message__truncated="true",
            otel_costs__message__interrupted="turn_detected",
            otel_costs__call__id="AB" * 16,
            otel_costs__scenario="weather",
        )
    )
    assert store.one("select * from session_messages") == {
        "session_id": "s1",
        "message_id": "item_1",
        "user_id": "u1",
        "call_id": "ab" * 16,
        "kind": "conversation",
        "scenario": "weather",
        "message_index": 3,
        "role": "assistant",
        "type": "audio",
        "function_name": "",
        "arguments": "",
        "content": "It is sunny.",
        "content_state": "recorded",
        "audio_seconds": Decimal("1.5"),
        "bytes": 70000,
        "sha256": "ab" * 32,
        "truncated": True,
        "interrupted": "turn_detected",
        "timestamp": at("10:30:00.123456"),
    }


@pytest.mark.parametrize("event_name", ["otel_costs.message", ""])
def test_a_record_without_event_name_is_known_by_its_attribute(store: Store, event_name: str) -> None:
    """Some collectors leave the event name empty."""
    store.insert(message(event_name=event_name))
    assert len(said(store)) == 1


def test_a_history_that_is_sent_again_is_stored_once(store: Store) -> None:
    """Another process sends the whole conversation later; nothing moves and nothing doubles."""
    first = [message(at(f"10:00:{second:02}"), f"turn {second}", message_id=f"m{second}") for second in range(5)]
    again = [message(at("11:00:00", day=40), f"turn {second}", message_id=f"m{second}") for second in range(5)]
    store.insert(*again[:2])
    store.insert(*first, *again)
    store.insert(*again)
    assert said(store) == [("user", f"turn {second}") for second in range(5)]
    assert store.one("select max(timestamp) as newest from session_messages") == {"newest": at("10:00:04")}
    store.client.command("optimize table messages final")
    assert said(store) == [("user", f"turn {second}") for second in range(5)]


@pytest.mark.some(1)
@pytest.mark.parametrize("seed", range(4))
def test_content_that_becomes_known_later_is_kept(store: Store, seed: int) -> None:
    """A transcript comes after its message: the first time stays, the content is there, in any order, after merges."""
    copies = [
        message(at("10:00:00")),
        message(at("10:00:02"), "I want to cancel", otel_costs__message__bytes=16),
        message(at("10:00:05")),
        message(at("10:00:09"), "I want to cancel", otel_costs__message__bytes=16),
    ]
    random.Random(seed).shuffle(copies)
    for copy in copies:
        store.insert(copy)
    for _ in range(2):
        row = store.one("select content, bytes, timestamp from session_messages")
        assert row == {"content": "I want to cancel", "bytes": 16, "timestamp": at("10:00:00")}
        store.client.command("optimize table messages final")


def test_a_content_that_was_cut_later_is_the_newer_one(store: Store) -> None:
    """What the user interrupted was never heard: the newer of two contents counts."""
    store.insert(message(at("10:00:00"), "It is sunny and warm and"))
    store.insert(message(at("10:00:01"), "It is sunny"))
    store.insert(message(at("10:00:00"), "It is sunny and warm and"))
    assert said(store) == [("user", "It is sunny")]


def test_a_message_after_the_answer_stands_where_it_was_said(store: Store) -> None:
    """A transcript may arrive after the answer it led to; the time it was said at decides."""
    store.insert(message(at("10:00:01"), "Of course.", message_id="m2", role="assistant"))
    store.insert(message(at("10:00:00"), "Can you help?", message_id="m1"))
    assert said(store) == [("user", "Can you help?"), ("assistant", "Of course.")]


def test_messages_of_one_moment_keep_their_order(store: Store) -> None:
    """One call's messages may share a time: their index tells them apart."""
    places = [3, 0, 2, 1]
    store.insert(
        *[message(content=str(place), message_id=f"x{place}", otel_costs__message__index=place) for place in places]
    )
    assert [content for _, content in said(store)] == ["0", "1", "2", "3"]


def test_the_same_id_in_two_sessions_is_two_messages(store: Store) -> None:
    """Ids belong to their session."""
    store.insert(message(content="a", session="a"), message(content="b", session="b"))
    assert said(store, "a") + said(store, "b") == [("user", "a"), ("user", "b")]


def test_a_functions_result_is_shown_as_its_call_is(store: Store) -> None:
    """Both are function_call; the role tells them apart, and the result is content."""
    function = {"otel_costs.message.function_name": "weather", "otel_costs.message.arguments": '{"city": "Oslo"}'}
    store.insert(
        message(
            at("10:00:00"),
            role="assistant",
            message_id="m1",
            **{"otel_costs.message.type": "function_call"},
            **function,
        ),
        message(
            at("10:00:01"),
            "12 °C",
            role="function",
            message_id="m2",
            **{"otel_costs.message.type": "function_result"},
            **function,
        ),
    )
    found = store.ask("select role, type, content, function_name, arguments from session_messages order by timestamp")
    assert only(found, "role", "type", "content") == [
        ("assistant", "function_call", ""),
        ("function", "function_call", "12 °C"),
    ]
    assert only(found, "function_name", "arguments") == [("weather", '{"city": "Oslo"}')] * 2


@pytest.mark.some(3)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("refund", ["m1", "m3"]),
        ("REFUND order", ["m1"]),
        ("order, refund!", ["m1"]),
        ("fund", []),
        ("café", ["m2"]),
        ("nothing", []),
        ("", []),
        ("'; drop table messages --", []),
    ],
)
def test_words_are_found_whole_and_in_any_case(store: Store, words: str, expected: list[str]) -> None:
    """All words of the question must be in a message; the newest comes first."""
    store.insert(
        message(at("10:00:03"), "Please refund my order", message_id="m1"),
        message(at("10:00:02"), "The café was closed", message_id="m2"),
        message(at("10:00:01"), "No Refund.", message_id="m3"),
    )
    found = store.ask("select message_id from search_messages(words = {words:String})", words=words)
    assert [row["message_id"] for row in found] == expected


def test_a_message_is_found_once_and_by_its_newest_content(store: Store) -> None:
    """Copies do not show twice, and an older version of the content is not found."""
    store.insert(message(at("10:00:00"), "sunny and warm"), message(at("10:00:00"), "sunny and warm"))
    store.insert(message(at("10:00:01"), "sunny"))
    search = "select content from search_messages(words = {words:String})"
    assert only(store.ask(search, words="sunny"), "content") == [("sunny",)]
    assert store.ask(search, words="warm") == []


def test_a_search_reads_its_index_alone(store: Store) -> None:
    """A word that stands nowhere is answered from the index: no message is read for it."""
    store.insert(*[message(NOON + timedelta(seconds=n), f"message {n}", message_id=f"m{n}") for n in range(20)])
    plan = store.ask(
        "explain indexes = 1 select message_id from messages where hasAllTokens(lower(content), lower('absent'))"
    )
    text = "\n".join(row["explain"] for row in plan)
    assert "Name: words" in text
    assert "Granules: 0/" in text.partition("Name: words")[2]


def test_deleted_content_is_told_from_what_was_never_recorded(store: Store) -> None:
    """After its retention a message says that it had content; one without content never says so."""
    store.insert(message(content="hello", message_id="m1"), message(content="", message_id="m2"))
    asked = "select message_id, content_state from session_messages order by message_id"
    assert store.ask(asked) == [
        {"message_id": "m1", "content_state": "recorded"},
        {"message_id": "m2", "content_state": "not_recorded"},
    ]
    # What its time to live does, without waiting for thirty days.
    store.client.command("alter table messages update content = '' where true settings mutations_sync = 2")
    assert store.ask(asked) == [
        {"message_id": "m1", "content_state": "deleted"},
        {"message_id": "m2", "content_state": "not_recorded"},
    ]
    (report,) = store.ask("select messages from session_report(session_id = 's1')")
    assert [one["metadata"]["content_state"] for one in report["messages"]] == ["deleted", "not_recorded"]
