-- One row per day (UTC), per model (with its provider and operation) or per scenario, as `by` says, of the calls that ended in [since, until): bounds are
-- moments, to the millisecond. The columns that it is not by are null. Parameters: by ('day', 'model', 'scenario'); since, until.
-- Units: money in US dollars, exact, the sum of what is known; unpriced_calls counts what is not; tokens disjoint, audio in seconds.
-- Source: calls, the rows of billed_calls.
create or replace view costs_between $on_cluster as
select
    if({by:String} = 'day', toDate32(c.end_time), null) as day,
    if({by:String} = 'model', toString(c.provider), null) as provider,
    if({by:String} = 'model', toString(c.model), null) as model,
    if({by:String} = 'model', toString(c.operation), null) as operation,
    if({by:String} = 'scenario', toString(c.scenario), null) as scenario,
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
where not c.superseded and c.end_time >= {since:DateTime64(3, 'UTC')} and c.end_time < {until:DateTime64(3, 'UTC')}
group by day, provider, model, operation, scenario
