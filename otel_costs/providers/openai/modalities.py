"""Whether all that was asked and answered is text, where a usage does not tell it and a model has prices for more."""

from collections.abc import Mapping
from typing import Any, Final

from otel_costs.providers.openai import hosted_tools
from otel_costs.providers.openai.request import Request
from otel_costs.usage import Usage
from otel_costs.usage.units import BY_MODALITY

INPUT: Final = frozenset(BY_MODALITY["input_tokens"])
OUTPUT: Final = frozenset(BY_MODALITY["output_tokens"])
"""The units by which a usage tells modalities."""

_TEXTS: Final = frozenset({"text", "input_text", "output_text", "refusal", "summary_text", "reasoning_text"})
"""Types of the parts of a message that are text."""

_ITEMS: Final = frozenset({None, "message", "reasoning", "function_call", "function_call_output"})
"""Types of the items of a response that are text where their content is."""

_MEDIA: Final = ("audio", "image", "images", "video", "file")
"""Keys of a message that is not all text."""

_ELSEWHERE: Final = ("previous_response_id", "conversation", "prompt")
"""Fields of a request to the Responses API that may bring what is not in it."""

_FROM_TEXT: Final = frozenset({"audio/speech", "images/generations", "completions", "moderations"})
"""Endpoints that are given text alone."""


def separate_text(request: Request, body: object, model: str | None, usage: Usage) -> Usage:
    """Return the usage with its text as units of its own, where it names no modality and all of it can only be text.

    The usage of a model whose price is the same for all modalities is returned as it is.
    """
    differ = request.rates(model).modal
    texts = []
    if "input_tokens" in differ and _asks_by_text(request):
        texts.append("input_tokens")
    if "output_tokens" in differ and _answers_by_text(request, body):
        texts.append("output_tokens")
    return usage.as_text(texts)


def _asks_by_text(request: Request) -> bool:
    name, asked = request.route.name, request.body
    if name == "chat/completions":
        return _are_text(asked.get("messages"))
    if name == "responses":
        if any(asked.get(field) is not None for field in _ELSEWHERE):
            return False
        return isinstance(asked.get("input"), str) or _are_text(asked.get("input"))
    if name == "embeddings":
        given = asked.get("input")
        return isinstance(given, str) or (isinstance(given, list) and not hosted_tools.objects(given))
    return name in _FROM_TEXT


def _answers_by_text(request: Request, body: object) -> bool:
    name, asked = request.route.name, request.body
    if not isinstance(body, Mapping):
        return False
    if name == "chat/completions":
        modalities = asked.get("modalities")
        if request.stream or modalities is not None:
            return modalities == ["text"]
        messages = [choice.get("message") for choice in hosted_tools.objects(body.get("choices"))]
        return _are_text(messages) and "data:" not in "".join(map(_content, messages))
    return name == "responses" and _are_text(body.get("output"))


def _are_text(messages: object) -> bool:
    """Whether these are messages, or items of a response, that have text alone."""
    return (
        isinstance(messages, list | tuple)
        and bool(messages)
        and all(isinstance(message, Mapping) and _is_text(message) for message in messages)
    )


def _is_text(message: Mapping[str, Any]) -> bool:
    if message.get("type") not in _ITEMS or any(message.get(key) for key in _MEDIA):
        return False
    values = [message.get(key) for key in ("content", "output")]
    return all(each is None or isinstance(each, str) or _is_list_of_texts(each) for each in values)


def _is_list_of_texts(parts: object) -> bool:
    return isinstance(parts, list | tuple) and all(
        isinstance(part, Mapping) and part.get("type") in _TEXTS for part in parts
    )


def _content(message: Any) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""
