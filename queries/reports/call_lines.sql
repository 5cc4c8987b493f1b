-- One row per call and cost line. A call without lines, or whose lines stand beside a cost that the provider
-- reported, is one row without a unit.
-- Units: money in US dollars, exact.
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
    line.1 as unit, -- what is billed: input_tokens, output_audio_tokens, web_searches, ...; empty for a whole call
    line.2 as kind, -- the part of cost_breakdown that the line counts in: text_input, ..., speech_to_text, other
    line.3 as cost_usd, -- US dollars, exact; null: unpriced
    end_time
from billed_calls as c
array join if(
    c.itemized,
    arrayZip(mapKeys(c.cost_lines), c.line_kinds, mapValues(c.cost_lines)::Array(Nullable(Decimal(38, 12)))),
    [('', if(c.operation in ('speech_to_text', 'text_to_speech'), c.operation, 'other'), c.cost_usd)]) as line
