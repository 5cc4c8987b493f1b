-- One row per billed call of some sessions, with what it was told as and what was answered about it.
-- Parameters: session_ids.
-- Units: as in billed_calls.
-- Source: session_days, calls (as in session_calls, which asks for all of one session).
create or replace view calls_of_sessions as
select
    lower(hex(c.call_id)) as call_id, -- identity of the call, 32 hex digits
    operation,
    provider,
    model,
    request_model,
    service_tier,
    server_address,
    price_model,
    price_deployment,
    price_processing,
    invalid_usage,
    cost_unknown,
    cost_usd,
    cost_reason,
    cost_source,
    error_type,
    start_time,
    end_time,
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
    cost_status,
    cost_lines,
    list_usd,
    contract_amount,
    contract_currency,
    contract_id,
    price_id,
    price_book
from calls as c final
where (c.user_id, toDate(c.end_time)) global in (
    select
        user_id,
        day
    from session_days
    where session_id in {session_ids:Array(String)}
)
    and c.session_id in {session_ids:Array(String)}
    and not c.superseded
