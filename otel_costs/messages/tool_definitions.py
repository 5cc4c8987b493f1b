"""Definitions of tools as a span may show them: what a tool is, and nothing of what it is called with.

A tool that a provider runs is told how to reach others: an MCP server's token and headers, the secrets of a container,
a key in an address. So what is shown is listed here, and a field that is added later is left out until it is.
"""

from collections.abc import Mapping
from typing import Any, Final

from otel_costs.values import sanitize

_OF_FUNCTIONS: Final = (
    # In OpenAI's, Anthropic's and Google's words.
    *("type", "name", "title", "description", "strict", "function", "custom", "format", "syntax", "definition"),
    *("parameters", "input_schema", "inputSchema", "output_schema", "defer_loading", "tools"),
    *("function_declarations", "functionDeclarations"),
)
_OF_TOOLS_THAT_THE_PROVIDER_RUNS: Final = (
    *("server_label", "server_description", "server_url", "connector_id", "allowed_tools", "tool_names", "read_only"),
    *("require_approval", "always", "never", "search_context_size", "max_num_results", "vector_store_ids"),
    *("container", "memory_limit", "environment", "display_width", "display_height"),
    *("model", "size", "quality", "background", "output_format"),
)
_SHOWN: Final = frozenset((*_OF_FUNCTIONS, *_OF_TOOLS_THAT_THE_PROVIDER_RUNS))
_SCHEMAS: Final = frozenset({"parameters", "input_schema", "inputSchema", "output_schema"})
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
# Of JSON Schema, but for what holds values: `default`, `const`, `examples`.
_KEYWORDS: Final = frozenset(
    (
        *("type", "title", "description", "format", "enum", "nullable", "deprecated", "readOnly", "writeOnly"),
        *("required", "additionalProperties", "unevaluatedProperties", "propertyNames", "minProperties"),
        *("maxProperties", "dependentRequired", "items", "prefixItems", "additionalItems", "contains", "minItems"),
        *("maxItems", "uniqueItems", "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum"),
        *("exclusiveMaximum", "multipleOf", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "$ref", "$id"),
        *("$schema", "$comment", "contentEncoding", "contentMediaType"),
    )
)
_MAX_DEPTH: Final = 24
_MAX_ITEMS: Final = 256


def for_span(tools: object) -> list[Any]:
    """Return what may be shown of each tool; what is no object is left out. Never changes `tools`."""
    items = tools if isinstance(tools, list | tuple) else ()
    return [_tool(tool, _MAX_DEPTH) for tool in items[:_MAX_ITEMS] if isinstance(tool, Mapping)]


def _tool(tool: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    return {
        key: _schema(value, depth - 1) if key in _SCHEMAS else _field(value, depth - 1)
        for key, value in list(tool.items())
        if key in _SHOWN and (key not in _SCHEMAS or isinstance(value, Mapping))
    }


def _field(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return _tool(value, depth) if depth > 0 else {}
    if isinstance(value, list | tuple):
        return [_field(item, depth - 1) for item in value[:_MAX_ITEMS]] if depth > 0 else []
    return sanitize.without_credentials(value) if isinstance(value, str) else value


def _schema(schema: Any, depth: int) -> Any:
    """Return a JSON schema without the values in it, which may be credentials."""
    if isinstance(schema, Mapping):
        return {
            key: _properties(value, depth - 1) if key in _NAMED else _schema(value, depth - 1)
            for key, value in list(schema.items())
            if depth > 0 and (key in _KEYWORDS or key in _NAMED)
        }
    if isinstance(schema, list | tuple):
        return [_schema(part, depth - 1) for part in schema[:_MAX_ITEMS]] if depth > 0 else []
    return sanitize.without_credentials(schema) if isinstance(schema, str) else schema


def _properties(properties: Any, depth: int) -> dict[Any, Any]:
    """Return schemas by their names, whatever these are."""
    named = list(properties.items()) if isinstance(properties, Mapping) else ()
    return {name: _schema(part, depth) for name, part in named}
