-- One row per session and time it was counted; the newest counts. The view sessions reads it, and counts itself what
-- has changed since. Emptied, it fills itself again. LZ4: lists read all of it.
-- Units: times in UTC; money in US dollars, exact.
-- Source: calls and messages, every ten seconds, by session_totals_mv.
create table if not exists session_totals
(
    session_id String, -- the session
    user_id String, -- whose the session is: the first user that it has; empty where it has none
    kind LowCardinality(String), -- the kind of the session: conversation, creation, or a word of the application
    scenario LowCardinality(String), -- the scenario of the session; empty outside of any
    tags Map(LowCardinality(String), LowCardinality(String)), -- the session's tags, by name
    message_count UInt64 codec(T64, LZ4), -- messages of the conversation
    call_count UInt64 codec(T64, LZ4), -- billed calls
    unpriced_calls UInt64 codec(T64, LZ4), -- calls among them that have no price
    error_count UInt64 codec(T64, LZ4), -- billed calls that failed
    cost_usd Decimal(38, 12), -- US dollars, exact: the sum of the calls that have a price
    start_time DateTime64(3, 'UTC'), -- when its first call or message began
    end_time DateTime64(3, 'UTC'), -- when its last call or message ended
    services Array(LowCardinality(String)), -- the programs that made its calls
    providers Array(LowCardinality(String)), -- who was paid for them
    models Array(LowCardinality(String)), -- the models that answered
    operations Array(LowCardinality(String)), -- their operations
    steps Array(LowCardinality(String)), -- their steps
    counted_at DateTime64(3, 'UTC') -- when the count began
)
engine = ReplacingMergeTree(counted_at)
order by session_id
ttl toDateTime(if(dateDiff('day', end_time, counted_at) between -1 and /* ledger_days */ 400, end_time, counted_at))
    + interval /* ledger_days */ 400 day
settings index_granularity = 512,
    min_compress_block_size = 8192,
    max_compress_block_size = 16384
