"""How long the store takes to answer with millions of calls in it. Generates its own.

    python benchmarks/store_queries.py --calls 10000000

What is asked goes through the reports and views that the commands and dashboards use. Figures are the median and the
least of several runs in this one process, on chDB, warm; the ratio is of the median to that of the plain sum of as many
costs in a table of one column: milliseconds differ from machine to machine, ratios less. `bar` is what the same question took, in milliseconds, in the
experiments from which the schema was chosen: 10.1 million calls, two cores, plain statements on typed tables, which are
asked here too; what the views say beyond that (counts to this moment, all measures, rights) is the difference.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from otel_costs.store import connect, costs, inbox, reports, schema, session_list, summary
from otel_costs.store.rows import rows
from otel_costs.store.schema import Retention
from otel_costs.store.selection import Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DAYS = 90
CALLS_PER_SESSION = 10
CALLS_PER_USER = 200
MONTH = 30
PARTS = 6
"""Of an overview: so many questions are asked at once."""

COUNTS = (
    ("cost_half_hours", "half_hour_recount"),
    ("cost_days", "day_recount"),
    ("not_priced_half_hours", "not_priced_recount"),
)

ARRIVING = "select 1 from call_arrivals where inserted_at > now64(3, 'UTC') - interval 31 second limit 1"

CALLS = """
insert into call_records (user_id, session_id, call_id, process_id, call_seq, trace_id, span_id, service, operation, provider, request_model, model,
    kind, scenario, step, tags, input_tokens, output_tokens, cache_read_tokens, input_audio_tokens, output_audio_tokens, audio_seconds,
    input_characters, cost_usd, cost_lines, cost_status, cost_source, price_id, price_book, duration_s, start_time, end_time)
with
    intDiv(number, {per_session:UInt64}) as s,
    number % {per_session:UInt64} as k,
    cityHash64(number, 1) as r,
    cityHash64(s, 2) as rs,
    -- Squared: some users talk much more than others.
    toUInt64(pow((rs % 1000000) / 1000000, 2) * {users:UInt64}) as u,
    multiIf(r % 100 < 80, 'chat', r % 100 < 90, 'realtime_inference', r % 100 < 95, 'speech_to_text', 'text_to_speech') as op,
    toInt64(r % 4000) as tokens_in,
    toInt64(intDiv(r, 4000) % 1000) as tokens_out,
    toInt64(intDiv(tokens_in, 2)) as cached,
    toDateTime64({first:DateTime}, 3, 'UTC') + toIntervalMillisecond(intDiv(s * {span_ms:UInt64}, {sessions:UInt64})) as began,
    (unit, usd) -> (unit, toDecimal128(usd, 12) * toDecimal64('0.000001', 6)) as line,
    multiIf(
        op = 'chat', [line('input_tokens', (tokens_in - cached) * 2.5), line('cache_read_tokens', cached * 1.25), line('output_tokens', tokens_out * 10)],
        op = 'realtime_inference', [line('input_tokens', tokens_in * 4.), line('input_audio_tokens', cached * 32.),
            line('output_audio_tokens', tokens_out * 64.), line('output_tokens', 160.)],
        op = 'speech_to_text', [line('audio_seconds', (r % 300) * 100.)],
        [line('input_characters', (r % 5000) * 15.)]) as lines
select
    concat('user-', toString(u)),
    concat('session-', lower(hex(rs)), '-', toString(s)),
    sipHash128(number) as call_id,
    sipHash128(s % 40),
    -- From 1 on in each process: no call is missing.
    intDiv(s, 40) * {per_session:UInt64} + k + 1,
    sipHash128(s, 3),
    toFixedString(reinterpretAsString(cityHash64(number, 4)), 8),
    ['web', 'voice', 'batch'][1 + s % 3],
    op,
    ['openai', 'openai', 'azure.ai.openai', 'gcp.gemini'][1 + rs % 4],
    concat(if(op = 'chat', 'gpt-4o', op), '-', toString(rs % 8)) as model,
    model,
    ['conversation', 'conversation', 'creation'][1 + rs % 3],
    ['customer_service', 'sales', 'analysis', 'coding', ''][1 + rs % 5],
    ['', 'analysis', 'answer', 'check', 'search', 'summary'][1 + k % 6],
    map('kb_id', ['kb_finance', 'kb_law', 'kb_it'][1 + rs % 3]),
    if(op in ('chat', 'realtime_inference'), tokens_in + if(op = 'chat', 0, cached), null),
    if(op in ('chat', 'realtime_inference'), tokens_out + if(op = 'chat', 0, 10), null),
    if(op = 'chat', cached, null),
    if(op = 'realtime_inference', cached, null),
    if(op = 'realtime_inference', tokens_out, null),
    if(op = 'speech_to_text', toDecimal64(r % 300, 6), null),
    if(op = 'text_to_speech', toInt64(r % 5000), null),
    if(r % 1000 = 999, null, arraySum(line -> line.2, lines)),
    if(r % 1000 = 999, map(), mapFromArrays(lines.1, lines.2)),
    if(r % 1000 = 999, 'unpriced', 'priced'),
    'local',
    concat('price-', model),
    '2026-11-22.1',
    (r % 8000) / 1000.,
    began + toIntervalMillisecond(k * 30000 + r % 8000) as start_time,
    start_time + toIntervalMillisecond(r % 8000)
from numbers({from:UInt64}, {count:UInt64})
"""

MESSAGES = """
insert into messages (session_id, message_id, user_id, call_id, scenario, message_index, role, type, content, bytes, timestamp)
with
    intDiv(number, 2 * {per_session:UInt64}) as s,
    number % (2 * {per_session:UInt64}) as k,
    cityHash64(number, 5) as r,
    cityHash64(s, 2) as rs,
    toUInt64(pow((rs % 1000000) / 1000000, 2) * {users:UInt64}) as u,
    toDateTime64({first:DateTime}, 3, 'UTC') + toIntervalMillisecond(intDiv(s * {span_ms:UInt64}, {sessions:UInt64})) as began
select
    concat('session-', lower(hex(rs)), '-', toString(s)),
    lower(hex(sipHash128(number, 6))),
    concat('user-', toString(u)),
    '',
    ['customer_service', 'sales', 'analysis', 'coding', ''][1 + rs % 5],
    k,
    ['user', 'assistant'][1 + k % 2],
    'text',
    -- Words by Zipf's law: word 1 stands in most messages, word 50000 in few.
    arrayStringConcat(arrayMap(i -> concat('word', toString(toUInt64(pow(50000, (cityHash64(r, i) % 1000000) / 1000000)))), range(8 + r % 24)), ' ') as content,
    length(content),
    began + toIntervalMillisecond(k * 15000)
from numbers({from:UInt64}, {count:UInt64})
"""


Asked = Callable[["Client"], object]
"""What asks a store for something."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the milliseconds it took when the schema was chosen; None: not measured."""

    name: str
    ask: Callable[[], object]
    bar: float | None = None


# Calls lie by day and user; session_days says which.
OF_SESSION = """
    (user_id, toDate(end_time)) in (select user_id, day from session_days where session_id = {session:String})
    and session_id = {session:String} and not superseded
"""

SESSIONS = """
select session_id, user_id, scenario, tags, start_time, end_time, message_count, call_count, cost_usd, unpriced_calls
from session_totals final
order by start_time desc
limit 50
"""

SESSION_CALLS = f"""
select call_id, trace_id, span_id, user_id, service, operation, step, scenario, provider, model, input_tokens,
    output_tokens, cache_read_tokens, input_audio_tokens, output_audio_tokens, duration_s, error_type, cost_usd, start_time, end_time
from calls final
where {OF_SESSION}
"""

CONVERSATION = f"""
select m.timestamp, m.role, m.content, c.cost_usd
from messages as m final
left join (select lower(hex(call_id)) as id, cost_usd from calls final where {OF_SESSION}) as c on m.call_id = c.id
where m.session_id = {{session:String}}
order by m.timestamp, m.message_index
"""

USER_DAYS = """
select toDate(end_time) as day, count() as calls, sum(cost_usd) as usd
from calls final
where user_id = {user:String} and end_time >= {since:Date} and not superseded
group by day
"""

TOP_USERS = """
select user_id, sum(cost_usd) as usd
from calls final
where end_time >= {since:Date} and not superseded
group by user_id
order by usd desc
limit 20
"""

MODEL_DAYS = """
select toDate(end_time) as day, model, operation, sum(cost_usd) as usd
from calls final
where not superseded
group by day, model, operation
"""

BUDGET = """
select sum(cost_usd) as usd
from calls final
where user_id = {user:String} and end_time >= today() and not superseded
"""


def main() -> None:
    """Fill a store, ask it, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--calls", type=int, default=10_000_000, help="calls to generate (%(default)s); messages are twice as many"
    )
    parser.add_argument("--runs", type=int, default=7, help="runs of each question (%(default)s)")
    parser.add_argument("--folder", help="where the store is; kept and used again when it has been filled")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as opened:
        dsn = f"chdb://{arguments.folder or scratch}"
        client, *others = (opened.enter_context(closing(connect(dsn))) for _ in range(1 + PARTS))
        schema.apply(client, Retention(raw_days=20_000, content_days=20_000, ledger_days=20_000))
        # Only what is measured runs.
        for view in rows(client, "select view from system.view_refreshes"):
            client.command(f"system stop view {view['view']}")
        if not rows(client, "select count() as calls from calls")[0]["calls"]:
            fill(client, arguments.calls)
        describe(client)
        report(client, others, arguments.runs)


def fill(client: "Client", calls: int) -> None:
    """Generate calls and messages day by day, let the parts merge as they would in time, and count the sessions."""
    sessions = max(1, calls // CALLS_PER_SESSION)
    shape = {
        "per_session": CALLS_PER_SESSION,
        "users": max(1, calls // CALLS_PER_USER),
        "first": first_day(),
        "span_ms": DAYS * 86_400_000,
        "sessions": sessions,
    }
    step = max(1, sessions // DAYS) * CALLS_PER_SESSION
    started = time.perf_counter()
    for start in range(0, calls, step):
        count = min(step, calls - start)
        client.command(CALLS, parameters={**shape, "from": start, "count": count})
        client.command(MESSAGES, parameters={**shape, "from": 2 * start, "count": 2 * count})
    print(f"filled in {time.perf_counter() - started:.0f} s")
    started = time.perf_counter()
    for table in ("calls", "messages", "session_days"):
        client.command(f"optimize table {table} final")
    client.command(
        "insert into session_totals select *, now64(3, 'UTC') + interval 1 minute as counted_at from session_recount"
    )
    client.command("optimize table session_totals final")
    count_costs(client)
    set_budgets(client)
    client.command(
        "create table plain (cost_usd Nullable(Decimal(38, 12)) codec(ZSTD(1))) engine = MergeTree order by tuple()"
    )
    client.command("insert into plain select cost_usd from calls")
    print(f"merged and counted in {time.perf_counter() - started:.0f} s")


def set_budgets(client: "Client") -> None:
    """Set a few budgets, of everything, a scenario and two users."""
    client.command(
        "insert into budgets (scope, name, period, limit_usd) values ('all', '', 'month', 1000000),"
        " ('scenario', 'sales', 'month', 1000), ('user', 'user-1', 'day', 1), ('user', 'user-2', 'month', 100)"
    )


def first_day() -> datetime:
    """Return the first of the days, so that the last is today."""
    return datetime.combine(datetime.now(UTC).date() - timedelta(days=DAYS - 1), datetime.min.time(), UTC)


def describe(client: "Client") -> None:
    """Print how much there is, and what a row takes."""
    sizes = rows(
        client,
        "select table, sum(rows) as count, sum(bytes_on_disk) / sum(rows) as bytes from system.parts where active and"
        " database = currentDatabase() and table in ('calls', 'messages', 'session_days', 'session_totals', 'cost_half_hours', 'cost_days') group by table order by table",
    )
    for size in sizes:
        print(f"{size['table']:<16}{size['count']:>12,} rows {size['bytes']:>6.0f} bytes a row")


def asking(client: "Client", sql: str, **parameters: object) -> Callable[[], object]:
    """Return what runs a query."""
    return lambda: rows(client, sql, parameters)


def questions(client: "Client", others: Sequence["Client"]) -> list[Question]:
    """Return what is asked of the store; `others` are as many connections to it as an overview has parts."""
    today, day = datetime.now(UTC).date(), timedelta(days=1)
    month: dict[str, Any] = {"since": today - MONTH * day, "until": today + day}
    session = rows(
        client, "select session_id, user_id from calls where end_time >= today() - 10 order by call_id limit 1"
    )[0]
    user, session_id = session["user_id"], session["session_id"]

    ask = partial(asking, client)
    here = {"user": user, "session": session_id}
    return [
        Question("50 newest sessions, as last counted", ask(SESSIONS), 45),
        Question("one session's calls, 20 columns", ask(SESSION_CALLS, **here), 16.5),
        Question("conversation with cost, in order", ask(CONVERSATION, **here), 20),
        Question("a user's 30 days", ask(USER_DAYS, **here, since=month["since"]), 32),
        Question("top users of a day", ask(TOP_USERS, since=today), 12),
        Question("top users of a month", ask(TOP_USERS, since=month["since"]), 199),
        Question("cost by model, operation and day", ask(MODEL_DAYS), 631),
        Question("one user's budget today", ask(BUDGET, **here), 4.6),
        *through_views(client, user, session_id, month),
        *overview(client, others),
    ]


def through_views(client: "Client", user: str, session_id: str, month: dict[str, Any]) -> list[Question]:
    """Return what commands and dashboards ask: to this moment, with all measures, by who may only read views."""

    ask = partial(asking, client)
    summed = "select {key}, sum(cost_usd) as usd from {view} where day >= {{since:Date}} group by {key} order by usd desc limit 20"
    today = month["until"] - timedelta(days=1)
    since, until = (datetime.combine(month[name], datetime.min.time(), UTC) for name in ("since", "until"))
    return [
        Question("50 newest sessions", ask("select * from newest_sessions(up_to = 50)")),
        Question("  and how many there are", lambda: reports.sessions(client)),
        Question("  of one user", lambda: reports.sessions(client, user=user)),
        Question("  from the view sessions", ask("select * from sessions order by start_time desc limit 50")),
        Question("one session, conversation and cost", lambda: reports.session(client, session_id)),
        Question("one session's calls", lambda: reports.session_calls(client, session_id)),
        Question("one session's lines", lambda: reports.session_lines(client, session_id)),
        Question(
            "a user's 30 days, cost",
            ask(
                summed.format(key="day", view="user_costs").replace(" where", " where user_id = {user:String} and"),
                user=user,
                since=month["since"],
            ),
        ),
        Question("a user's 30 days, whole report", lambda: reports.user_report(client, user, **month)),
        Question("top users of a day", lambda: reports.user_costs(client, since=today)),
        Question("top users of a month", lambda: reports.user_costs(client, **month)),
        Question(
            "  from the view user_costs", ask(summed.format(key="user_id", view="user_costs"), since=month["since"])
        ),
        Question("  by day", lambda: costs.costs(client, Selection(since, until), ("day", "user"), 10)),
        Question("cost by model, operation and day", ask("select day, model, operation, cost_usd from model_costs")),
        Question("  with tokens and breakdown", lambda: rows(client, "select * from model_costs")),
        Question(
            "one user's budget today",
            ask("select sum(cost_usd) from user_costs where user_id = {user:String} and day = today()", user=user),
        ),
        Question("a rare word", lambda: reports.search(client, "word49999")),
        Question("a word of 1 % of them, the newest 50", lambda: reports.search(client, "word185"), 400),
    ]


def overview(client: "Client", others: Sequence["Client"]) -> list[Question]:
    """Return what an overview of 45 days shows, unfiltered and of one scenario; days in a zone that is not UTC.

    One after the other, and at once, as the page asks: each part on one of the other connections.
    """
    since = first_day() + timedelta(days=DAYS - 45)
    found: list[Question] = []
    for name, scenario in (("overview", None), ("overview of a scenario", "sales")):
        chosen = Selection(since=since, tz=ZoneInfo("Asia/Kolkata"), scenario=scenario)
        parts: dict[str, Asked] = {
            "totals, the period before, sessions, month": partial(
                summary.summary, selection=chosen, columns=reports.chosen(("error_count", "tokens"))
            ),
            "days by model": partial(
                costs.costs, selection=chosen, by=("day", "model"), limit=10, columns=reports.COST
            ),
            "by step": partial(costs.costs, selection=chosen, by=("step",), limit=10, columns=reports.COST),
            "dearest sessions": partial(session_list.sessions, selection=chosen, sort="cost", limit=10),
            "what needs a look": partial(inbox.inbox, selection=chosen),
            "budgets": reports.budget_status,
        }
        found.append(Question(f"{name}, all at once", partial(_at_once, others, parts.values()), 400))
        found.append(Question(f"{name}, one after the other", partial(_in_turn, client, parts.values())))
        found += [Question(f"  {part}", partial(ask, client)) for part, ask in parts.items()]
    return found


def _at_once(clients: Sequence["Client"], asked: Iterable[Asked]) -> None:
    with ThreadPoolExecutor(len(clients)) as threads:
        for answer in [threads.submit(ask, client) for ask, client in zip(asked, clients, strict=True)]:
            answer.result()


def _in_turn(client: "Client", asked: Iterable[Asked]) -> None:
    for ask in asked:
        ask(client)


def count_costs(client: "Client") -> None:
    """Count the costs of every half hour and day, as the refreshed views do in time."""
    for table, recount in COUNTS:
        columns = rows(
            client,
            "select arrayStringConcat(groupArray(name), ', ') as names from system.columns"
            " where database = currentDatabase() and table = {table:String}",
            {"table": recount},
        )[0]["names"]
        # Nothing is due until thirty seconds after the last record.
        while rows(client, f"select 1 from {recount} limit 1") or rows(client, ARRIVING):
            client.command(f"insert into {table} ({columns}, counted_at) select *, now64(3, 'UTC') from {recount}")
        client.command(f"optimize table {table} final")


def report(client: "Client", others: Sequence["Client"], runs: int) -> None:
    """Ask everything in turn, `runs` times over, and print medians."""
    asked = [
        Question("a plain sum of as many costs", lambda: rows(client, "select sum(cost_usd) from plain")),
        *questions(client, others),
    ]
    took: dict[str, list[float]] = {f"{number} {question.name}": [] for number, question in enumerate(asked)}
    for run in range(runs + 1):
        for question, times in zip(asked, took.values(), strict=True):
            started = time.perf_counter()
            question.ask()
            if run:  # the first warms up
                times.append(time.perf_counter() - started)
    medians = [statistics.median(times) for times in took.values()]
    print(f"\n{'':<50}{'ms':>9}{'least':>9}{'ratio':>8}{'bar':>7}")
    for question, median, times in zip(asked, medians, took.values(), strict=True):
        bar = f"{question.bar:>7.1f}" if question.bar is not None else ""
        least = min(times) * 1000
        print(f"{question.name:<50}{median * 1000:>9.1f}{least:>9.1f}{median / medians[0]:>8.2f}{bar}")


if __name__ == "__main__":
    main()
