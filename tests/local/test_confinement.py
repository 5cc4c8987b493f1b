"""What the operating system leaves to the process that serves."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from otel_costs.local import Stack

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Landlock and seccomp are Linux's")

_TRY = """
import os, socket, subprocess, sys
from pathlib import Path
from otel_costs.local import confinement
folder = Path(sys.argv[1])
listening = socket.create_server(("127.0.0.1", 0))
port = int(sys.argv[2])
assert confinement.confine(writable=[folder / "data"], readable=[folder / "readable"], ports=[port]) == ""
tries = {
    "read outside": lambda: open(folder / "secret"),
    "list outside": lambda: os.listdir(folder),
    "write outside": lambda: open(folder / "new", "w"),
    "write what is read": lambda: open(folder / "readable" / "file", "w"),
    "environment": lambda: open("/proc/self/environ").read(),
    "program": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
    "connect": lambda: socket.create_connection(listening.getsockname()),
    "datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "raw": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW),
    "unix": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
    "other port": lambda: socket.create_server(("127.0.0.1", 0)),
    "send to": lambda: socket.socket().sendto(b"x", 0x20000000, listening.getsockname()),
    "link": lambda: os.symlink(folder / "secret", folder / "data" / "link") or open(folder / "data" / "link"),
}
for name, tried in tries.items():
    try:
        tried()
    except (OSError, PermissionError) as error:
        print(name, error.errno)
open(folder / "data" / "new", "w").close()
open(folder / "readable" / "file").close()
socket.create_server(("127.0.0.1", port)).close()
socket.socketpair()
import wave
print("all else works")
"""


def test_what_is_left(tmp_path: Path) -> None:
    """Its folder, Python's packages and its ports; nothing else is read or written, and nothing goes out."""
    for name in ("data", "readable"):
        (tmp_path / name).mkdir()
    (tmp_path / "readable" / "file").touch()
    (tmp_path / "secret").touch()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "-c", _TRY, str(tmp_path), str(port)], capture_output=True, text=True, timeout=60, check=True
    )
    *refused, last = done.stdout.splitlines()
    assert last == "all else works"
    assert len(refused) == 13
    assert all(line.endswith(" 13") for line in refused), refused


def test_all_threads_of_the_stack_are_confined(stack: Stack) -> None:
    """The engine's too, which starts some when it is imported; but for the one that waits for standard input to end."""
    modes = [
        line.split()[1]
        for status in Path(f"/proc/{stack.pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
        if line.startswith("Seccomp:")
    ]
    assert len(modes) > 10
    assert sorted(modes)[:2] == ["0", "2"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("confinement._CREATE_RULESET = 9999", "no Landlock"),
        ("confinement._CALLS = {}", "no seccomp"),
        ("sys.platform = 'darwin'", "does not confine this process"),
    ],
)
def test_what_cannot_be_confined_is_said(tmp_path: Path, change: str, said: str) -> None:
    """One sentence, and everything goes on."""
    program = (
        f"import sys; from pathlib import Path; from otel_costs.local import confinement; {change};"
        "print(confinement.confine(writable=[Path(sys.argv[1])], readable=[], ports=[]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert said in done.stdout
    assert done.stdout.endswith("the check of statements alone does.\n")
