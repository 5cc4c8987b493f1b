-- One row per hour of a reservation, or time of a commitment, that was settled: what was paid for, and what of it was
-- used.
-- Units: money in the currency of the contract, and in US dollars, exact; times in UTC.
-- Source: contract_charges.
create or replace view contract_balances as
select
    contract_id,
    kind, -- reservation or commitment
    name, -- id of the reservation or the commitment
    providers, -- whom the contract is with
    period_start, -- the hour, or when the commitment begins
    period_end, -- when it ends, excluded
    currency, -- currency of the contract (ISO 4217)
    amount, -- what is paid for it, used or not
    used_amount, -- what its calls used of it
    unused_amount, -- what nobody used: on no call
    amount_usd, -- amount in US dollars; null: no rate is known
    unused_usd, -- unused_amount in US dollars; null: no rate is known
    call_count, -- calls that used it
    settled_at -- when that was worked out
from contract_charges final
where not deleted
