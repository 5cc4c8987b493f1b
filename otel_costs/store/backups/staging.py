"""Where rows are put before they are part of a store: a database of its own, which is checked and brought up to date.

It remembers what was done, so that what was cut goes on where it was. Its rows become the store's as whole parts, by
links to their files: no materialized view sees them, and what is derived of them comes as it was.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from otel_costs.store import refreshes, schema
from otel_costs.store.backups import claim, definition, sums, tables
from otel_costs.store.backups.sums import Sums
from otel_costs.store.backups.tables import PLAIN, Table
from otel_costs.store.connection import StoreError
from otel_costs.store.rows import rows, store_errors

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_PROGRESS: Final = "staging_progress"
_PRESENT: Final = "select 1 as one from system.tables where database = {database:String} and name = {table:String}"
_HANDING_OVER: Final = "handing over"
_NO_MERGES_SETTING: Final = "max_bytes_to_merge_at_max_space_in_pool"
_NO_MERGES: Final = f"{_NO_MERGES_SETTING} = 1, non_replicated_deduplication_window = 100000"
_ORDER: Final = {"messages": 0, "calls": 2, "call_arrivals": 3}
_PUT: Final = {
    "optimize_on_insert": 0,  # copies of a row are counted, too
    "max_partitions_per_insert_block": 0,
    "throw_on_max_partitions_per_insert_block": 0,
}


def noted(client: "Client", database: str, step: str) -> dict[str, str]:
    """Return the parts of a step that are done in a database beside the store, of any run, each with its note."""
    if not rows(client, _PRESENT, {"database": database, "table": _PROGRESS}):
        return {}
    found = rows(
        client,
        f"select what, detail from {database}.{_PROGRESS} where step = {{step:String}}",  # noqa: S608
        {"step": step},
    )
    return {row["what"]: row["detail"] for row in found}


def hands_over(client: "Client", database: str) -> bool:
    """Return whether rows of such a database are part of the store, or may be."""
    return _HANDING_OVER in noted(client, database, "stage")


class Staging:
    """The database `base` beside the store's own, which `client` is connected to. Raises StoreError throughout.

    It is this run's from now on, also if another has it. What was half made or is half upgraded begins anew.
    """

    def __init__(self, client: "Client", base: str) -> None:
        self._client = client
        self._is_dropped = False
        self.own = str(client.command("select currentDatabase()"))
        with store_errors("cannot make a database beside the store"):
            claim.drop_left(client)
            self.name, was_there = claim.claimed(client, base)
            stages = self.done("stage")
            if was_there and (not self.done("began") or ("upgrading" in stages and "upgraded" not in stages)):
                claim.drop(client, self.name)
                self.name, _ = claim.claimed(client, base)
            client.command(
                f"create table if not exists {self.name}.{_PROGRESS} (step String, what String, detail String)"
                " engine = MergeTree order by (step, what)"
            )

    @contextmanager
    def explaining_takeover(self) -> Iterator[None]:
        """Raise the StoreErrors of a `with` block, or another where another run has taken the database over."""
        try:
            yield
        except StoreError as error:
            if self._is_dropped or claim.is_there(self._client, self.name):
                raise
            raise StoreError("another run has taken this over, and goes on from where this one was") from error

    def done(self, step: str) -> dict[str, str]:
        """Return what of a step is done, with what was noted about it."""
        return noted(self._client, self.name, step)

    def note(self, step: str, what: str = "", detail: str = "") -> None:
        """Remember that something is done."""
        with store_errors("cannot remember what is done"):
            self._client.command(
                f"insert into {self.name}.{_PROGRESS} select {{step:String}}, {{what:String}}, {{detail:String}}",
                parameters={"step": step, "what": what, "detail": detail},
            )

    def make(self, table: Table) -> None:
        """Make a table as it was, if its definition is one of a table that keeps rows."""
        definition.check(table.name, table.definition)
        name = f"{self.name}.{table.name}"
        with store_errors(f"cannot make {table.name} as it was"):
            self._client.command(table.made_in(self.name))
            self._client.command(f"alter table {name} modify setting {_NO_MERGES}")
            self._client.command(f"system stop merges {name}")

    def put(self, table: Table, name: str, blocks: Iterable[bytes]) -> None:
        """Put the rows of a part into its table. Nothing of what was put before under its name is put again.

        The name is one of those that `tables.numbered` gives.
        """
        for number, block in enumerate(blocks):
            with store_errors(f"cannot write to {table.name}"):
                self._client.raw_insert(
                    f"{self.name}.{table.name}",
                    table.names,
                    block,
                    settings={**_PUT, "insert_deduplication_token": f"{name}-{number}"},
                    fmt="Native",
                )
        self.note("part", f"{table.name}/{name}")

    def fill(
        self,
        table: Table,
        parts: Mapping[str, int],
        blocks: Callable[[str], Iterable[bytes]],
        count: int,
        wanted: Sums,
    ) -> int:
        """Put the parts into a table that are not there, by their names; return how many rows were put.

        `parts` has the rows of each. The table has `count` rows then, which add up to `wanted`. What is there before
        may be anything: parts that are other ones by now, merged or erased, and rows that a run has put which was cut
        before it could note them. What does not become what is wanted begins anew. Raises StoreError when it does not
        even so.
        """
        put = 0
        for _ in range(2):
            self.make(table)
            there = {what.partition("/")[2] for what in self.done("part") if what.startswith(f"{table.name}/")}
            if there <= parts.keys():
                for name in [name for name in parts if name not in there]:
                    self.put(table, name, blocks(name))
                    put += parts[name]
                if tables.count(self._client, self.name, table) == count and self.sums([table]) == wanted:
                    return put
            self.forget(table)
        raise StoreError(f"{table.name} arrived as something else: nothing of it is in the store, try again")

    def forget(self, table: Table) -> None:
        """Empty a table, and forget that anything was put there."""
        with store_errors(f"cannot empty {table.name}"):
            self._client.command(f"drop table if exists {self.name}.{table.name} sync")
            self._client.command(
                f"alter table {self.name}.{_PROGRESS} delete where step = 'part' "
                " and startsWith(what, {table:String})",
                parameters={"table": f"{table.name}/"},
                settings={"mutations_sync": 2},
            )
        self.make(table)

    def sums(self, found: Iterable[Table]) -> Sums:
        """Return the sums of its tables."""
        return sums.of(self._client, self.name, list(found))

    def upgrade(self, retention: schema.Retention) -> None:
        """Bring its tables to this version's schema, as a store of that time would be."""
        self.note("stage", "upgrading")
        with store_errors("cannot bring the tables up to date"):
            # Nothing is deleted or changed in a table that may not merge.
            for table in tables.tables(self._client, self.name):
                if table.name != _PROGRESS:
                    self._client.command(f"alter table {self.name}.{table.name} reset setting {_NO_MERGES_SETTING}")
                    self._client.command(f"system stop ttl merges {self.name}.{table.name}")
                    self._client.command(f"system start merges {self.name}.{table.name}")
            with self.current():
                schema.apply(self._client, retention, restored=True)
                self._forget_expired(retention)
        self.note("stage", "upgraded")

    @contextmanager
    def current(self) -> Iterator["Client"]:
        """Be connected to it, and not to the store, for a while."""
        self._client.database = self.name
        try:
            yield self._client
        finally:
            self._client.database = self.own

    def kept(self) -> list[Table]:
        """Return its tables that are to be the store's: those that an older store had not, and are filled, too."""
        own = {table.name for table in tables.tables(self._client, self.own)} - {schema.TABLE, *schema.COUNTS}
        return [table for table in tables.tables(self._client, self.name) if table.name in own]

    def hand_over(self) -> None:
        """Make its rows part of the store, table by table; what was handed over before is not handed over again.

        Calls come last, and then what has them counted: until then no report has a cost whose session it lacks.
        """
        if not self.hands_over():
            # Before the first: cut right after it, the store has rows of ours.
            self.note("stage", _HANDING_OVER)
        done = self.done("handed over")
        present = {table.name: table for table in tables.tables(self._client, self.own)}
        left = {table.name for table in self.kept()} - done.keys()
        for name in sorted(left, key=lambda name: (_ORDER.get(name, 1), name)):
            with store_errors(f"cannot make the rows of {name} part of the store"):
                self._hand_over(present[name])
            self.note("handed over", name)
        _count_anew(self._client)

    def hands_over(self) -> bool:
        """Return whether rows of it are part of the store, or may be."""
        return hands_over(self._client, self.name)

    def drop(self) -> None:
        """Drop it."""
        self._is_dropped = True
        claim.drop(self._client, self.name)

    def _forget_expired(self, retention: schema.Retention) -> None:
        """Delete what is over the days that it is kept, and the content of messages, before it can be read.

        Of a table that was handed over already, the store forgets it, too, as it would by itself some time later.
        """
        oldest = (datetime.now(UTC) - timedelta(days=min(astuple(retention)))).date().isoformat()
        found, handed_over = tables.tables(self._client, self.name), self.done("handed over")
        old = {name for name, day in self.sums(found) if "" < day <= oldest}
        for table in found:
            if table.name in old and " TTL " in table.definition:
                for database in [self.name, *[f"`{self.own}`"] * (table.name in handed_over)]:
                    self._client.command(
                        f"alter table {database}.{table.name} materialize ttl", settings={"mutations_sync": 2}
                    )

    def _hand_over(self, table: Table) -> None:
        from clickhouse_connect.driver.exceptions import DatabaseError  # noqa: PLC0415  # an extra of ours

        if table.engine == PLAIN and self._is_in_use(table):
            # A table without a key would have the rows twice that the store has.
            columns = tables.listed([name for name in self._names(table) if name not in table.materialized])
            own = f"`{self.own}`.{table.name}"
            self._attach_copy(table, f"where cityHash64({columns}) not in (select cityHash64({columns}) from {own})")  # noqa: S608
            return
        try:
            self._attach(table, table.name)
        except DatabaseError:
            # Tables of an older store may have other keys or indexes, those of a newer one have more columns: no part
            # of theirs can become one of the store's.
            self._attach_copy(table)

    def _names(self, table: Table) -> list[str]:
        """Return the columns of a table of the store that are known here: a store may be newer than this version."""
        here = {name for one in tables.tables(self._client, self.name) if one.name == table.name for name in one.names}
        return [name for name in table.names if name in here]

    def _is_in_use(self, table: Table) -> bool:
        return bool(rows(self._client, f"select 1 as one from `{self.own}`.{table.name} limit 1"))  # noqa: S608

    def _attach_copy(self, table: Table, where: str = "") -> None:
        """Attach the rows of a table, written anew as the store has it."""
        copy, listed = f"{table.name}_anew", tables.listed(self._names(table))
        self._client.command(f"drop table if exists {self.name}.{copy} sync")
        self._client.command(table.made_in(self.name, copy))
        self._client.command(
            f"insert into {self.name}.{copy} ({listed}) select {listed} from {self.name}.{table.name} {where}",  # noqa: S608
            settings=_PUT,
        )
        self._attach(table, copy)

    def _attach(self, table: Table, name: str) -> None:
        self._client.command(f"alter table `{self.own}`.{table.name} attach partition all from {self.name}.{name}")


def _count_anew(client: "Client") -> None:
    """Have the store forget what it has counted. What is being counted now is waited for, and forgotten too."""
    for _ in range(2):
        for name in schema.COUNTS:
            with store_errors(f"cannot empty {name}"):
                client.command(f"truncate table {name}")
        refreshes.wait(client)
