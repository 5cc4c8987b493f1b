-- One row per user and day (UTC). Calls that are nobody's (owned_calls) have an empty user_id.
-- Units: money in US dollars, exact, the sum of what is known; unpriced_calls counts what is not; tokens disjoint, audio in seconds.
-- Source: owned_calls.
create or replace view user_costs $on_cluster as
select
    toDate32(c.end_time) as day,
    c.user_id as user_id,
    uniqExactIf(c.session_id, c.session_id != '') as session_count,
    count() as call_count,
    countIf(c.cost_usd is null) as unpriced_calls,
    coalesce(sum(c.cost_usd), 0) as cost_usd,
    sum(c.text_input_usd) as text_input_usd,
    sum(c.text_output_usd) as text_output_usd,
    sum(c.audio_input_usd) as audio_input_usd,
    sum(c.audio_output_usd) as audio_output_usd,
    sum(c.speech_to_text_usd) as speech_to_text_usd,
    sum(c.text_to_speech_usd) as text_to_speech_usd,
    sum(c.other_usd) as other_usd,
    sum(c.text_input) as text_input,
    sum(c.text_output) as text_output,
    sum(c.audio_input) as audio_input,
    sum(c.audio_output) as audio_output,
    sum(c.cached_input) as cached_input,
    sum(c.all_audio_seconds) as audio_seconds,
    sum(coalesce(c.input_characters, 0)) as characters
from owned_calls as c
group by day, user_id
