"""The users of a store and their rights: a writer inserts, a reader sees costs, an auditor reads messages too."""

import os
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from otel_costs.store.connection import StoreError
from otel_costs.store.files import fill, folder, uncommented
from otel_costs.store.rows import store_errors
from otel_costs.store.schema import layout_of

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

USERS: Final = ("writer", "reader", "auditor")

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_SUBJECT: Final = re.compile(r"grant|(create (role|settings profile|quota|user) if not exists|alter user) \w+")
_GRANTED: Final = re.compile(r"^(grant .* on )(\w+)")
_MIN_LENGTH: Final = 12


def variable(user: str, what: str = "PASSWORD") -> str:
    """Return the environment variable of a user's password, or of its name."""
    return f"OTEL_COSTS_{user.upper()}_{what}"


def apply(client: "Client", environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Make roles, quotas and users as `queries/access/` says, or change their passwords; return the users' names.

    Passwords come from `OTEL_COSTS_WRITER_PASSWORD`, `..._READER_...`, `..._AUDITOR_...`; names from `..._USER`, where
    they are not `writer`, `reader` and `auditor`. The store gets a password's SHA-256. Needs the schema, a server, and
    the rights of an administrator. Raises StoreError for a missing or short password, and when a statement fails.
    """
    credentials = _credentials(environment)
    database = f"`{client.command('select currentDatabase()')}`"
    for statement in statements(credentials, database, layout_of(client).on_cluster):
        with store_errors(f"cannot {_summary(statement)}"):
            client.command(statement)
    return tuple(credentials[user] for user in USERS)


def statements(credentials: Mapping[str, str], database: str, on_cluster: str) -> list[str]:
    """Return the statements of `queries/access/` in their order: names filled, for a database, and for all servers."""
    found: list[str] = []
    for path in sorted((folder() / "access").glob("*.sql")):
        sql = fill(uncommented(path.read_text(encoding="utf-8")), credentials)
        found += [_placed(statement.strip(), database, on_cluster) for statement in sql.split(";") if statement.strip()]
    return found


def _placed(statement: str, database: str, on_cluster: str) -> str:
    statement = _GRANTED.sub(lambda grant: f"{grant[1]}{database}.{grant[2]}", statement)
    return _SUBJECT.sub(rf"\g<0> {on_cluster}", statement, count=1) if on_cluster else statement


def _credentials(environment: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for user in USERS:
        password = environment.get(variable(user), "")
        if len(password) < _MIN_LENGTH:
            raise StoreError(f"{variable(user)} must be set, to {_MIN_LENGTH} characters or more")
        name = environment.get(variable(user, "USER")) or user
        if not _NAME.fullmatch(name):
            raise StoreError(f"{variable(user, 'USER')} is no name: letters, digits and _")
        found |= {user: name, f"{user}_sha256": sha256(password.encode()).hexdigest()}
    return found


def _summary(statement: str) -> str:
    """Return the beginning of a statement: never the hash of a password, which stands further behind."""
    return " ".join(statement.split()[:6])
