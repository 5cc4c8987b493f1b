-- One row per day (UTC) and contract, by the reservation that was used, provider and model: what its calls cost.
-- Units: money in US dollars, but for contract_amount, which is in contract_currency; exact: the sum of the calls that
-- have a price.
-- Source: named_calls.
create or replace view contract_costs as
select
    toDate32(c.end_time) as day, -- day (UTC) on which the calls ended
    c.contract_id as contract_id, -- the contract that they are billed by
    c.reservation_id as reservation_id, -- what was reserved and covers them; empty: nothing
    c.contract_currency as contract_currency, -- currency of the contract (ISO 4217)
    c.provider as provider,
    c.model as model, -- the model that answered
    count() as call_count, -- billed calls
    countIf(c.cost_usd is null) as unpriced_calls, -- calls among them that have no price
    countIf(match(c.cost_reason, '_not_settled')) as unsettled_calls, -- calls among them that wait for their month
    coalesce(sum(coalesce(c.list_usd, c.cost_usd)), 0) as list_usd, -- at list prices; where none is known, the cost
    coalesce(sum(coalesce(c.contracted_usd, c.list_usd, c.cost_usd)), 0) as contracted_usd, -- without reservations
    coalesce(sum(c.cost_usd), 0) as cost_usd, -- what they cost
    coalesce(sum(c.contract_amount), 0) as contract_amount -- the same in contract_currency
from named_calls as c
where c.contract_id != ''
group by day, contract_id, reservation_id, contract_currency, provider, model
