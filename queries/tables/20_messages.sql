-- One row per message and version of its content, and copy of it. Reports read session_messages: one row per message.
-- Content has a retention of its own; the rest of the row stays as long as the ledger.
-- Units: times in UTC, microseconds; audio in seconds; sizes in bytes before the content was cut. null: unknown.
-- Source: otel_logs, by messages_mv.
create table if not exists messages
(
    session_id String codec(ZSTD(1)), -- the session that the message was said in
    message_id String codec(ZSTD(1)), -- identity of the message, the same however often it is sent again
    user_id String codec(ZSTD(1)), -- the user that the message's record names
    call_id String codec(ZSTD(1)), -- the call that sent or answered the message first, 32 hex digits
    kind LowCardinality(String) default if(session_id = '', '', 'conversation')
        comment 'the kind of the session: conversation, creation, ...', -- empty outside of any session
    scenario LowCardinality(String), -- the scenario of the session; empty outside of any
    message_index UInt32 codec(T64, ZSTD(1)), -- place of the message in its conversation
    role LowCardinality(String), -- system, user, assistant or function
    type LowCardinality(String), -- text, audio, function_call, function_result, image or file
    function_name LowCardinality(String), -- the function that is called or has answered
    arguments String codec(ZSTD(1)) ttl
        toDateTime(if(
            dateDiff('day', timestamp, inserted_at) between -1 and /* content_days */ 30, timestamp, inserted_at))
        + interval /* content_days */ 30 day, -- the arguments of the function, as the model wrote them
    content String codec(ZSTD(1)) ttl
        toDateTime(if(
            dateDiff('day', timestamp, inserted_at) between -1 and /* content_days */ 30, timestamp, inserted_at))
        + interval /* content_days */ 30 day, -- what was said; empty where it is not recorded, or was forgotten
    had_content Bool default content != '' or arguments != ''
        comment 'whether content was recorded, also after it was deleted',
    audio_seconds Nullable(Decimal(18, 6)) codec(ZSTD(1)), -- seconds of audio of the message
    bytes Nullable(UInt64) codec(T64, ZSTD(1)), -- size of the content before it was cut
    sha256 String codec(ZSTD(1)), -- hash of the whole content, where it was cut
    truncated Bool, -- whether the content was cut
    interrupted LowCardinality(String) comment 'why it was broken off, or was not all heard',
    timestamp DateTime64(6, 'UTC') codec(Delta(8), ZSTD(1)), -- when it was said
    content_hash UInt64 default cityHash64(content, arguments) comment 'versions of the content',
    earliness UInt64 default 18446744073709551615 - toUnixTimestamp64Micro(timestamp) codec(ZSTD(1))
        comment 'of copies the first counts',
    inserted_at DateTime64(3, 'UTC') default nowInBlock64(3) codec(Delta(8), ZSTD(1)), -- when the record arrived
    index words lower(content) type text(tokenizer = 'splitByNonAlpha')
)
engine = ReplacingMergeTree(earliness)
partition by toYYYYMM(timestamp)
primary key (session_id, message_id)
order by (session_id, message_id, content_hash)
ttl toDateTime(if(dateDiff('day', timestamp, inserted_at) between -1 and /* ledger_days */ 400, timestamp, inserted_at))
    + interval /* ledger_days */ 400 day
-- Small blocks: a message or a conversation is found three times as fast, and takes no more room.
settings index_granularity = 256,
    min_compress_block_size = 8192,
    max_compress_block_size = 16384
