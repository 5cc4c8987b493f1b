"""Clients whose calls are not recorded: the first use of one, not its import, is logged once.

Each is watched where it sends a request; one that OpenAI's client sends for it does not come by there. Watching changes
nothing: the call goes on as it is.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import FrameType
from typing import Any, Final, NamedTuple

from otel_costs.runtime import plugins, telemetry
from otel_costs.runtime.patching import Patches

_SAID: Final = (
    "Calls of `%s` are not recorded. Record their usage with `otel_costs.record(...)`, or call the provider through "
    "OpenAI's client with a base_url."
)

IsUse = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], bool]
"""Of the instance and the arguments, whether the request is one that may be billed."""


class Client(NamedTuple):
    """A client that is not covered: its name, the module in which it sends its requests, and by which methods."""

    name: str
    module: str
    methods: tuple[str, ...]
    is_use: IsUse = lambda *_: True


def _posts(_: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether the options of a client that is generated as OpenAI's is send something, and not to count its tokens."""
    options = kwargs["options"] if "options" in kwargs else args[1]
    return str(options.method).lower() == "post" and "count_tokens" not in str(options.url)


def _generates(_: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a request of google.genai is a method of a model: `models/NAME:generateContent`, `:embedContent`."""
    path = str(kwargs["path"] if "path" in kwargs else args[1])
    return ":" in path and "countTokens" not in path and "computeTokens" not in path


def _sends(_: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether an httpx request among the arguments sends something."""
    request = kwargs["request"] if "request" in kwargs else args[1]
    return str(request.method).upper() == "POST"


def _method_posts(_: Any, __: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    return str(kwargs.get("method", "")).upper() == "POST" and not str(kwargs.get("path", "")).endswith("tokenize")


def _asks_model(_: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a request of ollama runs a model; others pull, show and list them."""
    path = str(kwargs["url"] if "url" in kwargs else args[-1])
    return path.startswith(("/api/chat", "/api/generate", "/api/embed"))


def _is_of_bedrock(instance: Any, _: tuple[Any, ...], __: Mapping[str, Any]) -> bool:
    service: str = instance.meta.service_model.service_name
    return service in ("bedrock-runtime", "bedrock-agent-runtime")


def _is_of_model(_: Any, __: tuple[Any, ...], ___: Mapping[str, Any]) -> bool:
    """Whether LiteLLM asks a provider by itself, and does not tell one of its observers of it."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _module(frame).startswith("litellm."):
        frame = frame.f_back
    while frame is not None and _module(frame) == "litellm.llms.custom_httpx.http_handler":
        frame = frame.f_back
    return frame is not None and _module(frame).startswith("litellm.llms.")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


_LIKE_OPENAI: Final = ("SyncAPIClient.request", "AsyncAPIClient.request")

CLIENTS: Final = (
    Client("anthropic", "anthropic._base_client", _LIKE_OPENAI, _posts),
    Client("azure.ai.inference", "azure.ai.inference", ("ChatCompletionsClient.complete", "EmbeddingsClient.embed")),
    Client(
        "azure.ai.inference", "azure.ai.inference.aio", ("ChatCompletionsClient.complete", "EmbeddingsClient.embed")
    ),
    Client("boto3 (bedrock-runtime)", "botocore.client", ("BaseClient._make_api_call",), _is_of_bedrock),
    Client("aiobotocore (bedrock-runtime)", "aiobotocore.client", ("AioBaseClient._make_api_call",), _is_of_bedrock),
    Client("cerebras.cloud.sdk", "cerebras.cloud.sdk._base_client", _LIKE_OPENAI, _posts),
    Client(
        "cohere",
        "cohere.core.http_client",
        ("HttpClient.request", "HttpClient.stream", "AsyncHttpClient.request", "AsyncHttpClient.stream"),
        _method_posts,
    ),
    Client(
        "google.genai",
        "google.genai._api_client",
        (
            "BaseApiClient.request",
            "BaseApiClient.request_streamed",
            "BaseApiClient.async_request",
            "BaseApiClient.async_request_streamed",
        ),
        _generates,
    ),
    Client("google.genai (Live)", "google.genai.live", ("AsyncLive.connect",)),
    Client(
        "google.generativeai",
        "google.generativeai.generative_models",
        ("GenerativeModel.generate_content", "GenerativeModel.generate_content_async"),
    ),
    Client("groq", "groq._base_client", _LIKE_OPENAI, _posts),
    Client("huggingface_hub", "huggingface_hub.inference._client", ("InferenceClient._inner_post",)),
    Client(
        "huggingface_hub",
        "huggingface_hub.inference._generated._async_client",
        ("AsyncInferenceClient._inner_post",),
    ),
    Client(
        "litellm",
        "litellm.llms.custom_httpx.http_handler",
        ("HTTPHandler.post", "AsyncHTTPHandler.post"),
        _is_of_model,
    ),
    Client("mistralai", "mistralai.client.basesdk", ("BaseSDK.do_request", "BaseSDK.do_request_async"), _sends),
    Client("mistralai", "mistralai.basesdk", ("BaseSDK.do_request", "BaseSDK.do_request_async"), _sends),
    Client("mistralai", "mistralai.azure.client.basesdk", ("BaseSDK.do_request", "BaseSDK.do_request_async"), _sends),
    Client("mistralai", "mistralai.gcp.client.basesdk", ("BaseSDK.do_request", "BaseSDK.do_request_async"), _sends),
    Client("ollama", "ollama._client", ("Client._request", "AsyncClient._request"), _asks_model),
    Client("together", "together._base_client", _LIKE_OPENAI, _posts),
    Client(
        "vertexai",
        "vertexai.generative_models._generative_models",
        ("_GenerativeModel._generate_content", "_GenerativeModel._generate_content_streaming"),
    ),
)


def watch(patches: Patches) -> None:
    """Have each client watched from when its module is imported; nothing is imported for it."""
    for client in CLIENTS:
        patches.on_import(client.module, partial(_install, client), __name__)


def _install(client: Client, patches: Patches) -> None:
    for method in client.methods:
        patches.wrap(client.module, method, partial(_pass, client), may_be_missing=True)


def _pass(client: Client, wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    _notice(client, instance, args, kwargs)
    return wrapped(*args, **kwargs)


@telemetry.never_raises("notice the use of a client")
def _notice(client: Client, instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    if client.is_use(instance, args, kwargs) and not _is_recorded(client, instance, args, kwargs):
        telemetry.warn_once(f"not covered:{client.name}", _SAID, client.name)


def _is_recorded(client: Client, instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a provider of another package records it."""
    if not plugins.loaded():
        return False
    recorded: bool = importlib.import_module("otel_costs.providers.plugged_in").records(
        client.module, instance, args, kwargs
    )
    return recorded
