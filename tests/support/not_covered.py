"""Clients that are not covered, really used: a program for an environment that has them.

`python -m tests.support.not_covered BASE_URL [NAME ...]` imports them all, then uses each, or those that are named, and
prints as JSON what was said, how many calls were recorded, and whether each client ended as it does without us.
"""

import asyncio
import importlib
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

MESSAGES: Any = [{"role": "user", "content": "hi"}]

NAMES = (
    "anthropic", "boto3", "cohere", "groq", "litellm", "ollama", "botocore.config", "google.genai", "mistralai.client",
)  # fmt: skip


def _module(name: str) -> Any:
    return importlib.import_module(name)


def clients(base_url: str) -> dict[str, Callable[[], object]]:
    """Return a use of each client; what a stand-in of OpenAI answers is an error to most."""
    anthropic, boto3, cohere, groq, litellm, ollama, configuration, genai, mistralai = map(_module, NAMES)
    host = base_url.removesuffix("/v1")
    google = genai.Client(api_key="k", http_options=genai.types.HttpOptions(base_url=host, timeout=5_000))
    keys: Any = {"aws_access_key_id": "k", "aws_secret_access_key": "k", "region_name": "us-east-1"}
    bedrock = boto3.client(
        "bedrock-runtime", endpoint_url=host, config=configuration.Config(retries={"max_attempts": 0}), **keys
    )
    asked = {"model": "m", "messages": MESSAGES}
    claude = anthropic.Anthropic(base_url=host, api_key="k", max_retries=0)
    grok = groq.Groq(base_url=host, api_key="k", max_retries=0)
    mistral = mistralai.Mistral(api_key="k", server_url=host)
    lite: Any = {"api_base": base_url, "api_key": "k", "messages": MESSAGES, "num_retries": 0}
    return {
        "litellm openai/": lambda: litellm.completion(model="openai/gpt-4o", **lite),
        "anthropic": lambda: claude.messages.create(max_tokens=1, **asked),
        "anthropic models": lambda: claude.models.list(),
        "google.genai": lambda: google.models.generate_content(model="gemini-2.5-pro", contents="hi"),
        "mistralai": lambda: mistral.chat.complete(**asked),
        "ollama": lambda: ollama.Client(host=host).chat(**asked),
        "ollama list": lambda: ollama.Client(host=host).list(),
        "groq": lambda: grok.chat.completions.create(**asked),
        "cohere": lambda: cohere.ClientV2(api_key="k", base_url=host).chat(**asked),
        "boto3 (bedrock-runtime)": lambda: bedrock.converse(
            modelId="m", messages=[{"role": "user", "content": [{"text": "hi"}]}]
        ),
        "litellm": lambda: litellm.completion(model="anthropic/claude-sonnet-4-5", **{**lite, "api_base": host}),
        **_async(base_url, host),
    }


def _async(base_url: str, host: str) -> dict[str, Callable[[], object]]:
    anthropic, cohere, litellm, ollama = map(_module, ("anthropic", "cohere", "litellm", "ollama"))

    async def claude() -> None:
        client = anthropic.AsyncAnthropic(base_url=host, api_key="k", max_retries=0)
        async with client, client.messages.stream(model="m", max_tokens=1, messages=MESSAGES) as stream:
            await stream.get_final_message()

    async def lite(model: str, api_base: str) -> None:
        await litellm.acompletion(model=model, api_base=api_base, api_key="k", messages=MESSAGES, num_retries=0)

    async def cohered() -> None:
        async for _ in cohere.AsyncClientV2(api_key="k", base_url=host).chat_stream(model="m", messages=MESSAGES):
            pass

    return {
        "async anthropic": lambda: asyncio.run(claude()),
        "async litellm": lambda: asyncio.run(lite("anthropic/claude-sonnet-4-5", host)),
        "async litellm openai/": lambda: asyncio.run(lite("openai/gpt-4o", base_url)),
        "async ollama": lambda: asyncio.run(_ollama(ollama.AsyncClient(host=host))),
        "async cohere": lambda: asyncio.run(cohered()),
    }


async def _ollama(client: Any) -> None:
    async for _ in await client.chat(model="m", messages=MESSAGES, stream=True):
        pass


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())

    def taken(self) -> list[str]:
        said, self.said = self.said, []
        return said


def _tried(use: Callable[[], object]) -> str:
    try:
        use()
    except Exception as error:  # noqa: BLE001
        return type(error).__name__
    return "answered"


def main() -> None:
    """Print what came of each use: without us, with us the first and the second time, and after we were taken back."""
    from otel_costs import CostsInstrumentor
    from otel_costs.runtime import telemetry
    from tests.support.recorded import Recorded

    heard, recorded = _Heard(), Recorded()
    logging.getLogger("otel_costs").addHandler(heard)
    found = {}
    for name, use in clients(sys.argv[1]).items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        alone = _tried(use)
        CostsInstrumentor().instrument(**recorded.providers)
        before = len(recorded.calls)
        imported, first, said, second = heard.taken(), _tried(use), heard.taken(), _tried(use)
        calls, again = len(recorded.calls) - before, heard.taken()
        CostsInstrumentor().uninstrument()
        telemetry.forget()
        after = _tried(use)
        found[name] = {
            "ends": [alone, first, second, after],
            "said": [imported, said, again, heard.taken()],
            "calls": calls,
        }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
