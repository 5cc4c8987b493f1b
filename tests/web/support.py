"""What the tests of the API ask, and the programs that serve it."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any
from urllib.parse import urlencode

import uvicorn

from tests.local.support import Answer, send

JSON = {"Content-Type": "application/json"}


@contextmanager
def served(application: Any) -> Iterator[str]:
    """Serve an ASGI application on loopback, in a thread, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(application, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
        server = _Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        until = time.monotonic() + 30
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


class _Server(uvicorn.Server):
    """uvicorn in a thread, which gets no signals."""

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        return nullcontext()


def asked(url: str, headers: Mapping[str, str] | None = None, **parameters: object) -> Answer:
    """Ask by GET; `tag_x` is the parameter `tag.x`."""
    given = {name.replace("tag_", "tag.").removesuffix("_"): value for name, value in parameters.items()}
    return send(f"{url}?{urlencode(given)}" if given else url, headers=headers)


def got(url: str, headers: Mapping[str, str] | None = None, **parameters: object) -> Any:
    """Return what is answered, which is JSON and no error."""
    answer = asked(url, headers, **parameters)
    assert answer.status == 200, answer.text
    return json.loads(answer.text)


def sent(url: str, body: object, headers: Mapping[str, str] | None = None, method: str = "POST") -> Answer:
    """Send JSON."""
    return send(url, json.dumps(body).encode(), {**JSON, **(headers or {})}, method)


def refusal(answer: Answer, status: int) -> str:
    """Return the error of an answer."""
    assert answer.status == status, answer.text
    said = json.loads(answer.text)
    assert list(said) == ["error"]
    error: str = said["error"]
    return error
