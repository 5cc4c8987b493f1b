-- One row per user: the `up_to` (20) that cost most in [since, until), the most expensive first. Parameters: since, until (null: no bound), up_to.
-- Units: money in US dollars, exact, the sum of what is known; unpriced_calls counts what is not; tokens disjoint, audio in seconds.
-- Source: calls, the rows of billed_calls: once for the cost alone, then everything else of those who are in the list.
create or replace view top_users $on_cluster as
with
    t -> ({since:Nullable(DateTime64(3, 'UTC'))} is null or t >= {since:Nullable(DateTime64(3, 'UTC'))})
        and ({until:Nullable(DateTime64(3, 'UTC'))} is null or t < {until:Nullable(DateTime64(3, 'UTC'))}) as within,
    top as
    (
        select user_id, coalesce(sum(b.cost_usd), 0) as usd
        from calls as b final
        where not b.superseded and within(b.end_time)
        group by user_id
        order by usd desc, user_id
        limit coalesce({up_to:Nullable(UInt64)}, 20)
    )
select
    c.user_id as user_id,
    uniqExact(c.session_id) as session_count,
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
from calls as c final
where not c.superseded and c.user_id global in (select user_id from top) and within(c.end_time)
group by user_id
order by cost_usd desc, user_id
