"""What the items of a response say, as input and as output: messages, calls of functions and tools, their results."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_costs.calls.call import random_id
from otel_costs.messages.drafts import CONTEXT, Draft
from otel_costs.providers.openai.parts import call, key, mapping, message, payload, result, sequence, text
from otel_costs.values import sanitize

_ARGUMENTS: Final = ("arguments", "input", "action", "operation", "code", "queries")
_RESULTS: Final = ("output", "outputs", "results")
_SILENT: Final = frozenset(
    {"reasoning", "item_reference", "compaction", "compaction_trigger", "additional_tools", "mcp_list_tools"}
)


def request(fields: Mapping[str, Any]) -> Iterator[Draft]:
    """Yield what a request of responses or decisions says."""
    if continued := _continued(fields):
        yield Draft("", CONTEXT, key=continued)
    if isinstance(instructions := fields.get("instructions"), str):
        yield Draft("system", "text", text(instructions), instructions=True)
    if variables := mapping(fields.get("prompt")).get("variables"):
        yield Draft("system", "text", sanitize.to_json(variables), instructions=True)
    yield from items(fields.get("input"))
    for question in sequence(fields.get("questions")):
        yield Draft("user", "text", sanitize.to_json(question))


def response(fields: Mapping[str, Any]) -> Iterator[Draft]:
    """Yield what a response says."""
    if fields.get("background") is True and (response_id := key(fields.get("id"))):
        yield Draft("", CONTEXT, key=response_id)  # the process that polls it does not know the request
    yield from items(fields.get("output"))


def items(given: object) -> Iterator[Draft]:
    """Yield what items say; a str is one message of the user's."""
    if isinstance(given, str):
        yield Draft("user", "text", text(given))
        return
    for item in sequence(given):
        fields = mapping(item)
        kind = fields.get("type", "message")
        if kind == "message":
            yield from message(fields)
        elif isinstance(kind, str) and kind not in _SILENT:
            yield from _tool(kind, fields)


def _continued(fields: Mapping[str, Any]) -> str | None:
    """Return what the request continues at the provider's.

    How far a conversation there has got is not known, so that its key is new each time: a second "yes" is a second
    message.
    """
    if previous := key(fields.get("previous_response_id")):
        return previous
    return random_id() if fields.get("conversation") else None


def _tool(kind: str, fields: Mapping[str, Any]) -> Iterator[Draft]:
    """Yield a call, a result, or both, of any tool: those that are added later are named alike."""
    call_id = fields.get("call_id") or fields.get("id")
    if kind == "image_generation_call":
        form = fields.get("output_format")
        yield payload("assistant", "image", fields.get("result"), f"image/{form if isinstance(form, str) else 'png'}")
    elif kind.endswith("_output"):
        yield from result(call_id, fields.get("output", fields.get("result")), name=fields.get("name"))
    elif kind.endswith("_call") or kind == "program":
        name = fields.get("name") or kind.removesuffix("_call")
        yield call(call_id, name, _without_environment(_first(fields, _ARGUMENTS)))
        if (output := _first(fields, _RESULTS)) is not None:
            yield from result(call_id, output, name=name)


def _without_environment(action: object) -> object:
    """Return what a shell is told to do without its environment variables, where credentials are kept."""
    return {key: value for key, value in action.items() if key != "env"} if isinstance(action, Mapping) else action


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> object:
    return next((fields[name] for name in names if fields.get(name) is not None), None)
