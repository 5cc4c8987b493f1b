"""Server-sent events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.transports.http.body import BOUNDARY, end_of_last, events
from otel_costs.values.json_objects import parsed


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_fields(end: str) -> None:
    """Names, data over several lines, comments and ids, with every kind of line end."""
    lines = [
        ": a comment",
        "",
        "event: said",
        "id: 7",
        "data: one",
        "data:two",
        "",
        "data: [DONE]",
        "",
        "event: alone",
        "",
    ]
    raw = end.join([*lines, ""]).encode()
    assert list(events(raw)) == [("said", "one\ntwo"), ("", "[DONE]")]


def test_what_is_no_text() -> None:
    """Bytes that are no UTF-8 are replaced; an event that is cut short is there as far as it came."""
    assert list(events(b'data: \xff\n\ndata: {"a"')) == [("", "\ufffd"), ("", '{"a"')]


@pytest.mark.parametrize(
    ("raw", "end"),
    [
        (b"", 0),
        (b"data: 1", 0),
        (b"data: 1\n", 0),
        (b"data: 1\n\n", 9),
        (b"data: 1\n\ndata: 2\n", 9),
        (b"data: 1\r\n\r\ndata: 2", 11),
        (b"data: 1\r\n\r", 0),
        (b"data: 1\r\rdata: 2", 9),
        (b"data: 1\n\ndata: 2\r\n\r\n", 20),
    ],
)
def test_end_of_last(raw: bytes, end: int) -> None:
    """The last whole event ends behind its blank line."""
    assert end_of_last(raw) == end


@given(st.binary(max_size=60), st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"]), st.binary(max_size=60))
def test_whole_events_are_the_same_in_parts(one: bytes, boundary: bytes, other: bytes) -> None:
    """Cut behind a whole event, the parts say what the whole says."""
    raw = one + boundary + other
    end = end_of_last(raw)
    assert BOUNDARY.search(raw[:end])
    if b"\r" not in raw:  # a boundary may stand across another, where line ends are mixed
        assert [*events(raw[:end]), *events(raw[end:])] == list(events(raw))


@pytest.mark.parametrize("data", ["", "[1]", "3", "{", "[DONE]", "[" * 100_000])
def test_parsed_is_an_object_or_nothing(data: str) -> None:
    """What is no JSON object says nothing, and raises nothing."""
    assert parsed(data) is None
    assert parsed('{"a":1}') == {"a": 1}
