-- One row per user: the `up_to` (20) that cost most in [since, until), the most expensive first; then, if there are more, one row of all the others: its
-- user_id is null, and `others` says how many they are (0 in all rows before it). So they add up. Parameters: since, until (null: no bound), up_to.
-- Units: money in US dollars, exact, the sum of what is known; unpriced_calls counts what is not; tokens disjoint, audio in seconds.
-- session_count is null for the others: a session may be of several users. Source: owned_calls, read once.
create or replace view users_between $on_cluster as
with
    t -> ({since:Nullable(DateTime64(3, 'UTC'))} is null or t >= {since:Nullable(DateTime64(3, 'UTC'))})
        and ({until:Nullable(DateTime64(3, 'UTC'))} is null or t < {until:Nullable(DateTime64(3, 'UTC'))}) as within,
    users as
    (
        select
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
        where within(c.end_time)
        group by user_id
    ),
    ranked as
    (
        select *, row_number() over (order by cost_usd desc, user_id) > coalesce({up_to:Nullable(UInt64)}, 20) as cut
        from users
    )
select
    if(r.cut, null, r.user_id) as user_id,
    countIf(r.cut) as others,
    if(others > 0, null, sum(r.session_count)) as session_count,
    sum(r.call_count) as call_count,
    sum(r.unpriced_calls) as unpriced_calls,
    sum(r.cost_usd) as cost_usd,
    sum(r.text_input_usd) as text_input_usd,
    sum(r.text_output_usd) as text_output_usd,
    sum(r.audio_input_usd) as audio_input_usd,
    sum(r.audio_output_usd) as audio_output_usd,
    sum(r.speech_to_text_usd) as speech_to_text_usd,
    sum(r.text_to_speech_usd) as text_to_speech_usd,
    sum(r.other_usd) as other_usd,
    sum(r.text_input) as text_input,
    sum(r.text_output) as text_output,
    sum(r.audio_input) as audio_input,
    sum(r.audio_output) as audio_output,
    sum(r.cached_input) as cached_input,
    sum(r.audio_seconds) as audio_seconds,
    sum(r.characters) as characters
from ranked as r
group by user_id
order by user_id is null, cost_usd desc, user_id
