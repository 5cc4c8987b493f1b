"""Which messages of a conversation are the same."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.messages import content
from otel_costs.messages.content import Capture
from otel_costs.messages.drafts import CONTEXT, Draft
from otel_costs.messages.history import MAX_HASHED, Message, Seen, identify


@pytest.fixture(autouse=True, params=[Capture.NO_CONTENT, Capture.EVENT_ONLY], ids=["off", "on"])
def capture(request: pytest.FixtureRequest) -> Iterator[Capture]:
    """Every promise holds with content and without."""
    yield content.configure(request.param)
    content.configure(Capture.NO_CONTENT)


@pytest.fixture
def conversation() -> str:
    return os.urandom(8).hex()


def user(said: str) -> Draft:
    return Draft("user", "text", said)


def assistant(said: str) -> Draft:
    return Draft("assistant", "text", said)


def ids(messages: Sequence[Message]) -> list[str]:
    return [message.id for message in messages]


class Talk:
    """An application that sends its history with every request, and what is recorded of it."""

    def __init__(self, conversation: str, *, window: int = 1000) -> None:
        self.conversation, self.window = conversation, window
        self.history: list[Draft] = []
        self.seen = Seen()
        self.written: list[Message] = []

    def turn(self, said: str, answer: str, system: str = "Be brief.") -> None:
        self.history.append(user(said))
        sent = [Draft("system", "text", system), *self.history[-self.window :]]
        asked, prefix = identify(self.conversation, sent)
        answered, _ = identify(self.conversation, [assistant(answer)], index=len(asked), prefix=prefix)
        self.written += [m for m in asked + answered if self.seen.first(self.conversation, m.id)]
        self.history.append(assistant(answer))

    @property
    def said(self) -> list[str | bytes | None]:
        return [message.draft.content for message in self.written if message.draft.role != "system"]


def test_a_history_that_is_sent_again_is_stored_once(conversation: str) -> None:
    """Of 50 turns, each sent with all before it, every message is written once, in order."""
    talk = Talk(conversation)
    for i in range(50):
        talk.turn(f"question {i}", f"answer {i}")
    assert talk.said == [said for i in range(50) for said in (f"question {i}", f"answer {i}")]
    assert [m.index for m in talk.written if m.draft.role == "system"] == [0]


def test_the_same_words_are_said_twice(conversation: str) -> None:
    """A second "yes" at another place is a second message."""
    talk = Talk(conversation)
    for _ in range(5):
        talk.turn("yes", "ok")
    assert talk.said == ["yes", "ok"] * 5


@pytest.mark.parametrize("window", [3, 4, 5, 10])
def test_a_history_without_its_oldest_messages_is_known_again(conversation: str, window: int) -> None:
    """An application that sends only the last few messages has each stored once."""
    talk = Talk(conversation, window=window)
    for i in range(30):
        talk.turn(f"question {i}", f"answer {i}")
    assert len(talk.said) == 60


def test_a_system_prompt_that_changes_makes_no_new_history(conversation: str) -> None:
    """The time of day in the system prompt is stored each time; the messages after it are not."""
    talk = Talk(conversation)
    for i in range(10):
        talk.turn(f"question {i}", f"answer {i}", system=f"It is {i} o'clock.")
    assert len(talk.said) == 20
    assert len(talk.written) == 30


def test_a_system_message_in_the_middle_has_a_place(conversation: str) -> None:
    """A reminder that comes after each turn is a message each time, and the same one when it is sent again."""
    reminder = Draft("system", "text", "Be brief.")
    first, _ = identify(conversation, [user("a"), reminder])
    again, _ = identify(conversation, [user("a"), reminder, assistant("b"), user("c"), reminder])
    assert ids(again)[:2] == ids(first)
    assert len(set(ids(again))) == 5


def test_conversations_do_not_share_messages(conversation: str) -> None:
    """The same words in another session are another message."""
    one, _ = identify(conversation, [user("hello")])
    other, _ = identify(conversation + "x", [user("hello")])
    assert ids(one) != ids(other)


def test_an_answer_comes_back_stripped(conversation: str) -> None:
    """Many applications strip an answer before they send it back: it stays the same message."""
    asked, prefix = identify(conversation, [user("q")])
    answered, _ = identify(conversation, [assistant(" answer\n")], index=1, prefix=prefix)
    again, _ = identify(conversation, [user("q"), assistant("answer")])
    assert ids(again) == ids(asked + answered)


def test_messages_of_one_length_stay_apart(conversation: str) -> None:
    """Texts that look alike without content are different messages in this process, a thousand of them too."""
    found = {identify(conversation, [user(f"chunk {i:05}")])[0][0].id for i in range(1000)}
    assert len(found) == 1000
    assert {identify(conversation, [user(f"chunk {i:05}")])[0][0].id for i in range(1000)} == found


def test_a_call_and_its_result_are_known_by_their_id(conversation: str) -> None:
    """Arguments in another spelling and a result that was shortened are the same messages."""
    key = "call_abcdefghijklmnop"
    call = Draft("assistant", "function_call", None, "lookup", '{"a": 1}', key=key)
    result = Draft("function", "function_result", "a long result", key=key)
    first, _ = identify(conversation, [user("q"), call, result, user("next")])
    again, _ = identify(
        conversation, [user("q"), call._replace(arguments='{"a":1}'), result._replace(content="..."), user("next")]
    )
    assert ids(again) == ids(first)
    assert len(set(ids(first))) == 4


def test_a_result_has_the_name_and_the_arguments_of_its_call(conversation: str, capture: Capture) -> None:
    """A result names its function, in the same request and in a later one that sends only the result."""
    key = f"call_{os.urandom(12).hex()}"
    _, prefix = identify(conversation, [user("q")])
    identify(conversation, [Draft("assistant", "function_call", None, "lookup", '{"a": 1}', key=key)], prefix=prefix)
    later, _ = identify(
        conversation, [Draft("", CONTEXT, key="resp_1"), Draft("function", "function_result", "ok", key=key)]
    )
    draft = later[0].draft
    assert draft.function_name == "lookup"
    assert draft.arguments == ('{"a": 1}' if capture is Capture.EVENT_ONLY else None)


def test_short_ids_of_calls_belong_to_one_conversation(conversation: str) -> None:
    """`call_0` of one session is not the `call_0` of another: no name and no argument passes between them."""
    identify(conversation, [Draft("assistant", "function_call", None, "secret", "{}", key="call_0")])
    other, _ = identify(conversation + "x", [Draft("function", "function_result", "ok", key="call_0")])
    assert other[0].draft.function_name is None
    assert other[0].draft.arguments is None


def test_what_the_provider_holds_is_a_place(conversation: str) -> None:
    """Behind another response the same words are another message; behind the same one, the same."""
    behind = [identify(conversation, [Draft("", CONTEXT, key=key), user("yes")])[0] for key in ("r1", "r2", "r1")]
    assert ids(behind[0]) == ids(behind[2]) != ids(behind[1])
    assert [message.index for message in behind[0]] == [0]


def test_instructions_are_stored_once(conversation: str) -> None:
    """Instructions that are sent with each request are one message, wherever the request continues."""
    told = Draft("system", "text", "Be brief.", instructions=True)
    one, _ = identify(conversation, [Draft("", CONTEXT, key="r1"), told, user("a")])
    other, _ = identify(conversation, [Draft("", CONTEXT, key="r2"), told, user("b")])
    assert ids(one)[0] == ids(other)[0]


def test_long_texts_are_told_apart_by_samples(conversation: str) -> None:
    """Texts of more than a million characters differ by their ends and their length."""
    long = "x" * (MAX_HASHED + 10)
    found = {
        identify(conversation, [user(said)])[0][0].id for said in (long, long + "y", "y" + long[1:], long[:-1] + "y")
    }
    assert len(found) == 4
    assert identify(conversation, [Draft("user", "image", b"x" * (MAX_HASHED + 1), media_type="image")])[0]


def test_ids_are_the_same_in_every_process(conversation: str, capture: Capture) -> None:
    """A history that moves to another worker is stored once: ids depend on no process."""
    drafts = [Draft("system", "text", "s"), user("q"), assistant("a"), user("next")]
    here, _ = identify(conversation, drafts)
    code = (
        "import sys, json\n"
        "from otel_costs.messages.drafts import Draft\n"
        "from otel_costs.messages.history import identify\n"
        "drafts = [Draft(*fields) for fields in json.loads(sys.argv[2])]\n"
        "print(*(message.id for message in identify(sys.argv[1], drafts)[0]))\n"
    )
    there = subprocess.run(
        [sys.executable, "-c", code, conversation, json.dumps([draft[:3] for draft in drafts])],
        env={**os.environ, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": capture.value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.split() == ids(here)


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), st.text(st.characters())), max_size=8),
    st.data(),
)
def test_ids_do_not_depend_on_how_a_history_is_sent(said: list[tuple[str, str]], data: st.DataObject) -> None:
    """At once, or in two calls that are joined by the prefix: the same ids, each a hash of 32 hex digits."""
    drafts = [Draft(role, "text", text) for role, text in said]
    conversation = data.draw(st.text(st.characters())) + os.urandom(8).hex()
    begun = next((i for i, draft in enumerate(drafts) if draft.role != "system"), len(drafts)) + 1
    split = data.draw(st.integers(min(begun, len(drafts)), len(drafts)))
    whole, _ = identify(conversation, drafts)
    first, prefix = identify(conversation, drafts[:split])
    rest, _ = identify(conversation, drafts[split:], index=split, prefix=prefix)
    assert [(m.id, m.index) for m in first + rest] == [(m.id, m.index) for m in whole]
    assert all(len(message.id) == 32 and int(message.id, 16) >= 0 for message in whole)


def test_without_content_an_id_says_nothing_of_what_was_said(conversation: str, capture: Capture) -> None:
    """With content off, the id of a text depends on its length alone: nobody can try out what it was."""
    one, _ = identify(conversation, [user("yes")])
    code = (
        "import sys\n"
        "from otel_costs.messages.drafts import Draft\n"
        "from otel_costs.messages.history import identify\n"
        "print(identify(sys.argv[1], [Draft('user', 'text', 'no!')])[0][0].id)\n"
    )
    guess = subprocess.run(
        [sys.executable, "-c", code, conversation],
        env={**os.environ, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": capture.value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (guess.stdout.strip() == one[0].id) is (capture is Capture.NO_CONTENT)


def test_seen_is_bounded() -> None:
    """What was written long ago is forgotten, and written again."""
    seen = Seen(size=10)
    assert seen.first("c", "a")
    assert not seen.first("c", "a")
    for i in range(100):
        assert seen.first("c", str(i))
    assert seen.first("c", "a")
    assert not seen.first("c", "99")
