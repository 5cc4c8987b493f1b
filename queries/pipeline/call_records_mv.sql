-- Fills call_records: casts and renames, and nothing else. It must never throw: what cannot be read is null. A record
-- whose event name was left empty by a collector is known by its attribute event.name.
-- Source: otel_logs, the ledger records.
create materialized view if not exists call_records_mv to call_records as
with
    LogAttributes as a,
    'otel_costs.cost.line.' as line,
    -- No bill is negative; beyond a trillion dollars a sum could overflow, and an overflow would throw.
    text -> if(
        match(text, '[0-9]') and toDecimal128OrNull(text, 12) >= 0
            and toDecimal128OrNull(text, 12) < toDecimal128(1000000000000, 12),
        toDecimal128OrNull(text, 12), null) as usd,
    -- As the same bounds are in otel_costs/usage/numbers.py: no call uses more, and no sum of them overflows.
    text -> if(toInt64OrNull(text) between 0 and 999999999999999, toInt64OrNull(text), null) as quantity,
    text -> if(
        toFloat64OrNull(text) >= 0 and toFloat64OrNull(text) < 1000000000, toDecimal64OrNull(text, 9), null) as seconds,
    'otel_costs.tag.' as tag,
    [
        'audio_seconds', 'input_audio_seconds', 'output_audio_seconds', 'video_seconds', 'input_characters', 'images',
        'web_searches', 'file_searches', 'containers', 'requests', 'training_tokens', 'invalid'
    ] as columns
select
    a['user.id'] as user_id,
    a['session.id'] as session_id,
    if(
        match(a['otel_costs.call.id'], '^[0-9a-fA-F]{32}$'),
        toFixedString(substring(unhex(a['otel_costs.call.id']), 1, 16), 16),
        sipHash128(
            a['otel_costs.call.id'], a['otel_costs.process.id'], a['otel_costs.call.seq'], Timestamp, TraceId, SpanId)
    ) as call_id,
    toFixedString(substring(unhex(a['otel_costs.process.id']), 1, 16), 16) as process_id,
    toUInt64OrZero(a['otel_costs.call.seq']) as call_seq,
    toFixedString(substring(unhex(TraceId), 1, 16), 16) as trace_id,
    toFixedString(substring(unhex(SpanId), 1, 8), 8) as span_id,
    a['gen_ai.response.id'] as response_id,
    ServiceName as service,
    a['gen_ai.operation.name'] as operation,
    a['gen_ai.provider.name'] as provider,
    a['gen_ai.request.model'] as request_model,
    coalesce(nullIf(a['gen_ai.response.model'], ''), a['gen_ai.request.model']) as model,
    a['openai.response.service_tier'] as service_tier,
    a['server.address'] as server_address,
    if(session_id = '', '', coalesce(nullIf(a['otel_costs.session.kind'], ''), 'conversation')) as kind,
    a['otel_costs.scenario'] as scenario,
    a['otel_costs.step'] as step,
    mapApply((k, v) -> (substring(k, length(tag) + 1), v), mapFilter((k, v) -> startsWith(k, tag), a)) as tags,
    a['error.type'] as error_type,
    JSONExtractString(a['gen_ai.response.finish_reasons'], 1) as finish_reason,
    quantity(a['gen_ai.usage.input_tokens']) as input_tokens,
    quantity(a['gen_ai.usage.output_tokens']) as output_tokens,
    quantity(a['gen_ai.usage.cache_read.input_tokens']) as cache_read_tokens,
    quantity(a['gen_ai.usage.cache_write.input_tokens']) as cache_write_tokens,
    quantity(a['gen_ai.usage.text.input_tokens']) as input_text_tokens,
    quantity(a['gen_ai.usage.audio.input_tokens']) as input_audio_tokens,
    quantity(a['gen_ai.usage.image.input_tokens']) as input_image_tokens,
    quantity(a['gen_ai.usage.text.output_tokens']) as output_text_tokens,
    quantity(a['gen_ai.usage.audio.output_tokens']) as output_audio_tokens,
    quantity(a['gen_ai.usage.image.output_tokens']) as output_image_tokens,
    quantity(a['gen_ai.usage.reasoning.output_tokens']) as output_reasoning_tokens,
    quantity(a['gen_ai.usage.text.cache_read.input_tokens']) as cache_text_read_tokens,
    quantity(a['gen_ai.usage.audio.cache_read.input_tokens']) as cache_audio_read_tokens,
    quantity(a['gen_ai.usage.image.cache_read.input_tokens']) as cache_image_read_tokens,
    quantity(a['otel_costs.usage.training_tokens']) as training_tokens,
    quantity(a['otel_costs.usage.input_characters']) as input_characters,
    quantity(a['otel_costs.usage.images']) as images,
    quantity(a['otel_costs.usage.web_searches']) as web_searches,
    quantity(a['otel_costs.usage.file_searches']) as file_searches,
    quantity(a['otel_costs.usage.containers']) as containers,
    quantity(a['otel_costs.usage.requests']) as requests,
    seconds(a['otel_costs.usage.audio_seconds']) as audio_seconds,
    seconds(a['otel_costs.usage.input_audio_seconds']) as input_audio_seconds,
    seconds(a['otel_costs.usage.output_audio_seconds']) as output_audio_seconds,
    seconds(a['otel_costs.usage.video_seconds']) as video_seconds,
    mapApply(
        (k, v) -> (substring(k, 18), v),
        mapFilter((k, v) -> startsWith(k, 'otel_costs.usage.') and not has(columns, substring(k, 18)), a)
    ) as other_usage,
    arrayDistinct(
        arrayConcat(
            JSONExtract(a['otel_costs.usage.invalid'], 'Array(String)'),
            arrayMap(
                k -> replaceRegexpOne(k, '^(gen_ai|otel_costs)\\.usage\\.', ''),
                mapKeys(
                    mapFilter(
                        (k, v) -> v != ''
                            and (startsWith(k, 'gen_ai.usage.') and endsWith(k, '_tokens')
                                or startsWith(k, 'otel_costs.usage.') and has(columns, substring(k, 18)))
                            and if(endsWith(k, '_seconds'), seconds(v) is null, quantity(v) is null)
                            and k != 'otel_costs.usage.invalid',
                        a
                    )
                )
            )
        )
    ) as invalid_usage,
    JSONExtract(a['otel_costs.cost.unknown'], 'Array(String)') as cost_unknown,
    usd(a['otel_costs.cost.usd']) as cost_usd,
    mapApply(
        (k, v) -> (substring(k, length(line) + 1), assumeNotNull(usd(v))),
        mapFilter((k, v) -> startsWith(k, line) and usd(v) is not null, a)
    ) as cost_lines,
    if(cost_usd is null, 'unpriced', a['otel_costs.cost.status']) as cost_status,
    a['otel_costs.cost.reason'] as cost_reason,
    a['gen_ai.usage.cost.source'] as cost_source,
    usd(a['otel_costs.cost.computed_usd']) as computed_usd,
    coalesce(usd(a['otel_costs.cost.list_usd']), if(cost_source = 'provider', computed_usd, cost_usd)) as list_usd,
    coalesce(usd(a['otel_costs.cost.contracted_usd']), list_usd) as contracted_usd,
    usd(a['otel_costs.contract.amount']) as contract_amount,
    a['otel_costs.contract.currency'] as contract_currency,
    a['otel_costs.contract.id'] as contract_id,
    a['otel_costs.contract.reservation'] as reservation_id,
    a['otel_costs.price.id'] as price_id,
    a['otel_costs.price.book'] as price_book,
    a['otel_costs.price.model'] as price_model,
    a['otel_costs.price.deployment'] as price_deployment,
    a['otel_costs.price.processing'] as price_processing,
    toFloat64OrNull(a['otel_costs.duration_s']) as duration_s,
    toFloat64OrNull(a['gen_ai.response.time_to_first_chunk']) as time_to_first_chunk_s,
    toFloat64OrNull(a['otel_costs.realtime.time_to_first_audio']) as time_to_first_audio_s,
    a['otel_costs.realtime.status'] as realtime_status,
    a['otel_costs.realtime.status_reason'] as realtime_status_reason,
    toUInt16OrZero(a['otel_costs.call.revision']) as revision,
    least(
        coalesce(fromUnixTimestamp64Nano(toInt64OrNull(a['otel_costs.start_time_unix_nano']), 'UTC'), Timestamp),
        Timestamp
    ) as start_time,
    Timestamp as end_time
from otel_logs
where 'otel_costs.call' in (EventName, a['event.name'])
