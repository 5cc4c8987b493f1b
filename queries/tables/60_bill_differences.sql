-- One row per difference between a provider's bill and what was recorded, and change of it; `bill_differences final` is
-- one row per provider, part, day, model and unit. No user and nothing of what was said is in it.
-- Units: quantities in their unit; unit `usd` is US dollars of a model or line item, `day_usd` those of the whole day;
-- units `eur` and the like are amounts that could not be compared. Times in UTC.
-- Source: `otel-costs reconcile`. A difference that a later comparison does not find is written again, resolved.
create table if not exists bill_differences
(
    vendor String, -- whose bill it is: openai, azure, anthropic, google, elevenlabs, deepgram, aws
    part String, -- what of it was compared: projects, keys and services; empty for all
    day Date, -- the day, in the zone of the bill
    model String, -- model or line item as the bill has it; empty for the whole day
    unit String, -- input_tokens, ..., usd for money, day_usd for the money of the whole day
    theirs Nullable(Decimal(38, 12)), -- what is billed; null where it has no such
    ours Nullable(Decimal(38, 12)), -- what was recorded; null where there is no such
    difference Decimal(38, 12), -- what is billed beyond what was recorded
    cause String, -- not_recorded, not_reported, billed_otherwise, ... (docs/reconcile.md)
    found_at DateTime64(3, 'UTC'), -- when it was found for the first time since it was resolved the last time
    compared_at DateTime64(3, 'UTC'), -- when it was compared the last time
    resolved Bool, -- whether that comparison found it no more
    changed_at DateTime64(6, 'UTC') default now64(6) -- when it was written
)
engine = ReplacingMergeTree(changed_at)
order by (vendor, part, day, model, unit)
