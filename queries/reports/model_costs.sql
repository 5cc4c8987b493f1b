-- One row per provider, model, operation and day (UTC).
-- Units: money in US dollars, exact, the sum of what is known; unpriced_calls counts what is not; tokens disjoint, audio in seconds.
-- Source: calls, the rows of billed_calls.
create or replace view model_costs as
select
    toDate32(c.end_time) as day,
    c.provider as provider,
    c.model as model,
    c.operation as operation,
    uniqExactIf(c.session_id, c.session_id != '') as session_count,
    $measures
from calls as c final
where not c.superseded
group by day, provider, model, operation
