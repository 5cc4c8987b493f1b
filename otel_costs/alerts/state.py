"""What stands in the store of alerts: events, acknowledgements, silences, rules, and the process that sends."""

import hashlib
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store.rows import rows, store_errors

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

LEASE: Final = timedelta(minutes=3)
"""How long a sender counts after it was heard last."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES: Final = {
    "kind": "String", "id": "String", "rule": "String", "subject": "String", "user_id": "String",
    "session_id": "String", "message": "String", "began_at": "DateTime64(3, 'UTC')",
    "ended_at": "Nullable(DateTime64(3, 'UTC'))", "tells_end": "Bool", "sent_to": "Array(String)",
    "end_sent_to": "Array(String)", "attempts": "UInt32", "next_at": "DateTime64(3, 'UTC')",
    "until": "DateTime64(3, 'UTC')", "confirmed": "Bool", "definition": "String",
}  # fmt: skip
_EVENT: Final = (
    "id", "rule", "subject", "user_id", "session_id", "message", "began_at", "ended_at", "tells_end", "sent_to",
    "end_sent_to", "attempts", "next_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a rule found, from when to when, and the receivers that got its messages."""

    rule: str
    subject: str
    message: str
    began_at: datetime
    user_id: str = ""
    session_id: str = ""
    ended_at: datetime | None = None
    tells_end: bool = True
    sent_to: tuple[str, ...] = ()
    end_sent_to: tuple[str, ...] = ()
    attempts: int = 0
    next_at: datetime = _EPOCH
    id: str = field(default="")

    def __post_init__(self) -> None:
        """Give it an identity: the same for the same beginning of the same thing."""
        if not self.id:
            of = f"{self.rule}\n{self.subject}\n{self.began_at.isoformat()}"
            object.__setattr__(self, "id", hashlib.sha256(of.encode()).hexdigest()[:12])

    def state(self, acknowledged: Container[str]) -> str:
        """Return whether it is `open`, `acknowledged`, or `ended`."""
        if self.ended_at is not None:
            return "ended"
        return "acknowledged" if self.id in acknowledged else "open"


class State:
    """The table `alerts` of a store, by a client that may read and write it. All methods raise StoreError.

    `watched` is what a sender tells of itself: its receivers' names and its rules, in JSON.
    """

    def __init__(self, client: "Client", watched: str = "") -> None:
        self._client, self._watched = client, watched

    def events(self, limit: int = 100_000) -> list[Event]:
        """Return the events, the newest first."""
        found = rows(
            self._client,
            f"select {', '.join(_EVENT)} from alerts final where kind = 'event'"  # noqa: S608
            " order by began_at desc, id limit {limit:UInt32}",
            {"limit": limit},
        )
        return [
            Event(**{**row, "sent_to": tuple(row["sent_to"]), "end_sent_to": tuple(row["end_sent_to"])})
            for row in found
        ]

    def write(self, event: Event) -> None:
        """Write an event, in the place of what is there of it."""
        self._insert("event", {name: getattr(event, name) for name in _EVENT})

    def acknowledge(self, event_id: str) -> None:
        """Note that a user has seen an event: nothing more of it is sent."""
        self._insert("acknowledged", {"id": event_id})

    def acknowledged(self) -> frozenset[str]:
        """Return the identities of events that were acknowledged."""
        found = rows(self._client, "select id from alerts final where kind = 'acknowledged'")
        return frozenset(row["id"] for row in found)

    def silence(self, name: str, until: datetime) -> None:
        """Send nothing of a rule or an event until then; of none named, of all."""
        self._insert("silence", {"id": name, "until": until})

    def silenced(self, at: datetime) -> Mapping[str, datetime]:
        """Return which rules and events are silenced at a moment, and until when; "" is all."""
        sql = (
            "select id, until from alerts final where kind = 'silence' and until > {at:DateTime64(3, 'UTC')}"
            " order by id"
        )
        return {row["id"]: row["until"] for row in rows(self._client, sql, {"at": at})}

    def rules(self) -> Mapping[str, str]:
        """Return the rules that stand in the store, by their names, in YAML; "" is one that was taken away."""
        found = rows(self._client, "select id, definition from alerts final where kind = 'rule' order by id")
        return {row["id"]: row["definition"] for row in found}

    def names(self, at: datetime) -> frozenset[str]:
        """Return the rules and events that are known: that were found, stand in the store, or are watched by a file."""
        watched = json.loads(self.watched(at) or "{}").get("rules", ())
        found = rows(self._client, "select distinct rule, id from alerts final where kind = 'event'")
        return frozenset(
            (
                *(row[name] for row in found for name in ("rule", "id")),
                *self.rules(),
                *(rule["name"] for rule in watched),
            )
        )

    def put_rule(self, name: str, definition: str) -> None:
        """Put a rule in the place of the one before of its name; "" takes that away."""
        self._insert("rule", {"id": name, "definition": definition})

    def watched(self, at: datetime) -> str | None:
        """Return what the program that sends tells of itself; None where none sends."""
        sql = (
            "select definition from alerts final where kind = 'sender' and confirmed"
            " and until > {at:DateTime64(3, 'UTC')} order by until desc limit 1"
        )
        found = rows(self._client, sql, {"at": at})
        return found[0]["definition"] if found else None

    def sends(self, sender: str, at: datetime) -> bool:
        """Return whether `sender` is the one that sends, of all that would; renew that, where it is.

        Each writes that it would, and then looks; a second time once it has confirmed. A process that sees one that has
        confirmed, or one with a lower identity, stands back. So no two send, on a server that shows to each what was
        written before: not when a clock differs from another by more than LEASE.
        """
        mine, others = self._senders(sender, at)
        if not mine:
            self._sender(sender, at + LEASE, confirmed=False)
            _, others = self._senders(sender, at)
            if any(confirmed or other < sender for other, confirmed in others.items()):
                self.leave(sender)
                return False
        self._sender(sender, at + LEASE, confirmed=True)
        _, others = self._senders(sender, at)
        if any(other < sender and (confirmed or not mine) for other, confirmed in others.items()):
            self.leave(sender)
            return False
        return True

    def leave(self, sender: str) -> None:
        """Let another one send."""
        self._sender(sender, _EPOCH, confirmed=False)

    def _senders(self, sender: str, at: datetime) -> tuple[bool, Mapping[str, bool]]:
        """Return whether `sender` is one that has confirmed, and the others: whether each has."""
        sql = "select id, confirmed from alerts final where kind = 'sender' and until > {at:DateTime64(3, 'UTC')}"
        found = {row["id"]: row["confirmed"] for row in rows(self._client, sql, {"at": at})}
        return found.pop(sender, False), found

    def _sender(self, sender: str, until: datetime, *, confirmed: bool) -> None:
        row = {"id": sender, "until": until, "confirmed": confirmed, "definition": self._watched}
        self._insert("sender", row)

    def _insert(self, kind: str, values: Mapping[str, Any]) -> None:
        given = {"kind": kind, **values}
        places = ", ".join(f"{{{name}:{_TYPES[name]}}}" for name in given)
        bound = {name: _bound(value) for name, value in given.items()}
        with store_errors("cannot note what alerts have done"):
            self._client.command(f"insert into alerts ({', '.join(given)}) values ({places})", parameters=bound)  # noqa: S608


def _bound(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    return list(value) if isinstance(value, tuple) else value


def ended(event: Event, at: datetime) -> Event:
    """Return an event as it is when it has ended: the message of that is due at once."""
    return replace(event, ended_at=at, attempts=0, next_at=_EPOCH)
