"""Records as rows, to the letter."""

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from otel_costs.local import Stack, rows
from tests.support.selection import examples

from .support import LATELY_NS, ask, export_logs

LIST = ArrayValue(values=[AnyValue(int_value=1), AnyValue(), AnyValue(bytes_value=b"a")])
MAP = KeyValueList(values=[KeyValue(key="a", value=AnyValue(bool_value=True))])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (AnyValue(string_value="a\0é"), "a\0é"),
        (AnyValue(string_value=""), ""),
        (AnyValue(), ""),
        (AnyValue(bool_value=False), "false"),
        (AnyValue(int_value=0), "0"),
        (AnyValue(int_value=-(2**63)), "-9223372036854775808"),
        (AnyValue(double_value=1.0), "1"),
        (AnyValue(double_value=0.0), "0"),
        (AnyValue(double_value=0.01175), "0.01175"),
        (AnyValue(double_value=0.00001), "0.00001"),
        (AnyValue(double_value=1e-7), "1e-7"),
        (AnyValue(double_value=1.5e-10), "1.5e-10"),
        (AnyValue(double_value=1e20), "100000000000000000000"),
        (AnyValue(double_value=1e21), "1e+21"),
        (AnyValue(double_value=float("nan")), "nan"),
        (AnyValue(double_value=float("-inf")), "-inf"),
        (AnyValue(bytes_value=b"\xff\x00"), "/wA="),
        (AnyValue(array_value=LIST), '[1,null,"YQ=="]'),
        (AnyValue(kvlist_value=MAP), '{"a":true}'),
    ],
)
def test_values_are_written_as_the_exporter_writes_them(value: AnyValue, text: str) -> None:
    """The same value gives the same text, whether it came through a collector or not."""
    assert rows.text(value) == text


def test_the_last_of_two_attributes_of_one_name_counts() -> None:
    """A map has a name once."""
    record = LogRecord(attributes=[KeyValue(key="a", value=AnyValue(string_value=text)) for text in ("1", "2")])
    assert rows._map(record.attributes) == {"a": "2"}


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.one_of(
    TEXT.map(lambda text: AnyValue(string_value=text)),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: AnyValue(int_value=number)),
    st.floats().map(lambda number: AnyValue(double_value=number)),
    st.binary(max_size=20).map(lambda data: AnyValue(bytes_value=data)),
)
UINT64 = st.integers(0, 2**64 - 1)
UINT32 = st.integers(0, 2**32 - 1)


@examples(40)
@given(
    attributes=st.dictionaries(TEXT, VALUES, max_size=5),
    body=VALUES,
    time_ns=UINT64,
    severity=st.integers(-(2**31), 2**31 - 1),
    flags=UINT32,
    trace_id=st.binary(max_size=20),
)
def test_no_record_is_refused(
    stack: Stack,
    attributes: dict[str, AnyValue],
    body: AnyValue,
    time_ns: int,
    severity: int,
    flags: int,
    trace_id: bytes,
) -> None:
    """Whatever a record holds, the store takes it, and the attributes of the one beside it come back as they were."""
    service = uuid.uuid4().hex
    odd = LogRecord(time_unix_nano=time_ns, flags=flags, body=body, trace_id=trace_id, event_name="otel_costs.call")
    odd.severity_number = severity  # type: ignore[assignment]
    even = LogRecord(time_unix_nano=LATELY_NS, attributes=[KeyValue(key="id", value=AnyValue(string_value=service))])
    for record in (odd, even):
        record.attributes.extend(KeyValue(key=key, value=value) for key, value in attributes.items() if key != "id")
    answer = export_logs(stack.otlp_http_url, [odd, even])
    assert (answer.status, answer.body) == (200, b"")
    sql = "SELECT LogAttributes AS a FROM otel_logs WHERE LogAttributes['id'] = {s:String}"
    (row,) = ask(stack.http_url, sql, s=service)
    assert row["a"] == {key: rows.text(value) for key, value in attributes.items() if key != "id"} | {"id": service}


def test_a_row_is_one_line() -> None:
    """Rows are joined by newlines: none may have one of its own."""
    record = LogRecord(body=AnyValue(string_value="a\nb\r\u2028"), event_name="x\ny")
    line = rows._line(rows._log_row(record, {}))
    assert b"\n" not in line
    assert json.loads(line)["Body"] == "a\nb\r\u2028"
