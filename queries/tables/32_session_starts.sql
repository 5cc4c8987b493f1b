-- One row per session that a program has begun by telling us of it, and time it did; `session_starts final` is one row
-- per session, as it was told last. Its calls that are told without a user, kind, scenario or tags get these.
-- Units: times in UTC.
-- Source: otel_logs, by session_starts_mv.
create table if not exists session_starts
(
    session_id String codec(ZSTD(1)), -- the session
    user_id String codec(ZSTD(1)), -- its user; empty where it has none
    kind LowCardinality(String), -- its kind: conversation, creation, ...
    scenario LowCardinality(String), -- its scenario; empty where it has none
    tags Map(LowCardinality(String), String) codec(ZSTD(1)), -- its tags, by name
    told_at DateTime64(6, 'UTC') codec(Delta(8), ZSTD(1)), -- when it was told; of several the last counts
    inserted_at DateTime64(3, 'UTC') default nowInBlock64(3) codec(Delta(8), ZSTD(1)) -- when the record arrived
)
engine = ReplacingMergeTree(told_at)
order by session_id
ttl toDateTime(if(dateDiff('day', told_at, inserted_at) between -1 and /* ledger_days */ 400, told_at, inserted_at))
    + interval /* ledger_days */ 400 day
settings index_granularity = 512
