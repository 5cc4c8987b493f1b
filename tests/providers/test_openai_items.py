"""What the items of a response say."""

import base64
import os
from typing import Any

import pytest

from otel_costs import messages
from otel_costs.messages.drafts import CONTEXT, Draft
from otel_costs.providers.openai.messages import read_request, read_response

PNG = base64.b64encode(bytes(range(256))).decode()


def items(*given: dict[str, Any]) -> list[Draft]:
    """Return what items say, which is the same as input and as output."""
    sent, answered = (
        read_request("responses", {"input": list(given)}),
        read_response("responses", {"output": list(given)}),
    )
    assert [sent] == answered
    return sent


def test_a_request_is_its_instructions_and_its_input() -> None:
    """A str is one message of the user's; instructions and a prompt's variables stand beside the conversation."""
    body = {"instructions": "Be brief.", "input": "Hi.", "prompt": {"id": "pmpt_1", "variables": {"name": "Ann"}}}
    assert read_request("responses", body) == [
        Draft("system", "text", "Be brief.", instructions=True),
        Draft("system", "text", '{"name": "Ann"}', instructions=True),
        Draft("user", "text", "Hi."),
    ]


def test_messages_with_and_without_a_type() -> None:
    """An easy message and a full one say the same."""
    easy = {"role": "developer", "content": "a"}
    full = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "a"}]}
    assert items(easy) == items(full) == [Draft("system", "text", "a")]


def test_payloads_in_a_message() -> None:
    """Images and files by data, address or id."""
    content = [
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
        {"type": "input_image", "file_id": "file-1", "detail": "auto"},
        {"type": "input_file", "file_data": f"data:application/pdf;base64,{PNG}", "filename": "a.pdf"},
        {"type": "input_file", "file_url": "https://host/a.pdf?sig=secret"},
    ]
    assert items({"role": "user", "content": content}) == [
        Draft("user", "image", f"data:image/png;base64,{PNG}", media_type="image"),
        Draft("user", "image", "file-1", part=True),
        Draft("user", "file", f"data:application/pdf;base64,{PNG}", media_type="application/octet-stream", part=True),
        Draft("user", "file", "https://host/a.pdf", part=True),
    ]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
            [Draft("assistant", "function_call", None, "f", "{}", key="call_1")],
        ),
        (
            {"type": "function_call_output", "call_id": "call_1", "output": "ok"},
            [Draft("function", "function_result", "ok", key="call_1")],
        ),
        (
            {"type": "custom_tool_call", "call_id": "call_1", "name": "sql", "input": "select 1"},
            [Draft("assistant", "function_call", None, "sql", "select 1", key="call_1")],
        ),
        (
            {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "cats"}},
            [
                Draft(
                    "assistant", "function_call", None, "web_search", '{"type": "search", "query": "cats"}', key="ws_1"
                )
            ],
        ),
        (
            {"type": "file_search_call", "id": "fs_1", "queries": ["a"], "results": None},
            [Draft("assistant", "function_call", None, "file_search", '["a"]', key="fs_1")],
        ),
        (
            {"type": "mcp_call", "id": "mcp_1", "name": "roll", "arguments": "{}", "output": "6"},
            [
                Draft("assistant", "function_call", None, "roll", "{}", key="mcp_1"),
                Draft("function", "function_result", "6", "roll", key="mcp_1"),
            ],
        ),
        (
            {
                "type": "code_interpreter_call",
                "id": "ci_1",
                "code": "1 + 1",
                "outputs": [{"type": "logs", "logs": "2"}],
            },
            [
                Draft("assistant", "function_call", None, "code_interpreter", "1 + 1", key="ci_1"),
                Draft("function", "function_result", '{"type": "logs", "logs": "2"}', "code_interpreter", key="ci_1"),
            ],
        ),
        (
            {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "x"}]},
            [Draft("function", "function_result", '{"stdout": "x"}', key="c")],
        ),
        (
            {"type": "image_generation_call", "id": "ig_1", "result": PNG, "output_format": "webp"},
            [Draft("assistant", "image", PNG, media_type="image/webp")],
        ),
        (
            {"type": "tool_of_next_year_call", "id": "t_1", "arguments": {"a": 1}, "output": "done"},
            [
                Draft("assistant", "function_call", None, "tool_of_next_year", '{"a": 1}', key="t_1"),
                Draft("function", "function_result", "done", "tool_of_next_year", key="t_1"),
            ],
        ),
        ({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "x"}]}, []),
        ({"type": "item_reference", "id": "msg_1"}, []),
        ({"type": "compaction", "id": "c_1", "encrypted_content": "x"}, []),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_each_kind_of_item(item: dict[str, Any], expected: list[Draft]) -> None:
    """Calls of functions and of built-in tools, their results, images; thoughts and references say nothing."""
    assert items(item) == expected


def test_a_result_with_an_image() -> None:
    """The text of a result is its content, an image in it is a part of the same message."""
    output = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]
    assert items({"type": "function_call_output", "call_id": "call_1", "output": output}) == [
        Draft("function", "function_result", "a", key="call_1"),
        Draft("function", "image", f"data:image/png;base64,{PNG}", media_type="image", part=True),
    ]


def ids(drafts: list[Draft], conversation: str, prefix: bytes | None = None) -> tuple[list[str], bytes]:
    found, prefix = messages.identify(conversation, drafts, prefix=prefix)
    return [message.id for message in found], prefix


@pytest.mark.parametrize("form", ["item", "easy"])
def test_an_answer_keeps_its_id_when_it_comes_back(form: str) -> None:
    """As the item that the API returned or as an easy message of the application's."""
    conversation = os.urandom(8).hex()
    content = [{"type": "output_text", "text": "Sunny.", "annotations": [], "logprobs": []}]
    answer = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
    sent_back = answer if form == "item" else {"role": "assistant", "content": "Sunny."}
    asked = {"role": "user", "content": "Weather?"}
    first, prefix = ids(read_request("responses", {"input": [asked]}), conversation)
    answered, _ = ids(read_response("responses", {"output": [answer]})[0], conversation, prefix)
    assert ids(read_request("responses", {"input": [asked, sent_back]}), conversation)[0] == first + answered


def test_the_same_words_behind_another_response_are_new() -> None:
    """Where the provider holds the history, "yes" to another response is another message, and a retry is the same."""
    told = [
        ids(read_request("responses", {"input": "yes", "previous_response_id": key}), "s")[0] for key in ("a", "b", "a")
    ]
    assert told[0] == told[2] != told[1]


def test_the_same_words_in_a_conversation_of_the_providers_are_new() -> None:
    """Nobody tells how far it has got: each request says something new. Its instructions stay one message."""
    body = {"input": "yes", "instructions": "Be brief.", "conversation": {"id": "conv_1"}}
    one, other = (ids(read_request("responses", body), "s")[0] for _ in range(2))
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_a_background_response_that_is_polled_says_one_thing() -> None:
    """Who polls it does not know the request; its answer has the same id for everybody."""
    body = {
        "id": "resp_1",
        "background": True,
        "output": [{"type": "message", "role": "assistant", "content": "Done."}],
    }
    drafts = read_response("responses", body)[0]
    assert drafts[0] == Draft("", CONTEXT, key="resp_1")
    behind_a_request, _ = ids(drafts, "s", prefix=b"x" * 32)
    assert ids(drafts, "s")[0] == behind_a_request


def test_decisions_are_questions_and_answers() -> None:
    """A decision's input is that of a response, its questions are asked after it."""
    body = {"input": "A text.", "questions": [{"type": "predicate", "instructions": "Is it short?"}]}
    assert [draft.content for draft in read_request("decisions", body)] == [
        "A text.",
        '{"type": "predicate", "instructions": "Is it short?"}',
    ]
    answers = {"answers": [{"type": "predicate", "name": None, "probability": 0.9}]}
    assert read_response("decisions", answers) == [
        [Draft("assistant", "text", '{"type": "predicate", "name": null, "probability": 0.9}')]
    ]
