-- One row per billed call: the newest revision of it, whatever was delivered twice. Every report about money begins here.
-- Units: times in UTC; durations and audio in seconds; money in US dollars. null: unknown; cost_usd null: unpriced.
-- *_tokens are as the provider reports them, totals with their parts in them. text_input, text_output, audio_input, audio_output and cached_input
-- are tokens too, and disjoint: cached_input was read from a cache, be it text, audio or image, and is in no other.
-- Source: calls.
create or replace view billed_calls $on_cluster as
with
    coalesce(c.cache_audio_read_tokens, 0) as cached_audio,
    coalesce(c.cache_image_read_tokens, 0) as cached_image
select
    lower(hex(c.call_id)) as call_id,
    lower(hex(c.process_id)) as process_id,
    lower(hex(c.trace_id)) as trace_id,
    lower(hex(c.span_id)) as span_id,
    c.* except (call_id, process_id, trace_id, span_id, audio_seconds, version, superseded),
    coalesce(c.cache_read_tokens, coalesce(c.cache_text_read_tokens, 0) + cached_audio + cached_image) as cached_input,
    greatest(0, coalesce(c.input_tokens - coalesce(c.input_audio_tokens, 0) - coalesce(c.input_image_tokens, 0), c.input_text_tokens, 0)
        - (cached_input - cached_audio - cached_image)) as text_input,
    greatest(0, coalesce(c.input_audio_tokens, 0) - cached_audio) as audio_input,
    greatest(0, coalesce(c.output_tokens - coalesce(c.output_audio_tokens, 0) - coalesce(c.output_image_tokens, 0),
        c.output_text_tokens, 0)) as text_output,
    coalesce(c.output_audio_tokens, 0) as audio_output,
    coalesce(c.audio_seconds, coalesce(c.input_audio_seconds, 0) + coalesce(c.output_audio_seconds, 0)) as audio_seconds
from calls as c final
where not c.superseded
