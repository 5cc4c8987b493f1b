"""billed_calls: every call once, whatever was delivered how."""

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from .ledger import NOON, Store, at, call, job, only


def total(store: Store) -> tuple[int, Decimal | None]:
    """Return how many calls are billed, and their sum; None when none has a price."""
    row = store.one("select count() as calls, sum(cost_usd) as usd from billed_calls")
    return row["calls"], row["usd"]


def test_a_record_becomes_a_typed_row(store: Store) -> None:
    """Every attribute of the ledger has its column, with its type and value."""
    store.insert(
        call(
            at("10:30:01.500"),
            cost="0.01175",
            lines={"input_tokens": "0.00375", "output_tokens": "0.008"},
            call_id="0123456789ab4def8123456789abcdef",
            lasted=1.25,
            otel_costs__scenario="customer_service",
            otel_costs__step="analysis",
            otel_costs__tag__kb_id="kb_finance",
            otel_costs__process__id="f" * 32,
            otel_costs__call__seq=7,
            gen_ai__response__id="chatcmpl-1",
            openai__response__service_tier="default",
            server__address="api.openai.com",
            error__type="timeout",
            gen_ai__usage__input_tokens=1500,
            gen_ai__usage__output_tokens=0,
            gen_ai__usage__cache_read__input_tokens=100,
            otel_costs__usage__audio_seconds="15.123456789",
            otel_costs__usage__rerank_searches=2,
            otel_costs__usage__invalid='["images"]',
            otel_costs__cost__unknown='["holographic_tokens"]',
            otel_costs__cost__computed_usd="0.012",
            otel_costs__cost__list_usd="0.014",
            otel_costs__cost__contracted_usd="0.0125",
            otel_costs__contract__amount="0.0105",
            otel_costs__contract__currency="EUR",
            otel_costs__contract__id="acme-2026",
            otel_costs__contract__reservation="ptu-eu",
            gen_ai__usage__cost__source="local",
            otel_costs__price__id="openai/gpt-4o",
            otel_costs__price__book="2026-11-22.1",
            otel_costs__price__model="gpt-4o/long",
            otel_costs__price__deployment="prod-4o",
            otel_costs__price__processing="batch",
            gen_ai__response__time_to_first_chunk="0.1",
        )
    )
    row = store.one("select * from billed_calls")
    expected = {
        "call_id": "0123456789ab4def8123456789abcdef",
        "process_id": "f" * 32,
        "call_seq": 7,
        "trace_id": "ab" * 16,
        "span_id": "cd" * 8,
        "user_id": "u1",
        "session_id": "s1",
        "response_id": "chatcmpl-1",
        "service": "shop",
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o",
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "server_address": "api.openai.com",
        "scenario": "customer_service",
        "step": "analysis",
        "tags": {"kb_id": "kb_finance"},
        "error_type": "timeout",
        "input_tokens": 1500,
        "output_tokens": 0,
        "cache_read_tokens": 100,
        "input_audio_tokens": None,
        "audio_seconds": Decimal("15.123456789"),
        "other_usage": {"rerank_searches": "2"},
        "invalid_usage": ["images"],
        "cost_unknown": ["holographic_tokens"],
        "cost_usd": Decimal("0.01175"),
        "cost_lines": {"input_tokens": Decimal("0.00375"), "output_tokens": Decimal("0.008")},
        "cost_status": "priced",
        "cost_source": "local",
        "computed_usd": Decimal("0.012"),
        "list_usd": Decimal("0.014"),
        "contracted_usd": Decimal("0.0125"),
        "contract_amount": Decimal("0.0105"),
        "contract_currency": "EUR",
        "contract_id": "acme-2026",
        "reservation_id": "ptu-eu",
        "price_id": "openai/gpt-4o",
        "price_book": "2026-11-22.1",
        "price_model": "gpt-4o/long",
        "price_deployment": "prod-4o",
        "price_processing": "batch",
        "duration_s": 1.25,
        "time_to_first_chunk_s": 0.1,
        "start_time": at("10:30:00.250"),
        "end_time": at("10:30:01.500"),
        "revision": 0,
    }
    assert {column: row[column] for column in expected} == expected


def test_without_a_contract_the_list_price_is_the_cost(store: Store) -> None:
    """Or our own price, where the provider told what a call costs. Counted by day, an unknown one is the cost."""
    store.insert(
        call(cost="0.25"),
        call(cost="0.5", gen_ai__usage__cost__source="provider", otel_costs__cost__computed_usd="0.75"),
        call(cost="0.5", gen_ai__usage__cost__source="provider"),
        call(cost=None),
        call(cost="0.125", otel_costs__cost__list_usd="2"),
    )
    found = store.ask("select list_usd, contracted_usd, contract_amount, contract_currency from billed_calls")
    listed = sorted((row["list_usd"] for row in found), key=lambda usd: (usd is None, usd))
    assert listed == [Decimal("0.25"), Decimal("0.75"), Decimal(2), None, None]
    assert all(row["contracted_usd"] == row["list_usd"] for row in found)
    assert {(row["contract_amount"], row["contract_currency"]) for row in found} == {(None, "")}
    assert store.one("select cost_usd, list_usd from daily_costs") == {
        "cost_usd": Decimal("1.375"), "list_usd": Decimal("3.5"),
    }  # fmt: skip


@pytest.mark.parametrize("event_name", ["otel_costs.call", ""])
def test_a_record_without_event_name_is_known_by_its_attribute(store: Store, event_name: str) -> None:
    """Some collectors leave the event name empty."""
    store.insert(call(event_name=event_name))
    assert total(store)[0] == 1


def test_other_records_are_no_calls(store: Store) -> None:
    """An application's own logs and events stay what they are."""
    store.insert(call(event_name="something.else", event__name="something.else"))
    assert total(store) == (0, None)


def test_delivered_eight_times_in_other_batches_and_out_of_order(store: Store) -> None:
    """Copies of a record count once, in whatever company they come."""
    records = [call(at(f"10:{minute:02}:00"), cost=f"0.{minute + 1:06}") for minute in range(20)]
    copies = records * 8
    random.Random(7).shuffle(copies)
    for start in range(0, len(copies), 23):
        store.insert(*copies[start : start + 23])
    assert total(store) == (20, Decimal("0.000210"))
    store.client.command("optimize table calls final")
    assert total(store) == (20, Decimal("0.000210"))


def test_three_days_late(store: Store) -> None:
    """A record that comes late counts on the day it speaks of."""
    record = call(NOON - timedelta(days=3), cost="0.5")
    store.insert(call(NOON, cost="0.25"), record)
    store.insert(record)
    assert only(store.ask("select day, cost_usd from daily_costs order by day"), "day", "cost_usd") == [
        ((NOON - timedelta(days=3)).date(), Decimal("0.5")),
        (NOON.date(), Decimal("0.25")),
    ]


@pytest.mark.some(5)
@pytest.mark.parametrize("cost", [None, "NaN", "inf", "-inf", "", "a lot", "1e30", "0x10", "9e24", "-9e24"])
def test_a_cost_that_is_no_number_is_unpriced(store: Store, cost: str | None) -> None:
    """It is null and counted, never zero: zero would hide it, and a NaN would swallow the sum."""
    store.insert(call(cost=cost, otel_costs__cost__status="priced"), call(cost="0.25"))
    row = store.one(
        "select count() as calls, sum(cost_usd) as usd, countIf(cost_status = 'unpriced') as n from billed_calls"
    )
    assert (row["calls"], row["usd"], row["n"]) == (2, Decimal("0.25"), 1)


@pytest.mark.parametrize("usage", ["NaN", "-", "1.5.2", "99999999999999999999", "", "9000000000", "-9000000000"])
def test_garbage_costs_no_neighbour_its_place(store: Store, usage: str) -> None:
    """What cannot be read is null; the record beside it is stored."""
    store.insert(
        call(
            gen_ai__usage__input_tokens=usage,
            otel_costs__usage__input_audio_seconds=usage,
            otel_costs__usage__output_audio_seconds=usage,
            otel_costs__call__seq=usage,
            otel_costs__duration_s=usage,
            otel_costs__start_time_unix_nano=usage,
            otel_costs__call__revision=usage,
            otel_costs__process__id=usage,
            lines={"input_tokens": usage, "output_tokens": "-9e25", "web_searches": "9e25"},
            cost="9e25",
        ),
        call(gen_ai__usage__input_tokens=5),
    )
    found = store.ask("select input_tokens, cost_usd from billed_calls")
    tokens = int(usage) if usage == "9000000000" else None
    assert set(only(found, "input_tokens", "cost_usd")) == {(5, Decimal("0.001")), (tokens, None)}


@pytest.mark.parametrize("amount", ["-1", "-0.000000000001", "1000000000000", "NaN", "1,5", "-"])
def test_an_amount_that_no_bill_has_is_no_cost(store: Store, amount: str) -> None:
    """Negative, or a trillion dollars and more: the call is unpriced, and takes nothing from the sum of the others."""
    store.insert(call(cost=amount, lines={"input_tokens": amount}, otel_costs__cost__list_usd=amount), call(cost="0"))
    found = store.ask("select cost_usd, list_usd, cost_lines, cost_status from billed_calls where cost_usd is null")
    assert only(found, "cost_usd", "list_usd", "cost_lines", "cost_status") == [(None, None, {}, "unpriced")]
    assert only(store.ask("select sum(cost_usd) as usd, count() as calls from billed_calls"), "usd", "calls") == [
        (Decimal(0), 2)
    ]


@pytest.mark.some(2)
@pytest.mark.parametrize("value", ["-5", "1000000000000000", "9000000000000000000", "99999999999999999999", "nan", "x"])
def test_a_quantity_that_cannot_be_is_named_and_in_no_sum(store: Store, value: str) -> None:
    """Three of them would be more than a column holds, and their sum negative; what can be stands beside it."""
    for _ in range(3):
        store.insert(
            call(
                gen_ai__usage__input_tokens=value,
                gen_ai__usage__output_tokens=999999999999999,
                otel_costs__usage__images=value,
                otel_costs__usage__video_seconds="1000000000",
                otel_costs__usage__audio_seconds="999999999.5",
                otel_costs__usage__invalid='["images", "depth"]',
            )
        )
    row = store.one(
        "select sum(input_tokens) as entered, sum(output_tokens) as output, sum(audio_seconds) as seconds,"
        " any(video_seconds) as video, any(invalid_usage) as invalid from calls"
    )
    assert (row["entered"], row["output"], row["seconds"], row["video"]) == (
        None, 3 * 999999999999999, Decimal("2999999998.5"), None
    )  # fmt: skip
    assert row["invalid"] == ["images", "depth", "input_tokens", "video_seconds"]


@pytest.mark.parametrize("call_id", ["not hex", "abc", "0" * 31, "0" * 33, "é" * 32])
def test_an_id_that_is_none_still_tells_calls_apart(store: Store, call_id: str) -> None:
    """A record with a broken id is neither lost nor counted twice."""
    one, other = call(call_id=call_id), call(call_id=call_id)
    store.insert(one, other)
    store.insert(one)
    assert total(store)[0] == 2


def test_the_newer_revision_of_a_call_counts(store: Store) -> None:
    """A re-price is one row more; the old one stays in the table, and out of the sum."""
    store.insert(call(cost="0.5", call_id="a" * 12 + "4" + "a" * 19), call(cost="0.25"))
    store.reprice("hex(call_id) like 'AAAA%'", usd="0.4", unit="input_tokens")
    assert total(store) == (2, Decimal("0.65"))
    assert store.one("select text_input_usd from billed_calls where revision = 1") == {"text_input_usd": Decimal("0.4")}
    assert store.one("select count() as n from calls")["n"] == 3


def test_an_old_copy_after_a_re_price_changes_nothing(store: Store) -> None:
    """A late duplicate of the first record does not bring the old price back."""
    record = call(cost="0.5", call_id="a" * 12 + "4" + "a" * 19)
    newer = call(cost="0.4", call_id="a" * 12 + "4" + "a" * 19, otel_costs__call__revision=1)
    store.insert(newer)
    store.insert(record, record)
    assert total(store) == (1, Decimal("0.4"))


def test_a_job_in_one_session_counts_once(store: Store) -> None:
    """Polling a job writes it again and again; what it came to replaces what it was."""
    store.insert(job(revision=0, cost=None))
    assert total(store) == (1, None)
    store.insert(job(revision=1, cost="0.5"))
    store.insert(job(revision=0, cost=None), job(revision=1, cost="0.5"))
    assert total(store) == (1, Decimal("0.5"))


@pytest.mark.some(1)
@pytest.mark.parametrize("seed", range(6))
def test_a_job_in_two_sessions_counts_once_in_any_order(store: Store, seed: int) -> None:
    """Whoever looks at a job first keeps it, in whatever order and however often the records come."""
    copies = [
        job(cost="0.5", session="late", user="u2", otel_costs__start_time_unix_nano=_ns(5)),
        job(cost="0.5", session="early", user="u1", otel_costs__start_time_unix_nano=_ns(1)),
        job(cost="0.5", session="middle", user="u1", otel_costs__start_time_unix_nano=_ns(3)),
        job(cost="0.25", number=2, session="late", user="u2"),
    ] * 2
    random.Random(seed).shuffle(copies)
    while copies:
        batch = [copies.pop() for _ in range(min(len(copies), 1 + seed % 3))]
        store.insert(*batch)
    found = store.ask("select session_id, cost_usd from billed_calls order by session_id")
    assert only(found, "session_id", "cost_usd") == [("early", Decimal("0.5")), ("late", Decimal("0.25"))]


def test_a_finished_job_goes_before_one_that_was_seen_earlier(store: Store) -> None:
    """Who started a job and never asked again does not keep its cost from the bill."""
    store.insert(job(cost=None, session="asked", revision=0))
    store.insert(job(cost="0.5", session="fetched", revision=1))
    assert only(store.ask("select * from billed_calls"), "session_id", "cost_usd") == [("fetched", Decimal("0.5"))]
    store.insert(job(cost="0.6", session="asked", revision=2))
    assert only(store.ask("select * from billed_calls"), "session_id", "cost_usd") == [("asked", Decimal("0.6"))]


@pytest.mark.long
def test_a_job_outside_any_session_is_billed_to_the_session_that_has_it(store: Store) -> None:
    """Of two equal copies the one that says whose it is counts."""
    for order in ((0, 1), (1, 0)):
        copies = [job(session="", user=""), job(session="s9", user="u9")]
        store.insert(copies[order[0]])
        store.insert(copies[order[1]])
        assert only(store.ask("select * from billed_calls"), "session_id") == [("s9",)]


def test_copies_of_a_job_that_were_inserted_at_once_are_found(store: Store) -> None:
    """Two inserts that could not see each other are told apart by the sweep."""
    store.insert(job(session="a", cost="0.5"))
    # As if the second had come while the first was on its way: no row of the first yet where the second looks.
    store.client.command("create table aside as derived_calls")
    store.client.command("insert into aside select * from derived_calls")
    store.client.command("truncate table derived_calls")
    store.insert(job(session="b", cost="0.5"))
    store.client.command("insert into derived_calls select * from aside")
    store.client.command("drop table aside")
    assert total(store) == (2, Decimal("1.0"))
    sweep = store.one(
        "select as_select from system.tables where database = currentDatabase() and name = {name:String}",
        name="superseded_calls_sweep_mv",
    )["as_select"]
    store.client.command(
        f"insert into calls (user_id, session_id, call_id, superseded, version, start_time, end_time) {sweep}"
    )
    assert total(store) == (1, Decimal("0.5"))


def test_random_ids_are_never_taken_for_one_job(store: Store) -> None:
    """Only ids that follow from a provider's are shared; a random one belongs to its owner."""
    number = "0" * 12 + "4" + "0" * 19
    store.insert(call(call_id=number, session="a"), call(call_id=number, session="b"))
    assert total(store)[0] == 2


def test_a_start_after_the_end_is_no_start(store: Store) -> None:
    """A clock that went backwards gives no negative duration, and the call is found all the same."""
    store.insert(call(at("10:00:00"), otel_costs__start_time_unix_nano=_ns(24 * 3600)))
    assert store.one("select start_time = end_time as same from billed_calls") == {"same": True}
    assert store.one("select call_count from sessions") == {"call_count": 1}


@pytest.mark.some(5)
@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input": 1250, "output": 3400}, (1250, 3400, 0, 0, 0)),
        ({"input": 11000, "output": 22000, "audio.input": 10000, "audio.output": 20000}, (1000, 2000, 10000, 20000, 0)),
        ({"input": 1000, "cache_read.input": 400}, (600, 0, 0, 0, 400)),
        (
            {"input": 1000, "audio.input": 700, "cache_read.input": 500, "audio.cache_read.input": 300},
            (100, 0, 400, 0, 500),
        ),
        (
            {"input": 1000, "audio.input": 700, "text.cache_read.input": 100, "audio.cache_read.input": 300},
            (200, 0, 400, 0, 400),
        ),
        ({"input": 900, "image.input": 800, "output": 50, "image.output": 20}, (100, 30, 0, 0, 0)),
        ({"text.input": 10, "text.output": 20}, (10, 20, 0, 0, 0)),
        ({"input": 10, "cache_read.input": 50}, (0, 0, 0, 0, 50)),
        ({}, (0, 0, 0, 0, 0)),
    ],
)
def test_tokens_are_taken_apart(store: Store, usage: dict[str, int], expected: tuple[int, ...]) -> None:
    """Text, audio and cached tokens are disjoint, where providers report totals with parts in them."""
    attributes: dict[str, Any] = {f"gen_ai.usage.{part}_tokens": tokens for part, tokens in usage.items()}
    store.insert(call(**attributes))
    row = store.one("select text_input, text_output, audio_input, audio_output, cached_input from billed_calls")
    assert tuple(row.values()) == expected


def test_seconds_of_both_directions_add_up(store: Store) -> None:
    """A total of audio is used where there is one, the directions where there is none."""
    store.insert(
        call(otel_costs__usage__input_audio_seconds="1.5", otel_costs__usage__output_audio_seconds="2"),
        call(otel_costs__usage__audio_seconds="10", otel_costs__usage__input_audio_seconds="4"),
    )
    assert store.one("select sum(audio_seconds) as seconds from billed_calls") == {"seconds": Decimal("13.5")}


def _ns(seconds: int) -> int:
    return int(NOON.timestamp() + seconds - 60) * 10**9
