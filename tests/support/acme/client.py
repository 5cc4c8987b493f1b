"""Acme over HTTP, by `httpx` or `httpx2`: it tries again by itself."""

import importlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

_TRIES: Final = 3
_AGENT: Final = {"user-agent": "acme-python/1.0"}


class RefusedError(Exception):
    pass


class Client:
    def __init__(self, base_url: str, library: str) -> None:
        self.http: Any = importlib.import_module(library).Client(base_url=base_url, headers=_AGENT)

    def request(self, *, method: str, path: str, json: Any, stream: bool = False) -> Any:
        for tried in range(_TRIES):
            response = self.http.send(self.http.build_request(method, path, json=json), stream=stream)
            if response.status_code < 500 or tried == _TRIES - 1:
                break
        if response.status_code >= 400:
            raise RefusedError
        return response

    def chat(self, text: str) -> Any:
        return self.request(method="POST", path="/v1/chat", json={"model": "acme-large", "text": text}).json()

    def chat_stream(self, text: str) -> Iterator[Any]:
        asked = {"model": "acme-large", "text": text, "stream": True}
        response = self.request(method="POST", path="/v1/chat", json=asked, stream=True)
        try:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])
        finally:
            response.close()


class AsyncClient:
    def __init__(self, base_url: str, library: str) -> None:
        self.http: Any = importlib.import_module(library).AsyncClient(base_url=base_url, headers=_AGENT)

    async def request(self, *, method: str, path: str, json: Any, stream: bool = False) -> Any:
        for tried in range(_TRIES):
            response = await self.http.send(self.http.build_request(method, path, json=json), stream=stream)
            if response.status_code < 500 or tried == _TRIES - 1:
                break
        if response.status_code >= 400:
            raise RefusedError
        return response

    async def chat(self, text: str) -> Any:
        asked = {"model": "acme-large", "text": text}
        return (await self.request(method="POST", path="/v1/chat", json=asked)).json()

    async def chat_stream(self, text: str) -> AsyncIterator[Any]:
        asked = {"model": "acme-large", "text": text, "stream": True}
        response = await self.request(method="POST", path="/v1/chat", json=asked, stream=True)
        try:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])
        finally:
            await response.aclose()
