-- One row per revision of a call that is still stored: how it was recorded, the first time and by each re-price. What
-- does not count any more is gone when parts are merged. Of several copies of one, the first that arrived.
-- Parameters: call_id (32 hex digits), session_id and end_time, which say where it is.
-- Units: as in calls.
-- Source: calls.
create or replace view call_revisions as
select
    revision,
    inserted_at as recorded_at, -- when the revision arrived
    cost_usd,
    list_usd,
    contract_amount,
    contract_currency,
    cost_status,
    cost_reason,
    cost_source,
    price_id,
    price_book,
    repriced
from calls
where call_id = toFixedString(unhex({call_id:String}), 16)
    and session_id = {session_id:String}
    and end_time = {end_time:DateTime64(3, 'UTC')}
order by revision, inserted_at
limit 1 by revision
