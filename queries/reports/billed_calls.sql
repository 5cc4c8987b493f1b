-- One row per billed call: the newest revision of it, whatever was delivered twice. Reports about money begin here,
-- or at the same rows of owned_calls.
-- Units: times in UTC; durations and audio in seconds; money in US dollars. null: unknown; cost_usd null: unpriced.
-- `*_tokens` are as the provider reports them, totals with their parts in them. text_input, text_output, audio_input,
-- audio_output and cached_input are tokens too, and do not overlap: cached_input was read from a cache, be it text,
-- audio or image, and is in no other.
-- Source: owned_calls.
create or replace view billed_calls as
select
    lower(hex(c.call_id)) as call_id, -- identity of the call, 32 hex digits
    lower(hex(c.process_id)) as process_id, -- identity of the process that made the call, 32 hex digits
    lower(hex(c.trace_id)) as trace_id, -- trace of the call's span, 32 hex digits
    lower(hex(c.span_id)) as span_id, -- the call's span, 16 hex digits
    c.* except (call_id, process_id, trace_id, span_id, audio_seconds, all_audio_seconds, version, superseded),
    c.all_audio_seconds as audio_seconds -- seconds of audio that was sent or answered
from owned_calls as c
