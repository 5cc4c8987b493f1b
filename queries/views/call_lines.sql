-- One row per call and cost line; a call without lines, or whose lines are not its cost (a provider's own figure), is one row with an empty unit.
-- Units: cost_usd in US dollars, exact; null: unpriced. `kind` is the key of cost_breakdown that the line counts in:
-- the whole of a speech_to_text or text_to_speech call is that; cached text is text_input, cached audio audio_input; what is none of them is other.
-- Source: billed_calls.
create or replace view call_lines $on_cluster as
select
    call_id,
    session_id,
    user_id,
    scenario,
    step,
    operation,
    provider,
    model,
    unit,
    multiIf(
        operation in ('speech_to_text', 'text_to_speech'), operation,
        match(unit, '(image|video|training)'), 'other',
        match(unit, '^output_audio_(.*_)?(tokens|seconds)$$'), 'audio_output',
        match(unit, '^(input|cache)_audio_(.*_)?(tokens|seconds)$$'), 'audio_input',
        match(unit, '^output_(.*_)?tokens$$'), 'text_output',
        match(unit, '^(input|cache)_(.*_)?tokens$$'), 'text_input',
        'other') as kind,
    line_usd as cost_usd,
    end_time
from
(
    select
        *,
        if(arraySum(mapValues(cost_lines)) = cost_usd and notEmpty(cost_lines), mapKeys(cost_lines), ['']) as units,
        if(units = [''], [cost_usd], mapValues(cost_lines)) as amounts
    from billed_calls
)
array join units as unit, amounts as line_usd
