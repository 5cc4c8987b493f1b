"""ClickHouse's Native format, as far as it is written by hand: the answer to a driver's hello.

chDB writes Native at revision 0, the one of plain HTTP. A driver of Go asks for its hello at its own revision, and for
everything after it at the revision that the hello names. So the hello alone is written here, and names 0.
"""

from collections.abc import Sequence
from typing import Final

HELLO: Final = "select displayname(), version(), revision(), timezone()"

_WITH_CUSTOM_SERIALIZATION: Final = 54454
_BLOCK_INFO: Final = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # is_overflows = 0, bucket_num = -1, end


def hello(revision: int, name: str, version: str, timezone: str) -> bytes:
    """Write the hello for a driver that reads at `revision`."""
    columns = [
        ("displayName()", "String", _string(name)),
        ("version()", "String", _string(version)),
        ("revision()", "UInt32", (0).to_bytes(4, "little")),
        ("timezone()", "String", _string(timezone)),
    ]
    return _block(revision, columns)


def _block(revision: int, columns: Sequence[tuple[str, str, bytes]]) -> bytes:
    """Write one block of one row."""
    flag = b"\x00" if revision >= _WITH_CUSTOM_SERIALIZATION else b""
    head = (_BLOCK_INFO if revision else b"") + _varint(len(columns)) + _varint(1)
    return head + b"".join(_string(name) + _string(kind) + flag + data for name, kind, data in columns)


def _string(text: str) -> bytes:
    data = text.encode()
    return _varint(len(data)) + data


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
