"""Statements to be tried, of the files beside this one, and a place outside of the database for them to reach."""

import re
import select
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from .support import Answer, send

HERE: Final = Path(__file__).parent
SECRET: Final = "canary-4711-5f0c"

_CHARACTER: Final = re.compile(r"<U\+([0-9A-F]{4})>")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A statement with its parameters of the URL; its rows are in the body where `data` says so."""

    sql: str
    fields: str = ""
    data: bytes = b""

    def send(self, url: str) -> Answer:
        """Send it to ClickHouse's HTTP interface at `url`."""
        if self.data:
            return send(f"{url}/?{urlencode({'query': self.sql})}", self.data)
        return send(f"{url}/?{self.fields}", self.sql.encode())


def read(name: str) -> dict[str, list[str]]:
    """Return the lines of a file, by the headings that they stand under."""
    found: dict[str, list[str]] = {}
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            found[line[3:]] = here = []
        elif line and not line.startswith("#"):
            here.append(line)
    return found


def attempt(line: str, places: Mapping[str, str]) -> Attempt:
    """Make of a line what is sent: `places` fill @NAME@."""
    for name, value in places.items():
        line = line.replace(f"@{name}@", value)
    line = _CHARACTER.sub(lambda found: chr(int(found[1], 16)), line).replace("<LF>", "\n")
    if line.startswith("<DATA>"):
        sql, separator, rows = line.removeprefix("<DATA>").partition("\n")
        return Attempt(sql, data=rows.encode() if separator else SECRET.encode())
    if line.startswith("?"):
        fields, _, sql = line[1:].partition(" ")
        return Attempt(sql, fields.replace("&", "%26") if "=" not in fields else _encoded(fields))
    return Attempt(line)


def _encoded(fields: str) -> str:
    pairs = (pair.partition("=") for pair in fields.rstrip("&").split("&"))
    return urlencode({name: value.replace("+", " ") for name, _, value in pairs})


@dataclass(slots=True)
class Outside:
    """What lies outside of the database: a file to read, a path to write, and a port that listens by TCP and UDP."""

    folder: Path
    sockets: Sequence[socket.socket]
    _seen: set[Path] = field(default_factory=set)

    @property
    def places(self) -> dict[str, str]:
        """What fills the names of a line."""
        return {
            "FILE": str(self.folder / "secret.txt"),
            "OUT": str(self.folder / "out"),
            "PORT": str(self.sockets[0].getsockname()[1]),
        }

    def reached(self, answer: Answer) -> list[str]:
        """Say what of it an attempt has reached, whatever it was answered."""
        found = ["the file was read"] if SECRET.encode() in answer.body else []
        ready, _, _ = select.select(self.sockets, [], [], 0)
        for one in ready:
            found.append("a connection came")
            if one.type == socket.SOCK_STREAM:
                one.accept()[0].close()
            else:
                one.recv(65536)
        new = set(self.folder.rglob("*")) - self._seen
        self._seen |= new
        return found + [f"{path.name} was written" for path in new]


@contextmanager
def outside(folder: Path) -> Iterator[Outside]:
    """Prepare it in an empty `folder`."""
    (folder / "secret.txt").write_text(SECRET + "\n")
    with socket.create_server(("127.0.0.1", 0)) as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        datagram.bind(stream.getsockname())
        made = Outside(folder, [stream, datagram])
        made.reached(Answer(0, {}, b""))
        yield made
