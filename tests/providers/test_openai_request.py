"""What is read of a request, and that nothing of it is changed."""

import bz2
import gzip
import io
import lzma
import tempfile
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest
from openai._models import FinalRequestOptions

from otel_costs import semconv as names
from otel_costs.providers.openai.request import Request, with_usage
from otel_costs.providers.openai.routes import UNKNOWN, find
from otel_costs.stand_in import tokens
from otel_costs.values import audio_length

WAV = tokens.wav(15.0)


def options(url: str = "/chat/completions", **given: Any) -> Any:
    return FinalRequestOptions.construct(method="post", url=url, **given)


def read(asked: Any) -> Request:
    client = openai.OpenAI(api_key="k", base_url="https://api.openai.com/v1")
    return Request.read(client, asked, find(asked.method, asked.url) or UNKNOWN, stream=False)


@pytest.mark.parametrize(
    ("body", "user", "session"),
    [
        ({}, None, None),
        ({"user": "u"}, "u", None),
        ({"user": "u", "safety_identifier": "s"}, "s", None),
        ({"metadata": {"session_id": "abc"}}, None, "abc"),
        ({"metadata": {"session_id": 3}, "conversation": "conv_1"}, None, "conv_1"),
        ({"conversation": {"id": "conv_2"}}, None, "conv_2"),
        ({"user": 7, "metadata": "x", "conversation": 1.5}, None, None),
    ],
)
def test_identity(body: Any, user: str | None, session: str | None) -> None:
    """User and session are taken from the fields that the provider has for them, if they are texts."""
    request = read(options(json_data=body))
    assert (request.identity.get(names.USER_ID), request.identity.get(names.SESSION_ID)) == (user, session)


@pytest.mark.parametrize("body", [None, [1], "text", {"model": 3}, {"model": ""}])
def test_odd_bodies(body: Any) -> None:
    """A body that is no object, or names no model, is read as one without a model."""
    assert read(options(json_data=body)).model is None


def test_merged() -> None:
    """What stands in `extra_body` is what will be sent; a form's files are fields, too."""
    files = [("file", ("a.wav", WAV)), ("image[]", ("a.png", b"x")), "odd"]
    request = read(options(json_data={"model": "a", "n": 1}, extra_json={"model": "b"}, files=files))
    assert (request.model, request.body["n"]) == ("b", 1)
    assert request.body["image[]"] == ("a.png", b"x")


def test_files_that_can_be_read_once() -> None:
    """An iterator of files is left to the SDK."""
    files = iter([("file", ("a.wav", WAV))])
    read(options("/audio/transcriptions", json_data={"model": "whisper-1"}, files=files))
    assert len(list(files)) == 1


FILES = [
    io.BytesIO,
    tempfile.SpooledTemporaryFile,
    partial(tempfile.SpooledTemporaryFile, max_size=10),  # it is on the disk then
    tempfile.NamedTemporaryFile,
    tempfile.TemporaryFile,
]


@pytest.mark.parametrize("opened", FILES)
@pytest.mark.parametrize("place", [0, 3, len(WAV)])
def test_length_of_an_upload(opened: Any, place: int) -> None:
    """The length of an upload is known after it is gone, and the file is where it was."""
    with opened() as file:
        file.write(WAV)
        file.seek(place)
        files = {"file": ("a.wav", file)}
        request = read(options("/audio/transcriptions", json_data={"model": "whisper-1"}, files=files))
        assert file.tell() == place
    assert audio_length.uploaded_seconds(request.body["file"]) == Decimal(15)


@pytest.mark.parametrize("file", [WAV, bytearray(WAV)])
def test_length_of_bytes(file: Any) -> None:
    """Bytes may be changed afterwards."""
    request = read(options("/audio/transcriptions", json_data={}, files={"file": ("a.wav", file)}))
    if isinstance(file, bytearray):
        file.clear()
    assert audio_length.uploaded_seconds(request.body["file"]) == Decimal(15)


@pytest.mark.parametrize("buffering", [0, -1])
def test_length_of_a_file(buffering: int, tmp_path: Path) -> None:
    """A file that is only read, with a buffer and without."""
    path = tmp_path / "a.wav"
    path.write_bytes(WAV)
    with path.open("rb", buffering=buffering) as file:
        file.seek(5)
        request = read(options("/audio/transcriptions", json_data={}, files={"file": ("a.wav", file)}))
        assert file.tell() == 5
    assert audio_length.uploaded_seconds(request.body["file"]) == Decimal(15)


class Watched(io.BytesIO):
    """A file of the application's own, which does something when it is read."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise AssertionError

    seek = tell = read  # type: ignore[assignment]


def packed(module: Any) -> Any:
    """A compressed file, which is decompressed whole where its end is looked for."""
    return module.open(io.BytesIO(module.compress(WAV)))


@pytest.mark.parametrize(
    "file",
    [
        Watched(WAV),
        io.BufferedReader(Watched(WAV)),  # type: ignore[type-var]
        packed(bz2),
        packed(gzip),
        packed(lzma),
        io.StringIO("text"),
        SimpleNamespace(seek=Watched().seek, tell=Watched().tell, read=Watched().read),
        "a path",
        None,
        3,
    ],
)
def test_what_has_no_length(file: Any) -> None:
    """A file that cannot be looked into without a trace is not, and has no length that we know."""
    request = read(options("/audio/transcriptions", json_data={}, files={"file": ("a.wav", file)}))
    assert audio_length.uploaded_seconds(request.body["file"]) is None
    if hasattr(file, "readable") and not isinstance(file, Watched | io.BufferedReader):
        assert file.tell() == 0


def test_a_closed_file() -> None:
    """Nor has one that is closed."""
    file = io.BytesIO(WAV)
    file.close()
    request = read(options("/audio/transcriptions", json_data={}, files={"file": ("a.wav", file)}))
    assert audio_length.uploaded_seconds(request.body["file"]) is None


@pytest.mark.parametrize(
    ("json_data", "extra_json"),
    [
        ({"a": 1}, None),
        ({"a": 1, "stream_options": {"include_obfuscation": False}}, None),
        ({"a": 1}, {"b": 2}),
        ({"a": 1, "stream_options": {"x": 1}}, {"stream_options": {"include_obfuscation": False}}),
        (None, {"stream_options": {}}),
    ],
)
def test_with_usage(json_data: Any, extra_json: Any) -> None:
    """The copy asks, wherever the options of the stream stand; the original does not change."""
    asked = options(json_data=json_data, extra_json=extra_json)
    before = repr(asked)
    copied: Any = with_usage(asked)
    sent = {**(copied.json_data or {}), **(copied.extra_json or {})}
    was = {**(json_data or {}), **(extra_json or {})}
    assert sent["stream_options"] == {**was.get("stream_options", {}), "include_usage": True}
    assert {key: sent[key] for key in was if key != "stream_options"} == {
        key: was[key] for key in was if key != "stream_options"
    }
    assert repr(asked) == before
