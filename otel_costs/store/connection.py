"""A connection to ClickHouse: a server over HTTP, or chDB in this process."""

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from otel_costs.semconv import ENV_DSN
from otel_costs.store.address import Address, AddressError, read
from otel_costs.store.embedded import NOT_COMPILED, set_statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

REPORTS: Final = "otel-costs-reports"
LONG_WORK: Final = "otel-costs-work"
"""What our own clients call themselves: `otel-costs local` has classes of queries for them."""

DEFAULT_DSN: Final = "http://localhost:8123"

_UNKNOWN_DATABASE: Final = 81
_AUTHENTICATION_FAILED: Final = (192, 193, 194, 516)  # unknown user, wrong password, required password
_STATUS: Final = re.compile(r"\b(?:status|code):? (\d{3})\b")


class StoreError(Exception):
    """The store cannot be reached or used; the message says what to do next."""


def connect(dsn: str | None = None, *, long_work: bool = False) -> "Client":
    """Open the store at `dsn`: `http://user:password@host:8123/database`, `https://...` or `chdb:///folder`.

    None means the environment variable OTEL_COSTS_DSN, or else http://localhost:8123. `long_work`: it takes longer
    than a report; `otel-costs local` gives it more time, and few places. Raises StoreError.
    """
    address = address_of(dsn)
    # Without a handler of its own the driver's log of a refused connection would land on standard error, above ours.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    if address.embedded and (holder := _holder(Path(address.folder))):
        raise StoreError(
            f"{address.printable} is open in process {holder}: stop it, or ask it"
            f" ({ENV_DSN}={DEFAULT_DSN} for `otel-costs local`)"
        )
    return _open(address, LONG_WORK if long_work else REPORTS)


def address_of(dsn: str | None = None) -> Address:
    """Return where `connect` goes. Raises StoreError for what is no address."""
    try:
        return read(dsn or os.environ.get(ENV_DSN) or DEFAULT_DSN)
    except AddressError as error:
        raise StoreError(str(error)) from None


def first_line(error: Exception) -> str:
    """Return what ClickHouse says went wrong, without the query, which it repeats."""
    line = str(error).strip().partition("\n")[0].partition(" In scope ")[0].partition(", Stack trace")[0]
    return line.removesuffix(":")


def _open(address: Address, name: str) -> "Client":
    try:
        import clickhouse_connect  # noqa: PLC0415  # an extra of ours, and slow to import
    except ImportError as error:
        raise StoreError("clickhouse-connect is not installed: pip install 'otel-costs[cli]'") from error
    if address.embedded:
        _prepare(address)
    try:
        named: dict[str, Any] = {} if address.embedded else {"client_name": name}
        client = clickhouse_connect.get_client(
            dsn=address.dsn, interface=address.scheme, username=address.user, **named
        )
        if address.embedded:
            client.command(set_statement(NOT_COMPILED))
    except ImportError as error:
        raise StoreError("chDB is not installed: pip install 'otel-costs[local]'") from error
    # Any error, for what answers may be anything; and alone, for the driver's own has the address in it.
    except Exception as error:  # noqa: BLE001
        raise StoreError(_what_to_do(address, error)) from None
    return client


def _prepare(address: Address) -> None:
    """Make the folder, for its owner alone: the engine does not say why one cannot be made."""
    try:
        Path(address.folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot open {address.printable}: {error.strerror}; give a folder that can be written to"
        ) from None


def _what_to_do(address: Address, error: Exception) -> str:
    where, code, message = address.printable, getattr(error, "code", None), address.without_secrets(first_line(error))
    if address.embedded:
        return f"cannot open {where}: {message or type(error).__name__}; give a folder that can be written to"
    if code == _UNKNOWN_DATABASE:
        return f"the store at {where} has no such database: create it, or leave it out of {ENV_DSN}"
    if code in _AUTHENTICATION_FAILED:
        return f"the store at {where} refused user or password: set {ENV_DSN}=http://user:password@host:8123"
    if code is not None:
        return f"the store at {where} answered: {message}; see what it is there, or set {ENV_DSN}"
    return f"{_reached(address, error)}: start one with `otel-costs local`, or set {ENV_DSN}"


def _reached(address: Address, error: Exception) -> str:
    """Return how far a connection came to a server that has not answered as ClickHouse does."""
    from clickhouse_connect.driver.exceptions import ProgrammingError  # noqa: PLC0415

    where, causes = address.printable, " ".join(f"{type(cause).__name__} {cause}" for cause in _causes(error))
    if "CERTIFICATE_VERIFY_FAILED" in causes:
        return f"the certificate of {where} is not trusted: give ?ca_cert=FILE behind the address. Without TLS"
    if address.scheme == "https" and "SSL" in causes:
        return f"no TLS is spoken at {where}: try http:// in the place of https://. If there is no store"
    if isinstance(error, TypeError | ProgrammingError):
        return f"an option behind the ? in the address of {where} is none, or has a value that it cannot have"
    if found := _STATUS.search(causes):
        return f"what answers at {where} is no ClickHouse (HTTP status {found[1]})"
    if any(name in causes for name in ("NameResolution", "getaddrinfo", "idna", "UnicodeError", "LocationParse")):
        return f"the host of {where} cannot be found"
    if any(name in causes for name in ("RemoteDisconnected", "BadStatusLine", "ConnectionReset")):
        return f"what listens at {where} is no ClickHouse without TLS (is it https:// there?)"
    if any(name in causes for name in ("NewConnection", "ConnectionRefused", "Timeout", "Unreachable", "No route")):
        return f"no store answers at {where}"
    return f"no store answers at {where} as ClickHouse does ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _holder(folder: Path) -> str:
    """Return the id of another process that has the folder open, empty if none has; the engine's error has no id."""
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
