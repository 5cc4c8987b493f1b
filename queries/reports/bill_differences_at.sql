-- One row per difference between a provider's bill and what was recorded that a comparison had found by a moment that
-- is past, and that none had resolved: as the latest comparison found it. Of what was resolved and came again, the
-- store knows the last time alone.
-- Parameters: at, the moment.
-- Units: as in open_bill_differences.
-- Source: bill_differences.
create or replace view bill_differences_at as
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
    compared_at, -- when it was compared the last time
    resolved -- whether that comparison found it no more
from bill_differences final
where found_at <= {at:DateTime64(3, 'UTC')}
    and (not resolved or compared_at > {at:DateTime64(3, 'UTC')})
