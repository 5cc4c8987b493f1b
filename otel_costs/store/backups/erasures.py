"""Users and sessions erased since a backup was made: hashes in its folder, by which a restore erases them again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from otel_costs.store import erase
from otel_costs.store.backups.folder import Folder, replace_file
from otel_costs.store.connection import StoreError
from otel_costs.store.rows import rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_FILE: Final = "erasures.jsonl"
_KINDS: Final = ("user", "session")


@dataclass(frozen=True, slots=True)
class Erasure:
    """That a `user` or a `session` was erased at a moment (ISO 8601, UTC); its name is known by a hash alone."""

    kind: str
    hash: str
    erased_at: str


def add(folder: Folder, kind: str, names: Sequence[str]) -> list[str]:
    """Note that they are erased, from now on, and return the backups from before, the oldest first. Raises StoreError.

    For a caller that has locked the folder, and holds it until they are erased from the store: so no backup and no
    restore comes between the two.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    with folder.locked():
        listed = [*listed_in(folder), *(Erasure(kind, _hash(kind, name), now) for name in names)]
        content = "".join(f"{json.dumps(asdict(one))}\n" for one in listed)
        replace_file(folder.path / "tmp", folder.path / _FILE, content.encode())
    return [one.id for one in folder.manifests()[0]]


def listed_in(folder: Folder) -> list[Erasure]:
    """Return the list of a folder. Raises StoreError when it cannot be read: what is to be erased is not known then."""
    try:
        content = (folder.path / _FILE).read_text()
        return [Erasure(**json.loads(line)) for line in content.splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError):
        raise StoreError(f"{folder.path / _FILE} is damaged: mend it, or nobody knows who was erased") from None


def repeat(client: "Client", listed: Sequence[Erasure], since: str) -> int:
    """Erase from the current database what was erased after `since`; return how many of its names were there.

    The database has all tables of this version.
    """
    wanted = {
        (one.kind, one.hash) for one in listed if datetime.fromisoformat(one.erased_at) > datetime.fromisoformat(since)
    }
    found = [(kind, name) for kind in _KINDS for name in _names(client, kind, wanted)]
    for kind, name in found:
        erase.erase(client, erase.of_user(client, name) if kind == "user" else erase.of_session(name))
    return len(found)


def _names(client: "Client", kind: str, wanted: set[tuple[str, str]]) -> list[str]:
    hashes = sorted(hash_ for of, hash_ in wanted if of == kind)
    if not hashes:
        return []
    found = rows(
        client,
        f"select distinct name from ({erase.names(kind)}) where"  # noqa: S608
        f" lower(hex(SHA256(concat('{kind}:', name)))) in {{hashes:Array(String)}} order by name",
        {"hashes": hashes},
    )
    return [row["name"] for row in found]


def _hash(kind: str, name: str) -> str:
    return sha256(f"{kind}:{name}".encode()).hexdigest()
