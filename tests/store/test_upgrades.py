"""Stores of earlier versions, filled by their own pipelines: brought up to date they tell what they told before."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest

from otel_costs.store import reports, schema
from otel_costs.store.backups import backup, restore, snapshot
from otel_costs.store.backups.folder import Folder
from tests.queries.engine import beside, engine
from tests.queries.ledger import LogRow, Store, at, call, job, message, process_end
from tests.store import schemas

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]  # each makes two stores

_OLD, _NEW, _OTHER = "upgrade_old", "upgrade_new", "upgrade_other"

_TOLD: Final = {
    "costs": "select count(), sum(cost_usd), sum(input_tokens), sum(audio_seconds) from billed_calls",
    "by part": "select sum(text_output_usd), sum(audio_output_usd), sum(other_usd) from calls final",
    "by user": "select user_id, sum(cost_usd), count() from billed_calls group by user_id order by user_id",
    "by day": "select toDate(end_time) as day, model, sum(cost_usd) from billed_calls group by day, model order by all",
    "messages": "select session_id, message_id, role, content from session_messages order by all",
    "sessions": "select session_id, user_id, call_count, message_count, cost_usd from sessions order by all",
    "not priced": "select cost_status, count() from billed_calls group by cost_status order by all",
    "lines": "select unit, sum(cost_usd) from call_lines group by unit order by all",
    "missing": "select * from missing_calls order by all",
}
"""What every version can be asked, by its own views."""


@dataclass(frozen=True)
class Told:
    """What a store tells, by views that every version has and by those of this one,."""

    told: dict[str, Any]
    reports: dict[str, Any]


@dataclass(frozen=True)
class Upgraded:
    """A store as an earlier version made it, brought up to date, and a backup that was made of it before."""

    client: "Client"
    folder: Folder
    told_before: dict[str, Any]
    outdated_before: list[str]
    after: Told
    left_to_do: list[object]


@pytest.fixture(scope="module", params=schemas.NAMES)
def upgraded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    """Fill a store through the views that an earlier version had, and bring it up to date."""
    client, folder = beside(_OLD), Folder(tmp_path_factory.mktemp("backup") / "kept", make=True)
    schemas.frozen(request.param).make(client)
    Store(client).insert(*_RECORDS)
    Store(client).insert(*_RECORDS[:3])  # some are delivered twice
    client.command(
        "insert into budgets (scope, name, period, limit_usd, changed_at) values"
        f" ('user', 'ada', 'day', 5, '{at('08:00:00'):%Y-%m-%d %H:%M:%S}')"
    )
    before, outdated = _told(client), schema.outdated(client)
    backup.make(client, folder, lambda client: snapshot.take(client, written_to=False), "here")
    schema.apply(client)
    left = [*schema.outdated(client), *schema.apply(client)]
    yield Upgraded(client, folder, before, outdated, _asked(client), left)
    client.close()
    _clean(_OLD)


@pytest.fixture(scope="module")
def new() -> tuple[Told, Told]:
    """Return what a store of this version tells that got the same records, and what with the later ones."""
    client = beside(_NEW)
    schema.apply(client)
    Store(client).insert(*_RECORDS)
    found = _asked(client)
    Store(client).insert(*_LATER, *_RECORDS)
    later = _asked(client)
    client.close()
    _clean(_NEW)
    return found, later


def _clean(name: str) -> None:
    engine().command(f"drop database if exists {name} sync")
    schema.apply(engine())


def _records() -> list[LogRow]:
    lines = {"input_tokens": "0.25", "output_tokens": "0.125", "output_audio_tokens": "0.000000000001"}
    return [
        call(
            at("10:00:00"),
            user="ada",
            session="a",
            cost="0.375000000001",
            lines=lines,
            gen_ai__usage__input_tokens=1000,
        ),
        message(at("10:00:00"), "first words", user="ada", session="a"),
        call(at("23:59:59"), user="", session="a", cost="0.1", otel_costs__usage__audio_seconds="1.5"),
        call(at("11:00:00"), user="bob", session="both", cost=None, gen_ai__usage__output_tokens=7),
        call(at("11:00:01"), user="ada", session="both", cost="0.125"),
        message(at("11:00:01"), "an answer", user="bob", session="both", message_id="m2", role="assistant"),
        call(at("12:00:00"), user="", session="", cost="4"),
        job(user="ada", session="a", cost="1"),
        job(user="bob", session="both", cost="1"),
        process_end(1_000_000),
    ]


_RECORDS: Final = _records()


_LATER: Final = [
    call(at("13:00:00"), user="eve", session="e", cost="2", otel_costs__session__kind="creation"),
    message(at("13:00:00"), "later words", user="eve", session="e", message_id="m9"),
]


def _told(client: "Client") -> dict[str, Any]:
    return {name: client.query(sql).result_rows for name, sql in _TOLD.items()}


def _asked(client: "Client") -> Told:
    return Told(_told(client), _reports(client))


def test_an_upgraded_store_tells_what_it_told(upgraded: Upgraded, new: tuple[Told, Told]) -> None:
    """To the last digit; as a store of this version that got the same; and the second time there is nothing to do."""
    assert upgraded.told_before["costs"][0][1] == Decimal("5.600000000001")
    assert upgraded.outdated_before
    assert upgraded.after.told == upgraded.told_before
    assert upgraded.after == new[0]
    assert upgraded.left_to_do == []


def test_a_backup_of_an_older_store_is_brought_up_to_date(upgraded: Upgraded) -> None:
    """As the store itself would be: the two tell the same."""
    target = beside(_OTHER)
    try:
        found = restore.restore(target, upgraded.folder, None)
        assert found.was_empty
        assert _asked(target) == upgraded.after
        assert schema.apply(target) == []
    finally:
        target.close()
        _clean(_OTHER)


def test_an_upgraded_store_takes_records(upgraded: Upgraded, new: tuple[Told, Told]) -> None:
    """What comes afterwards goes through this version's views, and what is delivered again counts once."""
    Store(upgraded.client).insert(*_LATER, *_RECORDS)
    assert _asked(upgraded.client) == new[1]


def _reports(client: "Client") -> dict[str, Any]:
    """Return what the views say that this version has."""
    return {
        "daily": client.query("select * from daily_costs order by all").result_rows,
        "models": client.query("select * from model_costs order by all").result_rows,
        "kinds": client.query("select * from kind_costs order by all").result_rows,
        "session": reports.session(client, "both"),
        "sessions": reports.sessions(client),
        "misdated": client.query("select * from misdated_calls order by all").result_rows,
        "unpriced": client.query("select * from unpriced_calls order by all").result_rows,
    }
