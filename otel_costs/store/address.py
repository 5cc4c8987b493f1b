"""The address of a store (a DSN): read from a text, and shown without its secrets.

What cannot be read is never repeated: a password may stand anywhere in it.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

FORMS: Final = "give http://host:8123 or chdb:///folder"
"""What to do about an address that is none."""

_SERVERS: Final = ("http", "https")
_EMBEDDED: Final = "chdb"
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,63}")
_SECRET_OPTION: Final = re.compile("pass|token|secret|key|auth", re.IGNORECASE)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")


class AddressError(ValueError):
    """It is no address of a store; the message says why and what to do, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is. `printable` has no password; `folder` is that of an embedded store, empty for a server.

    `secrets` must not be shown. `user` is the user where a password alone is given; None is that of the DSN.
    """

    dsn: str
    scheme: str
    printable: str
    folder: str
    secrets: tuple[str, ...]
    user: str | None = None

    @property
    def embedded(self) -> bool:
        """Whether the store is a folder, opened in this process."""
        return self.scheme == _EMBEDDED

    def without_secrets(self, text: str) -> str:
        """Return a text of others with *** in the place of a password, written in any way."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def read(dsn: str) -> Address:
    """Read `http://user:password@host:8123/database`, `https://...` or `chdb:///folder`. Raises AddressError."""
    if _UNPRINTABLE.search(dsn):
        raise AddressError(f"the address of the store has a blank or an unprintable character in it: {FORMS}")
    try:
        parts = urlsplit(dsn)
    except ValueError:
        raise AddressError(f"the host in the address of the store cannot be read: {FORMS}") from None
    if parts.scheme not in (*_SERVERS, _EMBEDDED) or not dsn.lower().startswith(f"{parts.scheme}://"):
        raise AddressError(
            f"this is no address of a store, it begins with none of http://, https:// and chdb://: {FORMS}"
        )
    return _embedded(dsn, parts) if parts.scheme == _EMBEDDED else _server(dsn, parts)


def _embedded(dsn: str, parts: SplitResult) -> Address:
    if parts.netloc or not parts.path.strip("/"):
        raise AddressError("the address of an embedded store is chdb:///folder: three slashes, and the path from / on")
    return Address(dsn, parts.scheme, f"chdb://{parts.path}", parts.path, ())


def _server(dsn: str, parts: SplitResult) -> Address:
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        raise AddressError(
            "the address of the store has an @ behind its host: write what is special in a user or password in percent,"
            " / as %2F, ? as %3F, # as %23, @ as %40"
        )
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = parts.hostname, 0
    if not host or host.startswith("."):
        raise AddressError(f"the address of the store names no host: {FORMS}")
    if (port is not None and port < 1) or parts.netloc.endswith(":"):
        raise AddressError(
            f"the port in the address of the store is no number from 1 to 65535: {FORMS};"
            " what is special in a password is written in percent, / as %2F"
        )
    where = f"[{host}]" if ":" in host else host
    printable = f"{parts.scheme}://{_user(parts)}{where}{f':{port}' if port else ''}{parts.path}"
    user = "default" if parts.password and not parts.username else None
    return Address(dsn, parts.scheme, printable, "", _secrets(parts), user)


def _user(parts: SplitResult) -> str:
    """Return the user for display, if that is a name: a user without a password may be a password."""
    if "@" not in parts.netloc:
        return ""
    named = parts.password and _PLAIN_NAME.fullmatch(parts.username or "")
    return f"{parts.username}:***@" if named else "***@"


def _secrets(parts: SplitResult) -> tuple[str, ...]:
    """Return what must not be told, the longest first: as it was written, and as it is meant."""
    options = (option.partition("=") for option in parts.query.split("&"))
    written = [parts.password, *(value for name, _, value in options if _SECRET_OPTION.search(name))]
    if _user(parts) == "***@":
        written.append(parts.username)
    found = {form for secret in written if secret for form in (secret, unquote(secret))}
    return tuple(sorted(found, key=len, reverse=True))
