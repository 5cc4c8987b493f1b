"""Definitions of tools on spans: what a tool is, and no credential, whatever the tool is."""

import copy
import json
import types
import typing
from typing import Any

import pytest
import typing_extensions
from openai.types.chat import ChatCompletionToolUnionParam
from openai.types.realtime import RealtimeToolsConfigUnionParam
from openai.types.responses import ToolParam

from otel_costs.messages import tool_definitions
from otel_costs.messages.content import Capture, configure
from otel_costs.messages.span_messages import span_attributes

SECRET = "xyzzy-secret"
URL = f"https://user:{SECRET}@tools.example/mcp;v=1?key={SECRET}#{SECRET}"
NO_SECRETS = ("type", "server_label", "name")


def every_field(kind: Any, depth: int = 6) -> list[Any]:
    """Return values of a type of the SDK's in which each string is a secret, one for each member of a union."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return [value for member in typing.get_args(kind) for value in every_field(member, depth)]
    if origin in (typing.Annotated, typing.Required, typing.NotRequired):
        return every_field(typing.get_args(kind)[0], depth)
    if origin is typing.Literal:
        return [typing.get_args(kind)[0]]
    if typing_extensions.is_typeddict(kind):
        hints = typing_extensions.get_type_hints(kind)
        return [{name: _field(name, hint, depth) for name, hint in hints.items()}] if depth else [{}]
    if origin is not None and depth:
        arguments = typing.get_args(kind)
        if issubclass(origin, typing.Mapping):
            return [{"Authorization": SECRET, "type": "object", "properties": {"key": {"const": SECRET}}}]
        return [[value for argument in arguments for value in every_field(argument, depth - 1)]]
    return [None if kind is type(None) else True if kind is bool else 1 if kind in (int, float) else SECRET]


def _field(name: str, hint: Any, depth: int) -> Any:
    if name.endswith("url"):
        return URL
    if name in NO_SECRETS and hint in (str, typing.Required[str]):
        return "lookup"
    found = every_field(hint, depth - 1)
    return max(found, key=lambda value: (isinstance(value, dict | list), len(str(value))))


TOOLS = [
    tool
    for kind in (ToolParam, ChatCompletionToolUnionParam, RealtimeToolsConfigUnionParam)
    for tool in every_field(kind)
]
DESCRIBING = {"description", "title", "definition", "allowed_tools", "tool_names", "connector_id", "server_description"}
"""Strings of these are the program's own words of what a tool is for."""


def secrets(shown: Any, name: str = "") -> list[str]:
    """Return the names of fields in which a secret stands, but for those that describe a tool."""
    if isinstance(shown, dict):
        return [found for key, value in shown.items() for found in secrets(value, key)]
    if isinstance(shown, list):
        return [found for value in shown for found in secrets(value, name)]
    return [name] if SECRET in str(shown) and name not in DESCRIBING else []


@pytest.mark.parametrize("tool", TOOLS, ids=[str(tool.get("type", tool.get("name"))) for tool in TOOLS])
def test_no_tool_shows_a_credential(tool: dict[str, Any]) -> None:
    """Of every type of tool that the SDK knows, each field filled: headers, tokens, secrets, keys in addresses."""
    before = copy.deepcopy(tool)
    (shown,) = tool_definitions.for_span([tool])
    harmless = {"model", "size", "vector_store_ids", "container", "memory_limit", "environment"}
    assert set(secrets(shown)) <= harmless, shown
    assert tool == before
    assert shown.get("type") == tool.get("type")


def test_the_types_are_there() -> None:
    """The test above is about real tools: MCP with its token, shells with their secrets."""
    assert {"mcp", "function", "shell", "code_interpreter", "custom"} <= {tool.get("type") for tool in TOOLS}
    assert any(SECRET in str(tool.get("authorization")) for tool in TOOLS)
    assert any("domain_secrets" in str(tool) for tool in TOOLS)


def test_what_a_tool_is_for_is_shown() -> None:
    """Functions whole but for values in their schemas, an MCP server's address without what may be a key in it."""
    function = {
        "type": "function",
        "function": {
            "name": "get_order",
            "description": "See https://u:p@docs.example/a?b=c.",
            "parameters": {
                "type": "object",
                "properties": {"default": {"type": "string", "default": SECRET, "enum": ["a", "b"]}},
                "required": ["default"],
            },
        },
    }
    mcp = {"type": "mcp", "server_label": "crm", "server_url": URL, "authorization": SECRET, "headers": {"x": SECRET}}
    assert tool_definitions.for_span([function, mcp, "no tool", {"type": "new_tool", "api_key": SECRET}]) == [
        {
            "type": "function",
            "function": {
                "name": "get_order",
                "description": "See https://docs.example/a",
                "parameters": {
                    "type": "object",
                    "properties": {"default": {"type": "string", "enum": ["a", "b"]}},
                    "required": ["default"],
                },
            },
        },
        {"type": "mcp", "server_label": "crm", "server_url": "https://tools.example/mcp;v=1"},
        {"type": "new_tool"},
    ]


def test_a_deep_or_odd_definition_does_no_harm() -> None:
    """Cycles, depth, odd keys and values end where they are not shown any more."""
    deep: dict[str, Any] = {"type": "function"}
    deep["function"] = deep
    deep["parameters"] = {"properties": {"a": deep, 5: object}, "items": [deep]}
    configure(Capture.SPAN_ONLY)
    try:
        found = span_attributes([], [], [deep, None, {5: 6}])
        assert "function" in found["gen_ai.tool.definitions"]
    finally:
        configure(Capture.NO_CONTENT)
    assert json.loads(span_attributes([], [], [{"type": "function"}])["gen_ai.tool.definitions"]) == [
        {"type": "function"}
    ]
