"""A request as it came, and the answer to it before it becomes bytes on a connection."""

import json
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

Json = dict[str, Any]


@dataclass(frozen=True)
class Upload:
    """A file of a form."""

    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True)
class Request:
    """What a client sent.

    `params` are the path's variables, `flavour` is whose dialect of the protocol it wants, `deployment` is the model
    behind Azure's name for it, `outcome` is how the response or the job shall end, when a test says so.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    flavour: str = "openai"
    deployment: str | None = None
    outcome: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def json(self) -> Json:
        """The fields of the body: of a JSON object or of a form, empty when it is neither."""
        if self.headers.get("content-type", "").startswith("multipart/form-data"):
            return self._form[0]
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def files(self) -> dict[str, list[Upload]]:
        """The files of a form, by field."""
        if self.headers.get("content-type", "").startswith("multipart/form-data"):
            return self._form[1]
        return {}

    @property
    def model(self) -> str:
        """The model that is asked for, by deployment or by name."""
        return self.deployment or str(self.json.get("model") or "")

    @property
    def args(self) -> dict[str, str]:
        """The query's arguments, the last of each name."""
        return {name: values[-1] for name, values in parse_qs(self.query).items()}

    @cached_property
    def _form(self) -> tuple[Json, dict[str, list[Upload]]]:
        boundary = re.search(r'boundary="?([^";]+)', self.headers["content-type"])
        fields: Json = {}
        files: dict[str, list[Upload]] = {}
        for part in self.body.split(b"--" + (boundary[1] if boundary else "").encode())[1:-1]:
            head, _, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            _add_part(fields, files, head.decode(), data.removesuffix(b"\r\n"))
        return fields, files


def _add_part(fields: Json, files: dict[str, list[Upload]], head: str, data: bytes) -> None:
    name = re.search(r'\bname="([^"]*)"', head)
    filename = re.search(r'\bfilename="([^"]*)"', head)
    content_type = re.search(r"(?im)^content-type:\s*(\S+)", head)
    key = name[1] if name else ""
    if filename:
        upload = Upload(filename[1], content_type[1] if content_type else "application/octet-stream", data)
        files.setdefault(key.removesuffix("[]"), []).append(upload)
    elif key.endswith("[]"):
        fields.setdefault(key.removesuffix("[]"), []).append(data.decode())
    else:
        text = data.decode()
        fields[key] = {"true": True, "false": False}.get(text, text)


@dataclass(frozen=True)
class Event:
    """One event of a stream, `data` a JSON object or a bare text such as ``[DONE]``."""

    data: Json | str
    name: str | None = None

    def encode(self) -> bytes:
        text = self.data if isinstance(self.data, str) else dumps(self.data).decode()
        return (f"event: {self.name}\n" if self.name else "").encode() + f"data: {text}\n\n".encode()


@dataclass(frozen=True)
class Answer:
    """A status and a JSON object, bytes, or a stream of events or bytes."""

    body: Json | bytes | Iterator[Event | bytes]
    status: int = 200
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """The request is answered with an error, in the provider's own shape."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


def error_body(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Json:
    """Return the body of an error as OpenAI writes it."""
    kinds = {401: "invalid_request_error", 404: "invalid_request_error", 429: "requests"}
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def dumps(value: Any) -> bytes:
    """Return `value` as compact JSON in UTF-8; a lone surrogate, which UTF-8 cannot carry, is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def new_id(prefix: str, length: int = 32) -> str:
    """Return an id that no other process makes, too: records may be stored under it."""
    return prefix + os.urandom(length // 2).hex()


def now() -> int:
    """Return the time in seconds since 1970."""
    return int(time.time())


@dataclass
class Store:
    """What the provider remembers between requests: responses, batches, runs, files, by kind and id."""

    things: dict[str, dict[str, Json]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, kind: str, thing: Json) -> Json:
        with self.lock:
            self.things.setdefault(kind, {})[thing["id"]] = thing
        return thing

    def get(self, kind: str, key: str) -> Json:
        with self.lock:
            thing = self.things.get(kind, {}).get(key)
        if thing is None:
            raise RefusedError(404, f"No {kind} found with id '{key}'.", param="id")
        return thing

    def all(self, kind: str) -> list[Json]:
        with self.lock:
            return list(self.things.get(kind, {}).values())
