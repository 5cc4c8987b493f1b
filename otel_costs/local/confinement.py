"""What this process can still do once it serves: held by the operating system, whatever the engine is asked to run.

Linux alone: Landlock for files and TCP, a seccomp filter for programs, datagrams and what the kernel's Landlock does
not know. Threads that run already are not confined: call it before the engine is imported, which starts some.

https://docs.kernel.org/userspace-api/landlock.html, https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import os
import platform
import site
import struct
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_CREATE_RULESET: Final = 444  # the same on every architecture
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION: Final = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH: Final = 1
_NET_PORT: Final = 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_FILES_OF_VERSION: Final = {1: 13, 2: 14, 3: 15, 5: 16}  # rights to files, the lowest bits, by the version with more
_BIND_TCP: Final = 1
_CONNECT_TCP: Final = 2
_NETWORK_FROM: Final = 4  # version of Landlock
_SCOPES_FROM: Final = 6
_SCOPES: Final = 3  # abstract sockets of others, signals to others

_READ: Final = _READ_FILE | _READ_DIR
_ON_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15  # what a rule for one file may have

_NO_NEW_PRIVILEGES: Final = 38
_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2

# Numbers of system calls: execve, execveat, connect, socket, sendto, and the word of the architecture.
_CALLS: Final = {
    "x86_64": ((59, 322, 42), 41, 44, 0xC000003E),
    "aarch64": ((221, 281, 203), 198, 206, 0xC00000B7),
}
_STREAM: Final = 1
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | 13  # EACCES

_ALONE: Final = "the check of statements alone does."

_SYSTEM_FILES: Final = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/timezone",
    "/usr/share/zoneinfo",
    "/usr/lib/locale",
    "/dev/null",
    "/dev/urandom",
    "/dev/random",
    "/proc/self/auxv",
    "/proc/self/maps",
    "/proc/sys/vm/overcommit_memory",
    "/sys/kernel/mm/transparent_hugepage",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/stat",
    "/sys/fs/cgroup",
    "/sys/devices/system",
)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _NetPort(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def confine(*, writable: Sequence[Path], readable: Sequence[Path], ports: Iterable[int]) -> str:
    """Leave this thread, and those that it starts, some folders and `ports` to listen on; for good.

    `writable` folders are read too, as are those of Python's packages. No program is started and no connection opened
    from then on: what is to do that has to run before, in a process of its own. Return "" when that holds, else a
    sentence that says what does not.
    """
    if not sys.platform.startswith("linux"):
        return f"{platform.system()} does not confine this process to its data folder: {_ALONE}"
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    missing = []
    if version < 1 or not _restrict_files(libc, version, [*_packages(), *readable], writable, ports):
        missing.append("to its data folder (no Landlock)")
    if not _restrict_calls(libc):
        missing.append("in what it starts and connects to (no seccomp)")
    if not missing:
        return ""
    return f"This kernel does not confine the process {' nor '.join(missing)}: {_ALONE}"


def _restrict_files(
    libc: ctypes.CDLL, version: int, readable: Sequence[Path], writable: Sequence[Path], ports: Iterable[int]
) -> bool:
    everything = (1 << max(bits for since, bits in _FILES_OF_VERSION.items() if since <= version)) - 1
    network = _BIND_TCP | _CONNECT_TCP if version >= _NETWORK_FROM else 0
    handled = struct.pack("QQQ", everything, network, _SCOPES if version >= _SCOPES_FROM else 0)
    handled = handled[: 24 if version >= _SCOPES_FROM else 16 if network else 8]
    ruleset = libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    if ruleset < 0:
        return False
    try:
        for path in (*readable, *map(Path, _SYSTEM_FILES)):
            _allow(libc, ruleset, path, _READ)
        for path in writable:
            if not _allow(libc, ruleset, path, everything & ~_EXECUTE):
                return False
        for port in ports if network else ():
            rule = _NetPort(_BIND_TCP, port)
            libc.syscall(_ADD_RULE, ruleset, _NET_PORT, ctypes.byref(rule), 0)
        done: int = libc.syscall(_RESTRICT_SELF, ruleset, 0)
        return done == 0
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> bool:
    """Add a rule for a folder with all beneath it, or a file. What is not there needs none."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = _PathBeneath(rights if path.is_dir() else rights & _ON_FILES, descriptor)
            done: int = libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
            return done == 0
        finally:
            os.close(descriptor)
    return False


def _packages() -> Iterable[Path]:
    """Give the folders in which Python finds what it imports later, and ours; not the current one."""
    found = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {*site.getsitepackages(), str(Path(__file__).parents[1]), *_libraries()}
    return map(Path, sorted(found))


def _libraries() -> Iterable[str]:
    """Give the folders of the shared libraries in use: there lie those that are still to come, on any distribution."""
    paths = (line.split(maxsplit=5)[-1].strip() for line in Path("/proc/self/maps").read_text().splitlines())
    return {os.path.dirname(path) for path in paths if path.startswith("/") and ".so" in path}


def _restrict_calls(libc: ctypes.CDLL) -> bool:
    """Refuse to start programs, to connect, to open sockets for anything but streams, and to send to an address."""
    known = _CALLS.get(platform.machine())
    if known is None:
        return False
    filters = _filters(*known)
    program = _Program(len(filters) // 8, filters)
    done: int = libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0)
    return done == 0


def _filters(refused: Sequence[int], socket: int, send_to: int, architecture: int) -> bytes:
    """Write the filter, as the kernel's documentation does: (code, jump if true, jump if false, value)."""
    load, equal, bits, give = 0x20, 0x15, 0x54, 0x06
    number, arch, arguments = 0, 4, 16
    lines = [
        (load, 0, 0, arch),
        (equal, 1, 0, architecture),
        (give, 0, 0, _REFUSE),
        (load, 0, 0, number),
    ]
    for call in refused:
        lines += [(equal, 0, 1, call), (give, 0, 0, _REFUSE)]
    lines += [
        (equal, 0, 4, socket),
        (load, 0, 0, arguments + 8),  # the type: its lowest bits, above which are flags
        (bits, 0, 0, 0xF),
        (equal, 5, 0, _STREAM),
        (give, 0, 0, _REFUSE),
        (equal, 0, 3, send_to),
        (load, 0, 0, arguments + 4 * 8),  # the address, or none
        (equal, 1, 0, 0),
        (give, 0, 0, _REFUSE),
        (give, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
