"""How large a request is, by its body: how many tokens it sends at most, and how many may be answered.

A token of text is one byte or more, whatever the tokenizer: those that are used all begin with the 256 bytes, and join
them. So the bytes of all texts, names of fields included, are never less than their tokens, and need no tokenizer. In
English they are about four times as many. What is not in the request, or is no text, is not measured: a picture, a
sound, a history that the provider keeps, a tool that it runs itself. Then the size is no bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_VALUES: Final = 4_096
"""Values of a body that are looked at; one with more of them is not measured to its end."""

_LIMITS: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens", "max_tokens_to_sample")
_CHOICES: Final = ("n", "best_of")

_OVERHEAD: Final = 64  # tokens that a provider puts around a request
_TOOL_OVERHEAD: Final = 1_024  # and around functions: Anthropic's hidden instructions have up to 800

_LONG: Final = 65_536  # characters; what is longer, and has others than ASCII's, is not encoded to be measured
_CACHE_LIFETIME: Final = 2  # what is written to a cache for an hour costs twice as much as what is not

_ELSEWHERE: Final = frozenset(
    {
        "image_url", "input_audio", "input_file", "file", "file_id", "file_url", "file_data", "source", "image",
        "images",
        "previous_response_id", "conversation", "web_search_options", "prediction", "container", "mcp_servers",
        "input_video", "video_url", "context_management",
    }
)  # fmt: skip
"""Fields whose value is no text, or says that there is more than the request has."""

_MEASURED: Final = frozenset({"chat", "text_completion", "decision", "embeddings", "text_to_speech"})

_FUNCTIONS: Final = (None, "function", "custom")
"""Types of tools that the application runs itself."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a request may use at most, as far as it is known: tokens, or characters that are spoken."""

    input_tokens: int = 0
    output_tokens: int | None = None
    """None where the request sets no limit."""
    input_characters: int | None = None
    is_bounded: bool = False
    """Whether it cannot use more."""
    is_spoken: bool = False
    """Whether what is answered is a sound."""
    service_tier: str | None = None


def of_body(operation: str, body: Mapping[str, Any]) -> Size | None:
    """Return the size of a request of JSON, in the shapes of OpenAI and of Anthropic; None of what has no tokens."""
    if operation not in _MEASURED:
        return None
    measure = _Measure()
    tools = body.get("tools")
    for name, value in body.items():
        if name != "tools":
            measure.add(name, value)
    measure.add_tools(tools)
    tier = body.get("service_tier")
    tier = tier if isinstance(tier, str) else None
    if operation == "text_to_speech":
        text = body.get("input")
        characters = len(text) if isinstance(text, str) else None
        return Size(measure.tokens, None, characters, is_bounded=characters is not None, service_tier=tier)
    if operation == "embeddings":
        return Size(measure.tokens, 0, is_bounded=measure.is_whole, service_tier=tier)
    limit = _output_limit(body)
    modalities = body.get("modalities")
    return Size(
        measure.tokens,
        limit,
        is_bounded=measure.is_whole and limit is not None,
        is_spoken=isinstance(modalities, list) and "audio" in modalities,
        service_tier=tier,
    )


def of_request(operation: str, body: Mapping[str, Any]) -> Size | None:
    """Return the size of a request to a vendor; None where only what such calls cost lately tells: of sounds."""
    return of_body(operation, body) if body and operation != "text_to_speech" else None


def _output_limit(body: Mapping[str, Any]) -> int | None:
    found = [value for name in _LIMITS if type(value := body.get(name)) is int and value >= 0]
    if not found:
        return None
    times = [value for name in _CHOICES if type(value := body.get(name)) is int and value > 0]
    return max(found) * max(times, default=1)


class _Measure:
    """Sums the texts of a body."""

    def __init__(self) -> None:
        self.is_whole, self._size, self._left, self._factor = True, 0, MAX_VALUES, 1

    @property
    def tokens(self) -> int:
        return (self._size + _OVERHEAD) * self._factor

    def add(self, name: str, value: Any) -> None:
        self._add({name: value}, functions=False)
        if name == "prompt" and not isinstance(value, str | list):
            self.is_whole = False  # one that the provider keeps

    def add_tools(self, tools: Any) -> None:
        if not isinstance(tools, list | tuple):
            self.is_whole = self.is_whole and tools is None
            return
        self._size += _TOOL_OVERHEAD * bool(tools)
        for tool in tools:
            if not isinstance(tool, Mapping) or tool.get("type") not in _FUNCTIONS:
                self.is_whole = False
            self._add(tool, functions=True)

    def _add(self, found: Any, *, functions: bool) -> None:
        waiting = [found]
        while waiting:
            value = waiting.pop()
            self._left -= 1
            if self._left < 0:
                self.is_whole = False
                return
            if isinstance(value, str):
                self._size += _bytes_of(value)
            elif isinstance(value, Mapping):
                self._note(value, functions=functions)
                waiting.extend(value.values())
            elif isinstance(value, list | tuple):
                if value and type(value[0]) is int:
                    self._size += len(value)  # tokens already
                else:
                    waiting.extend(value)
            elif value is None or isinstance(value, int | float):
                self._size += 8
            else:
                self.is_whole = False  # a file, or an object of which only the SDK knows what it sends

    def _note(self, value: Mapping[str, Any], *, functions: bool) -> None:
        for name in value:
            self._size += len(name) + 4
        if functions:
            return
        if not _ELSEWHERE.isdisjoint(value) and any(value[name] is not None for name in _ELSEWHERE & value.keys()):
            self.is_whole = False
        if value.get("type") == "item_reference":
            self.is_whole = False
        if "cache_control" in value:
            self._factor = _CACHE_LIFETIME


def _bytes_of(text: str) -> int:
    if text.isascii():
        return len(text)
    return 4 * len(text) if len(text) > _LONG else len(text.encode("utf-8", "surrogatepass"))
