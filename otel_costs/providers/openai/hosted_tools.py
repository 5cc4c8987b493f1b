"""Tools that a provider runs itself: which cost something beside tokens, how often they were used, which are unknown.

A closed table: a type of tool, container or output item that does not stand here is named, since its cost is not
known. Pure functions of requests and answers in the protocol of OpenAI; they raise nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from otel_costs.usage.merging import has_usage

_Json = Mapping[str, Any]

_FREE_TOOLS: Final[Mapping[str, str]] = {
    "function custom": "run by the application (openai 3.57, types/chat and types/responses/tool.py)",
    "namespace tool_search programmatic_tool_calling": "tokens alone (openai 3.57, types/responses/tool.py)",
    "mcp": "tokens alone; https://developers.openai.com/api/docs/guides/tools-connectors-mcp",
    "local_shell apply_patch computer computer_use_preview": "run by the application (openai 3.57, types/responses)",
    "computer_use automations": "tools of agents: tokens alone (openai 3.57, types/beta/agent_tool.py)",
    "bash text_editor computer memory": "run by the application; https://docs.claude.com, Tool use",
    "tool_search_tool_bm25 tool_search_tool_regex mcp_toolset": "tokens alone; https://docs.claude.com, Tool use",
    "web_fetch": "tokens alone; https://docs.claude.com, Web fetch tool",
    "client_side": "run by the application; https://docs.x.ai, Function calling",
}
_COUNTED_TOOLS: Final[Mapping[str, str]] = {
    "web_search web_search_preview": "by search; https://developers.openai.com/api/docs/pricing; https://docs.claude.com",
    "file_search": "by call; https://developers.openai.com/api/docs/pricing",
    "code_interpreter shell": "by container; https://developers.openai.com/api/docs/pricing",
    "image_generation": "by the tokens of the image's model; https://developers.openai.com/api/docs/pricing",
    "code_execution": "by the hour; https://docs.claude.com, Code execution tool",
    "advisor": "by the tokens of another model; https://docs.claude.com, Advisor tool",
    "browser_search visit_website wolfram_alpha browser_automation": "by use; https://groq.com/pricing",
    "x_search collections_search": "by use; https://docs.x.ai, Tools",
    "builtin_function": "by search; https://platform.kimi.ai/docs/pricing/tools",
    "retrieval": "by use; Zhipu's and the Assistants' name for a search of files",
    "web_search_premium document_library": "by use; https://docs.mistral.ai, Connectors",
}
_SEARCH_OPTIONS: Final[Mapping[str, str]] = {
    "plugins": "OpenRouter: searches and files by use; https://openrouter.ai/docs/features/web-search",
    "search_parameters": "xAI: live search by source; https://docs.x.ai, Live Search",
    "enable_search": "Alibaba: searches by use; https://alibabacloud.com/help/en/model-studio, Web search",
}
"""Fields of a chat's request that offer what costs something and are no tools."""

SEARCHING: Final[Mapping[str, str]] = {"openrouter": ":online"}
"""Providers and the endings of the names of models that search for every request; https://openrouter.ai/docs/features/web-search."""

_SEARCH_MODEL: Final = re.compile(r"(^|/)gpt-[^/]*-search-(preview|api)(-\d{4}-\d{2}-\d{2})?$")
"""Models that search for every chat; https://developers.openai.com/api/docs/guides/tools-web-search."""

FIELDS: Final = frozenset({"tools", "output", "tool_usage", *_SEARCH_OPTIONS})
"""Fields of requests and answers in which tools, what they made, or searches are named."""

_FREE_ITEMS: Final[Mapping[str, str]] = {
    "message reasoning compaction compaction_trigger item_reference": "openai 3.57, types/responses",
    "function_call function_call_output custom_tool_call custom_tool_call_output": "openai 3.57, types/responses",
    "computer_call computer_call_output local_shell_call local_shell_call_output": "openai 3.57, types/responses",
    "apply_patch_call apply_patch_call_output program program_output": "openai 3.57, types/responses",
    "tool_search_call tool_search_output additional_tools configuration_update": "openai 3.57, types/responses",
    "mcp_call mcp_list_tools mcp_approval_request mcp_approval_response": "openai 3.57, types/responses",
    "shell_call_output": "openai 3.57, types/responses; its call is counted",
    "command_execution computer_use_call computer_use_approval_request": "of agents (openai 3.57, types/beta)",
    "create_subagent_call send_subagent_input_call resume_subagent_call": "of agents (openai 3.57, types/beta)",
    "wait_for_subagents_call interrupt_subagent_call close_subagent_call": "of agents (openai 3.57, types/beta)",
}
_COUNTED_ITEMS: Final = "web_search_call file_search_call code_interpreter_call shell_call image_generation_call"


def _names(*tables: Mapping[str, str] | str) -> frozenset[str]:
    return frozenset(name for table in tables for names in ([table] if isinstance(table, str) else table)
                     for name in names.split())  # fmt: skip


FREE_TOOLS: Final = _names(_FREE_TOOLS)
KNOWN_TOOLS: Final = FREE_TOOLS | _names(_COUNTED_TOOLS)
_COSTLY_TOOLS: Final = KNOWN_TOOLS - FREE_TOOLS
_FREE_NAMES: Final = _names(_FREE_ITEMS)
KNOWN_ITEMS: Final = _names(_FREE_ITEMS, _COUNTED_ITEMS)

SIZES: Final[Mapping[str, str | None]] = {
    "1g": None,
    "4g": "containers_4g",
    "16g": "containers_16g",
    "64g": "containers_64g",
}
"""Memory of a container, as OpenAI names it, to the unit that counts those of its size beside all of them."""

_CONTAINERS: Final = frozenset({"auto", "container_auto", "container_reference", "local", "none"})
_SETTINGS: Final = frozenset(
    {"type", "memory_limit", "file_ids", "network_policy", "skills", "container_id", "expires_after", "name"}
)
"""What may be asked of a container: memory costs, the rest is free (openai 3.57, types/responses and containers)."""

_MADE_HERE: Final = frozenset({"auto", "container_auto"})
_DATE: Final = re.compile(r"_(\d{8}|\d{4}_\d{2}_\d{2})$")


def kind_of(tool: _Json) -> str | None:
    """Return the type of a tool without the date of its version; None if it names none."""
    kind = tool.get("type")
    if isinstance(kind, str):
        return _DATE.sub("", kind)
    if "function" in tool or "name" in tool:
        return "function"  # as some gateways take it
    return next((key for key in tool if isinstance(key, str)), None)


def asked(*bodies: object) -> list[_Json]:
    """Return the tools that a request offers or an answer repeats, those in namespaces too."""
    offered = [body["tools"] for body in bodies if isinstance(body, Mapping) and body.get("tools")]
    return [tool for tools in offered for tool in _unfolded(tools)] if offered else []


def _unfolded(tools: object, depth: int = 0) -> Iterator[_Json]:
    named = [{"type": tool} for tool in tools if isinstance(tool, str)] if isinstance(tools, list | tuple) else []
    for tool in (*objects(tools), *named):
        yield tool
        if depth < 4 and kind_of(tool) in ("namespace", "additional_tools"):
            yield from _unfolded(tool.get("tools"), depth + 1)


def may_cost(tools: Iterable[_Json]) -> bool:
    """Return whether one of these tools is known to cost something when it is used."""
    return not _COSTLY_TOOLS.isdisjoint(map(kind_of, tools))


def may_search(request: _Json) -> bool:
    """Return whether a chat asks by a field of its own, without a tool, for what costs something when it is used."""
    if request.keys().isdisjoint(_SEARCH_OPTIONS):
        return False
    asked = (request.get(option) for option in _SEARCH_OPTIONS)
    return any(option and not (isinstance(option, Mapping) and option.get("mode") == "off") for option in asked)


def implied(provider: str, models: Iterable[object]) -> list[str]:
    """Return what the names of models ask for that costs something, without a tool or a field that says it."""
    ending = SEARCHING.get(provider)
    if ending is None:
        return []
    named = (f"{model.lower()}:" for model in models if isinstance(model, str))
    return [ending] if any(f"{ending}:" in name for name in named) else []


def always_search(models: Iterable[object]) -> bool:
    """Return whether one of the names is that of a model of OpenAI's that searches for every chat."""
    return any(isinstance(model, str) and _SEARCH_MODEL.search(model.lower()) for model in models)


def unheard(items: Iterable[_Json]) -> list[str]:
    """Return the types of items that cost something, or are unknown, where nothing counts them: in a spoken turn."""
    kinds = (item.get("type", "message") for item in items)
    return list(dict.fromkeys(kind for kind in kinds if isinstance(kind, str) and kind not in _FREE_NAMES))


def unknown(tools: Iterable[_Json], items: Iterable[_Json] = ()) -> list[str]:
    """Return the types of tools, containers and output items, and the sizes of containers, that are unknown."""
    found: list[str] = []
    for tool in tools:
        kind = kind_of(tool)
        if kind is not None and kind not in KNOWN_TOOLS:
            found.append(kind)
        found += _unknown_container(_container(tool))
    for item in items:
        kind = item.get("type", "message")
        if isinstance(kind, str) and kind not in KNOWN_ITEMS:
            found.append(kind)
        elif kind == "additional_tools":
            found += unknown(_unfolded(item.get("tools")))
    return list(dict.fromkeys(found))


def undrawn(answer: _Json) -> bool:
    """Return whether images were made of which the answer does not say what they used."""
    spent = answer.get("tool_usage")
    if isinstance(spent, Mapping) and has_usage(spent.get("image_gen")):
        return False
    return any(
        item.get("type") == "image_generation_call" and item.get("status") != "failed" and not item.get("svg_usage")
        for item in objects(answer.get("output"))
    )


def _container(tool: _Json) -> object:
    kind = kind_of(tool)
    return tool.get("container") if kind == "code_interpreter" else tool.get("environment") if kind == "shell" else None


def _unknown_container(container: object) -> Iterator[str]:
    if not isinstance(container, Mapping):
        return
    kind, size = container.get("type"), container.get("memory_limit")
    if isinstance(kind, str) and kind not in _CONTAINERS:
        yield kind
    if size is not None and (not isinstance(size, str) or size not in SIZES):
        yield size if isinstance(size, str) else type(size).__name__
    yield from (key for key in container if isinstance(key, str) and key not in _SETTINGS and container[key])


def searches(items: Iterable[_Json]) -> tuple[int, bool]:
    """Return how many searches of the web were made, and whether that is an estimate.

    Opening a page and finding something in it are free. A call that does not tell what it did is taken for a search.
    """
    count, estimated = 0, False
    for item in items:
        if item.get("type") == "web_search_call":
            action = item.get("action")
            did = action.get("type") if isinstance(action, Mapping) else None
            if did not in ("open_page", "find_in_page", "find"):
                count += 1
                estimated = estimated or did != "search"
    return count, estimated


def preview_searches(tools: Iterable[_Json]) -> bool | None:
    """Return whether searches were those of the preview tool; None if the request offered both, or is not known."""
    kinds = {kind for tool in tools if (kind := kind_of(tool)) in ("web_search", "web_search_preview")}
    return kinds == {"web_search_preview"} if len(kinds) == 1 else None


def containers(tools: Iterable[_Json], items: Iterable[_Json]) -> dict[str, int]:
    """Return how many containers were made for a response, by unit; one that the request named was made elsewhere."""
    offered = {kind: container for tool in tools if (kind := kind_of(tool)) and (container := _container(tool))}
    named = {container for container in offered.values() if isinstance(container, str)}
    made: dict[object, object] = {}
    for item in items:
        kind, container_id = _used(item)
        offer = offered.get(kind or "")
        own = offer if isinstance(offer, Mapping) else {}
        if kind is None or container_id in named or own.get("container_id") not in (None, ""):
            continue
        # Where the request named none, code that ran did so in a container.
        if container_id is not None or own.get("type") in _MADE_HERE or (kind == "code_interpreter" and not offer):
            made[container_id] = own.get("memory_limit")
    found = {"containers": len(made)} if made else {}
    for size in made.values():
        unit = SIZES.get(size) if isinstance(size, str) else None
        if unit is not None:
            found[unit] = found.get(unit, 0) + 1
    return found


def _used(item: _Json) -> tuple[str | None, str | None]:
    """Return the tool that an item of an output is of, and the container that it ran in; None where it ran in none."""
    if item.get("type") == "code_interpreter_call":
        container_id = item.get("container_id")
        return "code_interpreter", container_id if isinstance(container_id, str) else None
    if item.get("type") != "shell_call":
        return None, None
    where = item.get("environment")
    if not isinstance(where, Mapping):
        return "shell", None
    if where.get("type") == "local":
        return None, None
    container_id = where.get("container_id")
    return "shell", container_id if isinstance(container_id, str) else None


def objects(value: object) -> list[_Json]:
    """Return the objects of a list; nothing of what is none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []
