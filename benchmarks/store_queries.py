"""How long the store takes to answer, with millions of calls in it. Generates its own.

    python benchmarks/store_queries.py --calls 10000000

Every figure is the median of several runs, in one process on chDB, and a ratio to one plain sum over the cost of every
call in it (`select sum(cost_usd) from calls`): milliseconds differ from machine to machine, the ratios less.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from otel_costs.store import connect, reports, schema
from otel_costs.store.schema import Retention

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DAYS = 90
CALLS_PER_SESSION = 10
CALLS_PER_USER = 200
FIRST_DAY = date(2026, 8, 25)

CALLS = """
insert into calls (user_id, session_id, call_id, process_id, call_seq, trace_id, span_id, service, operation, provider, request_model, model,
    scenario, step, tags, input_tokens, output_tokens, cache_read_tokens, input_audio_tokens, output_audio_tokens, audio_seconds,
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
    number,
    sipHash128(s, 3),
    toFixedString(reinterpretAsString(cityHash64(number, 4)), 8),
    ['web', 'voice', 'batch'][1 + s % 3],
    op,
    ['openai', 'openai', 'azure.ai.openai', 'gcp.gemini'][1 + rs % 4],
    concat(if(op = 'chat', 'gpt-4o', op), '-', toString(rs % 8)) as model,
    model,
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
