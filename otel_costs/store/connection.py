"""A connection to ClickHouse: a server over HTTP, or chDB in this process."""

import fcntl
import logging
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from otel_costs.attributes import ENV_DSN

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

REPORTS: Final = "otel-costs-reports"
LONG_WORK: Final = "otel-costs-work"
"""What our own clients call themselves: `otel-costs local` has lanes for them."""

DEFAULT_DSN: Final = "http://localhost:8123"

_SCHEMES: Final = ("http", "https", "chdb")
_UNKNOWN_DATABASE: Final = 81
_AUTHENTICATION_FAILED: Final = (193, 194, 516)  # wrong password, required password, unknown user


class StoreError(Exception):
    """The store cannot be reached or used; the message says what to do next."""


def connect(dsn: str | None = None, *, long_work: bool = False) -> "Client":
    """Open the store at `dsn`: `http://user:password@host:8123/database`, `https://...` or `chdb:///folder`.

    None means the environment variable OTEL_COSTS_DSN, or else http://localhost:8123. `long_work`: it takes longer
    than a report; `otel-costs local` gives it more time, and few places. Raises StoreError.
    """
    dsn = dsn or os.environ.get(ENV_DSN) or DEFAULT_DSN
    scheme = urlsplit(dsn).scheme
    if scheme not in _SCHEMES:
        raise StoreError(f"{_shown(dsn)!r} is no address of a store: give http://host:8123 or chdb:///folder")
    # Without a handler of its own the driver's log of a refused connection would land on standard error, above ours.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    if scheme == "chdb" and (holder := _holder(Path(urlsplit(dsn).path))):
        raise StoreError(
            f"{dsn} is open in process {holder}: stop it, or ask it ({ENV_DSN}={DEFAULT_DSN} for `otel-costs local`)"
        )
    if scheme == "chdb" and (path := urlsplit(dsn).path):
        with suppress(OSError):  # the engine will say what is wrong
            Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
    return _open(dsn, scheme, LONG_WORK if long_work else REPORTS)


def first_line(error: Exception) -> str:
    """Return what ClickHouse says went wrong, without the query, which it repeats."""
    return str(error).strip().partition("\n")[0].partition(" In scope ")[0].removesuffix(":")


def _open(dsn: str, scheme: str, name: str) -> "Client":
    try:
        import clickhouse_connect  # noqa: PLC0415  # an extra of ours, and slow to import
        from clickhouse_connect.driver.exceptions import Error  # noqa: PLC0415
    except ImportError as error:
        raise StoreError("clickhouse-connect is not installed: pip install 'otel-costs[cli]'") from error
    try:
        named: dict[str, Any] = {} if scheme == "chdb" else {"client_name": name}
        return clickhouse_connect.get_client(dsn=dsn, interface=scheme, **named)
    except ImportError as error:
        raise StoreError("chDB is not installed: pip install 'otel-costs[local]'") from error
    except Error as error:
        raise StoreError(_what_to_do(dsn, scheme, error)) from error


def _what_to_do(dsn: str, scheme: str, error: Exception) -> str:
    shown, code = _shown(dsn), getattr(error, "code", None)
    if scheme == "chdb":
        return f"cannot open {shown}: {first_line(error)}"
    if code == _UNKNOWN_DATABASE:
        return f"the store at {shown} has no such database: create it, or leave it out of {ENV_DSN}"
    if code in _AUTHENTICATION_FAILED:
        return f"the store at {shown} refused user or password: set {ENV_DSN}=http://user:password@host:8123"
    if code is not None:
        return f"the store at {shown} answered: {first_line(error)}"
    return f"no store answers at {shown}: start one with `otel-costs local`, or set {ENV_DSN}"


def _holder(folder: Path) -> str:
    """Return the id of another process that has the folder open; the engine itself would say so to nobody's use."""
    try:
        with (folder / "status").open() as status:
            found = re.search(r"PID: (\d+)", status.read())
            if found is None or int(found[1]) == os.getpid():
                return ""
            fcntl.flock(status, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return found[1] if found else ""
    except OSError:
        return ""
    return ""


def _shown(dsn: str) -> str:
    """Return `dsn` without its password."""
    parts = urlsplit(dsn)
    if parts.password is None:
        return dsn
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))
