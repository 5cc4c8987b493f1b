"""What is read of a request, and that nothing of it is changed."""

import io
import tempfile
from decimal import Decimal
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


def spooled() -> Any:
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115  the test closes it
    file.write(WAV)
    return file


@pytest.mark.parametrize("opened", [lambda: io.BytesIO(WAV), spooled, lambda: bytearray(WAV)])
@pytest.mark.parametrize("place", [0, 3, len(WAV)])
def test_length_of_an_upload(opened: Any, place: int) -> None:
    """The length of an upload is known after it is gone, and the file is where it was."""
    file = opened()
    if hasattr(file, "seek"):
        file.seek(place)
    request = read(options("/audio/transcriptions", json_data={"model": "whisper-1"}, files={"file": ("a.wav", file)}))
    if hasattr(file, "seek"):
        assert file.tell() == place
        file.close()
    assert audio_length.uploaded_seconds(request.body["file"]) == Decimal(15)


class Failing(io.BytesIO):
    """A file whose size cannot be found."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == io.SEEK_END:
            raise OSError
        return super().seek(offset, whence)


async def _seek(*_: object) -> int:
    raise AssertionError


@pytest.mark.parametrize("file", [Failing(WAV), io.StringIO("text"), SimpleNamespace(seek=_seek), "a path", None, 3])
def test_what_has_no_length(file: Any) -> None:
    """A file that cannot be looked into has no length that we know, and is where it was."""
    if isinstance(file, io.IOBase):
        file.seek(2)
    request = read(options("/audio/transcriptions", json_data={}, files={"file": ("a.wav", file)}))
    assert audio_length.uploaded_seconds(request.body["file"]) is None
    if isinstance(file, io.IOBase):
        assert file.tell() == 2


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
