-- One row per billable call and copy of its record; `calls final` is one row per call and owner (user and session).
-- Reports read owned_calls or billed_calls. A re-price inserts the call into call_records again, with a higher
-- revision; nothing is updated in place. A job that several sessions look at has the same derived id in each: the
-- rows of all but one are superseded (superseded_calls_mv).
-- Units: times in UTC, milliseconds; durations and audio in seconds; money in US dollars, exact. null: unknown. 0:
-- known to be zero. Totals include their parts: input_tokens 11000 with input_audio_tokens 10000 is 1000 of text.
-- Source: call_records, by calls_mv.
create table if not exists calls
(
    user_id String codec(ZSTD(1)), -- the user that the call names; empty where it names none
    session_id String codec(ZSTD(1)), -- the session; empty outside of any
    call_id FixedString(16) codec(ZSTD(1)), -- identity of the call, 16 bytes
    process_id FixedString(16) codec(ZSTD(1)), -- identity of the process that made the call, 16 bytes
    call_seq UInt64 codec(T64, ZSTD(1)), -- number of the call in its process, from 1
    trace_id FixedString(16) codec(ZSTD(1)), -- trace of the call's span, 16 bytes
    span_id FixedString(8) codec(ZSTD(1)), -- the call's span, 8 bytes
    response_id String codec(ZSTD(1)), -- the provider's id of the response
    service LowCardinality(String), -- service.name of the program that made the call
    operation LowCardinality(String), -- gen_ai.operation.name: chat, embeddings, speech_to_text, ...
    provider LowCardinality(String), -- who was paid: openai, azure.ai.openai, deepgram, ...
    request_model LowCardinality(String), -- the model that was asked for
    model LowCardinality(String) comment 'the model that answered, or the one that was asked',
    service_tier LowCardinality(String), -- the service tier that the provider answered with
    server_address LowCardinality(String), -- the host that was called
    kind LowCardinality(String) default if(session_id = '', '', 'conversation')
        comment 'the kind of the session: conversation, creation, ...', -- empty outside of any session
    scenario LowCardinality(String), -- the scenario of the session; empty outside of any
    step LowCardinality(String), -- the step of the session; empty outside of any
    tags Map(LowCardinality(String), String) codec(ZSTD(1)), -- the session's tags, by name
    error_type LowCardinality(String), -- why the call failed; empty where it did not
    finish_reason LowCardinality(String) comment 'why the answer ended: the first of the reasons, of one choice',
    input_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- tokens that were sent, all kinds, cached ones included
    output_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- tokens that were answered, all kinds, reasoning included
    cache_read_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of input_tokens, those read from a cache
    cache_write_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of input_tokens, those written to a cache
    input_text_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of input_tokens, those of text
    input_audio_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of input_tokens, those of audio
    input_image_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of input_tokens, those of images
    output_text_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of output_tokens, those of text
    output_audio_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of output_tokens, those of audio
    output_image_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of output_tokens, those of images
    output_reasoning_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of output_tokens, those of reasoning
    cache_text_read_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of cache_read_tokens, those of text
    cache_audio_read_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of cache_read_tokens, those of audio
    cache_image_read_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- of cache_read_tokens, those of images
    training_tokens Nullable(Int64) codec(T64, ZSTD(1)), -- tokens that a fine-tuning job trained on
    input_characters Nullable(Int64) codec(T64, ZSTD(1)), -- characters that were spoken
    images Nullable(Int64) codec(T64, ZSTD(1)), -- images that were made
    web_searches Nullable(Int64) codec(T64, ZSTD(1)), -- searches of the web
    file_searches Nullable(Int64) codec(T64, ZSTD(1)), -- searches of files
    containers Nullable(Int64) codec(T64, ZSTD(1)), -- containers that code ran in
    requests Nullable(Int64) codec(T64, ZSTD(1)), -- requests, where the provider bills by request
    audio_seconds Nullable(Decimal(18, 9)) codec(ZSTD(1)), -- seconds of audio, sent or answered
    input_audio_seconds Nullable(Decimal(18, 9)) codec(ZSTD(1)), -- seconds of audio that were sent
    output_audio_seconds Nullable(Decimal(18, 9)) codec(ZSTD(1)), -- seconds of audio that were answered
    video_seconds Nullable(Decimal(18, 9)) codec(ZSTD(1)), -- seconds of video that were made
    other_usage Map(LowCardinality(String), String) codec(ZSTD(1))
        comment 'units that have no column', -- quantities of units that have no column, by unit
    invalid_usage Array(LowCardinality(String)), -- keys of the usage whose value could not be read
    cost_unknown Array(LowCardinality(String))
        comment 'keys of the usage and options of the request that the cost does not account for',
    cached_input Int64 default coalesce(
        cache_read_tokens,
        coalesce(cache_text_read_tokens, 0)
            + coalesce(cache_audio_read_tokens, 0)
            + coalesce(cache_image_read_tokens, 0))
        codec(T64, ZSTD(1))
        comment 'this and the next four are tokens, disjoint', -- tokens from a cache, of text, audio and images
    text_input Int64 default greatest(0,
        coalesce(
            input_tokens - coalesce(input_audio_tokens, 0) - coalesce(input_image_tokens, 0),
            input_text_tokens,
            0)
        - (cached_input - coalesce(cache_audio_read_tokens, 0) - coalesce(cache_image_read_tokens, 0)))
        codec(T64, ZSTD(1)), -- tokens of text that was sent, without cached ones
    text_output Int64 default greatest(0,
        coalesce(
            output_tokens - coalesce(output_audio_tokens, 0) - coalesce(output_image_tokens, 0),
            output_text_tokens,
            0))
        codec(T64, ZSTD(1)), -- tokens of text that was answered, reasoning included
    audio_input Int64 default greatest(0, coalesce(input_audio_tokens, 0) - coalesce(cache_audio_read_tokens, 0))
        codec(T64, ZSTD(1)), -- tokens of audio that was sent, without cached ones
    audio_output Int64 default coalesce(output_audio_tokens, 0)
        codec(T64, ZSTD(1)), -- tokens of audio that was answered
    all_audio_seconds Decimal(38, 9) default coalesce(
        audio_seconds,
        toDecimal128(coalesce(input_audio_seconds, 0), 9) + coalesce(output_audio_seconds, 0))
        codec(ZSTD(1)), -- seconds of audio that was sent or answered
    cost_usd Nullable(Decimal(38, 12)) codec(ZSTD(1)) comment 'null: unpriced', -- US dollars, exact; null: unpriced
    cost_lines Map(LowCardinality(String), Decimal(38, 12)) codec(ZSTD(1))
        comment 'unit to dollars; they add up to a cost of our own', -- US dollars by unit, of a cost that is our own
    cost_status LowCardinality(String), -- priced, partial, estimated or unpriced
    cost_reason LowCardinality(String), -- why the call is not priced (docs/reasons.md); empty where it is
    cost_source LowCardinality(String), -- who computed the cost: local (this package) or provider
    line_kinds Array(LowCardinality(String)) default arrayMap(unit -> multiIf(
        operation in ('speech_to_text', 'text_to_speech'), toString(operation),
        match(unit, '_(image|video)_'), 'other',
        match(unit, '^output_audio_'), 'audio_output',
        match(unit, '^(input|cache)_audio_'), 'audio_input',
        match(unit, '^output_(.+_)?tokens$'), 'text_output',
        match(unit, '^(input|cache)_(.+_)?tokens$'), 'text_input',
        'other'), mapKeys(cost_lines))
        comment 'the part of cost_breakdown that each of cost_lines counts in',
    itemized Bool default coalesce(arraySum(mapValues(cost_lines)) = cost_usd, false)
        comment 'cost_lines add up to cost_usd', -- whether cost_lines are all of cost_usd
    text_input_usd Decimal(38, 12) default arraySum(
        (kind, usd) -> if(itemized and kind = 'text_input', usd, 0), line_kinds, mapValues(cost_lines))
        codec(ZSTD(1)), -- the part of cost_usd for text that was sent, cached text included
    text_output_usd Decimal(38, 12) default arraySum(
        (kind, usd) -> if(itemized and kind = 'text_output', usd, 0), line_kinds, mapValues(cost_lines))
        codec(ZSTD(1)), -- the part of cost_usd for text that was answered, reasoning included
    audio_input_usd Decimal(38, 12) default arraySum(
        (kind, usd) -> if(itemized and kind = 'audio_input', usd, 0), line_kinds, mapValues(cost_lines))
        codec(ZSTD(1)), -- the part of cost_usd for audio tokens that were sent, cached ones included
    audio_output_usd Decimal(38, 12) default arraySum(
        (kind, usd) -> if(itemized and kind = 'audio_output', usd, 0), line_kinds, mapValues(cost_lines))
        codec(ZSTD(1)), -- the part of cost_usd for audio tokens that were answered
    speech_to_text_usd Decimal(38, 12) default if(operation = 'speech_to_text', coalesce(cost_usd, 0), 0)
        codec(ZSTD(1)), -- the part of cost_usd for calls that transcribe
    text_to_speech_usd Decimal(38, 12) default if(operation = 'text_to_speech', coalesce(cost_usd, 0), 0)
        codec(ZSTD(1)), -- the part of cost_usd for calls that synthesize speech
    other_usd Decimal(38, 12) default coalesce(cost_usd, 0)
        - text_input_usd - text_output_usd - audio_input_usd - audio_output_usd
        - speech_to_text_usd - text_to_speech_usd
        codec(ZSTD(1)), -- the rest of cost_usd: images, tools, and what has no parts
    computed_usd Nullable(Decimal(38, 12)) codec(ZSTD(1))
        comment 'our own price beside a cost that the provider reported',
    list_usd Nullable(Decimal(38, 12)) default if(cost_source = 'provider', computed_usd, cost_usd)
        codec(ZSTD(1)) comment 'at list prices', -- US dollars at list prices, without any contract
    contracted_usd Nullable(Decimal(38, 12)) default list_usd
        codec(ZSTD(1)) comment 'at contract prices, before reservations', -- US dollars, as if nothing were reserved
    contract_amount Nullable(Decimal(38, 12)) codec(ZSTD(1))
        comment 'cost_usd in the currency of the contract', -- cost_usd in contract_currency; null: no contract
    contract_currency LowCardinality(String), -- the currency of the contract (ISO 4217); empty: no contract
    contract_id LowCardinality(String), -- the contract that the call is billed by; empty: none
    reservation_id LowCardinality(String), -- the reservation of the contract that the call used; empty: none
    price_id LowCardinality(String), -- the price that was used
    price_book LowCardinality(String), -- version of the price book that it is from
    price_model LowCardinality(String) comment 'what the price is listed under, where it is more than the model',
    price_deployment LowCardinality(String), -- kind of deployment that the price is for, on Azure
    price_processing LowCardinality(String), -- way of processing that the price is for: batch, ...
    duration_s Nullable(Float64) codec(ZSTD(1)), -- seconds from the request to the end of the answer
    time_to_first_chunk_s Nullable(Float64) codec(ZSTD(1)), -- seconds until a stream's first chunk
    time_to_first_audio_s Nullable(Float64) codec(ZSTD(1)), -- seconds until a spoken answer's first sound
    realtime_status LowCardinality(String), -- of a Realtime response: completed, cancelled, incomplete or failed
    realtime_status_reason LowCardinality(String), -- why it was cancelled or incomplete: turn_detected, ...
    start_time DateTime64(3, 'UTC') codec(Delta(8), ZSTD(1)), -- when the call began
    end_time DateTime64(3, 'UTC') codec(Delta(8), ZSTD(1)), -- when the call ended, which decides its day
    revision UInt16 default 0 codec(T64, ZSTD(1))
        comment 'the highest counts', -- rises where a call is recorded again, as by a re-price; the highest counts
    repriced Bool comment 'by a later price', -- whether a later price was used than that of the call itself
    superseded Bool default false comment 'the call is billed to another owner',
    derived Bool default substring(hex(call_id), 13, 1) = '5'
        comment 'the id follows from a job of the provider: others may see it too', -- whether it is a job of a provider
    version UInt64 default toUInt64(revision) * 70368744177664
        -- that is 2^46; below it, of copies of a job the earliest start, in milliseconds
        + if(derived, 2 * greatest(0, 17592186044415 - toUnixTimestamp64Milli(start_time)), 0)
        + superseded
        codec(ZSTD(1)), -- of copies with the same key the highest counts
    inserted_at DateTime64(3, 'UTC') default nowInBlock64(3) codec(Delta(8), ZSTD(1)), -- when the record arrived
    index sessions session_id type bloom_filter(0.001) granularity 1,
    index arrivals inserted_at type minmax granularity 1
)
engine = ReplacingMergeTree(version)
partition by toDate(end_time)
order by (user_id, session_id, end_time, call_id)
ttl toDateTime(if(dateDiff('day', end_time, inserted_at) between -1 and /* ledger_days */ 400, end_time, inserted_at))
    + interval /* ledger_days */ 400 day
-- Compact parts answer about one user or session two to three times as fast; days of more than half a million calls
-- become wide all the same.
settings index_granularity = 4096,
    min_bytes_for_wide_part = 268435456,
    ttl_only_drop_parts = 1,
    min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
