"""Anthropic's Messages through its own package, for otel_costs: an example of a provider in a package of its own."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from otel_costs.providers import kit
from otel_costs.providers.kit import mapping, objects


def _message(answer: kit.Answer) -> dict[str, Any]:
    """Return the message that was answered; of a stream what it amounts to, as far as it came."""
    message, blocks = dict(answer.json), dict[Any, Any]()
    for event in answer.events:
        message |= mapping(event, "message")
        block = blocks.setdefault(event.get("index"), {})
        block |= mapping(event, "content_block")
        if event.get("type") == "content_block_delta":
            for name in mapping(event, "delta").keys() & {"text", "partial_json"}:
                block[name] = block.get(name, "") + event["delta"][name]
        elif event.get("type") == "message_delta":
            message |= mapping(event, "delta")
            message["usage"] = kit.merged(message.get("usage"), event.get("usage"))
        elif event.get("type") == "error":
            message["error"] = mapping(event, "error").get("type")
    return {**message, "content": [*blocks.values()]} if blocks else message


def _drafts(role: str, content: object) -> Iterator[kit.Draft]:
    for block in objects({"of": [{"type": "text", "text": content}] if isinstance(content, str) else content}, "of"):
        if block.get("type") == "text":
            yield kit.Draft(role, "text", block.get("text"))
        elif block.get("type") == "tool_use":
            arguments = block.get("partial_json") or json.dumps(block.get("input"))
            yield kit.Draft(role, "function_call", None, block.get("name"), arguments, key=block.get("id"))
        elif block.get("type") == "tool_result":
            result = "\n".join(str(draft.content) for draft in _drafts("function", block.get("content")))
            yield kit.Draft("function", "function_result", result, key=block.get("tool_use_id"))


def _inputs(asked: kit.Asked) -> Sequence[kit.Draft]:
    system = [draft._replace(instructions=True) for draft in _drafts("system", asked.body.get("system"))]
    return system + [draft for one in objects(asked.body, "messages") for draft in _drafts(one["role"], one["content"])]


def _read(_: kit.Asked, answer: kit.Answer) -> kit.Reading:
    get = _message(answer).get
    usage, outputs = kit.read_usage(get("usage"), "anthropic"), [[*_drafts("assistant", get("content"))]]
    return kit.Reading(
        usage, get("model"), get("id"), outputs=outputs, finish_reasons=(get("stop_reason"),), error=get("error")
    )


ANTHROPIC = kit.Vendor(
    name="anthropic",
    hosts=["api.anthropic.com"],
    agent="anthropic/python",
    clients=kit.stainless("anthropic._base_client"),
    endpoints=[kit.Endpoint("chat", "POST", "/v1/messages$", _read, inputs=_inputs, last_event="message_stop")],
)
