-- One row per call and cost line. A call without lines, or whose lines stand beside a cost that the provider reported, is one row without a unit.
-- Units: cost_usd in US dollars, exact; null: unpriced. `kind` is the key of cost_breakdown that the line counts in: the whole of a speech_to_text or
-- text_to_speech call is that; cached text is text_input, cached audio is audio_input; what is none of them is other.
-- Source: billed_calls.
create or replace view call_lines as
select
    call_id,
    session_id,
    user_id,
    scenario,
    step,
    operation,
    provider,
    model,
    line.1 as unit,
    line.2 as kind,
    line.3 as cost_usd,
    end_time
from billed_calls as c
array join if(c.itemized,
    arrayZip(mapKeys(c.cost_lines), c.line_kinds, mapValues(c.cost_lines)::Array(Nullable(Decimal(38, 12)))),
    [('', if(c.operation in ('speech_to_text', 'text_to_speech'), c.operation, 'other'), c.cost_usd)]) as line
