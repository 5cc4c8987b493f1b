-- One row per difference between a provider's bill and what was recorded that the latest comparison still found.
-- Units: quantities in their unit; unit `usd` is US dollars of a model or line item, `day_usd` those of the whole day,
-- to which the former add up; `eur` and the like are amounts in that currency, which were not compared.
-- Source: bill_differences.
create or replace view open_bill_differences as
select
    vendor, -- whose bill it is: openai, azure, anthropic, google, elevenlabs, deepgram, aws
    part, -- what of it was compared: projects, keys and services; empty for all
    day, -- the day, in the zone of the bill
    model, -- model or line item as the bill has it; empty for the whole day
    unit, -- input_tokens, ..., usd for money, day_usd for the money of the whole day
    theirs, -- what is billed; null where it has no such
    ours, -- what was recorded; null where there is no such
    difference, -- what is billed beyond what was recorded
    cause, -- not_recorded, not_reported, billed_otherwise, ... (docs/reconcile.md)
    found_at, -- when it was found for the first time since it was resolved the last time
    compared_at -- when it was compared the last time
from bill_differences final
where not resolved
