-- One row per half hour (UTC) and group of calls that are not simply priced, as it was counted last. Whether that lacks
-- something, stale_not_priced tells; unpriced_calls is right in any case.
-- Units: as in not_priced_half_hours.
-- Source: not_priced_half_hours.
create or replace view counted_not_priced as
select
    half_hour,
    kind,
    scenario,
    step,
    service,
    provider,
    model,
    operation,
    cost_status,
    cost_reason,
    call_count,
    input_tokens,
    output_tokens,
    cost_usd,
    first_time,
    last_time,
    last_call_id
from not_priced_half_hours final
array join
    kind,
    scenario,
    step,
    service,
    provider,
    model,
    operation,
    cost_status,
    cost_reason,
    call_count,
    input_tokens,
    output_tokens,
    cost_usd,
    first_time,
    last_time,
    last_call_id
