-- One row per billable call and copy of its record; `calls final` is one row per call and owner (user and session). Reports read billed_calls.
-- Units: times in UTC, milliseconds; durations and audio in seconds; money in US dollars, exact. null: unknown. 0: known to be zero.
-- Totals are inclusive of their parts: input_tokens 11000 with input_audio_tokens 10000 is 1000 of text.
-- Source: call_records, by calls_mv. A re-price inserts the call there again with a higher revision; nothing is updated in place.
-- A job that several sessions look at has the same derived id in each: the rows of all but one are superseded (superseded_calls_mv).
create table if not exists calls
(
    user_id String codec(ZSTD(1)), session_id String codec(ZSTD(1)),
    call_id FixedString(16) codec(ZSTD(1)), process_id FixedString(16) codec(ZSTD(1)), call_seq UInt64 codec(T64, ZSTD(1)),
    trace_id FixedString(16) codec(ZSTD(1)), span_id FixedString(8) codec(ZSTD(1)),
    response_id String codec(ZSTD(1)), service LowCardinality(String), operation LowCardinality(String), provider LowCardinality(String),
    request_model LowCardinality(String), model LowCardinality(String) comment 'the model that answered, or the one that was asked',
    service_tier LowCardinality(String), server_address LowCardinality(String),
    scenario LowCardinality(String), step LowCardinality(String), tags Map(LowCardinality(String), String) codec(ZSTD(1)),
    error_type LowCardinality(String), finish_reason LowCardinality(String) comment 'why the answer ended: the first of the reasons, of one choice',
    input_tokens Nullable(Int64) codec(T64, ZSTD(1)), output_tokens Nullable(Int64) codec(T64, ZSTD(1)),
    cache_read_tokens Nullable(Int64) codec(T64, ZSTD(1)), cache_write_tokens Nullable(Int64) codec(T64, ZSTD(1)),
    input_text_tokens Nullable(Int64) codec(T64, ZSTD(1)), input_audio_tokens Nullable(Int64) codec(T64, ZSTD(1)),
    input_image_tokens Nullable(Int64) codec(T64, ZSTD(1)), output_text_tokens Nullable(Int64) codec(T64, ZSTD(1)),
    output_audio_tokens Nullable(Int64) codec(T64, ZSTD(1)), output_image_tokens Nullable(Int64) codec(T64, ZSTD(1)),
    output_reasoning_tokens Nullable(Int64) codec(T64, ZSTD(1)), cache_text_read_tokens Nullable(Int64) codec(T64, ZSTD(1)),
    cache_audio_read_tokens Nullable(Int64) codec(T64, ZSTD(1)), cache_image_read_tokens Nullable(Int64) codec(T64, ZSTD(1)),
    training_tokens Nullable(Int64) codec(T64, ZSTD(1)), input_characters Nullable(Int64) codec(T64, ZSTD(1)),
    images Nullable(Int64) codec(T64, ZSTD(1)), web_searches Nullable(Int64) codec(T64, ZSTD(1)),
    file_searches Nullable(Int64) codec(T64, ZSTD(1)), containers Nullable(Int64) codec(T64, ZSTD(1)),
    requests Nullable(Int64) codec(T64, ZSTD(1)), audio_seconds Nullable(Decimal(18, 9)) codec(ZSTD(1)),
    input_audio_seconds Nullable(Decimal(18, 9)) codec(ZSTD(1)), output_audio_seconds Nullable(Decimal(18, 9)) codec(ZSTD(1)),
    video_seconds Nullable(Decimal(18, 9)) codec(ZSTD(1)),
    other_usage Map(LowCardinality(String), String) codec(ZSTD(1)) comment 'units that have no column', invalid_usage Array(LowCardinality(String)),
    cost_unknown Array(LowCardinality(String)) comment 'keys of the usage and options of the request that the cost does not account for',
    cached_input Int64 default coalesce(cache_read_tokens, coalesce(cache_text_read_tokens, 0) + coalesce(cache_audio_read_tokens, 0)
        + coalesce(cache_image_read_tokens, 0)) codec(T64, ZSTD(1)) comment 'this and the next four are tokens, disjoint',
    text_input Int64 default greatest(0, coalesce(input_tokens - coalesce(input_audio_tokens, 0) - coalesce(input_image_tokens, 0), input_text_tokens, 0)
        - (cached_input - coalesce(cache_audio_read_tokens, 0) - coalesce(cache_image_read_tokens, 0))) codec(T64, ZSTD(1)),
    text_output Int64 default greatest(0, coalesce(output_tokens - coalesce(output_audio_tokens, 0) - coalesce(output_image_tokens, 0),
        output_text_tokens, 0)) codec(T64, ZSTD(1)),
    audio_input Int64 default greatest(0, coalesce(input_audio_tokens, 0) - coalesce(cache_audio_read_tokens, 0)) codec(T64, ZSTD(1)),
    audio_output Int64 default coalesce(output_audio_tokens, 0) codec(T64, ZSTD(1)),
    all_audio_seconds Decimal(38, 9) default coalesce(audio_seconds, toDecimal128(coalesce(input_audio_seconds, 0), 9) + coalesce(output_audio_seconds, 0))
        codec(ZSTD(1)),
    cost_usd Nullable(Decimal(38, 12)) codec(ZSTD(1)) comment 'null: unpriced',
    cost_lines Map(LowCardinality(String), Decimal(38, 12)) codec(ZSTD(1)) comment 'unit to dollars; they add up to a cost of our own',
    cost_status LowCardinality(String), cost_reason LowCardinality(String), cost_source LowCardinality(String),
    line_kinds Array(LowCardinality(String)) default arrayMap(unit -> multiIf(
        operation in ('speech_to_text', 'text_to_speech'), toString(operation),
        match(unit, '_(image|video)_'), 'other',
        match(unit, '^output_audio_'), 'audio_output',
        match(unit, '^(input|cache)_audio_'), 'audio_input',
        match(unit, '^output_(.+_)?tokens$'), 'text_output',
        match(unit, '^(input|cache)_(.+_)?tokens$'), 'text_input',
        'other'), mapKeys(cost_lines)) comment 'the part of cost_breakdown that each of cost_lines counts in',
    itemized Bool default coalesce(arraySum(mapValues(cost_lines)) = cost_usd, false) comment 'cost_lines add up to cost_usd',
    text_input_usd Decimal(38, 12) default arraySum((kind, usd) -> if(itemized and kind = 'text_input', usd, 0), line_kinds, mapValues(cost_lines)) codec(ZSTD(1)),
    text_output_usd Decimal(38, 12) default arraySum((kind, usd) -> if(itemized and kind = 'text_output', usd, 0), line_kinds, mapValues(cost_lines)) codec(ZSTD(1)),
    audio_input_usd Decimal(38, 12) default arraySum((kind, usd) -> if(itemized and kind = 'audio_input', usd, 0), line_kinds, mapValues(cost_lines)) codec(ZSTD(1)),
    audio_output_usd Decimal(38, 12) default arraySum((kind, usd) -> if(itemized and kind = 'audio_output', usd, 0), line_kinds, mapValues(cost_lines)) codec(ZSTD(1)),
    speech_to_text_usd Decimal(38, 12) default if(operation = 'speech_to_text', coalesce(cost_usd, 0), 0) codec(ZSTD(1)),
    text_to_speech_usd Decimal(38, 12) default if(operation = 'text_to_speech', coalesce(cost_usd, 0), 0) codec(ZSTD(1)),
    other_usd Decimal(38, 12) default coalesce(cost_usd, 0) - text_input_usd - text_output_usd - audio_input_usd - audio_output_usd - speech_to_text_usd - text_to_speech_usd codec(ZSTD(1)),
    computed_usd Nullable(Decimal(38, 12)) codec(ZSTD(1)) comment 'our own price beside a cost that the provider reported',
    price_id LowCardinality(String), price_book LowCardinality(String),
    price_model LowCardinality(String) comment 'what the price is listed under, where it is more than the model',
    price_deployment LowCardinality(String), price_processing LowCardinality(String), duration_s Nullable(Float64) codec(ZSTD(1)), time_to_first_chunk_s Nullable(Float64) codec(ZSTD(1)),
    start_time DateTime64(3, 'UTC') codec(Delta(8), ZSTD(1)), end_time DateTime64(3, 'UTC') codec(Delta(8), ZSTD(1)),
    revision UInt16 default 0 codec(T64, ZSTD(1)) comment 'the highest counts', repriced Bool comment 'by a later price',
    superseded Bool default false comment 'the call is billed to another owner',
    derived Bool default substring(hex(call_id), 13, 1) = '5' comment 'the id follows from a job of the provider: others may see it too',
    version UInt64 default toUInt64(revision) * 70368744177664 -- 2^46; below it, of copies of a job the earliest start, in milliseconds
        + if(derived, 2 * greatest(0, 17592186044415 - toUnixTimestamp64Milli(start_time)), 0) + superseded codec(ZSTD(1)),
    inserted_at DateTime64(3, 'UTC') default nowInBlock64(3) codec(Delta(8), ZSTD(1)),
    index sessions session_id type bloom_filter(0.001) granularity 1, index arrivals inserted_at type minmax granularity 1
)
engine = ReplacingMergeTree(version)
partition by toDate(end_time)
order by (user_id, session_id, end_time, call_id)
ttl toDateTime(if(dateDiff('day', end_time, inserted_at) between -1 and /* ledger_days */ 400, end_time, inserted_at)) + interval /* ledger_days */ 400 day
-- Compact parts answer about one user or session two to three times as fast; days of more than half a million calls become wide all the same.
settings index_granularity = 4096, min_bytes_for_wide_part = 268435456, ttl_only_drop_parts = 1,
    min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1
