"""Values that are safe for the SDK, the exporter and the store."""

import base64
import enum
import json
import math
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as WireRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from otel_costs.values import sanitize
from tests.queries.engine import engine


class Raising:
    def __str__(self) -> str:
        raise RuntimeError("secret")


class Shouting(str):
    __slots__ = ()

    def encode(self, *args: Any) -> bytes:
        raise RuntimeError("secret")

    def isascii(self) -> bool:
        raise RuntimeError("secret")


class Closed(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("secret")


class Colour(enum.Enum):
    RED = "red"


def cyclic() -> dict[str, Any]:
    value: dict[str, Any] = {"a": 1}
    value["self"] = value
    return value


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text(st.characters())
    | st.binary()
    | st.sampled_from([Raising(), Shouting("x"), Colour.RED, 2**70, -(2**63) - 1, object, Closed(a=1)]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters()) | st.integers() | st.binary(), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.builds(
            lambda items: {repr(item) if isinstance(item, list | dict) else str(type(item)) for item in items},
            st.lists(inner),
        )
    ),
    max_leaves=12,
)


def exported(attributes: dict[str, Any], body: str | None = None) -> WireRecord:
    """Send one record through the SDK and the exporter's encoder, and read it from the wire."""
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("test").emit(LogRecord(attributes=attributes, body=body, event_name="test"))
    wire = encode_logs(exporter.get_finished_logs()).SerializeToString()
    parsed = type(encode_logs([])).FromString(wire)
    return parsed.resource_logs[0].scope_logs[0].log_records[0]


@example({"a": Raising(), "b": Shouting("x"), "c": cyclic(), "e": Closed(a=1), "f": [Raising()]})
@given(st.dictionaries(st.text(st.characters()), anything, max_size=6))
def test_every_attribute_reaches_the_wire(values: dict[str, Any]) -> None:
    """Whatever is cleaned is exported, all of it: the SDK drops nothing and the encoder does not fail."""
    cleaned = sanitize.attributes(values)
    record = exported(cleaned)
    assert {pair.key for pair in record.attributes} == set(cleaned)
    assert "secret" not in str(cleaned)


@given(anything)
def test_anything_is_json(value: Any) -> None:
    """Of any value at all there is valid JSON within the limit, and the value stays as it was."""
    before = repr(value)
    written = sanitize.to_json(value)
    json.loads(written)
    assert len(written.encode()) <= sanitize.MAX_TEXT
    assert repr(value) == before


@pytest.mark.parametrize("value", [cyclic(), deep(2000), deep(100_000), {"a": [cyclic()] * 3}])
def test_cycles_and_depth_are_harmless(value: Any) -> None:
    """A cycle and 100,000 levels end in JSON, not in a RecursionError, and are exported."""
    assert json.loads(sanitize.to_json(value))
    assert exported(sanitize.attributes({"a": value})).attributes[0].value.string_value == sanitize.to_json(value)


def test_json_stays_valid_where_it_is_cut() -> None:
    """Too much text or too many items are left out such that what remains can be parsed, in bytes within the limit."""
    for value in (["人" * 1000] * 1000, {str(i): "\x01" * 100 for i in range(5000)}, list(range(10**6)), "\n" * 10**6):
        written = sanitize.to_json(value)
        json.loads(written)
        assert 1000 < len(written.encode()) <= sanitize.MAX_TEXT


def test_base64_in_a_structure_is_replaced() -> None:
    """A payload in any field of any structure is described there."""
    raw = bytes(range(256)) * 5
    assert sanitize.to_json({"source": {"data": base64.b64encode(raw).decode()}}) == (
        f'{{"source": {{"data": "[application/octet-stream, 1280 bytes, sha256:{sha256(raw).hexdigest()}]"}}}}'
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (True, True),
        (7, 7),
        (-(2**63), -(2**63)),
        (2**63, "9223372036854775808"),
        (1 << 5000, "[int of 5001 bits]"),
        (1.5, 1.5),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (Decimal("0.10"), "0.10"),
        (b"\x00\x01", "[2 bytes]"),
        (Colour.RED, "red"),
        (Shouting("x"), "x"),
        (Raising(), "[Raising]"),
        ({1}, "[1]"),
        ({"a": Decimal("1.0")}, '{"a": "1.0"}'),
        ([1, 2], [1, 2]),
        (("a", "\ud800"), ["a", "\ufffd"]),
        ([1, "a"], '[1, "a"]'),
        ([1.5, math.nan], '[1.5, "nan"]'),
        ([], []),
        (Closed(a=1), "{}"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_type_has_one_form(value: Any, expected: Any) -> None:
    """Exact values and value types; what has no form in OTLP becomes text that keeps its digits."""
    cleaned = sanitize.attributes({"a": value})
    assert cleaned == {"a": expected}
    assert type(cleaned["a"]) is type(expected)


def test_none_and_what_has_no_name_is_left_out() -> None:
    """An unknown value is no attribute."""
    assert sanitize.attributes({"a": None, "": 1, "b": 0}) == {"b": 0}


def test_the_number_of_attributes_is_limited() -> None:
    """The first of too many are kept, so that there is room for the money that is set last."""
    assert list(sanitize.attributes({str(i): i for i in range(200)}, limit=5)) == ["0", "1", "2", "3", "4"]
    assert len(sanitize.attributes({str(i): i for i in range(200)})) == sanitize.MAX_ATTRIBUTES


def test_nothing_refers_to_what_was_given() -> None:
    """A list that the application changes later does not change the record."""
    given_list = ["a"]
    cleaned = sanitize.attributes({"a": given_list})
    given_list.append("b")
    assert cleaned == {"a": ["a"]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("人 é", "人 é"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ("a\x00b\n\"'", "a\x00b\n\"'"),
        (None, "None"),
        (5, "5"),
    ],
)
def test_text_is_what_utf8_can_carry(value: Any, expected: str) -> None:
    """Halves of a pair are joined, lone ones replaced, and everything else stays as it is."""
    assert sanitize.text(value) == expected


@given(st.text(st.characters()), st.integers(0, 50))
def test_a_cut_is_the_longest_head_that_fits(value: str, limit: int) -> None:
    """No character is torn, none is left out that would have fitted."""
    value = sanitize.text(value)
    head = sanitize.cut(value, limit)
    assert value.startswith(head)
    assert len(head.encode()) <= limit
    assert head == value or len(value[: len(head) + 1].encode()) > limit


@given(st.text(st.characters()))
def test_size_is_what_is_written(value: str) -> None:
    """The size of a clean text is the length of its UTF-8."""
    value = sanitize.text(value)
    assert sanitize.size(value) == len(value.encode())


def test_the_size_of_a_huge_text_is_an_estimate() -> None:
    """Beyond a million characters that are not all ASCII the size is right within a percent."""
    value = "Größe und 人 " * 300_000
    assert sanitize.size(value) == pytest.approx(len(value.encode()), rel=0.01)


def test_a_long_identifier_keeps_its_head_and_gets_a_hash() -> None:
    """An id of 4 KB is capped at 256 characters; two that differ at the end stay two."""
    one, other = "s" * 4096 + "1", "s" * 4096 + "2"
    assert len(sanitize.identifier(one)) == sanitize.MAX_IDENTIFIER
    assert sanitize.identifier(one).startswith("s" * 239 + "~")
    assert sanitize.identifier(one) != sanitize.identifier(other)
    assert sanitize.identifier(one) == sanitize.identifier(one)
    assert sanitize.identifier("s" * 256) == "s" * 256


def test_identifiers_that_utf8_cannot_carry_stay_apart() -> None:
    """A lone surrogate is written out instead of being replaced."""
    assert sanitize.identifier("a\ud800") == "a\\ud800"
    assert sanitize.identifier("a\ud801") != sanitize.identifier("a\ud800")
    assert sanitize.identifier(None) == ""
    assert sanitize.identifier(17) == "17"


@pytest.mark.parametrize(
    "session_id", ['it\'s "quoted"', "two\nlines\r\n\ttab", "a\x00b", "\x00", "back\\slash", "人😀", "' or 1=1 --"]
)
def test_a_session_id_round_trips_exactly(session_id: str) -> None:
    """Quotes, newlines, NUL and the rest come out of the exporter and of ClickHouse as they went in."""
    record = exported({"session.id": sanitize.identifier(session_id)})
    sent = {pair.key: pair.value.string_value for pair in record.attributes}
    client = engine()
    client.command("create or replace table round_trips (a Map(String, String)) engine = Memory")
    client.raw_insert("round_trips", insert_block=json.dumps({"a": sent}), fmt="JSONEachRow")
    stored = client.query("select a['session.id'] from round_trips").result_rows
    client.command("drop table round_trips")
    assert stored == [(session_id,)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.1, "1.1"),
        ("2.50", "2.50"),
        (0, "0"),
        (-1, None),
        (math.nan, None),
        ("x", None),
        ("1_0", None),
        (True, None),
        (None, None),
        ([1], None),
    ],
)
def test_a_number_is_exact_or_none(value: Any, expected: str | None) -> None:
    """Seconds keep their digits; what is no number of seconds is unknown."""
    assert sanitize.number(value) == (None if expected is None else Decimal(expected))
