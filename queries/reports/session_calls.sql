-- One row per billed call of a session, with all that its price was made of, to make it again.
-- Parameters: session_id.
-- Units: as in billed_calls.
-- Source: session_days, calls (the rows of billed_calls: analyzing a view in between takes as long as everything
-- else).
create or replace view session_calls as
select
    lower(hex(c.call_id)) as call_id, -- identity of the call, 32 hex digits
    lower(hex(c.trace_id)) as trace_id, -- trace of the call's span, 32 hex digits
    lower(hex(c.span_id)) as span_id, -- the call's span, 16 hex digits
    user_id,
    service,
    operation,
    provider,
    request_model,
    model,
    service_tier,
    server_address,
    kind,
    scenario,
    step,
    tags,
    error_type,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    input_text_tokens,
    input_audio_tokens,
    input_image_tokens,
    output_text_tokens,
    output_audio_tokens,
    output_image_tokens,
    output_reasoning_tokens,
    cache_text_read_tokens,
    cache_audio_read_tokens,
    cache_image_read_tokens,
    training_tokens,
    input_characters,
    images,
    web_searches,
    file_searches,
    containers,
    requests,
    audio_seconds,
    input_audio_seconds,
    output_audio_seconds,
    video_seconds,
    other_usage,
    invalid_usage,
    cost_unknown,
    text_input,
    text_output,
    audio_input,
    audio_output,
    cached_input,
    cost_usd,
    computed_usd,
    list_usd,
    contracted_usd,
    contract_amount,
    contract_currency,
    contract_id,
    reservation_id,
    cost_status,
    cost_reason,
    cost_source,
    cost_lines,
    itemized,
    price_id,
    price_book,
    price_model,
    price_deployment,
    price_processing,
    duration_s,
    time_to_first_chunk_s,
    time_to_first_audio_s,
    realtime_status,
    realtime_status_reason,
    finish_reason,
    response_id,
    start_time,
    end_time,
    revision
from calls as c final
where (c.user_id, toDate(c.end_time)) global in (
    select
        user_id,
        day
    from session_days
    where session_id = {session_id:String}
)
    and c.session_id = {session_id:String}
    and not c.superseded
